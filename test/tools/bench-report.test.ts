import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { FalseHub } from "../../scripts/lib/bench/false-hub.ts";
import { brokenPromises, type HostileRow } from "../../scripts/lib/bench/hostile-report.ts";
import { rowOf } from "../../scripts/lib/bench/idle.ts";
import { parseMemory, parseWakeups, readAwake } from "../../scripts/lib/bench/idle-figures.ts";
import { plotsOf } from "../../scripts/lib/bench/plots.ts";
import { barChart } from "../../scripts/lib/bench/svg-bars.ts";
import { type Evidence, parseEvidence, readEvidence } from "../../scripts/lib/report/evidence.ts";
import { isLost, isWithin } from "../../scripts/lib/report/figure.ts";
import { figuresOf } from "../../scripts/lib/report/figures.ts";
import { markdownTable, reportText } from "../../scripts/lib/report/report-text.ts";
import { freePorts } from "../support/free-ports.ts";
import { tempFolder } from "../support/temp-folder.ts";

const evidenceOf = (name: string, outcome: unknown, load: Evidence["load"] = [0.2, 0.4]): Evidence => ({
  name,
  command: `scripts/bench ${name}`,
  at: "2030-05-01T12:00:00.000Z",
  seconds: 12,
  load,
  exitCode: 0,
  outcome,
});

const spread = (median: number) => ({ median, min: median, max: median, values: [median] });
const START = {
  rounds: 1,
  rows: [
    { system: "spoke", records: 0, mqttMs: spread(400), pageMs: spread(390), firstMs: spread(420) },
    { system: "nats-server", records: 0, mqttMs: spread(40), firstMs: spread(50) },
  ],
};

const HOSTILE_ROW: HostileRow = {
  system: "spoke",
  attack: "storm",
  title: "connects, 10,000/s offered",
  extent: "9,000/s",
  perSecond: 9000,
  sent: 100,
  acked: 100,
  p50Ms: 2,
  p99Ms: 17,
  maxMs: 20,
  lateP99Ms: 3,
  cpuPercent: 40,
  rssMib: 120,
  peakMib: 130,
  fault: "",
};

test("memory is split into what is a process's own and what is of files", () => {
  assert.deepEqual(parseMemory("x [rollup]\nRss:   100 kB\nPss: 80 kB\nAnonymous:   40 kB\n"), {
    rssBytes: 102_400,
    anonymousBytes: 40_960,
    fileBytes: 61_440,
  });
  assert.equal(parseMemory(""), undefined, "a kernel that does not tell");
});

test("wake-ups are those that a thread waited for, not those that were forced on it", async () => {
  assert.equal(parseWakeups("nonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n"), 7);
  assert.equal(parseWakeups(""), 0);
  const { cpuNs, wakeups } = await readAwake(process.pid);
  assert.ok(cpuNs > 0 && wakeups > 0, "this process has run and waited");
});

test("an idle hour is what was seen, scaled; another connection has no bytes", () => {
  const figures = { cpuMs: 0, kernelMs: 0, rssBytes: 0, diskBytes: 0, coreBusyMs: null };
  const wire = { localPort: 7, bytes: 1_000, segments: 1 };
  const before = { cpuNs: 0, wakeups: 100, memory: undefined, figures: { ...figures, wire } };
  const after = (localPort: number) => ({
    cpuNs: 100e6,
    wakeups: 200,
    memory: { rssBytes: 2 ** 20, anonymousBytes: 2 ** 19, fileBytes: 2 ** 19 },
    figures: { ...figures, diskBytes: 4096, wire: { localPort, bytes: 1_500, segments: 3 } },
  });
  const row = rowOf("spoke", before, after(7), 10);
  assert.deepEqual([row.cpuPercent, row.wakeupsPerSecond, row.bytesUpPerHour, row.segmentsUpPerHour], [1, 10, 180_000, 720]);
  assert.deepEqual([row.flashBytesPerHour, row.rssMib, row.anonymousMib], [4096 * 360, 1, 0.5]);
  assert.equal(rowOf("spoke", before, after(8), 10).bytesUpPerHour, null);
});

test("a promise is broken by an end, a late PUBACK, a missing one, or memory without bound; a peer's is not ours to keep", () => {
  assert.deepEqual(brokenPromises([HOSTILE_ROW]), []);
  const broken = brokenPromises([
    { ...HOSTILE_ROW, fault: "it ended" },
    { ...HOSTILE_ROW, p99Ms: 100 },
    { ...HOSTILE_ROW, acked: 99 },
    { ...HOSTILE_ROW, peakMib: 300 },
    { ...HOSTILE_ROW, system: "nats-server", p99Ms: 500 },
  ]);
  assert.equal(broken.length, 4);
  assert.match(broken.join("\n"), /it ended\n.*p99 100 ms.*\n.*1 of 100 messages.*\n.*300 MiB/);
});

