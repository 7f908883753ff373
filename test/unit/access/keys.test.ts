// Tokens, nkeys and user JWTs at the authenticator. The keys and JWTs are made by test/support/jwt.ts, which shares no line with ours.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Authenticator, type User, type Verdict } from "#access/authenticator.ts";
import { isPublicNkey } from "#access/nkey-text.ts";
import { hashPassword } from "#access/password.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import type { Revocation } from "#access/user-jwt.ts";
import { systemEntropy } from "#base/entropy.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type Claims, TestNkey, TestOperator } from "../../support/jwt.ts";

const entropy = systemEntropy();
const never = new AbortController().signal;
const NONCE = "abc-DEF_123";
const key = new TestNkey("user");
const account = new TestOperator().account("APP");
const tokenHash = await hashPassword("the-token", entropy);

function open(revocations: readonly Revocation[] = []) {
  const clock = new FakeClock();
  const permissions = { publish: UNRESTRICTED, subscribe: UNRESTRICTED };
  const users: readonly User[] = [
    { name: "panel", account: "EDGE", passwordHash: null, tokenHash, doors: ["nats"], permissions },
    { name: "robot", account: "EDGE", passwordHash: null, nkey: key.publicKey, doors: ["nats"], permissions },
    { name: "old", account: "EDGE", passwordHash: BCRYPT, doors: ["mqtt"], permissions },
  ];
  return {
    clock,
    authenticator: new Authenticator(users, null, { clock, entropy }, [
      { key: account.key.publicKey, account: "EDGE", revocations },
    ]),
  };
}

const BCRYPT = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";

function outcome(verdict: Verdict): string {
  return verdict.ok ? verdict.user.name : verdict.words;
}

test("the token lets its user in, and nothing else does", async () => {
  const { authenticator } = open();
  const show = async (token: string) => outcome(await authenticator.authenticateToken("nats", token, "10.0.0.1", never));
  assert.equal(await show("the-token"), "panel");
  assert.equal(await show("the-token"), "panel", "remembered");
  assert.equal(await show("another"), "the token is wrong");
  assert.equal(await show(""), "the token is wrong");
  const byName = await authenticator.authenticate(
    { door: "nats", user: "panel", password: "the-token", address: "10.0.0.1" },
    never,
  );
  assert.equal(byName.ok, false, "a token is no password");
});

test("guessing at tokens is slowed down", async () => {
  const { authenticator } = open();
  const guess = async () => outcome(await authenticator.authenticateToken("nats", "guess", "10.0.0.1", never));
  for (let i = 0; i < 4; i++) assert.equal(await guess(), "the token is wrong");
  assert.match(await guess(), /too many failed logins/);
});

test("a bcrypt hash takes its password by either door", async () => {
  const { authenticator } = open();
  const login = { door: "mqtt", user: "old", password: "correct horse", address: "10.0.0.1" } as const;
  assert.equal(outcome(await authenticator.authenticate(login, never)), "old");
  assert.equal(outcome(await authenticator.authenticate({ ...login, password: "wrong" }, never)), "the password is wrong");
});

