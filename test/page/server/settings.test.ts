// The settings by the page: what is shown, what is refused, what reverts, and what a power cut leaves.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { readOverrides } from "#config/overrides.ts";
import { settingsSchema } from "#config/settings.ts";
import { inForce } from "#live/in-force.ts";
import { type Browser, OWNER, startWebDevice, TECHNICIAN, type WebDevice } from "../../support/web-device.ts";

/** Hashes already, or each test would make them. */
const hashOf = (letter: string) => `$scrypt$ln=1,r=1,p=1$${letter.repeat(22)}$${letter.repeat(43)}`;
const USERS = [
  { user: "pump", password: hashOf("A") },
  { user: "weather", password: hashOf("B") },
];
const SETTINGS = {
  server_name: "gw-7",
  accounts: [{ name: "EDGE", users: USERS }],
  leafnodes: { remotes: [{ urls: ["tls://edge:hub-password@hub.example.com:7422"], account: "EDGE" }] },
  web: { listen: "0.0.0.0:80" },
};

// biome-ignore lint/suspicious/noExplicitAny: a settings document, looked into by tests
type Document = any;

async function onFlash(device: WebDevice): Promise<Document> {
  return JSON.parse(await fs.readFile(path.join(device.dataDir, "settings.json"), "utf8"));
}

async function load(
  browser: Browser,
): Promise<{ document: Document; revision: string; pending: Document; restart_needed: boolean }> {
  const answer = await browser.get("/api/settings");
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

/** A revert is under way when its time is up; it is done when the device says that nothing waits. */
async function untilNothingWaits(browser: Browser): Promise<void> {
  for (let i = 0; i < 1000; i++) if ((await load(browser)).pending === null) return;
  assert.fail("the change still waits");
}

test("the settings are shown without a secret", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { text, json } = await owner.get("/api/settings");
  for (const secret of ["hub-password", "$scrypt$"]) assert.ok(!text.includes(secret), secret);
  assert.equal(json.document.accounts[0].users[0].password, "***");
  assert.equal(json.document.leafnodes.remotes[0].urls[0], "tls://***@hub.example.com:7422");
});

test("what is sent back as it was shown changes nothing, and secrets stay with whom they belong to", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  await device.claimed();
  const browser = await device.loggedIn(TECHNICIAN);
  const before = await onFlash(device);
  const { document, revision } = await load(browser);
  const same = await browser.put("/api/settings", { document, revision });
  assert.deepEqual([same.status, same.json.changes], [200, []], same.text);
  assert.deepEqual(await onFlash(device), before);
  document.accounts[0].users.shift();
  document.accounts[0].users.push({ user: "valve", password: "password-of-valve" });
  document.leafnodes.remotes[0].urls.unshift("tls://other.example.com:7422");
  const changed = await browser.put("/api/settings", { document, revision });
  assert.equal(changed.status, 200, changed.text);
  assert.equal(changed.json.applied, "at restart");
  assert.equal(changed.json.restart_needed, true);
  assert.ok(!changed.text.includes("password-of-valve") && !changed.text.includes("scrypt"), "the difference shows no secret");
  const after = await onFlash(device);
  assert.equal(after.accounts[0].users[0].password, hashOf("B"), "weather's own");
  assert.match(after.accounts[0].users[1].password, /^\$scrypt\$ln=14/, "hashed before it lay on flash");
  assert.equal(after.leafnodes.remotes[0].urls[1], "tls://edge:hub-password@hub.example.com:7422");
});

test("a secret that was never there is asked for, not made up", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { document, revision } = await load(owner);
  document.accounts[0].users[0].user = "pump-2";
  document.leafnodes.remotes[0].urls[0] = "tls://***@evil.example.com:7422";
  const before = await onFlash(device);
  const answer = await owner.put("/api/settings", { document, revision });
  assert.equal(answer.status, 400);
  const paths = answer.json.faults.map((fault: { path: string }) => fault.path);
  assert.ok(paths.includes("accounts[0].users[0].password"), String(paths));
  assert.ok(paths.includes("leafnodes.remotes[0].urls[0]"), String(paths));
  assert.deepEqual(await onFlash(device), before);
});

