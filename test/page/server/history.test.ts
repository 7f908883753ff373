// The past as the page shows it: samples, outages and what became of their messages, forecasts, bytes written to flash.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DrainForecast } from "#status/drain-forecast.ts";
import { History, type HistoryLook } from "#status/history.ts";
import { WaitingAge } from "#status/waiting-age.ts";
import { LinkHistory } from "#uplink/link-history.ts";
import { type LaneMarks, OutageBook } from "#uplink/outage-book.ts";
import { flashLife } from "../../../src/flash-life.ts";
import { FlashTally } from "../../../src/flash-tally.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";

const REMOTE = { name: "EDGE", rtt_ms: 20, bytes_in: 0, bytes_out: 0, plain_bytes_in: 0, plain_bytes_out: 0, depth: 0 };
const LOOK: HistoryLook = { now: 0, remotes: [REMOTE], mqtt_in: 0, nats_in: 0, serial_in: 0, cpu_ms: 0, rss_bytes: 7 };
const LANE: LaneMarks = { class: "telemetry", lastSeq: 0, confirmedSeq: 0, held: 0 };

test("rates are per second, a link that is down has no round trip, and a counter that began anew counts nothing", () => {
  const history = new History();
  history.add(LOOK);
  history.add({ ...LOOK, now: 5_000, remotes: [{ ...REMOTE, bytes_out: 5_000 }], mqtt_in: 50, cpu_ms: 500 });
  history.add({ ...LOOK, now: 10_000, remotes: [{ ...REMOTE, rtt_ms: null, bytes_out: 100 }], mqtt_in: 55, cpu_ms: 500 });
  const samples = history.samples("10m", ["EDGE"], (now) => now);
  assert.deepEqual(samples.at, [5, 10]);
  assert.deepEqual(samples.bytes_out["EDGE"], [1000, 0]);
  assert.deepEqual(samples.rtt_ms["EDGE"], [20, null]);
  assert.deepEqual(samples.mqtt_in, [10, 1]);
  assert.deepEqual(samples.cpu_percent, [10, 0]);
});

test("after a year nothing has grown, and the last day and the last ten minutes are there", () => {
  const history = new History();
  for (let i = 0; i <= 20_000; i++) history.add({ ...LOOK, now: i * 5_000, mqtt_in: i * 10, remotes: [{ ...REMOTE, depth: i }] });
  const short = history.samples("10m", ["EDGE"], (now) => now);
  const long = history.samples("24h", ["EDGE"], (now) => now);
  assert.equal(short.at.length, 120);
  assert.equal(long.at.length, 1440);
  assert.equal(short.at.at(-1), 100_000);
  assert.ok(long.mqtt_in.every((rate) => rate === 2));
  assert.equal(long.depth["EDGE"]!.at(-1), 19_992, "of a minute, the most");
  assert.equal(short.at[0]! + 5 * 119, short.at[119]);
});

test("a remote that comes later has gaps before, and one that is gone takes nothing along", () => {
  const history = new History();
  history.add(LOOK);
  history.add({ ...LOOK, now: 5_000 });
  history.add({ ...LOOK, now: 10_000, remotes: [{ ...REMOTE, name: "NEW", depth: 3 }] });
  history.add({ ...LOOK, now: 15_000, remotes: [{ ...REMOTE, name: "NEW", depth: 4 }] });
  const { depth } = history.samples("10m", ["NEW"], (now) => now);
  assert.deepEqual(depth, { NEW: [null, 3, 4] });
});

