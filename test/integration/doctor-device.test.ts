// The device itself, broken for real: settings, disk, clock, ports, daemons; and the command as people run it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import { TimeKeeperFile } from "#base/time-keeper-file.ts";
import { NO_MEMORY } from "#base/time-keeper-trust.ts";
import type { DoctorReport } from "#doctor/report.ts";
import { DAEMON_NOT_RUNNING } from "../../src/cli/status.ts";
import { assertNamed, doctorOn, doctorSettings, findingOf } from "../support/doctor.ts";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { Daemon, startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const skip = cannotMount ?? false;
const MAIN = path.resolve(import.meta.dirname, "../../src/main.ts");

/** The command; never rejects for its exit code. */
async function petiole(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>();
  execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
    resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
  });
  return await promise;
}

// ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("settings with faults: DOCTOR_SETTINGS, each fault with its path, and the rest goes on", async () => {
  await using folder = await tempFolder();
  await fs.writeFile(path.join(folder.path, "settings.json"), '{ "server_name": 7, "outbox": { "max_age": "soon" } }');
  const report = await doctorOn({ dataDir: folder.path });
  assertNamed(report, {
    step: "settings",
    code: "DOCTOR_SETTINGS",
    cause: /2 faults: .*server_name.* \| .*max_age/,
    remedy: /"petiole check" lists/,
  });
  assert.equal(findingOf(report, "disk").verdict, "fine");
});

test("settings that are no JSON: DOCTOR_SETTINGS, with line and column", async () => {
  await using folder = await tempFolder();
  await fs.writeFile(path.join(folder.path, "settings.json"), '{\n  "server_name": "gw"\n  "mqtt": null }');
  const report = await doctorOn({ dataDir: folder.path });
  assertNamed(report, { step: "settings", code: "DOCTOR_SETTINGS", cause: /line 3, column/, remedy: /mend them/ });
});

test("settings without a hub: a warning", async () => {
  const report = await doctorOn({});
  assertNamed(report, {
    verdict: "warning",
    step: "settings",
    code: "DOCTOR_NO_HUB",
    cause: /name no hub/,
    remedy: /leafnodes\.remotes/,
  });
});

// ── disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a disk that is full: DOCTOR_DISK_FULL, and nothing is written on it", { skip }, async () => {
  await using disk = await LoopDisk.mount({ type: "tmpfs", mebibytes: 4 });
  await fs.writeFile(path.join(disk.path, "settings.json"), JSON.stringify(doctorSettings({})));
  await disk.fill();
  const report = await doctorOn({ dataDir: disk.path });
  assertNamed(report, {
    step: "disk",
    code: "DOCTOR_DISK_FULL",
    detail: "ENOSPC",
    cause: /is full: 0 MiB of 4 MiB are free/,
    remedy: /take a larger card/,
  });
  assert.deepEqual((await fs.readdir(disk.path)).sort(), ["foreign.bin", "settings.json"]);
});

test("less room than is to be left to others: a warning", { skip }, async () => {
  await using disk = await LoopDisk.mount({ type: "tmpfs", mebibytes: 16 });
  await fs.writeFile(
    path.join(disk.path, "settings.json"),
    JSON.stringify(doctorSettings({ settings: { outbox: { free_reserve: "64MiB" } } })),
  );
  const report = await doctorOn({ dataDir: disk.path });
  assertNamed(report, {
    verdict: "warning",
    step: "disk",
    code: "DOCTOR_DISK_RESERVE",
    cause: /outbox\.free_reserve is 64 MiB/,
    remedy: /lower outbox\.free_reserve/,
  });
});

for (const type of ["tmpfs", "ext4"] as const) {
  test(`a ${type} that is read-only: DOCTOR_DISK_UNUSABLE`, { skip }, async () => {
    await using disk = await LoopDisk.mount({ type, mebibytes: 8 });
    await fs.writeFile(path.join(disk.path, "settings.json"), JSON.stringify(doctorSettings({})));
    assert.ok(await disk.remount("ro"));
    const report = await doctorOn({ dataDir: disk.path });
    const named = {
      step: "disk",
      code: "DOCTOR_DISK_UNUSABLE",
      detail: "EROFS",
      cause: /is on a disk that is read-only/,
      remedy: /mount it writable; a card that turned read-only/,
    };
    assertNamed(report, named);
  });
}

test("a data directory that is not there: DOCTOR_DISK_UNUSABLE", async () => {
  await using folder = await tempFolder();
  const report = await doctorOn({ dataDir: path.join(folder.path, "gone") });
  assertNamed(report, {
    step: "disk",
    code: "DOCTOR_DISK_UNUSABLE",
    detail: "ENOENT",
    cause: /gone: is not there|gone is not there|is not there/,
    remedy: /make it, or correct the path/,
  });
});

