import assert from "node:assert/strict";
import { test } from "node:test";
import type { PermissionList } from "#access/permissions.ts";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import { HubViewOf } from "#uplink/hub-view.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { batchOf, message } from "../../support/router-fixtures.ts";

interface Shown {
  readonly version?: string;
  readonly imports?: PermissionList;
  readonly exports?: PermissionList;
  readonly denyImports?: readonly string[];
  readonly denyExports?: readonly string[];
}

async function opened(shown: Shown = {}) {
  const [clock, disk] = [new FakeClock(), new FakeDisk({ seed: 1 })];
  await ensureDirectory(disk, "/data");
  const interest = await HubInterest.open("/data", { clock, disk, log: silentLog() }, () => undefined);
  const own = { denyImports: shown.denyImports ?? [], denyExports: shown.denyExports ?? [] };
  const view = new HubViewOf(interest, own, 1000, clock);
  const learn = () => {
    view.learn({
      version: shown.version ?? "2.15.1",
      importPermissions: shown.imports ?? null,
      exportPermissions: shown.exports ?? null,
      maxPayload: 500,
    });
  };
  learn();
  return { view, learn, interest, [Symbol.asyncDispose]: () => interest[Symbol.asyncDispose]() };
}

test("without lists everything may go up but what is the servers' own", async () => {
  await using it = await opened();
  for (const subject of ["a", "$KV.b.k", "$JS.API.INFO", "_INBOX.a"]) assert.equal(it.view.mayExport(subject), true, subject);
  for (const subject of ["$SYS.REQ.USER.INFO", "$LDS.foo"]) assert.equal(it.view.mayExport(subject), false, subject);
});

test("the hub's export list is kept: deny beats allow, acks and import replies are exempt, flow control and gateway replies not", async () => {
  await using it = await opened({ exports: { allow: ["sensors.>"], deny: ["sensors.no"] } });
  for (const subject of ["sensors.a", "$JS.ACK.ORD.p.1.1.1.17.0", "_R_.a.b"])
    assert.equal(it.view.mayExport(subject), true, subject);
  for (const subject of ["sensors.no", "other", "$KV.b.k", "$JS.FC.ORD.p.x", "_GR_.a.b.c", "_INBOX.a"]) {
    assert.equal(it.view.mayExport(subject), false, subject);
  }
});

test("an empty list, as INFO shows it for a user who may only answer, allows nothing", async () => {
  await using it = await opened({ exports: { allow: null, deny: [] } });
  assert.equal(it.view.mayExport("sensors.a"), false);
  await using denying = await opened({ exports: { allow: null, deny: ["x"] } });
  assert.deepEqual([denying.view.mayExport("sensors.a"), denying.view.mayExport("x")], [true, false]);
});

test("our own deny_exports holds whatever the hub allows", async () => {
  await using it = await opened({ denyExports: ["secret.>", "*.key", "$JS.ACK.>"] });
  for (const subject of ["secret.a.b", "a.key", "$JS.ACK.ORD.p.1.1.1.17.0"])
    assert.equal(it.view.mayExport(subject), false, subject);
  assert.equal(it.view.mayExport("open"), true);
});

test("a literal outside the import list is never announced, a wildcard is; deny_imports and the servers' own never are", async () => {
  await using it = await opened({ imports: { allow: ["cmd.>"], deny: ["cmd.no"] }, denyImports: ["down.secret.>"] });
  for (const filter of ["cmd.a", "cmd.*", "elsewhere.*", ">"]) assert.equal(it.view.mayAnnounce(filter), true, filter);
  for (const filter of ["cmd.no", "elsewhere.a", "_INBOX.a.b", "down.secret.>", "down.secret.*.x", "$SYS.>", "$LDS.>"]) {
    assert.equal(it.view.mayAnnounce(filter), false, filter);
  }
});

test("what the hub sends is given to nobody here if it is denied or the servers' own", async () => {
  await using it = await opened({ denyImports: ["down.secret.>"] });
  for (const subject of ["down.secret.a", "$SYS.foo", "$LDS.foo"]) assert.equal(it.view.mayDeliver(subject), false, subject);
  for (const subject of ["down.a", "$MY.own", "$KV.b.k"]) assert.equal(it.view.mayDeliver(subject), true, subject);
});

test("a subject the hub refused although its lists allow it stays here until they change", async () => {
  await using it = await opened({ exports: { allow: null, deny: ["x"] } });
  assert.match(it.view.onRefused('Permissions Violation for Publish to "sensors.a"')!, /although its INFO did not show it/);
  it.view.forget();
  it.learn();
  assert.deepEqual([it.view.mayExport("sensors.a"), it.view.mayExport("sensors.b")], [false, true]);
  it.view.learn({ version: "2.15.1", importPermissions: null, exportPermissions: null, maxPayload: 500 });
  assert.equal(it.view.mayExport("sensors.a"), true);
});

test("what an -ERR does not say of a publish teaches nothing", async () => {
  await using it = await opened();
  for (const text of [
    "Authorization Violation",
    'Permissions Violation for Subscription to "a"',
    "Permissions Violation for Publish to",
  ]) {
    assert.equal(it.view.onRefused(text), null, text);
  }
});

test("a refused answer is told apart from a refused subject", async () => {
  await using it = await opened({ imports: { allow: ["cmd.>"], deny: [] }, exports: { allow: ["sensors.>"], deny: [] } });
  it.view.answers.note(batchOf({ ...message("cmd.x"), reply: "_INBOX.a" }));
  assert.equal(it.view.answers.spend("_INBOX.a"), true);
  assert.match(it.view.onRefused('Permissions Violation for Publish to "_INBOX.a"')!, /allow_responses/);
});

test("the lower payload limit counts, and the hub's is remembered without a link", async () => {
  await using it = await opened();
  it.view.forget();
  assert.equal(it.view.payloadBytesMax, 500);
});

test("an inbox is heard where nothing of it would be left out", async () => {
  const inbox = "_INBOX.t0ken.>";
  const hears = async (shown: Shown) => {
    await using it = await opened(shown);
    return it.view.hearsAll(inbox);
  };
  assert.equal(await hears({}), true);
  for (const allow of [[">"], ["_INBOX.>"], ["cmd.>", "*.>"]]) assert.equal(await hears({ imports: { allow, deny: [] } }), true);
  for (const allow of [[], ["cmd.>"], ["_INBOX.*"], ["_INBOX.t0ken.*"]]) {
    assert.equal(await hears({ imports: { allow, deny: [] } }), false, String(allow));
  }
  for (const deny of [["_INBOX.>"], ["_INBOX.*.r.>"], [">"]])
    assert.equal(await hears({ imports: { allow: null, deny } }), false);
  assert.equal(await hears({ imports: { allow: null, deny: ["_INBOX.other.>"] } }), true);
  assert.equal(await hears({ denyImports: ["_INBOX.>"] }), false);
  assert.equal(await hears({ denyImports: ["_INBOX.*.r.5"] }), false);
});
