import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExitCode, checkSettings, formatCheck, formatCheckJson } from "#cli/check.ts";
import { fakeDisk } from "../../support/fake-disk.ts";

async function check(settings: string | undefined, env: Record<string, string> = {}) {
  const disk = fakeDisk();
  disk.plant("/data/other", Buffer.from("x"));
  if (settings !== undefined) disk.plant("/data/settings.json", Buffer.from(settings));
  const before = disk.files("/");
  const report = await checkSettings({ dataDir: "/data", env, disk: disk.mount() });
  assert.deepEqual(disk.files("/"), before, "check changes nothing");
  return report;
}

test("fine settings: one line, exit code 0", async () => {
  const report = await check('{"mqtt":{}}', { DEVICE_NAME: "gw" });
  assert.equal(checkExitCode(report), 0);
  assert.equal(formatCheck(report), "/data/settings.json: fine\n  server_name comes from DEVICE_NAME\n");
});

test("no settings: the defaults are fine", async () => {
  const report = await check(undefined);
  assert.equal(formatCheck(report), "/data/settings.json (no such file: defaults): fine\n");
});

test("every fault in one go, exit code 1", async () => {
  const report = await check('{"mqt":{},"host":{"interval":30},"outbox":{"max_age":7}}', {
    PETIOLE_X: "1",
    DEVICE_NAME: "a b",
  });
  assert.equal(checkExitCode(report), 1);
  const text = formatCheck(report);
  assert.match(text, /^\/data\/settings\.json: 5 faults$/m);
  for (const part of [
    "mqt: there is no such key",
    "host.interval: wants a duration",
    "outbox.max_age: wants a duration",
    "$PETIOLE_X",
    "variable DEVICE_NAME",
  ]) {
    assert.ok(text.includes(part), part);
  }
});

test("a mistyped file: line and column, no secret", async () => {
  const report = await check('{\n "accounts": [{"users": [{"password": hunter2}]}]\n}');
  const text = formatCheck(report) + formatCheckJson(report);
  assert.match(text, /wants a value at line 2, column 39 of settings\.json, found something without quotes/);
  assert.ok(!text.includes("hunter2"));
});

test("the JSON form is for programs", async () => {
  const json = JSON.parse(formatCheckJson(await check('{"mqt":{}}')));
  assert.deepEqual([json.file, json.is_there, json.ok, json.overridden], ["/data/settings.json", true, false, []]);
  assert.deepEqual([json.faults[0].path, json.faults[0].kind, json.faults[0].remedy], ["mqt", "unknown", 'did you mean "mqtt"?']);
});
