import assert from "node:assert/strict";
import { test } from "node:test";
import { extentOf } from "../../scripts/lib/bench/hostile-report.ts";
import { LineSchedule, type LineShape } from "../../scripts/lib/bench/line-schedule.ts";
import { STAMP_AT, STAMP_CHARS } from "../../scripts/lib/bench/mqtt-packets.ts";
import { parsePart, whole } from "../../scripts/lib/bench/part-options.ts";
import { plotsOf } from "../../scripts/lib/bench/plots.ts";
import { reading } from "../../scripts/lib/bench/site-sources.ts";
import { formatSites, type SiteRun, siteRow } from "../../scripts/lib/bench/sites-report.ts";
import { alarmFigures, formatThin, type ThinRun, thinRow, tookMs } from "../../scripts/lib/bench/thin-report.ts";
import type { Evidence } from "../../scripts/lib/report/evidence.ts";
import { isLost } from "../../scripts/lib/report/figure.ts";
import { figuresOf } from "../../scripts/lib/report/figures.ts";
import { reportText } from "../../scripts/lib/report/report-text.ts";
import { WORKLOADS } from "../../scripts/lib/report/workloads.ts";
import { memoryKindsOf, memoryLine } from "../../scripts/lib/soak/memory-kinds.ts";

const SHAPE: LineShape = { bitsPerSecond: 8_000, delayMs: 250, loss: 0, bufferBytes: 1_000 };
const never = () => 1;

test("a packet comes out when those before it are through, its own bits are, and the delay is over", () => {
  const line = new LineSchedule(SHAPE, never); // a byte a millisecond
  assert.equal(line.arrivalOf(100, 1_000), 1_350);
  assert.equal(line.arrivalOf(100, 1_000), 1_450, "behind the first");
  assert.equal(line.arrivalOf(100, 5_000), 5_350, "the line had fallen silent");
});

test("a line takes what its buffer holds and drops the rest, until there is room again", () => {
  const line = new LineSchedule(SHAPE, never);
  const taken = Array.from({ length: 12 }, () => line.arrivalOf(100, 0)).filter((at) => at !== undefined);
  assert.deepEqual([taken.length, line.overflowed], [10, 2]);
  assert.equal(line.arrivalOf(100, 99), undefined, "99 ms later there are 99 bytes of room");
  assert.equal(line.arrivalOf(100, 100), 1_350);
});

test("a lost packet has used the line, and bytes count when they are through", () => {
  const line = new LineSchedule({ ...SHAPE, loss: 0.5 }, () => 0);
  assert.equal(line.arrivalOf(400, 0), undefined);
  assert.deepEqual([line.lost, line.bytesThrough(0), line.bytesThrough(100), line.bytesThrough(9_000)], [1, 0, 100, 400]);
});

test("a reading has the length it was asked for, is JSON, and its time stands where the subscriber looks", () => {
  const source = { name: "mqtt", perSecond: 1, bytes: 200 };
  for (const isNoise of [false, true]) {
    const text = reading({ ...source, isNoise }, 7, 12_345, 0xabcdef);
    assert.equal(Buffer.byteLength(text), 200);
    assert.equal(Number.parseInt(text.slice(STAMP_AT, STAMP_AT + STAMP_CHARS), 16), 0xabcdef);
    assert.equal(typeof JSON.parse(text), "object");
  }
  assert.notEqual(reading({ ...source, isNoise: true }, 0, 1, 1), reading({ ...source, isNoise: true }, 0, 1, 1));
});

test("an alarm that never came counts for as long as was waited for it, and a double for its first", () => {
  const took = tookMs([1e6, 2e6, 3e6], [2e6, 1e6, 2e6], [5e6, 7e6, 90e6], 103e6);
  assert.deepEqual([...took], [5, 7, 100]);
  assert.equal(alarmFigures(took).alarmP50Ms, 7);
});

test("a part of the bench takes the options it names and no others", () => {
  assert.deepEqual(parsePart(["--quick", "--rounds", "3"], "help", ["rounds"])?.rounds, "3");
  assert.throws(() => parsePart(["--rounds", "3"], "help", []), /rounds/);
  assert.equal(whole("--rounds", "3", 5), 3);
  for (const bad of ["0", "6", "1.5", "x", ""])
    assert.throws(() => whole("--rounds", bad, 5), /--rounds wants a whole number from 1 to 5/);
});

const SITE: SiteRun = {
  cpuPercent: 6,
  rssMib: 121,
  p50Ms: 1,
  p99Ms: 9,
  ackP50Ms: 1,
  ackP99Ms: 4,
  lateP99Ms: 1,
  bytesUp: null,
  flashBytesPerDay: 0,
  lost: 0,
};
const FACTS = { machine: { processors: 2 }, versions: { petiole: "0.1.0" } };
const SITES = {
  ...FACTS,
  rounds: 2,
  seconds: { typical: 6, big: 4 },
  notes: [],
  rows: [
    siteRow("typical", "spoke", "is safe", [SITE, { ...SITE, rssMib: 123 }]),
    siteRow("typical", "mosquitto, bridge", "is quick", [{ ...SITE, rssMib: 10 }]),
  ],
};
const THIN: ThinRun = {
  alarmP50Ms: 2_000,
  alarmP99Ms: 6_000,
  alarmsMissing: 0,
  ackP99Ms: 50,
  sharePercent: 99,
  usefulPercent: 70,
  reconnects: 0,
  devicesEnded: 0,
  rssMib: 100,
};
const THINS = {
  ...FACTS,
  shape: { ...SHAPE, loss: 0.02 },
  rounds: 1,
  seconds: 25,
  seed: 8,
  rows: [
    thinRow("spoke", "is safe", [THIN]),
    thinRow("nats-server", "is quick", [{ ...THIN, alarmP99Ms: 8_000, usefulPercent: 80 }]),
  ],
};
const evidence = (name: string, outcome: unknown): Evidence => {
  return { name, command: "x", at: "2030-01-01T00:00:00Z", seconds: 1, load: [0.1, 0.1], exitCode: 0, outcome };
};

