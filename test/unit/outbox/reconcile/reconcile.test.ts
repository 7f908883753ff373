import assert from "node:assert/strict";
import { test } from "node:test";
import { RECONCILE_MS_MAX, SCANNED_MAX } from "#outbox/reconcile/reconcile.ts";
import { DoubtfulLaneFake } from "../../../support/scripted-jetstream.ts";
import { HOUR, laneSet, opened } from "./rig.ts";

test("what a stream holds already is told to its lane, by class and epoch, and no consumer stays", async () => {
  const it = opened("sensors.a", "sensors.b", "sensors.a");
  it.hub
    .stream("S", ["sensors.>"])
    .hold("sensors.a", "dev-3-state-1", "dev-3-state-2", "dev-4-state-9")
    .hold("sensors.b", "dev-3-alarm-7");
  const report = await it.run();
  assert.deepEqual([report.result, report.text, report.streams, report.scanned, report.found], ["done", "", 1, 4, 4]);
  assert.deepEqual(
    it.lanes.map(({ found }) => found),
    [["3: 7"], ["3: 1 2", "4: 9"], [], []],
  );
  assert.equal(it.hub.consumers, 0);
  assert.equal(it.clock.pending, 0);
});

test("ids of other devices, and what only looks like ours, are passed by", async () => {
  const it = opened("sensors.a");
  const foreign = [
    "other-1-state-1",
    "dev-1-state-x",
    "dev-1-nothing-1",
    "dev-x-state-1",
    "dev-1-state-0",
    "xdev-1-state-1",
    "dev-1-state-99999999999999999",
  ];
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", ...foreign, "mine\r\nNats-Msg-Id: dev-1-state-5");
  const report = await it.run();
  assert.deepEqual([report.scanned, it.lanes[1]!.found], [8, ["1: 5"]]);
});

test("a doubt that the window covers is left to the stream, unless the backlog is long", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"], 120_000).hold("sensors.a", "dev-1-state-1");
  assert.equal((await it.run(30_000)).result, "in_time");
  assert.equal((await it.run(61_000)).result, "done");
  assert.equal((await it.run(null)).result, "done", "nobody knows since when");
  it.lanes[3] = new DoubtfulLaneFake(["bulk.a"], 50_000);
  assert.equal((await it.run(30_000)).result, "done");
});

test("a short window is not relied on: what is sent again may have to wait first", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"], 20_000).hold("sensors.a", "dev-1-state-1");
  assert.deepEqual([(await it.run(0)).result, it.lanes[1]!.found], ["done", ["1: 1"]]);
});

test("no more is looked at than was stored since the doubt began, a minute before it included", async () => {
  const it = opened("sensors.a");
  const stream = it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  await it.clock.pass(10 * 60_000);
  stream.hold("sensors.a", "dev-1-state-2");
  await it.clock.pass(60_000);
  const report = await it.run(5_000);
  assert.deepEqual([report.scanned, it.lanes[1]!.found], [1, ["1: 2"]]);
});

test("after a start, what is looked through begins where the oldest record of that stream was made", async () => {
  const it = opened();
  const made = it.clock.wall();
  const stream = it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  it.hub.stream("T", ["other.>"]).hold("other.a", "dev-1-bulk-1");
  await it.clock.pass(3 * HOUR);
  stream.hold("sensors.a", "dev-1-state-2");
  it.lanes[1] = new DoubtfulLaneFake(["sensors.a"], 1, made + 2 * HOUR);
  it.lanes[3] = new DoubtfulLaneFake(["other.a"], 1, made);
  assert.equal((await it.run(null)).result, "done");
  assert.deepEqual([it.lanes[1]!.found, it.lanes[3]!.found], [["1: 2"], ["1: 1"]]);
});

test("a record of the future, of no time, or of a boot nobody knows means a day", async () => {
  for (const [stamp, boot] of [
    [0, null],
    [Number.NaN, null],
    [5_000, "another-boot"],
    [4_000_000_000_000, null],
  ] as const) {
    const it = opened();
    it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
    await it.clock.pass(20 * HOUR);
    it.lanes[1] = new DoubtfulLaneFake(["sensors.a"], 1, stamp, boot);
    assert.equal((await it.run(null)).result, "done", String(stamp));
    assert.deepEqual(it.lanes[1]!.found, ["1: 1"], String(stamp));
  }
});

