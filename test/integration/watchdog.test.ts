// The watchdog of a real process: what it ends, what it leaves alone, and what is known afterwards.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { CrashRecord } from "#watchdog/crash-record.ts";
import { fetchStatus, formatStatus } from "../../src/cli/status.ts";
import { controlSocketPath } from "../../src/spoke.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { mqttDevice, settingsFor } from "../support/spoke.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const PROGRAM = path.resolve(import.meta.dirname, "../support/watched-daemon.ts");
/** Not what an earlier run said, and this one repeats. */
const RUNNING = /^\S+ info +petiole +running .* mqtt=127.0.0.1:(\d+) /m;
const PATIENCE_MS = 30_000;
/** Longer than its patience. */
const STOPPED_MS = 5_000;

async function start({ path: dataDir }: TempFolder): Promise<SpawnedProcess> {
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settingsFor({ settings: { web: null, host: null } })));
  const daemon = await SpawnedProcess.start(process.execPath, [PROGRAM, dataDir]);
  await daemon.says(RUNNING, PATIENCE_MS);
  return daemon;
}

async function recordIn({ path: dataDir }: TempFolder): Promise<CrashRecord> {
  return JSON.parse(await fs.readFile(path.join(dataDir, "last-crash.json"), "utf8")) as CrashRecord;
}

test("an event loop that stands still ends the process, says where, and the next run and its status know of it", async () => {
  await using folder = await tempFolder("petiole-watchdog");
  {
    await using daemon = await start(folder);
    daemon.signal("SIGUSR2");
    assert.deepEqual(await daemon.exited, { code: null, signal: "SIGKILL" });
    assert.match(daemon.output, /watchdog the event loop stood still for 4 s, in spinForEver:/);
    assert.equal((await fs.stat(path.join(folder.path, "last-crash.json"))).mode & 0o777, 0o600);
  }
  const record = await recordIn(folder);
  assert.equal(record.kind, "loop");
  assert.match(record.log.at(-1)!, / running /, "the last line before it stood still");
  await using daemon = await start(folder);
  assert.match(daemon.output, /an earlier run did not end well: the event loop stood still for 4 s, in spinForEver:/);
  assert.match(daemon.output, /before that end: .* running /);
  const report = await fetchStatus(controlSocketPath(folder.path));
  assert.equal(report.last_crash?.kind, "loop");
  assert.equal(report.disk_fault, null);
  assert.match(formatStatus(report), /an earlier run did not end well: the event loop stood still/);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test("a first thread that sleeps in the kernel ends the process, too", async () => {
  await using folder = await tempFolder("petiole-watchdog");
  await using daemon = await start(folder);
  daemon.signal("SIGHUP");
  assert.deepEqual(await daemon.exited, { code: null, signal: "SIGKILL" });
  assert.equal((await recordIn(folder)).kind, "loop");
});

test("a process that was stopped for longer than the watchdog's patience, as on a suspended laptop, goes on", async () => {
  await using folder = await tempFolder("petiole-watchdog");
  await using daemon = await start(folder);
  daemon.signal("SIGSTOP");
  await pause(STOPPED_MS);
  daemon.signal("SIGCONT");
  await pause(STOPPED_MS / 5); // a look or two
  assert.equal((await fetchStatus(controlSocketPath(folder.path))).disk_fault, null);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  await assert.rejects(recordIn(folder), /ENOENT/);
});

test("a disk that hangs, and no hub: the process ends though its record cannot be written there", async () => {
  await using folder = await tempFolder("petiole-watchdog");
  await using daemon = await start(folder);
  await using device = await mqttDevice(Number(RUNNING.exec(daemon.output)![1]));
  device.on("error", () => undefined); // cut off when the daemon ends
  daemon.signal("SIGWINCH");
  await daemon.says(/the disk hangs from here on/);
  device.publish("plant/7/state", "on", { qos: 1, retain: true });
  assert.deepEqual(await daemon.exited, { code: null, signal: "SIGKILL" });
  assert.match(daemon.output, /the disk hangs: .* no hub confirms anything either; the process ends and is started anew/);
});

test("a bug that ends the daemon is kept with its stack and the last lines of the log", async () => {
  await using folder = await tempFolder("petiole-watchdog");
  await using daemon = await start(folder);
  daemon.signal("SIGPROF");
  const { code } = await daemon.exited;
  assert.notEqual(code, 0);
  const record = await recordIn(folder);
  assert.equal(record.kind, "bug");
  assert.match(record.reason, /TypeError: a bug to order\n\s+at /);
  assert.ok(record.log.length > 0);
});