test("every fault is told at once, with path, wanted, found and remedy, and nothing is written", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { document, revision } = await load(owner);
  document.server_name = "no blanks please";
  document.outbox = { max_bytes: "1GB" };
  document.serail = [];
  for (const answer of [
    await owner.post("/api/settings/check", { document, revision }),
    await owner.put("/api/settings", { document, revision }),
  ]) {
    const faults: { path: string; wanted: string; found: string; remedy: string }[] = answer.json.faults;
    assert.deepEqual(faults.map((fault) => fault.path).sort(), ["outbox.max_bytes", "serail", "server_name"]);
    for (const fault of faults) assert.ok(fault.wanted !== undefined && fault.found !== "" && fault.remedy !== undefined);
  }
  assert.equal((await onFlash(device)).server_name, "gw-7");
  for (const nonsense of [null, [], "x", 7]) {
    const answer = await owner.put("/api/settings", { document: nonsense, revision });
    assert.equal(answer.status, 400, JSON.stringify(nonsense));
  }
});

test("who saves over somebody else's change is told to load anew", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const technician = await device.loggedIn(TECHNICIAN);
  const [mine, theirs] = [await load(owner), await load(technician)];
  mine.document.server_name = "gw-8";
  theirs.document.server_name = "gw-9";
  assert.equal((await owner.put("/api/settings", mine)).status, 200);
  const late = await technician.put("/api/settings", theirs);
  assert.deepEqual([late.status, late.json.error.code], [409, "WEB_CONFLICT"]);
  assert.equal((await onFlash(device)).server_name, "gw-8");
});

test("a key that an environment variable decides is locked, and the variable is named", async () => {
  await using device = await startWebDevice({ settings: SETTINGS, environment: { DEVICE_NAME: "gw-fleet" } });
  const owner = await device.claimed();
  const view = (await owner.get("/api/settings")).json;
  assert.deepEqual(view.overridden, [{ path: "server_name", variable: "DEVICE_NAME", value: "gw-fleet" }]);
  view.document.server_name = "gw-mine";
  const answer = await owner.put("/api/settings", view);
  assert.equal(answer.status, 400);
  assert.match(answer.json.faults[0].remedy, /DEVICE_NAME/);
});

test("what can lock everybody out is for owners, and reverts by itself within 90 s", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const technician = await device.loggedIn(TECHNICIAN);
  const { document, revision } = await load(owner);
  document.web.listen = "0.0.0.0:8080";
  const refused = await technician.put("/api/settings", { document, revision });
  assert.deepEqual([refused.status, refused.json.error.code], [403, "WEB_ROLE"]);
  const written = await owner.put("/api/settings", { document, revision });
  assert.deepEqual([written.status, written.json.risky], [200, ["web"]]);
  assert.deepEqual(written.json.pending, { in_force: false, reverts_in_seconds: 90 });
  assert.equal((await onFlash(device)).web.listen, "0.0.0.0:8080");
  const early = await owner.post("/api/settings/confirm");
  assert.equal(early.status, 409, "it is not in force yet, so nobody can know whether it works");
  device.clock.advance(90_000);
  await untilNothingWaits(owner);
  assert.equal((await onFlash(device)).web.listen, "0.0.0.0:80");
  await assert.rejects(fs.stat(path.join(device.dataDir, "settings.unconfirmed")), { code: "ENOENT" });
});

test("a risky change is confirmed after the restart that brings it into force, and then stays", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { document, revision } = await load(owner);
  document.web.listen = "0.0.0.0:8080";
  await owner.put("/api/settings", { document, revision });
  assert.equal((await owner.post("/api/restart")).status, 202);
  device.clock.advance(500);
  assert.equal(device.restarts(), 1);
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  const there = await again.loggedIn(OWNER);
  assert.deepEqual((await load(there)).pending, { in_force: true, reverts_in_seconds: 90 });
  assert.equal((await there.post("/api/settings/confirm")).status, 200);
  again.clock.advance(120_000);
  assert.equal((await onFlash(again)).web.listen, "0.0.0.0:8080");
  assert.equal(again.restarts(), 0);
});