test("what is in memory only counts as well", async () => {
  const it = opened();
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  const staged = await new DoubtfulLaneFake(["sensors.a"]).journal.read(0).next();
  it.lanes[1] = Object.assign(new DoubtfulLaneFake([]), {
    forEachStaged: (visit: (slab: Buffer, at: number, seq: number) => boolean) => void visit(staged!.slab, staged!.start, 1),
  });
  assert.equal((await it.run()).result, "done");
  assert.deepEqual(it.lanes[1]!.found, ["1: 1"]);
});

test("only subjects of ours are asked for, and thousands of them take few requests", async () => {
  const it = opened(...Array.from({ length: 100 }, (_, i) => `sensors.${i}`));
  const stream = it.hub.stream("S", ["sensors.>"]).hold("sensors.elsewhere", "dev-1-state-1");
  it.hub.stream("KV", ["$KV.b.>"]);
  for (let i = 0; i < 3000; i++) stream.hold(`sensors.${i % 100}`, `dev-1-state-${i + 10}`);
  const report = await it.run();
  assert.deepEqual([report.scanned, report.found], [3000, 3000]);
  assert.deepEqual(
    it.lanes[1]!.found.map((text) => text.slice(0, 8)),
    ["1: 10 11"],
  );
  assert.ok(it.hub.asked.length < 20, `${it.hub.asked.length} requests`);
  assert.ok(it.hub.asked.every((what) => !what.includes("KV")));
});

test("a stream that renames what it stores is looked through whole", async () => {
  const it = opened("sensors.a");
  const stream = it.hub.stream("S", ["sensors.>"]).hold("renamed.a", "dev-1-state-1");
  stream.config["subject_transform"] = { src: "sensors.>", dest: "renamed.>" };
  assert.equal((await it.run()).result, "done");
  assert.deepEqual(it.lanes[1]!.found, ["1: 1"]);
});

test("nothing in doubt, or nothing that a stream takes, costs nothing", async () => {
  const none = opened();
  assert.equal((await none.run()).result, "nothing");
  assert.deepEqual(none.hub.asked, []);
  const free = opened("sensors.a");
  free.hub.stream("S", ["other.>"]);
  free.hub.stream("T", ["sensors.b"]);
  assert.equal((await free.run()).result, "nothing");
  assert.equal(free.reconciliation.last, null);
});

test("a hub without JetStream, or one that keeps it from us, is no reason to wait", async () => {
  const it = opened("sensors.a");
  it.hub.fault = () => "unheard";
  const { result, text, took } = await it.run();
  assert.deepEqual([result, took], ["impossible", 0]);
  assert.match(text, /no JetStream.*permissions/);
  assert.equal(it.reconciliation.last?.result, "impossible");
});

test("a hub whose JetStream never said a word is asked for twelve seconds: an election takes nine", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  it.hub.fault = () => "timeout";
  const { result, text, took } = await it.run();
  assert.deepEqual([result, took, it.hub.asked.length], ["impossible", 12_000, 3]);
  assert.match(text, /did not answer in time/);
  assert.equal(it.clock.pending, 0);
  const late = opened("sensors.a");
  late.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  let silences = 2;
  late.hub.fault = () => (silences-- > 0 ? "timeout" : undefined);
  assert.equal((await late.run()).result, "done");
  assert.deepEqual(late.lanes[1]!.found, ["1: 1"]);
});

test("one that has spoken before, or in the same pass, is electing: it is given all of the time, no more", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  assert.equal((await it.run()).result, "done");
  it.hub.fault = () => "timeout";
  const { result, took } = await it.run();
  assert.deepEqual([result, took > 20_000, took <= RECONCILE_MS_MAX], ["impossible", true, true]);
  const other = opened("sensors.a");
  other.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  let silences = 2;
  other.hub.fault = (what) => (what.startsWith("STREAM.INFO") && silences-- > 0 ? "timeout" : undefined);
  assert.equal((await other.run()).result, "done");
});

