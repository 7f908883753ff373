import assert from "node:assert/strict";
import { test } from "node:test";
import { credsAuthenticator, nkeyAuthenticator } from "@nats-io/transport-node";
import * as fc from "fast-check";
import { PetioleError } from "#base/errors.ts";
import { createLog } from "#base/log.ts";
import { explainRejectedLogin, readSigner, type Signer } from "#uplink/credentials.ts";
import { rejectionOf } from "#uplink/rejection.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { type Claims, credsFile, TestNkey, TestOperator } from "../../support/jwt.ts";

const APP = new TestOperator().account("APP");
const NONCE = "qGyWlr5Zf_pSvYQ";
const PATH = "/data/secrets/hub.creds";
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);

class Device {
  readonly disk = new FakeDisk();
  readonly clock: FakeClock;
  readonly said: string[] = [];
  readonly #log;

  constructor(wall = NOW) {
    this.clock = new FakeClock(wall);
    this.#log = createLog(this.clock, "debug", (line) => this.said.push(`${line.level} ${line.message}`));
  }

  plant(content: string | Uint8Array, path = PATH): this {
    this.disk.plant(path, Buffer.from(content));
    return this;
  }

  read(setting: "credentials" | "nkey" | "neither" = "credentials", isWebSocket = false, path = PATH): Promise<Signer | null> {
    const remote = { credentials: setting === "credentials" ? path : null, nkey: setting === "nkey" ? path : null };
    return readSigner(remote, "/data", { disk: this.disk, clock: this.clock, log: this.#log }, isWebSocket);
  }

  /** Reads what must be refused, and hands out the words, checked for secrets. */
  async refusal(
    secrets: readonly string[],
    setting: "credentials" | "nkey" = "credentials",
    isWebSocket = false,
  ): Promise<string> {
    const error = await this.read(setting, isWebSocket).then(
      () => assert.fail("it was accepted"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof PetioleError, String(error));
    assert.equal(error.code, "LEAF_CREDENTIALS");
    assert.equal(error.remedy, "backoff");
    assert.match(error.message, new RegExp(`^${setting}: .*/data/secrets/hub.creds`));
    for (const secret of secrets) assertHides(error.message, secret);
    return error.message;
  }
}

function assertHides(text: string, secret: string): void {
  for (let at = 0; at + 8 <= secret.length; at++)
    assert.ok(!text.includes(secret.slice(at, at + 8)), `tells a piece of a secret: ${text}`);
}

function isoIn(days: number): { seconds: number; text: string } {
  const wall = NOW + days * DAY_MS;
  return { seconds: wall / 1000, text: new Date(wall).toISOString().slice(0, 10) };
}

test("without a credentials file or an nkey there is no signer", async () => {
  assert.equal(await new Device().read("neither"), null);
});

test("a credentials file as nsc writes it gives JWT and signature, as nats.js reads it", async () => {
  const user = APP.user("gw-1");
  const signer = await new Device().plant(user.creds).read();
  const fields = signer!.login(NONCE);
  const judge = credsAuthenticator(Buffer.from(user.creds))(NONCE) as { jwt: string; sig: string };
  assert.deepEqual(fields, { jwt: user.jwt, sig: Buffer.from(judge.sig, "base64").toString("base64url") });
  assert.ok(user.key.verifies(NONCE, fields.sig!));
  assert.equal(signer!.publicKey, user.key.publicKey);
  assert.equal(signer!.claims!.name, "gw-1");
  assert.equal(signer!.claims!.account, APP.key.publicKey);
});

const user = APP.user("gw-1");
const FORMS: Readonly<Record<string, string | Uint8Array>> = {
  "with the line ends of Windows": user.creds.replaceAll("\n", "\r\n"),
  "with a byte order mark": `\ufeff${user.creds}`,
  "without an end of its last line": user.creds
    .trimEnd()
    .replace(/\n\*+$/, "")
    .trimEnd(),
  indented: user.creds.replaceAll(/^/gm, "  \t"),
  "broken into lines of 64 characters": user.creds.replace(user.jwt, user.jwt.replaceAll(/.{64}/g, "$&\n")),
  "with the seed before the JWT": user.creds.replace(
    /(-----BEGIN NATS[\s\S]*?END NATS USER JWT------)([\s\S]*?)(-----BEGIN USER[\s\S]*?END USER NKEY SEED------)/,
    "$3$2$1",
  ),
  "without lines of dashes": `${user.jwt}\n\n${user.key.seed}\n`,
};
for (const [name, content] of Object.entries(FORMS)) {
  test(`a credentials file ${name} is the same file`, async () => {
    const signer = await new Device().plant(content).read();
    assert.deepEqual(signer!.login(NONCE), { jwt: user.jwt, sig: user.key.sign(NONCE) });
  });
}

test("an nkey file gives the public key and the signature, as nats.js makes them", async () => {
  const seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
  for (const content of [
    seed,
    `${seed}\n`,
    `  ${seed}\r\n\r\n`,
    `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  ]) {
    const fields = (await new Device().plant(content).read("nkey"))!.login(NONCE);
    const judge = nkeyAuthenticator(Buffer.from(seed))(NONCE) as { nkey: string; sig: string };
    assert.deepEqual(fields, { nkey: judge.nkey, sig: Buffer.from(judge.sig, "base64").toString("base64url") });
    assert.equal(fields.nkey, "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
  }
});

test("nkeys of any content are read as their maker wrote them", async () => {
  for (let i = 0; i < 50; i++) {
    const key = new TestNkey("user");
    const signer = await new Device().plant(key.seed).read("nkey");
    assert.deepEqual(signer!.login(NONCE), { nkey: key.publicKey, sig: key.sign(NONCE) });
  }
});

test("a hub without a nonce gets no signature", async () => {
  const signer = await new Device().plant(user.creds).read();
  assert.deepEqual(signer!.login(null), { jwt: user.jwt });
});

test("a file that was replaced is read anew", async () => {
  const device = new Device().plant(user.creds);
  await device.read();
  const next = APP.user("gw-1");
  assert.equal((await device.plant(next.creds).read())!.login(NONCE).jwt, next.jwt);
});

const account = new TestNkey("account");
const seed = new TestNkey("user").seed;
const SEEDS: readonly (readonly [name: string, content: string, words: RegExp])[] = [
  ["an account's seed", account.seed, /holds a seed that is an account's \("SA…"\); wanted a user's, "SU…"/],
  ["an operator's seed", new TestNkey("operator").seed, /is an operator's \("SO…"\)/],
  ["a public key", new TestNkey("user").publicKey, /holds no seed; wanted a line that begins with "SU"/],
  ["half a seed", seed.slice(0, 41), /has 41 characters where a seed has 58: it was cut off/],
  ["a seed and more", `${seed}A`, /has 59 characters where a seed has 58: there is more behind it/],
  [
    "a seed with a digit that base32 lacks",
    `${seed.slice(0, 20)}1${seed.slice(21)}`,
    /has at place 21 a character that no seed has/,
  ],
  ["a password", "correct horse battery staple", /holds no seed/],
  ["white space", " \n \n", /holds no seed/],
  ["a seed block without an end", `-----BEGIN USER NKEY SEED-----\n${seed}\n`, /was cut off: "BEGIN USER NKEY SEED" has no end/],
  ["an empty seed block", "-----BEGIN USER NKEY SEED-----\n------END USER NKEY SEED------\n", /nothing in its seed block/],
  [
    "a public key in a seed block",
    `-----BEGIN USER NKEY SEED-----\n${account.publicKey}\n------END USER NKEY SEED------\n`,
    /is an account's public key; wanted the seed/,
  ],
];
for (const [name, content, words] of SEEDS) {
  test(`${name} in the nkey file is refused for what it is`, async () => {
    assert.match(await new Device().plant(content).refusal([seed, account.seed], "nkey"), words);
  });
}

test("a seed with any one character changed is refused", async () => {
  for (let at = 2; at < seed.length; at++) {
    const other = seed[at] === "A" ? "Q" : "A";
    const changed = seed.slice(0, at) + other + seed.slice(at + 1);
    const words = await new Device().plant(changed).refusal([changed], "nkey");
    assert.match(words, /fails its checksum|whatever its first letters say/, `place ${at}`);
  }
});

test("a credentials file that was cut off anywhere is refused, unless all that counts is there", async () => {
  const needed = user.creds.indexOf("END USER NKEY SEED") + "END USER NKEY SEED---".length;
  for (let length = 1; length < user.creds.length; length += 3) {
    const device = new Device().plant(user.creds.slice(0, length));
    if (length >= needed) assert.ok(await device.read());
    else assert.match(await device.refusal([user.key.seed, user.jwt]), /cut off|holds|damaged/, `cut at ${length}`);
  }
});

test("bytes of any kind are a signer or LEAF_CREDENTIALS, never anything else", async () => {
  const piece = fc.constantFrom(
    "-----BEGIN NATS USER JWT-----\n",
    "------END NATS USER JWT------\n",
    "-----BEGIN USER NKEY SEED-----\n",
    "------END USER NKEY SEED------\n",
    `${user.jwt}\n`,
    `${seed}\n`,
    "eyJ.e30.x\n",
    "-----END X-----\n",
    "\n",
  );
  const content = fc.array(
    fc.oneof(
      piece,
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    ),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(content, fc.constantFrom("credentials" as const, "nkey" as const), async (parts, setting) => {
      const device = new Device().plant(Buffer.from(parts.join(""), "latin1"));
      const outcome = await device.read(setting).catch((error: unknown) => error);
      assert.ok(
        outcome instanceof PetioleError ? outcome.code === "LEAF_CREDENTIALS" : typeof (outcome as Signer).login === "function",
        String(outcome),
      );
    }),
    { numRuns: 300 },
  );
});

test("a JWT without a seed is refused, but a bearer's JWT needs none", async () => {
  const block = (jwt: string) => `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n`;
  assert.match(await new Device().plant(block(user.jwt)).refusal([user.jwt]), /holds a JWT and no seed to sign with/);
  const bearer = APP.user("gw-2", {}, { bearer_token: true });
  assert.deepEqual((await new Device().plant(block(bearer.jwt)).read())!.login(NONCE), { jwt: bearer.jwt });
});

test("a seed without a JWT names the setting it belongs to, and a file with neither says so", async () => {
  assert.match(await new Device().plant(seed).refusal([seed]), /holds a seed and no JWT; for a seed alone use the setting nkey/);
  assert.match(await new Device().plant("hello\n").refusal([]), /holds neither a JWT nor a seed/);
});

test("a JWT that lost characters is refused", async () => {
  const jwt = user.jwt;
  for (const cut of [jwt.slice(0, jwt.indexOf(".") + 40), jwt.slice(0, jwt.lastIndexOf(".")), jwt.replace(/\.[^.]{6}/, ".")])
    assert.match(
      await new Device().plant(credsFile(cut, user.key.seed)).refusal([user.key.seed]),
      /holds a JWT that does not decode/,
    );
});

test("the JWT of one user with the seed of another is refused, and both are named", async () => {
  const words = await new Device().plant(credsFile(user.jwt, seed)).refusal([seed, user.jwt]);
  assert.match(
    words,
    new RegExp(`the JWT of user ${user.key.publicKey} and the seed of user U[A-Z2-7]{55}; they must belong together`),
  );
});

test("the JWT of an account or an operator is refused for what it is", async () => {
  assert.match(await new Device().plant(credsFile(APP.jwt, account.seed)).refusal([]), /is an account's/);
  assert.match(
    await new Device().plant(credsFile(APP.jwt, seed)).refusal([]),
    /holds a JWT that is an account's; wanted a user's/,
  );
  assert.match(await new Device().plant(credsFile(new TestOperator().jwt, seed)).refusal([]), /is an operator's/);
});

test("a JWT that allows no leaf connections is refused before dialing; over WebSocket another type counts", async () => {
  const typed = (...allowed: string[]) => APP.user("gw", {}, { allowed_connection_types: allowed }).creds;
  assert.match(
    await new Device().plant(typed("STANDARD", "MQTT")).refusal([]),
    /allows the connection types STANDARD, MQTT, and LEAFNODE is not among them/,
  );
  assert.match(await new Device().plant(typed("LEAFNODE")).refusal([], "credentials", true), /LEAFNODE_WS is not among them/);
  assert.ok(await new Device().plant(typed("leafnode")).read());
  assert.ok(await new Device().plant(typed("LEAFNODE_WS")).read("credentials", true));
});

test("a JWT out of its time is warned of and still used: the hub's calendar decides, not ours", async () => {
  const past = isoIn(-3);
  const device = new Device().plant(APP.user("gw", { exp: past.seconds }).creds);
  assert.ok(await device.read());
  assert.equal(device.said.length, 1);
  assert.match(
    device.said[0]!,
    new RegExp(`^warn credentials: ${PATH} holds a JWT that expired on ${past.text} 00:00 UTC; get a new one`),
  );
});

async function explained(claims: Claims, wall = NOW, text = "Authorization Violation"): Promise<PetioleError> {
  const signer = await new Device().plant(APP.user("gw-1", claims).creds).read();
  const { error } = rejectionOf("tls://hub:7422", text);
  return explainRejectedLogin(error, text, signer, wall);
}

test("when the hub refuses, an expired JWT is named with its day", async () => {
  const past = isoIn(-1);
  const error = await explained({ exp: past.seconds });
  assert.equal(error.code, "LEAF_CREDENTIALS");
  assert.equal(error.remedy, "backoff");
  assert.match(error.message, new RegExp(`Authorization Violation.*expired on ${past.text} 00:00 UTC; get a new one`));
  assert.equal((await explained({ exp: past.seconds }, NOW, "User Authentication Expired")).code, "LEAF_CREDENTIALS");
});

test("when the hub refuses a JWT that is not valid yet, a clock of 1970 is told from one that may be right", async () => {
  const soon = isoIn(2);
  assert.match(
    (await explained({ nbf: soon.seconds })).message,
    new RegExp(
      `is not valid before ${soon.text} 00:00 UTC; wait until then, or check this device's clock \\(2026-01-01 00:00 UTC\\)`,
    ),
  );
  assert.match(
    (await explained({ nbf: soon.seconds }, 5_000)).message,
    /this device's clock says 1970-01-01 00:00 UTC, which cannot be/,
  );
});

test("when the hub refuses a JWT that looks right, user and account are named", async () => {
  const error = await explained({});
  assert.match(error.message, new RegExp(`is for user gw-1 of account ${APP.key.publicKey}; the hub must know this account`));
});

test("when the hub refuses an nkey, its public key is named", async () => {
  const key = new TestNkey("user");
  const signer = await new Device().plant(key.seed).read("nkey");
  const text = "Authorization Violation";
  const { message } = explainRejectedLogin(rejectionOf("x", text).error, text, signer, NOW);
  assert.match(message, new RegExp(`is the key of user ${key.publicKey}; the hub must have a user with this nkey`));
  assertHides(message, key.seed);
});

test("rejections for other reasons, and of other logins, stay as they are", async () => {
  const signer = await new Device().plant(user.creds).read();
  for (const text of [
    "maximum account active connections exceeded",
    "Authentication Timeout",
    "Duplicate Remote LeafNode Connection",
  ]) {
    const { error } = rejectionOf("x", text);
    assert.equal(explainRejectedLogin(error, text, signer, NOW), error);
  }
  const { error } = rejectionOf("x", "Authorization Violation");
  assert.equal(explainRejectedLogin(error, "Authorization Violation", null, NOW), error);
});

test("claims of absurd times and types are read without a fault", async () => {
  for (const claims of [{ exp: 1e300 }, { nbf: 1e17, exp: -5 }, { exp: "soon", name: 7 }, { name: "a\u001b[2J\nforged" }]) {
    const error = await explained(claims);
    assert.match(error.message, /^[\x20-\x7e…]+$/);
  }
});

test("a file that others can read is closed to them if it is ours, and only warned of if it is not", async () => {
  const ours = new Device().plant(user.creds);
  await ours.disk.setMode(PATH, 0o644);
  await ours.read();
  assert.equal(await ours.disk.mode(PATH), 0o600);
  assert.match(ours.said.join(), /^info credentials: others on this device could read the file; its mode is 0600 now$/);
  for (const path of ["/etc/hub.creds", "/data/../etc/hub.creds", "/database/hub.creds"]) {
    const theirs = new Device().plant(user.creds, path);
    await theirs.disk.setMode(path, 0o640);
    await theirs.read("credentials", false, path);
    assert.equal(await theirs.disk.mode(path), 0o640);
    assert.match(theirs.said.join(), /^warn credentials: others on this device can read the file; chmod 600 it$/);
  }
});

test("a mode that cannot be changed is no reason not to log in", async () => {
  const device = new Device().plant(user.creds);
  await device.disk.setMode(PATH, 0o644);
  device.disk.faults.isReadOnly = true;
  assert.ok(await device.read());
});

test("a relative path is looked for in the data directory", async () => {
  assert.ok(await new Device().plant(user.creds).read("credentials", false, "secrets/hub.creds"));
});

test("a file that is missing, empty, unreadable or endless is refused for that", async () => {
  assert.match(await new Device().refusal([]), /there is no file \/data\/secrets\/hub.creds; put it there/);
  assert.match(await new Device().plant("").refusal([]), /is empty/);
  assert.match(await new Device().plant(Buffer.alloc(65 * 1024, "a")).refusal([]), /is longer than 65536 bytes/);
  const broken = new Device().plant(user.creds);
  broken.disk.faults.isUnreadable = () => true;
  assert.match(await broken.refusal([]), /cannot read/);
});

test("nothing that prints a signer prints its secrets", async () => {
  const { inspect } = await import("node:util");
  const signer = await new Device().plant(user.creds).read();
  for (const text of [inspect(signer, { depth: 9, showHidden: true }), JSON.stringify(signer), String(signer)]) {
    assertHides(text, user.key.seed);
    assert.ok(!text.includes(user.jwt));
  }
});
