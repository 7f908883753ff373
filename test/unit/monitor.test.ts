import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as path from "node:path";
import { test } from "node:test";
import { systemDisk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import { createLog, silentLog } from "#base/log.ts";
import { openMonitor } from "#monitor/monitor.ts";
import { judge } from "#status/health.ts";
import type { RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import { fetchStatus, formatStatus } from "../../src/cli/status.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tempFolder } from "../support/temp-folder.ts";

const REMOTE: RemoteReport = {
  name: "EDGE",
  account: "EDGE",
  link: {
    state: "ready",
    url: "tls://hub:7422",
    since: "2026-01-01T00:00:00.000Z",
    attempt: 0,
    rtt_ms: 12.5,
    tls: true,
    hub_name: "hub1",
    hub_id: "NHUB",
    hub_version: "2.15.1",
    hub_cluster: null,
    hub_interest: 3,
    connects: 1,
    bytes_in: 10,
    bytes_out: 20,
    plain_bytes_in: 30,
    plain_bytes_out: 80,
    compression: { mode: "s2_auto", level: "better" },
    flow: { under_way: 0, window: 16384, bytes_per_second: 0 },
    isolation_fault: null,
    urls: [],
    messages_in: 1,
    last_error: null,
  },
  outbox: {
    mode: "direct",
    depth: 5,
    flash_bytes: 2048,
    staged_bytes: 0,
    held: 0,
    lanes: [],
    delivered: 9,
    live_sent: 4,
    commits: 0,
    fault: null,
    losses: [
      {
        reason: "displaced",
        class: "state",
        rule: null,
        messages: 7,
        from_seq: 1,
        through_seq: 7,
        first_time: "2025-12-31T23:00:00.000Z",
        last_time: "2025-12-31T23:30:00.000Z",
      },
    ],
    ledger_fault: null,
    free_reserve: null,
    full: null,
    suspended: [],
    suspended_subjects: 0,
    reconcile: null,
    recovery: { records: 0, torn_bytes: 0, damaged: 0 },
  },
};
const PORT: SerialReport = {
  name: "scale",
  match: "/dev/ttyUSB0",
  path: "/dev/ttyUSB0",
  identity: "/dev/ttyUSB0",
  state: "open",
  since: "2026-01-01T00:00:00.000Z",
  code: null,
  cause: null,
  is_silent: false,
  degraded: null,
  is_paused: false,
  bytes: 1,
  frames: 1,
  messages: 1,
  errors: 0,
  overruns: 0,
  opens: 1,
  reopens: 0,
  power_cycles: 0,
  last_frame: null,
  last_error: null,
  last_bad_frame: null,
  commands: { waiting: 0, done: 0, refused: 0, late: 0, failed: 0, last_fault: null },
  units: null,
  bus: null,
};

function report(remotes: readonly RemoteReport[] = [REMOTE]): StatusReport {
  return {
    version: "1.0.0",
    server_name: 'gw-"1"\n',
    device_id: "0123456789",
    now: "2026-01-01T00:00:00.000Z",
    uptime_seconds: 90_061,
    rss_bytes: 1,
    health: judge(remotes, [PORT], { since: "2025-12-31T00:00:00.000Z", until: "9999" }),
    remotes,
    mqtt: null,
    nats: null,
    serial: [PORT],
  };
}

test("what a hub says reaches the terminal of who asks as text, and moves nothing there", () => {
  const because = "\u001b[2Jno";
  const own = {
    account: "EDGE",
    state: "refused",
    refused: 1,
    reason: because,
    since: "",
    retained: { following: false, because },
  };
  const mqtt = { listen: "", clients: 0, messages_in: 0, messages_out: 0, hub_mqtt: [own] } as unknown as StatusReport["mqtt"];
  const text = formatStatus({ ...report(), mqtt, health: judge([], [], undefined, null, { mqtt }) });
  assert.equal(text.split("\\x1b[2Jno").length - 1, 4);
  assert.ok(!text.includes("\u001b"));
});

async function ask(port: number, address: string, method = "GET"): Promise<{ status: number; type: string; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; type: string; body: string }>();
  http
    .request({ port, path: address, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, type: String(response.headers["content-type"]), body }));
    })
    .on("error", reject)
    .end();
  return await promise;
}