test("a disk that takes 400 ms for a commit: DOCTOR_DISK_SLOW", async () => {
  await using folder = await tempFolder();
  let lateMs = 0;
  const clock = systemClock();
  const disk = systemDisk();
  const slow = {
    ...disk,
    open: async (...args: Parameters<typeof disk.open>) => {
      const file = await disk.open(...args);
      return {
        read: file.read.bind(file),
        write: file.write.bind(file),
        truncate: file.truncate.bind(file),
        size: file.size.bind(file),
        datasync: async () => {
          await file.datasync();
          lateMs += 400;
        },
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
  const env = { disk: slow, clock: { ...clock, now: () => clock.now() + lateMs } };
  const report = await doctorOn({ dataDir: folder.path, settings: {}, env, steps: ["settings", "disk"] });
  assertNamed(report, {
    verdict: "warning",
    step: "disk",
    code: "DOCTOR_DISK_SLOW",
    cause: /needs \d{3,}(\.\d)? ms to make one message safe/,
    remedy: /industrial or A2/,
  });
  assert.deepEqual(await fs.readdir(folder.path), ["settings.json"]);
});

// ── clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a clock of 1970: DOCTOR_CLOCK", async () => {
  const report = await doctorOn({ env: { clock: { ...systemClock(), wall: () => 60_000 } } });
  assertNamed(report, {
    step: "clock",
    code: "DOCTOR_CLOCK",
    cause: /says 1970-01-01 00:01 UTC, earlier than 2026-01-01/,
    remedy: /give it the time \(NTP/,
  });
  assert.match(report.compact, /^PTL1 test gw-1 700101T0001Z B clock=DOCTOR_CLOCK/);
});

test("a clock behind what the daemon has known before: DOCTOR_CLOCK, by the floor on flash", async () => {
  await using folder = await tempFolder();
  await new TimeKeeperFile(systemDisk(), folder.path).save({ ...NO_MEMORY, floor: Date.UTC(2030, 5, 1) });
  const clock = { ...systemClock(), wall: () => Date.UTC(2029, 0, 1) };
  const report = await doctorOn({ dataDir: folder.path, settings: {}, env: { clock } });
  assertNamed(report, { step: "clock", code: "DOCTOR_CLOCK", cause: /2029-01-01 .*earlier than 2030-06-01/, remedy: /NTP/ });
});

// ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a port that another program has: DOCTOR_PORT_TAKEN", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const report = await doctorOn({ settings: { mqtt: { listen: `127.0.0.1:${port}` } } });
  assertNamed(report, {
    step: "ports",
    code: "DOCTOR_PORT_TAKEN",
    detail: "EADDRINUSE",
    cause: /the MQTT port .* another program has it/,
    remedy: /another petiole daemon/,
  });
  server.close();
});

test("an address that this device does not have: DOCTOR_PORT_TAKEN, EADDRNOTAVAIL", async () => {
  const report = await doctorOn({ settings: { listen: "198.51.100.1:4222" } });
  assertNamed(report, {
    step: "ports",
    code: "DOCTOR_PORT_TAKEN",
    detail: "EADDRNOTAVAIL",
    cause: /this device has no such address/,
    remedy: /write 0\.0\.0\.0/,
  });
});

test("a port that the settings name and the running daemon does not have: DOCTOR_PORT_SILENT", async () => {
  await using spoke = await startSpoke({});
  const [port] = await freePorts(1);
  const settings = { mqtt: { listen: `127.0.0.1:${port}` } }; // changed, and the daemon was not started again
  const report = await doctorOn({ dataDir: spoke.dataDir, settings });
  assertNamed(report, {
    step: "ports",
    code: "DOCTOR_PORT_SILENT",
    detail: "ECONNREFUSED",
    cause: /the daemon runs, but its MQTT port .* does not answer/,
    remedy: /see that mqtt\.listen is what it was when the daemon started/,
  });
});

test("a serial device that is not plugged in: by the port's own code", async () => {
  const port = {
    name: "weather",
    match: { path: "/dev/ttyPTLNONE" },
    framing: { type: "line" },
    decode: { type: "text" },
    subject: "weather",
  };
  const report = await doctorOn({ settings: { serial: [port] } });
  const { verdict, code, target } = findingOf(report, "serial");
  assert.deepEqual([verdict, code, target], ["broken", "SERIAL_ABSENT", "weather"]);
});

// ── daemons, and the command ─────────────────────────────────────────────────────────────────────────────────────────