test("an unconfirmed change that is in force is taken back, and the device restarts without it", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { document, revision } = await load(owner);
  document.web = null;
  await owner.put("/api/settings", { document, revision });
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  again.clock.advance(90_000);
  const there = await again.loggedIn(OWNER);
  await untilNothingWaits(there);
  assert.equal((await onFlash(again)).web.listen, "0.0.0.0:80");
  assert.equal(again.restarts(), 1);
});

test("an unconfirmed change gets one start: after a crash the second has the old settings", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const { document, revision } = await load(owner);
  document.web.listen = "0.0.0.0:8080";
  await owner.put("/api/settings", { document, revision });
  await device.web[Symbol.asyncDispose]();
  await using first = await startWebDevice({ dataDir: device.dataDir });
  await first.web[Symbol.asyncDispose]();
  await using second = await startWebDevice({ dataDir: device.dataDir });
  assert.equal((await onFlash(second)).web.listen, "0.0.0.0:80");
  assert.ok(second.log.some((line) => line.includes("was not confirmed")));
  assert.equal((await load(await second.loggedIn(OWNER))).pending, null);
});

test("the schema is the editors' own", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  const { json } = await owner.get("/api/settings/schema");
  assert.equal(json.title, "Petiole settings");
  assert.ok(json.properties.leafnodes.description.length > 0);
});

test("a change to the file by hand is seen by the page and not written over", async () => {
  await using device = await startWebDevice({ settings: SETTINGS });
  const owner = await device.claimed();
  const mine = await load(owner);
  await fs.writeFile(
    path.join(device.dataDir, "settings.json"),
    JSON.stringify({ ...(await onFlash(device)), server_name: "gw-hand" }),
  );
  mine.document.server_name = "gw-page";
  assert.equal((await owner.put("/api/settings", mine)).status, 409);
  const seen = await load(owner);
  assert.equal(seen.document.server_name, "gw-hand");
  assert.equal(seen.restart_needed, true);
});

test("what environment variables decide is shown without a secret, even one that was put where a file is wanted", () => {
  const seed = `SU${"AB7Q".repeat(14)}`;
  const environment = {
    HUB_URLS: "tls://sesame@hub.example.com,tls://ann:sesame@hub.example.com,wss://hub.example.com/?token=sesame",
    HUB_CREDENTIALS: `-----BEGIN USER NKEY SEED-----\n${seed}\n`,
    PETIOLE_LEAFNODES__REMOTES__0__NKEY: seed,
    PETIOLE_LEAFNODES__REMOTES__0__PASSWORD: "sesame",
    PETIOLE_LEAFNODES__REMOTES__0__PROXY: '{"url": "http://ann:sesame@proxy.example.com:3128", "password": "sesame"}',
    PETIOLE_LEAFNODES__REMOTES__1: `{"urls": "tls://hub.example.com", "credentials": "/x/${seed}", "passwort": "sesame"}`,
    PETIOLE_ACCOUNTS: '[{"name": "A", "users": [{"user": "ann", "password": "sesame"}, {"user": "ben", "token": "sesame"}]}]',
    PETIOLE_SERVER_NAME: '{"sesame?": "sesame"}',
  };
  const { list, faults } = readOverrides(environment, settingsSchema.node);
  assert.deepEqual(faults, []);
  const shown = inForce({}, list);
  assert.equal(shown.length, list.length);
  assert.doesNotMatch(JSON.stringify(shown), /sesame|AB7Q/);
  assert.match(JSON.stringify(shown), /tls:\/\/\*\*\*@hub\.example\.com/);
  const path = { HUB_CREDENTIALS: "/data/secrets/hub.creds" };
  assert.equal(inForce({}, readOverrides(path, settingsSchema.node).list)[0]?.value, "/data/secrets/hub.creds");
});