test("only lanes that something is in doubt of wait for the answer", () => {
  const it = opened("sensors.a");
  assert.equal(it.reconciliation.reconcile(laneSet(it, []), new AbortController().signal), undefined);
  const lanes = laneSet(it, [{}, { sinceMs: 0 }, { inherits: true }]);
  const asking = it.reconciliation.reconcile(lanes, new AbortController().signal);
  assert.deepEqual([...asking!.lanes], [lanes.all[1], lanes.all[2]]);
});

test("a hub that was silent is asked in passing over the next link, and waited for again once it speaks", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  it.hub.fault = () => "timeout";
  const lanes = laneSet(it, [{}, { sinceMs: it.clock.now() }]);
  const link = () => it.reconciliation.reconcile(lanes, new AbortController().signal);
  const first = link()!.over;
  await it.clock.pass(13_000);
  await first;
  it.hub.asked.length = 0;
  assert.equal(link(), undefined, "nobody waits");
  assert.equal(it.reconciliation.last?.text, "the hub's JetStream did not answer before");
  await it.clock.pass(13_000);
  it.hub.fault = () => undefined;
  assert.equal(link(), undefined, "it was silent when it was asked last");
  await it.clock.pass(1_000);
  assert.deepEqual(it.hub.asked, ["INFO", "INFO", "INFO", "INFO"]);
  const again = link()!.over;
  await it.clock.pass(1_000);
  await again;
  assert.deepEqual(it.lanes[1]!.found, ["1: 1"]);
});

test("links that fall while they are asked share the time, so that the lanes have one in the end, and that is told", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]);
  const lanes = laneSet(it, [{}, { sinceMs: it.clock.now() }]);
  const link = () => it.reconciliation.reconcile(lanes, new AbortController().signal);
  it.hub.fault = () => "down";
  for (let i = 0; i < 20; i++) await link()!.over; // links that last no time spend none
  it.hub.fault = (what) => (what === "STREAM.NAMES" ? "timeout" : undefined);
  for (let i = 0; i < 3; i++) {
    const ending = new AbortController();
    const { over } = it.reconciliation.reconcile(lanes, ending.signal)!;
    await it.clock.pass(5_000);
    ending.abort();
    await it.clock.pass(4_000);
    await over;
    assert.equal(it.reconciliation.last?.result, "down");
  }
  assert.equal(link(), undefined);
  const { result, text } = it.reconciliation.last!;
  assert.deepEqual([result, text], ["impossible", "the links to the hub fall before it has answered"]);
  assert.notEqual(link(), undefined, "and then as before");
});

test("many subjects and streams are asked about side by side: a long way to the hub is gone a few times only", async () => {
  const it = opened(...Array.from({ length: 12 }, (_, i) => `kind${i}.a`));
  for (let i = 0; i < 12; i++) it.hub.stream(`S${i}`, [`kind${i}.>`]).hold(`kind${i}.a`, `dev-1-state-${i + 1}`);
  const { hub, clock } = it;
  const near = hub.ask.bind(hub);
  let atOnce = 0;
  let atOnceMax = 0;
  hub.ask = async (...request) => {
    atOnceMax = Math.max(atOnceMax, ++atOnce);
    await new Promise<void>((resolve) => void clock.after(500, resolve));
    atOnce -= 1;
    return await near(...request);
  };
  const { result, took, found } = await it.run();
  assert.deepEqual([result, found, atOnceMax], ["done", 12, 6]);
  assert.ok(took <= 10 * 500, `${took} ms`);
  assert.equal(hub.consumers, 0);
});

test("what an earlier life left stays in doubt while it was in time only: the link may fall before it is sent again", async () => {
  const it = opened();
  it.hub.stream("S", ["sensors.>"], HOUR).hold("sensors.a", "dev-1-state-1");
  it.lanes[1] = new DoubtfulLaneFake(["sensors.a"], 1, it.clock.wall());
  const lanes = laneSet(it, [{}, { inherits: true }]);
  const link = () => it.reconciliation.reconcile(lanes, new AbortController().signal)?.over;
  await link();
  assert.equal(it.reconciliation.last?.result, "in_time");
  await it.clock.pass(2 * HOUR);
  await link();
  assert.deepEqual([it.reconciliation.last?.result, it.lanes[1]!.found], ["done", ["1: 1"]]);
  assert.equal(link(), undefined, "once it was looked for, it is over");
});