test("who signs our nonce with its nkey is let in; another nonce, key or signature is not", () => {
  const { authenticator } = open();
  const stranger = new TestNkey("user");
  let last = 0;
  const show = (nkey: string, signature: string | null, nonce: string | null = NONCE) =>
    outcome(authenticator.authenticateKey({ door: "nats", nkey, signature, nonce, address: `10.0.${last++}.1` }));
  assert.equal(show(key.publicKey, key.sign(NONCE)), "robot");
  assert.match(show(key.publicKey, key.sign("another")), /signature does not fit/);
  assert.match(show(key.publicKey, stranger.sign(NONCE)), /signature does not fit/);
  assert.match(show(key.publicKey, null), /signature does not fit/);
  assert.match(show(key.publicKey, "no base64 at all!"), /signature does not fit/);
  assert.match(show(stranger.publicKey, stranger.sign(NONCE)), /too many failed|no user has the nkey/);
  assert.match(show("UABC", null), /no user's public key/);
  assert.equal(authenticator.wantsSignatures, true);
});

test("a changed letter anywhere is no key", () => {
  assert.equal(isPublicNkey(key.publicKey, "U"), true);
  assert.equal(isPublicNkey(key.publicKey, "A"), false);
  for (let i = 0; i < key.publicKey.length; i++) {
    const other = key.publicKey[i] === "B" ? "C" : "B";
    assert.equal(isPublicNkey(key.publicKey.slice(0, i) + other + key.publicKey.slice(i + 1), "U"), false, `letter ${i}`);
  }
});

function shownBy(
  authenticator: Authenticator,
  { top = {}, nats = {}, from = account }: { top?: Claims; nats?: Claims; from?: typeof account } = {},
  more: { readonly address?: string; readonly isWebSocket?: boolean; readonly nonce?: string; readonly spoil?: boolean } = {},
): Verdict {
  const user = from.user("gw", top, nats);
  const jwt = more.spoil === true ? user.jwt.replace(/\.(..)/, (_, two: string) => `.${two === "ey" ? "eY" : "ey"}`) : user.jwt;
  return authenticator.authenticateJwt({
    jwt,
    signature: user.key.sign(NONCE),
    nonce: more.nonce ?? NONCE,
    address: more.address ?? "10.0.0.1",
    isWebSocket: more.isWebSocket ?? false,
  });
}

test("a JWT of a trusted account lets its user in with what it allows", () => {
  const { authenticator } = open();
  const verdict = shownBy(authenticator, {
    top: { exp: 4_000_000_000 },
    nats: {
      pub: { allow: ["a.>"], deny: ["a.b"] },
      sub: { deny: ["secret"] },
      resp: { max: 2, ttl: 5_000_000_000 },
      subs: 7,
      payload: 100,
    },
  });
  assert.ok(verdict.ok);
  const { user } = verdict;
  assert.match(user.name, /^U/);
  assert.equal(user.account, "EDGE");
  assert.deepEqual(user.permissions, {
    publish: { allow: ["a.>"], deny: ["a.b"] },
    subscribe: { allow: null, deny: ["secret"] },
    responses: { max: 2, expires: 5_000 },
  });
  assert.deepEqual(user.limits, { expires: 4_000_000_000_000, payloadMax: 100, subscriptionsMax: 7 });
});

const REFUSED: Readonly<Record<string, readonly [Parameters<typeof shownBy>[1], Parameters<typeof shownBy>[2], RegExp]>> = {
  "of an account nobody trusts": [{ from: new TestOperator().account("OTHER") }, {}, /no account's trusted_keys/],
  "whose claims were changed": [{}, { spoil: true }, /version 2|wrong signature/],
  "of somebody who signed another nonce": [{}, { nonce: "another" }, /came with a wrong signature/],
  "that has expired": [{ top: { exp: 1_700_000_000 } }, {}, /has expired/],
  "that is not valid yet": [{ top: { nbf: 4_000_000_000 } }, {}, /not valid yet/],
  "for leaf nodes only": [{ nats: { allowed_connection_types: ["LEAFNODE"] } }, {}, /this is STANDARD/],
  "for WebSocket only, by TCP": [{ nats: { allowed_connection_types: ["WEBSOCKET"] } }, {}, /this is STANDARD/],
  "for another network": [{ nats: { src: ["192.168.0.0/16", "fd00::/8"] } }, {}, /does not allow this address/],
  "for hours of the day": [{ nats: { times: [{ start: "08:00:00", end: "17:00:00" }] } }, {}, /hours of the day/],
  "of a scoped signing key": [{ nats: { subs: undefined } }, {}, /scoped signing key/],
  "with a queue group's permission to publish": [{ nats: { pub: { deny: ["jobs workers"] } } }, {}, /cannot keep to/],
  "with a permission that is none": [{ nats: { sub: { allow: ["jobs workers more"] } } }, {}, /cannot keep to/],
  "that is an account's": [{ nats: { type: "account" } }, {}, /not a user's/],
};

for (const [what, [claims, more, words]] of Object.entries(REFUSED)) {
  test(`a JWT ${what} is refused`, () => {
    const { authenticator } = open();
    assert.match(outcome(shownBy(authenticator, claims, more)), words);
  });
}

test("a JWT for certain networks and connection types is good there", () => {
  const { authenticator } = open();
  const nats = { src: ["192.168.0.0/16"], allowed_connection_types: ["STANDARD", "WEBSOCKET"] };
  assert.ok(shownBy(authenticator, { nats }, { address: "::ffff:192.168.7.7" }).ok);
  assert.ok(shownBy(authenticator, { nats }, { address: "192.168.7.7", isWebSocket: true }).ok);
});

test("a JWT's permissions may name queue groups", () => {
  const { authenticator } = open();
  const verdict = shownBy(authenticator, { nats: { sub: { allow: ["jobs workers", "a"], deny: ["b *.dev"] } } });
  assert.ok(verdict.ok);
  assert.deepEqual(verdict.user.permissions.subscribe, {
    allow: ["a"],
    deny: [],
    allowGroups: [{ filter: "jobs", group: "workers" }],
    denyGroups: [{ filter: "b", group: "*.dev" }],
  });
});

test("a revoked JWT is refused, one that was issued later is good, and so is another user's", () => {
  const everybody = open([{ user: "*", until: 1_800_000_000_000 }]).authenticator;
  const revoked = "its JWT was revoked";
  assert.equal(outcome(shownBy(everybody, { top: { iat: 1_700_000_000 } })), revoked);
  assert.equal(outcome(shownBy(everybody, { top: { iat: 1_800_000_000 } })), revoked);
  assert.ok(shownBy(everybody, { top: { iat: 1_800_000_001 } }).ok);
  assert.equal(outcome(shownBy(everybody, { top: { iat: undefined } })), revoked, "it may be as old as can be");
  const gone = account.user("gone", { iat: 4_000_000_000 });
  const { authenticator } = open([{ user: gone.key.publicKey, until: null }]);
  const signature = gone.key.sign(NONCE);
  const shown = { jwt: gone.jwt, signature, nonce: NONCE, address: "10.0.0.1", isWebSocket: false };
  assert.equal(outcome(authenticator.authenticateJwt(shown)), revoked);
  assert.ok(shownBy(authenticator, {}).ok);
});

test("a bearer needs no signature", () => {
  const { authenticator } = open();
  assert.ok(shownBy(authenticator, { nats: { bearer_token: true } }, { nonce: "another" }).ok);
});

test("no text at all makes the reader of JWTs throw", () => {
  const { authenticator } = open();
  const parts = ["", "e30", "bnVsbA", "W10", "eyJhbGciOiJlZDI1NTE5LW5rZXkifQ", "x".repeat(500), "\u0000", "!"];
  let last = 0;
  for (const a of parts)
    for (const b of parts)
      for (const c of parts) {
        const shown = {
          jwt: `${a}.${b}.${c}`,
          signature: "x",
          nonce: NONCE,
          address: `10.${last++ % 250}.0.1`,
          isWebSocket: false,
        };
        assert.equal(authenticator.authenticateJwt(shown).ok, false);
      }
});
