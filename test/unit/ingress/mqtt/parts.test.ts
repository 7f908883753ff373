// The small parts of a connection, each by itself: acks, deadlines, life, log.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, type LogLine } from "#base/log.ts";
import { Voice } from "#base/voice.ts";
import { AckQueue } from "#ingress/mqtt/ack-queue.ts";
import { CopyWatch, type HubTaking } from "#ingress/mqtt/copy-watch.ts";
import { Deadline } from "#ingress/mqtt/deadline.ts";
import { BORN, type Ending, type Life, step } from "#ingress/mqtt/life.ts";
import { SlabPool } from "#ingress/mqtt/slab-pool.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { batchOf, message } from "../../../support/router-fixtures.ts";

function taken(acks: AckQueue): number[] {
  const found: number[] = [];
  for (let packetId = acks.take(); packetId !== 0; packetId = acks.take()) found.push(packetId);
  return found;
}

test("acknowledgements are released by watermark and never overtake each other", () => {
  const acks = new AckQueue();
  assert.ok(acks.add(0, 1), "nothing to wait for and nothing ahead");
  assert.ok(!acks.add(5, 11));
  assert.ok(!acks.add(0, 12), "its turn has not come");
  assert.ok(!acks.add(9, 13));
  assert.deepEqual(taken(acks), []);
  acks.release(4);
  assert.deepEqual(taken(acks), []);
  acks.release(5);
  assert.deepEqual(taken(acks), [11, 12]);
  acks.release(20);
  assert.deepEqual(taken(acks), [13]);
  assert.ok(acks.add(20, 14), "safe already");
  assert.equal(acks.size, 0);
});

test("a watermark that goes back changes nothing", () => {
  const acks = new AckQueue();
  acks.release(7);
  acks.release(3);
  assert.ok(acks.add(7, 1));
});

test("a deadline moves with every touch and fires once", () => {
  const clock = new FakeClock();
  let fired = 0;
  const deadline = new Deadline(clock, () => {
    fired += 1;
  });
  deadline.arm(100);
  clock.advance(90);
  deadline.touch();
  clock.advance(99);
  assert.equal(fired, 0);
  clock.advance(1);
  assert.equal(fired, 1);
  clock.advance(1000);
  assert.equal(fired, 1);
  assert.equal(deadline.isArmed, false);
});

test("a deadline that was disarmed never fires and leaves no timer", () => {
  const clock = new FakeClock();
  const deadline = new Deadline(clock, () => assert.fail("it fired"));
  deadline.arm(100);
  deadline.arm(200);
  assert.equal(clock.pending, 1);
  deadline[Symbol.dispose]();
  assert.equal(clock.pending, 0);
  clock.advance(1000);
});

const CONNECT = 1;
const PINGREQ = 12;

function lifeAfter(...events: readonly Parameters<typeof step>[1][]): Life {
  return events.reduce<Life>((life, event) => step(life, event)[0], BORN);
}

test("before CONNECT nothing but CONNECT is expected, after it no second one", () => {
  for (let type = 0; type < 16; type++) {
    assert.equal(step(BORN, { on: "packet", type })[1], type === CONNECT ? "authenticate" : "unexpected", `packet ${type}`);
  }
  const authenticating = lifeAfter({ on: "packet", type: CONNECT });
  assert.equal(step(authenticating, { on: "packet", type: PINGREQ })[1], "unexpected");
  const connected = lifeAfter({ on: "packet", type: CONNECT }, { on: "admitted" });
  const handled = Array.from({ length: 16 }, (_, type) => type).filter(
    (type) => step(connected, { on: "packet", type })[1] === "handle",
  );
  assert.deepEqual(handled, [3, 4, 5, 6, 7, 8, 10, 12, 14]);
});

test("the will is published for every ending of a connected client but a goodbye, a refusal and our own closing", () => {
  const connected = lifeAfter({ on: "packet", type: CONNECT }, { on: "admitted" });
  const endings: readonly Ending[] = ["disconnect", "refused", "gone", "breach", "silent", "stalled", "taken-over", "shutdown"];
  const heard = endings.filter((ending) => step(connected, { on: "end", ending })[1] === "publish-will");
  assert.deepEqual(heard, ["gone", "breach", "silent", "stalled", "taken-over"]);
  for (const early of [BORN, lifeAfter({ on: "packet", type: CONNECT })]) {
    assert.equal(step(early, { on: "end", ending: "gone" })[1], "drop-will");
  }
});

test("an ended life stays ended, and a draining one hears nothing", () => {
  const closed = lifeAfter({ on: "end", ending: "gone" });
  for (const event of [
    { on: "packet", type: CONNECT },
    { on: "admitted" },
    { on: "drain" },
    { on: "end", ending: "breach" },
  ] as const) {
    assert.deepEqual(step(closed, event), [closed, "none"]);
  }
  const draining = lifeAfter({ on: "packet", type: CONNECT }, { on: "admitted" }, { on: "drain" });
  assert.deepEqual(step(draining, { on: "packet", type: PINGREQ }), [draining, "none"]);
  assert.equal(step(draining, { on: "end", ending: "gone" })[1], "drop-will");
});