test("what is left to the window is told with its age; what waits for its stream is not left to it", async () => {
  const it = opened();
  it.hub.stream("S", ["sensors.>"], HOUR).hold("sensors.a", "dev-1-state-1");
  it.lanes[1] = new DoubtfulLaneFake(["sensors.a"], 1, it.clock.wall());
  await it.clock.pass(5000);
  const ask = (isHeldUp: boolean, lane: { readonly inherits?: boolean; readonly sinceMs?: number }) =>
    it.reconciliation.reconcile(laneSet(it, [{}, lane]), new AbortController().signal, isHeldUp)?.over;
  assert.equal(await ask(false, { sinceMs: it.clock.now() - 3000 }), it.clock.now() - 3000);
  assert.ok(
    ((await ask(false, { inherits: true })) ?? Number.POSITIVE_INFINITY) <= it.clock.now() - 5000,
    "as old as its record",
  );
  assert.equal(await ask(true, { sinceMs: it.clock.now() - 3000 }), null);
  assert.deepEqual([it.reconciliation.last?.result, it.lanes[1]!.found], ["done", ["1: 1"]]);
});

test("of two streams the one that is late is looked through, and what is left to the other is told", async () => {
  const it = opened("sensors.a", "state.a");
  it.hub.stream("LATE", ["sensors.>"], 2_000).hold("sensors.a", "dev-1-state-1");
  it.hub.stream("EARLY", ["state.>"], HOUR).hold("state.a", "dev-1-state-2");
  const lanes = laneSet(it, [{}, { sinceMs: it.clock.now() - 3000 }]);
  const sinceMs = await it.reconciliation.reconcile(lanes, new AbortController().signal)?.over;
  assert.deepEqual([sinceMs, it.reconciliation.last?.result], [it.clock.now() - 3000, "done"]);
  assert.deepEqual(it.lanes[1]!.found, ["1: 1"]);
});

test("after a start the newest are looked at where there are too many: what was sent last is in doubt", async () => {
  const it = opened();
  const made = it.clock.wall();
  const stream = it.hub.stream("S", ["sensors.>"]);
  for (let i = 1; i <= SCANNED_MAX * 1.2; i++) {
    stream.hold("sensors.a", i % 1000 === 0 ? `dev-1-state-${i}` : "other-1-state-1");
    if (i % 1000 === 0) it.clock.advance(1_000);
  }
  it.lanes[1] = new DoubtfulLaneFake(["sensors.a"], 1, made);
  const report = await it.run(null);
  assert.equal(report.result, "partial");
  assert.match(it.lanes[1]!.found[0]!, / 240000$/);
});

test("a cluster that is electing is asked again", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  let refusals = 3;
  const busy = { says: '{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}' };
  it.hub.fault = () => (refusals-- > 0 ? busy : undefined);
  assert.equal((await it.run()).result, "done");
  assert.deepEqual(it.lanes[1]!.found, ["1: 1"]);
});

test("a link that ends is told at once, whatever was under way", async () => {
  for (const what of ["STREAM.NAMES", "STREAM.INFO", "CONSUMER.CREATE", "CONSUMER.MSG.NEXT"]) {
    const it = opened("sensors.a");
    it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
    it.hub.fault = (asked) => (asked.startsWith(what) ? "down" : undefined);
    assert.equal((await it.run()).result, "down", what);
    assert.deepEqual(it.lanes[1]!.found, [], what);
    assert.equal(it.hub.asked.filter((asked) => asked.startsWith(what)).length, 1, what);
  }
});