async function opened(answer: () => StatusReport) {
  const folder = await tempFolder();
  const socketPath = path.join(folder.path, "control.sock");
  const env = { disk: systemDisk(), log: silentLog() };
  const monitor = await openMonitor({ listen: { host: "127.0.0.1", port: 0 }, socketPath }, answer, env);
  return {
    monitor,
    socketPath,
    port: monitor.endpoint!.port,
    async [Symbol.asyncDispose]() {
      await monitor[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("a hub's name cannot move the cursor of whoever asks for the status", () => {
  const evil = "\u001b[2Jhub";
  const link = { ...REMOTE.link, hub_name: evil, hub_version: evil, url: evil, isolation_fault: evil };
  const text = formatStatus({ ...report(), remotes: [{ ...REMOTE, link }] });
  assert.equal(text.split("\\x1b[2Jhub").length - 1, 4);
  assert.ok(!text.includes("\u001b"));
});

test("the control socket gives the report that petiole status prints", async () => {
  await using open = await opened(report);
  const got = await fetchStatus(open.socketPath);
  assert.deepEqual(got, report());
  const text = formatStatus(got);
  for (const part of [
    "DEGRADED",
    "up 1 d 1 h",
    "7 of the oldest state messages were dropped",
    "2.0 KiB",
    "rtt 12.5 ms",
    "scale",
  ]) {
    assert.ok(text.includes(part), `${part} in\n${text}`);
  }
});

test("/metrics is Prometheus text with a HELP line each and labels escaped", async () => {
  await using open = await opened(report);
  const { status, type, body } = await ask(open.port, "/metrics?x=1");
  assert.equal(status, 200);
  assert.match(type, /^text\/plain; version=0\.0\.4/);
  assert.match(body, /^petiole_outbox_messages\{account="EDGE",remote="EDGE"\} 5$/m);
  assert.match(body, /^petiole_outbox_lost_total\{account="EDGE",remote="EDGE",reason="displaced",class="state"\} 7$/m);
  assert.match(body, /^petiole_link_rtt_seconds\{account="EDGE",remote="EDGE"\} 0\.0125$/m);
  assert.ok(body.includes('server_name="gw-\\"1\\"\\n"'), "a name cannot forge a line");
  for (const line of body.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    assert.ok(body.includes(`# HELP ${line.split(/[{ ]/)[0]} `), line);
  }
});

test("/metrics tells how ports, the units of a bus and the device itself fare", async () => {
  const unit = { unit: 4, name: "pump", state: "silent", answers: 3, failures: 9, exceptions: 1, last_fault: null };
  const bus = { skipped: 2, stray_bytes: 40, stray_frames: 1, echo: null };
  const port: SerialReport = {
    ...PORT,
    is_silent: true,
    reopens: 2,
    commands: { ...PORT.commands, done: 5, late: 1 },
    units: [unit],
    bus,
  };
  const host = { looks: 9, messages: 7, hanging: ["/sys/a"], last_fault: null };
  await using open = await opened(() => ({ ...report(), serial: [port], host }));
  const { body } = await ask(open.port, "/metrics");
  for (const line of [
    'petiole_serial_silent{port="scale"} 1',
    'petiole_serial_reopens_total{port="scale"} 2',
    'petiole_serial_commands_total{port="scale",outcome="done"} 5',
    'petiole_modbus_unit_silent{port="scale",unit="pump"} 1',
    'petiole_modbus_failures_total{port="scale",unit="pump"} 9',
    'petiole_modbus_skipped_total{port="scale"} 2',
    "petiole_host_hanging 1",
  ])
    assert.ok(body.split("\n").includes(line), `${line} in\n${body}`);
  assert.match(judge([], [], undefined, null, { host }).reasons[0] ?? "", /does not answer for \/sys\/a; look at its log/);
});

test("/healthz: no link is no failure; no link and no disk is", async () => {
  const down: RemoteReport = { ...REMOTE, link: { ...REMOTE.link, state: "waiting" } };
  const broken: RemoteReport = { ...down, outbox: { ...down.outbox, fault: "ENOSPC" } };
  let remotes = [down];
  await using open = await opened(() => report(remotes));
  assert.equal((await ask(open.port, "/healthz")).status, 200);
  remotes = [broken];
  const { status, body } = await ask(open.port, "/healthz");
  assert.equal(status, 503);
  assert.match(body, /cannot write to flash: ENOSPC/);
});

test("anything else is told what there is, and nothing can be changed here", async () => {
  await using open = await opened(report);
  assert.equal((await ask(open.port, "/../etc/passwd")).status, 404);
  assert.equal((await ask(open.port, "/healthz", "POST")).status, 405);
});

test("a port that is taken is named, and the half-open monitor leaves nothing behind", async () => {
  await using open = await opened(report);
  await using folder = await tempFolder();
  const taken = { listen: { host: "127.0.0.1", port: open.port }, socketPath: path.join(folder.path, "control.sock") };
  await assert.rejects(
    openMonitor(taken, report, { disk: systemDisk(), log: silentLog() }),
    (error) =>
      error instanceof PetioleError && error.code === "MONITOR_LISTEN_FAILED" && error.message.includes(String(open.port)),
  );
});

test("something in the control socket's place stops no start: it is told, and the port answers", async () => {
  await using folder = await tempFolder();
  const inTheWay = path.join(folder.path, "control.sock");
  await fs.mkdir(inTheWay);
  const tooLong = path.join(folder.path, "x".repeat(100), "control.sock");
  for (const [socketPath, words] of [
    [inTheWay, /control\.sock: is a folder where a file is wanted; move it away; then start it anew/],
    [tooLong, /has \d+ bytes, a socket's path at most 107; choose a shorter --data/],
  ] as const) {
    const said: string[] = [];
    const log = createLog(new FakeClock(), "error", ({ message }) => said.push(message));
    const places = { listen: { host: "127.0.0.1", port: 0 }, socketPath };
    await using monitor = await openMonitor(places, report, { disk: systemDisk(), log });
    assert.equal((await ask(monitor.endpoint!.port, "/healthz")).status, 200);
    assert.equal(said.length, 1);
    assert.match(said[0]!, words);
  }
});

test("asking where no daemon runs says so, and how to start one", async () => {
  await using folder = await tempFolder();
  await assert.rejects(fetchStatus(path.join(folder.path, "control.sock")), /no daemon runs in this data directory.*petiole run/);
});

test("two remotes of one account that reach the same hub are told so: everything would come twice", () => {
  const twin: RemoteReport = { ...REMOTE, name: "backup" };
  const reasons = judge([REMOTE, twin], []).reasons.filter((reason) => reason.includes("twice"));
  assert.deepEqual(reasons.length, 1);
  const other: RemoteReport = { ...twin, link: { ...twin.link, hub_id: "NOTHER" } };
  assert.deepEqual(
    judge([REMOTE, other], []).reasons.filter((reason) => reason.includes("twice")),
    [],
  );
  const cluster = (id: string): RemoteReport => ({ ...twin, name: id, link: { ...twin.link, hub_id: id, hub_cluster: "C1" } });
  assert.equal(judge([cluster("N1"), cluster("N2")], []).reasons.filter((reason) => reason.includes("twice")).length, 1);
});