test("beside a daemon: exit 0 and its own word for it; stopped in its tracks: somebody works there and does not answer; ended: a warning", async () => {
  await using folder = await tempFolder();
  await using hub = await startHub({ version: "2.15" });
  (await hub.connect()).subscribe(">");
  const [mqttPort] = await freePorts(1);
  const remote = { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password };
  await using daemon = await Daemon.start({ dataDir: folder.path, mqttPort: mqttPort!, remote });
  await daemon.until("linked", ({ remotes }) => remotes[0]!.link.state === "ready");
  const steps = ["settings", "daemon", "ports", "login", "same_name"];
  const beside = await doctorOn({ dataDir: folder.path, steps });
  assert.equal(beside.verdict, "fine", JSON.stringify(beside.findings));
  assert.match(findingOf(beside, "ports").cause, /the MQTT port .* answers/);

  const run = await petiole("doctor", "--data", folder.path, "--json");
  const report = JSON.parse(run.stdout) as DoctorReport;
  assert.deepEqual(
    report.findings
      .filter(({ verdict }) => verdict === "broken")
      .map(({ step }) => step)
      .filter((step) => step !== "gateway" && step !== "interfaces"),
    [],
  );
  assert.equal(run.code, report.verdict === "broken" ? 1 : 0);

  process.kill(daemon.pid, "SIGSTOP");
  const impatient = async (): Promise<never> => {
    await new Promise((resolve) => setTimeout(resolve, 100)); // instead of the five seconds that the command waits
    throw new PetioleError(DAEMON_NOT_RUNNING, "no answer");
  };
  const blind = await doctorOn({
    dataDir: folder.path,
    steps: ["settings", "daemon"],
    probe: (probe) => ({ ...probe, status: () => Promise.race([probe.status(), impatient()]) }),
  });
  process.kill(daemon.pid, "SIGCONT");
  assertNamed(blind, {
    step: "daemon",
    code: "DOCTOR_DAEMON_SILENT",
    detail: "DATA_DIRECTORY_IN_USE",
    cause: /\(process \d+\) works in this data directory, but no daemon answers/,
    remedy: /restart it, and let only one run/,
  });

  assert.equal(await daemon.stop(), 0);
  const after = await doctorOn({ dataDir: folder.path, steps: ["settings", "daemon"] });
  assertNamed(after, {
    verdict: "warning",
    step: "daemon",
    code: "DOCTOR_DAEMON_STOPPED",
    cause: /does not run/,
    remedy: /petiole run --data/,
  });
});

test("a second daemon with the ports of the first, in a directory of its own: DOCTOR_PORT_TAKEN", async () => {
  await using scope = new AsyncDisposableStack();
  const [one, two] = [scope.use(await tempFolder()).path, scope.use(await tempFolder()).path];
  const [mqttPort] = await freePorts(1);
  scope.use(await Daemon.start({ dataDir: one, mqttPort: mqttPort! }));
  const report = await doctorOn({ dataDir: two, settings: { mqtt: { listen: `127.0.0.1:${mqttPort}` } } });
  assertNamed(report, {
    step: "ports",
    code: "DOCTOR_PORT_TAKEN",
    cause: /another program has it/,
    remedy: /another petiole daemon runs/,
  });
});

test("the command tells people what is broken and ends with 1; a picture of the result is written where it is wanted", async () => {
  await using folder = await tempFolder();
  const [port] = await freePorts(1);
  const remote = { urls: [`tls://127.0.0.1:${port}`] };
  await fs.writeFile(path.join(folder.path, "settings.json"), JSON.stringify(doctorSettings({ remote })));
  const svg = path.join(folder.path, "result.svg");
  const { code, stdout } = await petiole("doctor", "--data", folder.path, "--qr", "--svg", svg);
  assert.equal(code, 1);
  assert.match(stdout, /BROKEN +cannot reach hub tls:\/\/127\.0\.0\.1:\d+: .*refused/);
  assert.match(stdout, /for head office: PTL1 \S+ gw-1 \S+ B .*reach@0\.0=LEAF_DIAL_FAILED\/ECONNREFUSED/);
  assert.match(stdout, /▀▀▀▀▀▀▀/);
  assert.match(await fs.readFile(svg, "utf8"), /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
  assert.equal((await petiole("doctor", "extra")).code, 2);
  assert.match((await petiole("doctor", "--help")).stdout, /exit 0 {2}everything fine/);
});

test("told to end in the middle, the command ends at once with 1 and without a complaint", async () => {
  await using folder = await tempFolder();
  const server = net.createServer((socket) => void socket.on("error", () => undefined)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo; // takes the connection and says nothing, for three seconds
  await fs.writeFile(
    path.join(folder.path, "settings.json"),
    JSON.stringify(doctorSettings({ remote: { urls: [`nats-leaf://127.0.0.1:${port}`] } })),
  );
  await using run = await SpawnedProcess.start(process.execPath, [MAIN, "doctor", "--data", folder.path]);
  await run.says(/the port answers after/);
  run.signal("SIGTERM");
  const { code } = await run.exited;
  assert.equal(code, 1);
  assert.equal(run.stderr, "");
  server.close();
});