test("what was found before it went wrong counts", async () => {
  const it = opened("sensors.a", "other.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  it.hub.stream("W", ["other.>"]);
  const refusal = { says: '{"error":{"code":400,"err_code":10084,"description":"consumer in pull mode requires ack policy"}}' };
  it.hub.fault = (what) => (what.startsWith("CONSUMER.CREATE.W") ? refusal : undefined);
  const report = await it.run();
  assert.deepEqual([report.result, report.streams, it.lanes[1]!.found], ["partial", 1, ["1: 1"]]);
  assert.match(report.text, /stream W: consumer in pull mode/);
});

test("a stream with more than is looked at is read from its oldest on", async () => {
  const it = opened("sensors.a");
  const stream = it.hub.stream("S", ["sensors.>"]);
  for (let i = 1; i <= SCANNED_MAX + 5; i++) stream.hold("sensors.a", i <= 3 ? `dev-1-state-${i}` : "other-1-state-1");
  const report = await it.run();
  assert.deepEqual([report.result, report.scanned, it.lanes[1]!.found], ["partial", SCANNED_MAX, ["1: 1 2 3"]]);
  assert.match(report.text, /200005 messages/);
});

test("a journal that cannot be read, and more subjects than are counted, mean the whole stream", async () => {
  const it = opened("sensors.a");
  it.hub.stream("S", ["sensors.>"]).hold("sensors.z", "dev-1-state-8");
  const { journal } = new DoubtfulLaneFake(["sensors.b"]);
  const refuse = async () => {
    throw Object.assign(new Error("EIO"), { code: "EIO" });
  };
  const lane = Object.assign(new DoubtfulLaneFake([]), { journal: { ...journal, read: () => ({ next: refuse }) } });
  it.lanes[2] = lane;
  assert.equal((await it.run()).result, "done");
  assert.deepEqual(it.lanes[1]!.found, ["1: 8"]);
});

test("of a long backlog both ends are looked at", async () => {
  const it = opened("sensors.a");
  const lane = new DoubtfulLaneFake(["sensors.a"], 1_000_000);
  it.lanes[1] = lane;
  it.hub.stream("S", ["sensors.>"]);
  await it.run();
  assert.deepEqual(lane.journal.reads, [0, 980_001]);
});

test("answers that make no sense are no answers", async () => {
  const hostile = [
    "",
    "null",
    "[]",
    "7",
    '{"streams":7}',
    '{"streams":[7,"a b","x\\r\\nPUB y","a.b",">"],"total":1e9}',
    "[".repeat(100_000),
    "x".repeat(2_000_000),
  ];
  for (const says of hostile) {
    const it = opened("sensors.a");
    it.hub.fault = () => ({ says });
    const { result } = await it.run();
    assert.ok(result === "impossible" || result === "nothing", `${says.slice(0, 20)}: ${result}`);
    assert.ok(
      it.hub.asked.every((what) => /^STREAM\.(NAMES|INFO\.[^\s.]+)$/.test(what)),
      it.hub.asked.join("|"),
    );
  }
  for (const [what, says] of [
    ["STREAM.INFO", '{"config":{"subjects":["sensors.>"],"duplicate_window":"2s"},"ts":"2026-01-01T00:00:00Z"}'],
    ["STREAM.INFO", '{"config":{"subjects":["sensors.>"],"duplicate_window":1},"ts":"yesterday"}'],
    ["CONSUMER.CREATE", '{"num_pending":-1}'],
    ["CONSUMER.CREATE", "{}"],
  ] as const) {
    const it = opened("sensors.a");
    it.hub.stream("S", ["sensors.>"]);
    it.hub.fault = (asked) => (asked.startsWith(what) ? { says } : undefined);
    assert.equal((await it.run()).result, "impossible", says);
  }
});

test("what was only partly told after a start is asked for over the next link once more, unless there was too much of it", async () => {
  const it = opened();
  it.hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-1");
  it.hub.stream("T", ["other.>"]).hold("other.a", "dev-1-state-2");
  it.lanes[1] = new DoubtfulLaneFake(["sensors.a", "other.a"], 2, it.clock.wall());
  await it.clock.pass(HOUR);
  const lanes = laneSet(it, [{}, { inherits: true }]);
  const link = () => it.reconciliation.reconcile(lanes, new AbortController().signal)?.over;
  const busy = { says: '{"error":{"code":500,"err_code":10077,"description":"no"}}' };
  it.hub.fault = (what) => (what.startsWith("CONSUMER.CREATE.T") ? busy : undefined);
  await link();
  assert.deepEqual([it.reconciliation.last?.result, it.lanes[1]!.found], ["partial", ["1: 1"]]);
  it.hub.fault = () => undefined;
  await link();
  assert.deepEqual([it.reconciliation.last?.result, it.lanes[1]!.found], ["done", ["1: 1", "1: 1 2"]]);
  assert.equal(link(), undefined);
});
