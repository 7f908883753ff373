// The device's own readings on the real machine: no process is started for them, and the event loop does not stand still.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { SpawnedProcess } from "../support/processes.ts";
import { startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LOOKS = path.resolve(import.meta.dirname, "support/host-looks.ts");

interface Seen {
  readonly report: Readonly<Record<string, unknown>>;
  readonly hangs: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

async function look(command: string, args: readonly string[]): Promise<Seen> {
  await using looking = await SpawnedProcess.start(command, args);
  const [line] = await looking.says(/^\{"report".*\}$/m, 30_000);
  return JSON.parse(line) as Seen;
}

test("looking at the machine starts no process", { timeout: 40_000 }, async () => {
  await using folder = await tempFolder("petiole-host");
  const trace = `${folder.path}/trace`;
  const seen = await look("strace", ["-f", "-qq", "-e", "trace=execve,fork,vfork", "-o", trace, process.execPath, LOOKS]);
  for (const name of ["uptime", "memory_total", "disk_free", "clock_trusted"]) assert.ok(name in seen.report, name);
  const calls = (await fs.readFile(trace, "utf8")).split("\n").filter((line) => /execve\(|fork\(/.test(line));
  assert.equal(calls.length, 1, `node itself, and nothing else:\n${calls.join("\n")}`);
});

test("looking at the machine does not make the event loop stand still", { timeout: 40_000 }, async (t) => {
  const seen = await look(process.execPath, [LOOKS]);
  t.diagnostic(`event loop delay while looking: median ${seen.p50Ms.toFixed(1)} ms, 99 % ${seen.p99Ms.toFixed(1)} ms`);
  assert.ok(seen.p50Ms < 10, `half of the time it was late by ${seen.p50Ms} ms`);
});

test("a kernel file that never answers costs its own reading only", { timeout: 40_000 }, async () => {
  await using folder = await tempFolder("petiole-host");
  const pipe = `${folder.path}/pipe`;
  execFileSync("mkfifo", [pipe]);
  const seen = await look(process.execPath, [LOOKS, pipe]);
  assert.deepEqual(seen.hangs, ["/proc/loadavg"]);
  assert.ok(!("load_1m" in seen.report));
  assert.ok("uptime" in seen.report && "disk_free" in seen.report);
});

test("a spoke tells of its device on host.<its name>, unless that is switched off", { timeout: 40_000 }, async () => {
  await using spoke = await startSpoke({ settings: { host: { interval: "1s" } } });
  await using device = await spoke.device();
  const { promise, resolve } = Promise.withResolvers<string>();
  device.on("message", (topic, payload) => resolve(`${topic} ${payload}`));
  await device.subscribeAsync("host/#");
  const message = await promise;
  assert.match(message, /^host\/gw-test \{"full":true,/);
  assert.ok("disk_free" in (JSON.parse(message.slice("host/gw-test ".length)) as object));
});
