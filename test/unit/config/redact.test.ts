import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactSettings } from "#config/redact.ts";

test("secrets become stars, the rest stays as it is", () => {
  const document = {
    server_name: "gw",
    accounts: [
      {
        name: "EDGE",
        users: [
          { user: "u", password: "$scrypt$ln=1" },
          { user: "v", password: null },
        ],
      },
    ],
    leafnodes: { remotes: [{ urls: ["tls://a:pw@hub", "tls://hub2"], user: "spoke", password: "pw", compression: "off" }] },
    mqtt: { max_packet: "1MiB", max_clients: 5 },
  };
  assert.deepEqual(redactSettings(document), {
    server_name: "gw",
    accounts: [
      {
        name: "EDGE",
        users: [
          { user: "u", password: "***" },
          { user: "v", password: null },
        ],
      },
    ],
    leafnodes: { remotes: [{ urls: ["tls://***@hub", "tls://hub2"], user: "spoke", password: "***", compression: "off" }] },
    mqtt: { max_packet: "1MiB", max_clients: 5 },
  });
});

test("what the schema does not know, or not there, is hidden whole", () => {
  assert.deepEqual(redactSettings({ pasword: "x", mqtt: "x", serial: { a: "x" }, limits: { max_payload: "x" } }), {
    pasword: "***",
    mqtt: "***",
    serial: "***",
    limits: { max_payload: "***" },
  });
  assert.equal(redactSettings("x"), "***");
});

test("a key where the path of its file is wanted is hidden, and a path is not", () => {
  const seed = `SU${"AB7Q".repeat(14)}`;
  const remotes = [
    { nkey: seed },
    { credentials: `/x/${seed}` },
    { credentials: "eyJ0.eyJ1.c2ln" },
    { credentials: "hub.creds" },
  ];
  assert.deepEqual(redactSettings({ leafnodes: { remotes } }), {
    leafnodes: { remotes: [{ nkey: "***" }, { credentials: "***" }, { credentials: "***" }, { credentials: "hub.creds" }] },
  });
});

test("no secret gets out, wherever in the document it stands", () => {
  const SECRET = "hunter2-k9";
  const places = fc.constantFrom<(secret: unknown) => unknown>(
    (secret) => ({ accounts: [{ name: "A", users: [{ user: "u", password: secret }] }] }),
    (secret) => ({ accounts: [{ name: "A", users: [{ user: "u", pasword: secret }] }] }),
    (secret) => ({ accounts: { users: secret } }),
    (secret) => ({ leafnodes: { remotes: [{ urls: [`tls://u:${secret}@hub`], password: secret }] } }),
    (secret) => ({ leafnodes: { remotes: [{ urls: `tls://u:${secret}@hub` }] } }),
    (secret) => ({ leafnodes: { remotes: [{ urls: [`tls://${secret}@hub/x?y=${1}`], compression: secret }] } }),
    (secret) => ({ leafnodes: { remotes: [{ token: secret }] }, extra: secret }),
    (secret) => ({ mqtt: { listen: secret, max_clients: secret } }),
  );
  const wraps = fc.constantFrom<(secret: string) => unknown>(
    (secret) => secret,
    (secret) => [secret],
    (secret) => ({ nested: secret }),
  );
  fc.assert(fc.property(places, wraps, (place, wrap) => !JSON.stringify(redactSettings(place(wrap(SECRET)))).includes(SECRET)));
});
