// The small parts of a connection, each by itself: acks, deadlines, life, log.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, type LogLine } from "#base/log.ts";
import { Voice } from "#base/voice.ts";
import { AckQueue } from "#ingress/mqtt/ack-queue.ts";
import { Deadline } from "#ingress/mqtt/deadline.ts";
import { BORN, type Ending, type Life, step } from "#ingress/mqtt/life.ts";
import { SlabPool } from "#ingress/mqtt/slab-pool.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

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
