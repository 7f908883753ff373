import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCpuList, pinned } from "../../scripts/lib/bench/cores.ts";
import { type ProcessFigures, parseCoreBusyMs, parseCpu, parseWire } from "../../scripts/lib/bench/process-figures.ts";
import { formatReport, ratiosOf, type Sample, workloadReports } from "../../scripts/lib/bench/report.ts";
import { percentile, spreadOf } from "../../scripts/lib/bench/statistics.ts";
import { evenly, type Metrics, metricsOf } from "../../scripts/lib/bench/workloads.ts";

test("processor time is read behind a name with spaces and parentheses", () => {
  const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 7 8 20 0 11 0 100 1 2";
  assert.deepEqual(parseCpu(stat), { cpuMs: 1750, kernelMs: 250 });
});

test("a processor is busy with all but idling and waiting", () => {
  const stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 4 1000 500 8 16 32 0 0\ncpu11 7 7 7 7 7 7 7 7 0 0\n";
  assert.equal(parseCoreBusyMs(stat, "1"), 630);
  assert.equal(parseCoreBusyMs(stat, "5"), null);
});

test("the leaf's connection is found by its process among those to the hub", () => {
  const line = (pid: number, port: number) =>
    `0      0      127.0.0.1:${port} 127.0.0.1:7422 users:(("leaf",pid=${pid},fd=20)) cubic wscale:10 rto:204 bytes_sent:5000 bytes_retrans:40 bytes_acked:4961 segs_out:90 data_segs_out:70 send 1bps\n`;
  const lines = line(42, 4001) + line(421, 4002);
  assert.deepEqual(parseWire(lines, 42), { localPort: 4001, bytes: 4960, segments: 70 });
  assert.equal(parseWire(lines, 4), null);
  assert.equal(parseWire(line(42, 4001) + line(42, 4003), 42), null, "two connections cannot be told apart");
  assert.equal(parseWire('0 0 127.0.0.1:1 127.0.0.1:2 users:(("leaf",pid=42,fd=20))\n', 42), null, "a kernel that does not tell");
});

test("lists of processors are read as the kernel writes them", () => {
  assert.deepEqual(parseCpuList("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
  assert.deepEqual(pinned(null, "node", ["a"]), ["node", ["a"]]);
  assert.deepEqual(pinned("1", "node", ["a"]), ["taskset", ["--cpu-list", "1", "node", "a"]]);
});

test("medians and percentiles; what was not measured is absent, never zero", () => {
  assert.deepEqual(spreadOf([3, null, 1, 2]), { median: 2, min: 1, max: 3, values: [3, 1, 2] });
  assert.equal(spreadOf([null]), undefined);
  assert.equal(spreadOf([1, 2])!.median, 1.5);
  assert.equal(percentile(Float64Array.of(1, 2, 3, 4, 5), 100), 5);
  assert.equal(percentile(Float64Array.of(7), 99), 7);
});

const figures = (over: Partial<ProcessFigures> = {}): ProcessFigures => ({
  cpuMs: 1_000,
  kernelMs: 400,
  rssBytes: 50 * 2 ** 20,
  diskBytes: 0,
  coreBusyMs: 5_000,
  wire: { localPort: 9, bytes: 0, segments: 0 },
  ...over,
});

test("a run's figures are per message that arrived, and over the time from first send to last arrival", () => {
  const run = {
    sent: { startedAt: 1e9, doneAt: 2e9 },
    seen: { arrived: 1_000, lastAt: 3e9, latencyMs: null },
    arrived: 1_000,
    count: 1_010,
    before: figures(),
    after: figures({
      cpuMs: 2_000,
      kernelMs: 900,
      coreBusyMs: 6_300,
      diskBytes: 4_096_000,
      wire: { localPort: 9, bytes: 150_000, segments: 20 },
    }),
    spanMs: 3_000,
  };
  const metrics = metricsOf(run);
  assert.equal(metrics.rate, 500);
  assert.equal(metrics.cpu_us, 1_000);
  assert.equal(metrics.cpu_percent, 50);
  assert.equal(metrics.kernel_percent, 50);
  assert.equal(metrics.foreign_percent, 10);
  assert.equal(metrics.wire_bytes, 150);
  assert.equal(metrics.disk_bytes, 4_096);
  assert.equal(metrics.lost, 10);
  const reconnected = { ...run, after: figures({ wire: { localPort: 10, bytes: 7, segments: 1 } }) };
  assert.equal(metricsOf(reconnected).wire_bytes, null, "bytes of two connections are not one figure");
});

test("every publisher sends the same share, and at least one message", () => {
  assert.deepEqual([evenly(0), evenly(101), evenly(1_234_567)], [10, 100, 1_234_570]);
});

const none = Object.fromEntries(
  "rate cpu_us cpu_percent kernel_percent foreign_percent wire_bytes wire_segments latency_p50_ms latency_p99_ms late_p50_ms late_p99_ms rss_mib disk_bytes lost"
    .split(" ")
    .map((name) => [name, null]),
) as Metrics;
const sample = (system: string, round: number, metrics: Partial<Metrics>): Sample => ({
  workload: "qos1",
  system,
  round,
  metrics: { ...none, ...metrics },
});
const SYSTEMS = [
  { name: "spoke", workloads: ["qos0", "qos1"], puback: "after X" },
  { name: "peer", workloads: ["qos1"], puback: "after Y" },
] as const;
const SAMPLES = [
  sample("spoke", 1, { rate: 100, cpu_us: 4 }),
  sample("peer", 1, { rate: 50, cpu_us: 8 }),
  sample("peer", 2, { rate: 10 }),
  sample("spoke", 2, { rate: 40 }),
];

test("ratios are taken within a round, and only where both were measured", () => {
  const ratios = ratiosOf(SAMPLES, SYSTEMS);
  const found = ratios.map(({ metric, peer, median, min, max, target }) => ({ metric, peer, median, min, max, target }));
  assert.deepEqual(found, [
    { metric: "rate", peer: "peer", median: 3, min: 2, max: 4, target: "≥ 1.5" },
    { metric: "cpu_us", peer: "peer", median: 0.5, min: 0.5, max: 0.5, target: null },
  ]);
});

test("the table names what a PUBACK means beside the rates, and says what was not measured", () => {
  const workloads = workloadReports(SAMPLES, SYSTEMS);
  const text = formatReport({
    versions: {},
    machine: {},
    load: {},
    notes: ["a note"],
    workloads,
    ratios: ratiosOf(SAMPLES, SYSTEMS),
  });
  assert.match(text, /a note/);
  assert.match(text, /MQTT QoS 1, saturated +spoke +peer\n +messages\/s at the hub +70 \(40–100\) +30 \(10–50\)/);
  assert.match(text, /bytes to the hub\/message +not measured +not measured/);
  assert.match(text, / {2}spoke: PUBACK after X\n {2}peer: PUBACK after Y\n/);
  assert.match(text, /messages\/s at the hub +peer +3\.00 \(2\.00–4\.00\) +target ≥ 1\.5/);
});