test("the false hub agrees on S2 and then sends more than it was asked for", async () => {
  const [port] = (await freePorts(1)) as [number];
  await using hub = await FalseHub.listen(port);
  const socket = net.connect(port, "127.0.0.1");
  const [hello] = (await once(socket, "data")) as [Buffer];
  assert.match(hello.toString(), /^INFO \{.*"compression":"s2_auto".*\}\r\n$/);
  socket.write('INFO {"compression":"s2_fast"}\r\n');
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.equal(first.subarray(0, 10).toString("latin1"), "\xff\x06\x00\x00S2sTwO");
  assert.equal(hub.bombed, 1);
  socket.destroy();
});

test("a drawing is well-formed whatever the names, its longest bar ends before the value, and ours stands out", () => {
  const bars = [
    { label: 'spoke <a> & "b"', value: 3, isOurs: true },
    { label: "peer", value: 6, isOurs: false },
  ];
  const svg = barChart({ title: "T & <t>", unit: "ms", note: "", groups: [{ title: "g", bars }] });
  assert.doesNotMatch(svg, /<a>|& |<t>/);
  assert.match(svg, /spoke &lt;a&gt; &amp; &quot;b&quot;/);
  const widths = [...svg.matchAll(/<rect .*?width="([\d.]+)".*?fill="(#\w+)"/g)].map(([, width, fill]) => [Number(width), fill]);
  assert.equal(widths.length, 2);
  assert.equal(widths[1]![0], 2 * (widths[0]![0] as number));
  assert.notEqual(widths[0]![1], widths[1]![1]);
  assert.doesNotMatch(barChart({ title: "", unit: "", note: "", groups: [{ title: "none", bars: [] }] }), /NaN|Infinity/);
});

test("a part that is drawn has drawings named after it, others have none", () => {
  assert.deepEqual(
    plotsOf("start", START, "note").map(({ name }) => name),
    ["start-mqtt"],
  );
  assert.deepEqual(plotsOf("serial", {}, "note"), []);
});

test("an envelope is read as such; what was merely redirected is dated by its file", async () => {
  const mtime = new Date("2030-05-02T00:00:00Z");
  const envelope = evidenceOf("soak", { ok: true });
  assert.deepEqual(parseEvidence("soak", mtime, JSON.stringify(envelope)), envelope);
  const redirected = parseEvidence("soak", mtime, '{"ok":true}');
  assert.deepEqual([redirected.at, redirected.load, redirected.outcome], [mtime.toISOString(), null, { ok: true }]);
  await using folder = await tempFolder("evidence");
  await fs.writeFile(path.join(folder.path, "soak.json"), "{");
  await fs.writeFile(path.join(folder.path, "fuzz.txt"), "leaf: seed 7\n");
  await fs.writeFile(path.join(folder.path, "bench-main-cpu.svg"), "<svg/>");
  const told: string[] = [];
  const found = await readEvidence(folder.path, (line) => void told.push(line));
  assert.deepEqual([...found.keys()], ["fuzz"]);
  assert.match(told.join(), /soak\.json is left out/);
  assert.equal((await readEvidence(path.join(folder.path, "nowhere"), assert.fail)).size, 0);
});

test("a figure is lost when the peer's is better, whichever way better is", () => {
  assert.ok(isLost({ ours: 2, peer: { name: "p", value: 1 }, better: "less" }));
  assert.ok(isLost({ ours: 1, peer: { name: "p", value: 2 }, better: "more" }));
  assert.ok(!isLost({ ours: 2, peer: { name: "p", value: 1 }, better: "more" }));
  assert.ok(!isLost({ ours: 2, peer: null, better: "less" }));
  assert.ok(isWithin(0.8, "≤ 0.8") && !isWithin(0.81, "≤ 0.8") && isWithin(1.5, "≥ 1.5") && !isWithin(1.4, "≥ 1.5"));
});

test("what is on flash when it is acknowledged is never compared with what is not", () => {
  const row = (system: string, rate: number) => ({ system, publishers: 10, rate: spread(rate), p50: undefined, p99: undefined });
  const acks = [row("spoke, link up", 9), row("spoke, link down", 4), row("nats-server", 7), row("nats-server, sync always", 3)];
  const figures = figuresOf(evidenceOf("bench-outbox", { acks, backlog: null, flash: [] }));
  assert.deepEqual(
    figures.map(({ ours, peer }) => [ours, peer?.value, peer?.name]),
    [
      [9, 7, "nats-server, acknowledges before its disk"],
      [4, 3, "nats-server, acknowledges after its disk"],
    ],
  );
});