test("the same news is said once in a while, with the number of those left out", () => {
  const clock = new FakeClock();
  const lines: LogLine[] = [];
  const voice = new Voice(
    clock,
    createLog(clock, "debug", (line) => void lines.push(line)),
  );
  for (let i = 0; i < 5; i++) voice.warn("a", "flood", {});
  voice.warn("b", "other", {});
  clock.advance(10_000);
  voice.warn("a", "flood", {});
  assert.deepEqual(
    lines.map((line) => [line.message, line.facts["more_like_this"]]),
    [
      ["flood", undefined],
      ["other", undefined],
      ["flood", 4],
    ],
  );
});

test("slabs come back and are lent again; odd sizes are rounded up", () => {
  const pool = new SlabPool();
  const slab = pool.take(5000);
  assert.equal(slab.length, 8192);
  pool.giveBack(slab);
  assert.equal(pool.take(8000), slab);
  assert.notEqual(pool.take(8000), slab);
  assert.equal(pool.take(1).length, 2048);
});

/** A watch over hubs that answer as told, and what the log says. */
function watched(answers: readonly HubTaking["takes"][]) {
  const clock = new FakeClock();
  const lines: LogLine[] = [];
  const asked: string[] = [];
  const told = { answers };
  const hubs = (subject: string) => {
    asked.push(subject);
    return told.answers.map((takes, i) => ({ hub: `hub-${i}`, takes }));
  };
  const log = createLog(clock, "debug", (line) => void lines.push(line));
  return { clock, lines, asked, told, watch: new CopyWatch({ account: "EDGE", clock, log, hubs }) };
}

function copies(...subjects: string[]) {
  return batchOf(...subjects.map((subject) => message(subject, "x")));
}

test("copies that a hub forbids are counted, and told once with cause and remedy", () => {
  const { watch, lines } = watched(["denied"]);
  using _watch = watch;
  assert.deepEqual([watch.status().state, watch.status().sinceWall], ["unused", null]);
  const batch = copies("$MQTT.msgs.a", "$MQTT.msgs.b");
  const onUnheard = watch.begin(batch);
  for (let n = 0; n < 500; n++) onUnheard(batch, n % 2);
  assert.deepEqual([watch.status().state, watch.status().refused], ["refused", 500]);
  assert.match(watch.status().reason ?? "", /^hub hub-0 does not let this device publish to \$MQTT\.msgs\.a; let this/);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["warn"],
  );
});

test("a hub without MQTT is told apart from one that forbids it, and a link that is down is neither", () => {
  const { watch, told, lines, clock } = watched(["away"]);
  using _watch = watch;
  const batch = copies("$MQTT.msgs.a");
  watch.begin(batch)(batch, 0);
  assert.deepEqual([watch.status().state, watch.status().refused], ["passing", 0]);
  told.answers = ["away", "absent"];
  clock.advance(1000);
  watch.begin(batch)(batch, 0);
  assert.match(watch.status().reason ?? "", /^hub hub-1 stores nothing of \$MQTT\.msgs\.a; give the hub an mqtt block/);
  told.answers = ["away"];
  clock.advance(60_000);
  assert.deepEqual([watch.status().state, lines.length], ["refused", 1], "no link says nothing new");
  told.answers = ["denied"];
  clock.advance(5_000);
  assert.deepEqual([watch.status().state, lines.length], ["refused", 2], "another cause is news");
});

test("what a hub takes again is told once, is noticed without a copy, and then nothing looks any more", () => {
  const { watch, told, lines, clock, asked } = watched(["denied"]);
  using _watch = watch;
  const first = copies("$MQTT.rmsgs.a");
  watch.begin(first)(first, 0);
  watch.begin(copies("$MQTT.msgs.b")); // which is let through: it says nothing of the other one
  clock.advance(5_000);
  assert.deepEqual([...new Set(asked)], ["$MQTT.rmsgs.a"]);
  told.answers = ["denied", "yes"];
  clock.advance(5_000);
  assert.deepEqual([watch.status().state, watch.status().sinceWall, watch.status().refused], ["passing", null, 1]);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["warn", "info"],
  );
  clock.advance(5_000);
  const looks = asked.length;
  clock.advance(365 * 86_400_000);
  assert.equal(asked.length, looks, "a year without copies costs no look");
});

test("what was published without a link and is refused behind it is noticed as well", () => {
  const { watch, told, clock } = watched(["away"]);
  using _watch = watch;
  watch.begin(copies("$MQTT.msgs.a")); // kept, for nobody knows of the hub yet
  clock.advance(3_600_000);
  told.answers = ["denied"];
  clock.advance(5_000);
  assert.deepEqual([watch.status().state, watch.status().refused], ["refused", 0]);
});
