import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type LaneShape, ShapedLane } from "../../support/shaped-lane.ts";

/** A lane on a fake clock, with every arrival as [milliseconds since the start, bytes]. */
function open(shape: Partial<LaneShape>, seed = 1) {
  const clock = new FakeClock();
  const start = clock.now();
  const lane = new ShapedLane(clock, seededRandom(seed), shape);
  const arrivals: [at: number, bytes: number][] = [];
  const texts: string[] = [];
  const arrive = (bytes: Buffer) => {
    arrivals.push([Math.round((clock.now() - start) * 1e6) / 1e6, bytes.length]);
    texts.push(bytes.toString());
  };
  return {
    clock,
    lane,
    arrivals,
    texts,
    offer: (bytes: number | string) => lane.offer(Buffer.from(typeof bytes === "string" ? bytes : "x".repeat(bytes)), arrive),
  };
}

test("packets leave one behind the other at the rate and arrive a delay later", () => {
  const { clock, offer, arrivals } = open({ rate: 50_000, delay: 250, packetBytes: 500 });
  assert.equal(offer(1250), 1250);
  clock.advance(1000);
  assert.deepEqual(arrivals, [
    [330, 500],
    [410, 500],
    [450, 250],
  ]);
  assert.equal(clock.pending, 0);
});

test("nothing arrives within the call that offered it, even on an open line", () => {
  const { clock, offer, arrivals } = open({});
  offer(10);
  assert.deepEqual(arrivals, []);
  clock.advance(0);
  assert.deepEqual(arrivals, [[0, 10]]);
});

test("over a minute the rate is exact, however the timers fall and however small the offers are", () => {
  const { clock, lane, offer } = open({ rate: 50_000, delay: 0, bufferBytes: 4000, packetBytes: 77 });
  for (let ms = 0; ms < 60_000; ms += 7) {
    offer(lane.room);
    clock.advance(7);
  }
  assert.ok(Math.abs(lane.bytesCarried - 375_000) <= 77, `${lane.bytesCarried} bytes in a minute, wanted 375000`);
});

test("the buffer takes what it has room for, and calls those who wait in turn when a packet has left", () => {
  const { clock, lane, offer } = open({ rate: 8000, bufferBytes: 1000, packetBytes: 500 });
  assert.deepEqual([offer(1200), lane.room, offer(1)], [1000, 0, 0]);
  const called: string[] = [];
  lane.whenRoom(() => called.push(`one at room ${lane.room}`) && offer(500));
  lane.whenRoom(() => called.push("two"));
  clock.advance(499);
  assert.deepEqual(called, []);
  clock.advance(1);
  assert.deepEqual(called, ["one at room 500"]);
  clock.advance(500);
  assert.deepEqual(called, ["one at room 500", "two"]);
});

test("jitter delays and never overtakes; the same seed gives the same arrivals, another one others", () => {
  const run = (seed: number) => {
    const { clock, offer, arrivals, texts } = open({ rate: 1_000_000, delay: 50, jitter: 200, packetBytes: 1 }, seed);
    offer("abcdefghijklmnopqrstuvwxyz");
    clock.advance(1000);
    assert.equal(texts.join(""), "abcdefghijklmnopqrstuvwxyz");
    assert.ok(arrivals.every(([at]) => at >= 50 && at <= 251));
    return arrivals.map(([at]) => at);
  };
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
  assert.ok(new Set(run(7)).size > 2, "some of it jitters");
});

test("a new rate counts from the middle of a packet on, a new delay for what leaves from then on", () => {
  const { clock, lane, offer, arrivals } = open({ rate: 8000, delay: 0, packetBytes: 1000 });
  offer(2000);
  clock.advance(500); // half of the first packet has left
  lane.set({ rate: 80_000, delay: 10 });
  clock.advance(1000);
  assert.deepEqual(arrivals, [
    [560, 1000],
    [660, 1000],
  ]);
});

test("a delay made shorter does not let the later packet overtake", () => {
  const { clock, lane, offer, arrivals } = open({ delay: 1000 });
  offer(1);
  clock.advance(1);
  lane.set({ delay: 0 });
  offer(2);
  clock.advance(2000);
  assert.deepEqual(arrivals, [
    [1000, 1],
    [1000, 2],
  ]);
});

test("stalled, nothing leaves and nothing arrives; healed, all of it goes on from where it was", () => {
  const { clock, lane, offer, arrivals } = open({ rate: 8000, delay: 100, packetBytes: 1000 });
  offer(2000);
  clock.advance(1050); // one is under way, one has left by a twentieth
  lane.stall();
  clock.advance(60_000);
  assert.deepEqual([arrivals, clock.pending], [[], 0]);
  lane.heal();
  clock.advance(2000);
  assert.deepEqual(arrivals, [
    [61_050, 1000],
    [61_050 + 950 + 100, 1000],
  ]);
});

test("a stalled lane fills its buffer and no more", () => {
  const { lane, offer } = open({ rate: 8000, bufferBytes: 5000 });
  lane.stall();
  assert.equal(offer(100_000), 5000);
  assert.equal(lane.queuedBytes, 5000);
});

test("a mark arrives behind all that was offered before it", () => {
  const { clock, lane, offer, arrivals } = open({ rate: 8000, delay: 5 });
  const start = clock.now();
  offer(1000);
  let markedAt = 0;
  lane.mark(() => {
    markedAt = clock.now() - start;
  });
  clock.advance(2000);
  assert.deepEqual([arrivals, markedAt], [[[1005, 1000]], 1005]);
});

test("what was offered is copied: the giver may use its buffer again at once", () => {
  const { clock, lane, texts } = open({ delay: 5 });
  const bytes = Buffer.from("mine");
  lane.offer(bytes, (arrived) => texts.push(arrived.toString()));
  bytes.fill("x");
  clock.advance(10);
  assert.deepEqual(texts, ["mine"]);
});

test("a disposed lane calls nobody and leaves no timer", () => {
  const { clock, lane, offer, arrivals } = open({ rate: 8000, delay: 5 });
  offer(1000);
  lane[Symbol.dispose]();
  clock.advance(10_000);
  assert.deepEqual([arrivals, clock.pending], [[], 0]);
});
