import assert from "node:assert/strict";
import { test } from "node:test";
import { diffSettings } from "#config/diff-settings.ts";
import { mergeSecrets } from "#config/merge-secrets.ts";
import { redactSettings } from "#config/redact.ts";

const DOCUMENT = {
  accounts: [
    {
      name: "EDGE",
      users: [
        { user: "a", password: "secret-a" },
        { user: "b", password: "secret-b" },
        { user: "c", token: "secret-c" },
      ],
    },
    { name: "LAB", users: [{ user: "a", password: "secret-lab" }] },
  ],
  leafnodes: { remotes: [{ urls: ["tls://u:secret@one:7422", "tls://two:7422"], account: "EDGE" }] },
  unknown_key: "perhaps a secret",
};

test("what was shown and comes back is the same document", () => {
  const { document, faults } = mergeSecrets(redactSettings(DOCUMENT), DOCUMENT);
  assert.deepEqual(faults, []);
  assert.deepEqual(document, DOCUMENT);
  assert.deepEqual(diffSettings(DOCUMENT, document), []);
});

test("whatever is moved, each secret stays with its own name", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a document on its way through a form
  const shown = redactSettings(DOCUMENT) as any;
  shown.accounts.reverse();
  shown.accounts[1].users = [shown.accounts[1].users[2], shown.accounts[1].users[0]];
  shown.leafnodes.remotes[0].urls.reverse();
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const { document, faults } = mergeSecrets(shown, DOCUMENT) as any;
  assert.deepEqual(faults, []);
  assert.equal(document.accounts[0].users[0].password, "secret-lab");
  assert.deepEqual(document.accounts[1].users, [
    { user: "c", token: "secret-c" },
    { user: "a", password: "secret-a" },
  ]);
  assert.deepEqual(document.leafnodes.remotes[0].urls, ["tls://two:7422", "tls://u:secret@one:7422"]);
});

test("a secret goes to no other user, host or key, but is asked for", () => {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const shown = redactSettings(DOCUMENT) as any;
  shown.accounts[0].users[0].user = "renamed";
  shown.accounts[0].users[1].token = "***";
  shown.leafnodes.remotes[0].urls[0] = "tls://***@evil:7422";
  const { document, faults } = mergeSecrets(shown, DOCUMENT);
  assert.deepEqual(faults.map(({ path }) => path).sort(), [
    "accounts[0].users[0].password",
    "accounts[0].users[1].token",
    "leafnodes.remotes[0].urls[0]",
  ]);
  assert.ok(!JSON.stringify(document).includes('secret-a"'));
});

test("a difference names each changed key, and shows no secret before or after", () => {
  const after = structuredClone(DOCUMENT);
  Object.assign(after.accounts[0]!.users[0]!, { password: "another-secret" });
  after.leafnodes.remotes[0]!.urls.push("tls://v:secret@three:7422");
  const changes = diffSettings(DOCUMENT, { ...after, server_name: "gw-8" });
  assert.deepEqual(
    changes.map(({ path }) => path),
    ["accounts[0].users[0].password", "leafnodes.remotes[0].urls", "server_name"],
  );
  assert.deepEqual(changes[0], { path: "accounts[0].users[0].password", before: "***", after: "***" });
  assert.deepEqual(changes[2], { path: "server_name", after: "gw-8" });
  assert.ok(!JSON.stringify(changes).includes("secret"));
});

test("a document of any shape goes through: prototypes stay what they are", () => {
  for (const shown of [null, 7, "x", [], [[]], { __proto__: null }, JSON.parse('{"__proto__":{"polluted":true}}')])
    assert.deepEqual(JSON.stringify(mergeSecrets(shown, DOCUMENT).document), JSON.stringify(shown));
  assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
});