test("the oldest message's age is told at least, from looks alone, and forgotten when nothing waits", () => {
  const age = new WaitingAge();
  assert.equal(age.seconds(), null);
  age.add({ now: 0, depth: 0, lastSeq: 100, confirmedSeq: 100 });
  assert.equal(age.seconds(), null);
  age.add({ now: 5_000, depth: 40, lastSeq: 140, confirmedSeq: 100 });
  age.add({ now: 10_000, depth: 50, lastSeq: 150, confirmedSeq: 100 });
  assert.equal(age.seconds(), 5);
  age.add({ now: 15_000, depth: 10, lastSeq: 150, confirmedSeq: 140 });
  assert.equal(age.seconds(), 5, "141 came at 10 s at the latest");
  age.add({ now: 20_000, depth: 0, lastSeq: 150, confirmedSeq: 150 });
  assert.equal(age.seconds(), null);
  for (let i = 0; i < 100_000; i++) age.add({ now: 25_000 + i * 5_000, depth: i + 1, lastSeq: 151 + i, confirmedSeq: 150 });
  assert.equal(age.seconds(), 99_999 * 5, "a week of looks");
});

test("a drain is foretold by what the depth fell, and not foretold while it grows", () => {
  const drain = new DrainForecast();
  const look = { mode: "draining" as const, held: 10 };
  assert.equal(drain.report(), null);
  drain.add({ ...look, now: 0, depth: 1010, delivered: 0 });
  drain.add({ ...look, now: 10_000, depth: 910, delivered: 300 });
  assert.deepEqual(drain.report(), { rate_per_second: 30, seconds_left: 90 });
  drain.add({ ...look, now: 20_000, depth: 1210, delivered: 600 });
  assert.deepEqual(drain.report(), { rate_per_second: 30, seconds_left: null });
  drain.add({ ...look, now: 30_000, depth: 10, delivered: 900 });
  assert.equal(drain.report(), null, "what is held is not drained");
});

test("an outage tells what was stored, delivered and lost, also while it is being caught up", () => {
  const clock = new FakeClock();
  let lane: LaneMarks = { ...LANE, lastSeq: 100, confirmedSeq: 90 };
  const book = new OutageBook(clock, () => [lane]);
  assert.equal(book.list()[0]!.stored, 10, "what was found on flash belongs to the outage that began before the start");
  book.onReady();
  lane = { ...lane, confirmedSeq: 100 };
  clock.advance(1_000);
  book.onDown();
  book.onDown();
  lane = { ...lane, lastSeq: 1_100 };
  book.onLoss({ reason: "displaced", lane: "telemetry", messages: 50, fromSeq: 51, throughSeq: 150 });
  clock.advance(60_000);
  book.onReady();
  book.onReady();
  lane = { ...lane, lastSeq: 5_000, confirmedSeq: 650, held: 0 };
  const [first, second] = book.list();
  assert.deepEqual([first!.stored, first!.delivered, first!.lost], [10, 0, 10], "the oldest went first");
  assert.deepEqual([second!.stored, second!.delivered, second!.lost], [1000, 510, 40]);
  assert.equal(second!.to! - second!.from, 60_000);
  lane = { ...lane, confirmedSeq: 5_000 };
  const [, after] = book.list();
  assert.deepEqual([after!.stored, after!.delivered, after!.lost], [1000, 960, 40]);
  book.onDown();
  book.onReady();
  assert.equal(book.list().length, 2, "a moment in which nothing was kept is none");
  for (let i = 0; i < 500; i++) {
    book.onDown();
    lane = { ...lane, lastSeq: lane.lastSeq + 1 };
    book.onReady();
  }
  assert.equal(book.list().length, 64);
});

test("connecting for the first time is no outage, unless it takes long or something waited from before", () => {
  const clock = new FakeClock();
  let lane: LaneMarks = { ...LANE, lastSeq: 100, confirmedSeq: 100 };
  const book = new OutageBook(clock, () => [lane]);
  lane = { ...lane, lastSeq: 140 };
  clock.advance(5_000);
  assert.deepEqual(book.list(), [], "it connects");
  clock.advance(55_000);
  assert.deepEqual([book.list()[0]!.to, book.list()[0]!.stored], [null, 40], "after a minute somebody should hear of it");
  const quick = new OutageBook(clock, () => [lane]);
  assert.equal(quick.list().length, 1, "what is on flash unconfirmed waits since before the start");
  lane = { ...lane, confirmedSeq: 140 };
  const usual = new OutageBook(clock, () => [lane]);
  lane = { ...lane, lastSeq: 150 };
  clock.advance(5_000);
  usual.onReady();
  assert.deepEqual(usual.list(), []);
});