test("tables and drawings show what was measured, and a dash for what was not", () => {
  assert.match(formatSites(SITES), /spoke +6\.0 +122\.0 \(121\.0–123\.0\) .* – /);
  assert.match(formatSites(SITES), /spoke: PUBACK is safe/);
  assert.match(formatThin(THINS), /8 kbit\/s, 500 ms there and back, 2 % of packets lost/);
  assert.deepEqual(
    [...plotsOf("site", SITES, ""), ...plotsOf("thin", THINS, "")].map(({ name }) => name),
    ["site-cpu", "site-rss", "site-latency", "site-ack", "thin-alarms"],
  );
});

test("figures of the sites and the thin link are judged by the design's targets, with durability where it matters", () => {
  const rss = figuresOf(evidence("bench-site", SITES)).find(({ unit }) => unit === "MiB")!;
  assert.deepEqual([rss.workload, rss.ours, rss.peer?.value, rss.target?.isMet], ["W1", 122, 10, false]);
  assert.equal(Math.round(rss.target!.shortBy * 100), 11);
  const thin = figuresOf(evidence("bench-thin", THINS));
  const p99 = thin.find(({ what }) => what === "thin link: alarms p99")!;
  assert.deepEqual([p99.peer?.value, p99.target?.text, p99.target?.isMet], [8_000, "≤ 5 s", false]);
  assert.match(thin.find(({ what }) => what.includes("PUBACK"))!.peer!.name, /acknowledges before its disk/);
  assert.equal(thin.find(({ what }) => what.includes("payload"))!.better, "more");
});

test("the report has a line for each workload, tells which run measures it and whether that was run", () => {
  const text = reportText({
    version: "0.1.0",
    evidence: new Map([["bench-thin", evidence("bench-thin", THINS)]]),
    knownGaps: "",
  });
  const ids = WORKLOADS.map(({ id }) => id);
  assert.deepEqual(ids, [...Array.from({ length: 15 }, (_, i) => `W${i + 1}`), "codec"]);
  for (const id of ids) assert.match(text, new RegExp(`^\\| ${id} \\|`, "m"));
  assert.match(text, /\| W8 \|.*\| `scripts\/bench thin` \|/);
  assert.match(text, /\| W1 \|.*\| `scripts\/bench site` \(\*\*not run\*\*\)/);
  assert.match(text, /### W8: thin link.*\n\n.*\n.*\n\| thin link: alarms p50 /);
  assert.match(text, /\*\*short by 20 %\*\*|short by 20 %/);
});

test("how much of an attack was made is told in its own unit, and a storm's beside what was dialled", () => {
  assert.equal(extentOf("storm", { made: 6_000, dialled: 20_000 }, 2), "3,000/s of 10,000/s dialled");
  assert.equal(extentOf("passwords", { made: 400 }, 2), "200/s");
  assert.equal(extentOf("loris", { made: 500 }, 2), "500 at once");
  assert.equal(extentOf("serial", { made: 800 }, 2), "400 KiB/s");
  assert.equal(extentOf("none", { made: 0 }, 2), "");
});

test("a floor of the runtime stands beside ours and is no loss; frames lost on serial ports are judged", () => {
  const spread = (median: number) => ({ median, min: median, max: median, values: [median] });
  const rows = [
    { system: "node, bytes only", cpuUs: spread(40), rssMib: spread(45), startMs: 60 },
    { system: "spoke", cpuUs: spread(80), rssMib: spread(90), startMs: undefined },
  ];
  const [cpu] = figuresOf(evidence("bench-floor", { ...FACTS, rate: 2_000, rows }));
  assert.deepEqual([cpu?.workload, cpu?.ours, cpu?.peer?.value, isLost(cpu!)], ["W4", 80, 40, false]);
  const lines = { sent: 9, received: 8, lost: 1, perSecond: 9 };
  const serial = { ports: 8, buses: 2, units: 20, cpuPercent: 12, rssMiB: 90, lines, answers: { ...lines, lost: 0 } };
  const [lost] = figuresOf(evidence("bench-serial", serial));
  assert.deepEqual([lost?.workload, lost?.ours, lost?.target?.isMet], ["W11", 1, false]);
});

test("resident memory is told by its kinds, and they add up", () => {
  const smaps = [
    "00400000-02000000 r-xp 00000000 fe:00 12  /usr/bin/node",
    "Rss:               40960 kB",
    "7f0000000000-7f0000100000 rw-p 00000000 00:00 0 ",
    "Rss:               30720 kB",
    "7f0000200000-7f0000300000 r--p 00000000 fe:00 13  /lib/x86_64-linux-gnu/libc.so.6",
    "Rss:                1024 kB",
    "01000000-01100000 rw-p 00000000 00:00 0  [heap]",
    "Rss:               10240 kB",
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0  [stack]",
    "Rss:                1024 kB",
  ].join("\n");
  const kinds = memoryKindsOf(smaps, 20 << 20);
  assert.equal(kinds.rss, kinds.program + kinds.files + kinds.v8 + kinds.malloc + kinds.anonymous + kinds.stacks);
  assert.match(
    memoryLine(kinds),
    /^RSS 82\.0 MiB: node's own file 40\.0, .*V8's heap 20\.0, malloc 10\.0, other anonymous 10\.0/,
  );
});