test("brokers are judged by what the design aims at, idle clients by their memory", () => {
  const sample = (broker: string, workload: string, qos: 0 | 1, rate: number, cpuUs: number) => {
    return { broker, workload, qos, rate, cpuUs, cpuShare: 1, lost: 0, p50Ms: null, p99Ms: null, fault: null };
  };
  const samples = [
    ...[sample("spoke", "10 → 1", 0, 100, 1), sample("nats-server", "10 → 1", 0, 90, 1.1), sample("aedes", "10 → 1", 0, 20, 9)],
    ...[sample("spoke", "10 → 1", 1, 50, 2), sample("nats-server", "10 → 1", 1, 49, 8)],
    ...[sample("spoke", "1 → 100", 0, 30, 1), sample("aedes", "1 → 100", 0, 10, 3), sample("nats-server", "1 → 100", 0, 40, 1)],
  ];
  const idle = ["spoke", "aedes"].map((broker, i) => ({ broker, aloneMiB: 60, crowdedMiB: 90, clientKiB: 24 + 10 * i }));
  const figures = figuresOf(evidenceOf("bench-mqtt", { samples, idle }));
  assert.deepEqual(
    figures.flatMap(({ what, peer, target }) =>
      target === null ? [] : [`${what}, ${peer?.name}, ${target.text}: ${target.isMet}`],
    ),
    [
      "MQTT broker, 10 → 1, QoS 0: CPU a delivery, nats-server, ratio ≤ 0.8: false",
      "MQTT broker, 10 → 1, QoS 1: messages published, nats-server: acknowledges before its disk, ratio ≥ 1: true",
      "MQTT broker, 1 → 100, QoS 0: messages published, aedes, ratio ≥ 2: true",
      "MQTT broker: RSS an idle client, aedes, ≤ 25 KiB: true",
    ],
  );
});

test("the report names what was run and what was not, judges no busy machine, and hides no loss", () => {
  const quiet = new Map([["bench-start", evidenceOf("bench-start", START)]]);
  const text = reportText({ version: "0.1.0", evidence: quiet, knownGaps: "- a gap\n" });
  assert.match(text, /\| soak \| `scripts\/soak --json` \| \*\*not run\*\* \|/);
  assert.match(
    text,
    /start with 0 queued: MQTT lets a device in \| 400 ms \| 40 ms \(nats-server\) \| 10\.00 \| ≤ 300 ms \| \*\*short by 33 %\*\* \| quiet \|/,
  );
  assert.match(
    text,
    /## Targets not reached, and why\n\n- \*\*start with 0 queued: MQTT lets a device in\*\*: 400 ms, wanted ≤ 300 ms\. The machine's own speed decides/,
  );
  assert.match(text, /## Where we lose\n\n- start with 0 queued: MQTT lets a device in: 400 against 40 ms of nats-server/);
  assert.match(text, /## Known gaps\n\n- a gap\n$/);
  assert.doesNotMatch(text, /The machine was busy/);
  const busy = new Map([["bench-start", evidenceOf("bench-start", START, [9.5, 8])]]);
  const honest = reportText({ version: "0.1.0", evidence: busy, knownGaps: "" });
  assert.match(honest, /\*\*The machine was busy with other work in 1 of these runs\*\*/);
  const seen = (others: number) =>
    reportText({
      version: "0.1.0",
      evidence: new Map([["bench-start", { ...busy.get("bench-start")!, others }]]),
      knownGaps: "",
    });
  assert.match(seen(0.42), /short by 33 %, on a busy machine \| 42 % busy \|/);
  assert.match(seen(0.02), /\*\*short by 33 %\*\* \| quiet \|/, "the load was our own, a moment ago");
  assert.match(honest, /short by 33 %, on a busy machine \| load 9\.5 \|/);
});

test("what was survived is told with its seeds, and what was not is told louder", () => {
  const totals = {
    worlds: 5,
    cuts: 1000,
    starts: 1005,
    linked: 400,
    commits: 9,
    published: 5000,
    acknowledged: 4000,
    repeated: 1,
    accounted: 2,
  };
  const run = (breaches: object[]) =>
    reportText({
      version: "0.1.0",
      knownGaps: "",
      evidence: new Map([
        ["tests", evidenceOf("tests", { passed: 5000, failed: 0, skipped: 2 })],
        ["simulate", evidenceOf("simulate", { seed: 77, seconds: 60, ...totals, breaches })],
        ["fuzz", evidenceOf("fuzz", "leaf: seed 7\nleaf: 100,000 inputs, 12 MB, 40 % of them good, in 9 s; fine\n")],
      ]),
    });
  assert.match(run([]), /5,000 passed, 0 failed, 2 skipped/);
  assert.match(run([]), /seeds from 77\): 1,000 in 5 worlds.*no acknowledged message was lost or doubled/);
  assert.match(run([]), /Mutated input\*\*, leaf: 100,000 inputs.*\(seed 7\)/);
  assert.match(run([{ seed: 78, words: "lost one" }]), /\*\*1 promises broken\*\*: seed 78: lost one/);
});

test("a table's cells may hold what separates cells, and evidence of an older kind gives no figures", () => {
  assert.deepEqual(markdownTable([["a"], ["b|c"]]), ["| a |", "| --- |", "| b\\|c |"]);
  assert.deepEqual(figuresOf(evidenceOf("soak", {})), []);
});