test("a link's moves name each URL once per outage, however often it is tried", () => {
  const history = new LinkHistory(new FakeClock());
  for (let i = 0; i < 1000; i++) for (const url of ["a", "b"]) history.onTrying(url);
  history.onReady("b");
  history.onDown("b");
  history.onDown("b");
  history.onTrying("a");
  assert.deepEqual(
    [...history].map(({ state, url }) => `${state} ${url}`),
    ["trying a", "trying b", "ready b", "down b", "trying a"],
  );
});

test("bytes written to flash are counted by cause and day, and what lies elsewhere is not", async () => {
  const clock = new FakeClock();
  const tally = new FlashTally("/data", clock);
  const plain = new FakeDisk();
  const disk = tally.watch(plain);
  for (const folder of ["/data/outbox/EDGE", "/data/mqtt", "/data/secrets", "/tmp"]) await disk.makeDirectory(folder);
  const write = async (path: string, bytes: number) => {
    await using file = await disk.open(path, "create");
    await file.write(Buffer.alloc(bytes), 0);
  };
  await write("/data/outbox/EDGE/1.seg", 1000);
  await write("/data/mqtt/1.log", 200);
  await write("/data/settings.json.new", 30);
  await write("/data/secrets/x", 3);
  await write("/data/clock", 5);
  await write("/tmp/lock", 9);
  const { bytes_today, bytes_per_day } = tally.report();
  assert.equal(bytes_today, 1238);
  assert.deepEqual(
    bytes_per_day.map(({ by_cause }) => by_cause),
    [{ outbox: 1000, mqtt: 200, settings: 33, other: 5 }],
  );
  for (let day = 0; day < 400; day++) {
    clock.advance(86_400_000);
    tally.report();
  }
  assert.equal(tally.report().bytes_per_day.length, 31);
  assert.equal(tally.report().bytes_today, 0);
});

test("a card's life comes from what it says of itself, else from its size and pace, and is called an estimate", async () => {
  const wall = Date.parse("2026-01-01T00:00:00Z");
  const files = (tree: Readonly<Record<string, string>>) => ({ read: async (file: string) => tree[file], list: async () => [] });
  const mounts = "22 1 0:21 / / rw - overlay overlay rw\n23 22 179:6 /v /data rw - ext4 /dev/mmcblk0p6 rw";
  const stat = "1 0 8 0 100 0 2097152 0 0 0 0";
  const base = "/sys/dev/block/179:6";
  const emmc = {
    "/proc/self/mountinfo": mounts,
    [`${base}/partition`]: "6",
    [`${base}/../stat`]: stat,
    [`${base}/../device/life_time`]: "0x02 0x01",
    [`${base}/../device/date`]: "01/2024",
  };
  assert.deepEqual(await flashLife(files(emmc), "/data", wall), {
    written_total_bytes: 2 ** 30,
    wear_percent: 20,
    years_left: 8,
    from: "mmc life_time",
  });
  const card = {
    "/proc/self/mountinfo": mounts,
    [`${base}/partition`]: "6",
    [`${base}/../stat`]: stat,
    [`${base}/../size`]: String(2 * 16 * 2 ** 20),
    "/proc/uptime": "86400.0 1.0",
  };
  const { years_left, from } = await flashLife(files(card), "/data", wall);
  assert.deepEqual([years_left, from], [13.1, "estimate"]);
  assert.equal((await flashLife(files({ "/proc/self/mountinfo": mounts.split("\n")[0]! }), "/data", wall)).from, null);
});
