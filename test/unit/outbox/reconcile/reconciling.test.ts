import assert from "node:assert/strict";
import { test } from "node:test";
import type { Carrier } from "#outbox/hub-view.ts";
import type { Lane } from "#outbox/lane.ts";
import type { LaneSet } from "#outbox/lane-set.ts";
import { Reconciling } from "#outbox/reconcile/reconciling.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";
import { FakeCarrier } from "../harness.ts";

class Bench {
  readonly clock = new FakeClock();
  doubtSince: number | null = 0;
  hasInherited = false;
  readonly doubtful = this.#lane();
  readonly calm = {} as Lane;
  /** To the lane in doubt, and to one that is not. */
  readonly given: Carrier[] = [];
  readonly givenCalm: Carrier[] = [];
  readonly asked: AbortSignal[] = [];
  isInDoubt = true;
  finish: (leftSince?: number) => void = () => undefined;
  readonly reconciling: Reconciling;

  #lane(): Lane {
    const bench = this;
    const lane = {
      get hasInherited() {
        return bench.hasInherited;
      },
      doubt: () => (bench.doubtSince === null ? null : { sinceMs: bench.doubtSince }),
    };
    return lane as unknown as Lane;
  }

  constructor(hasHook = true) {
    const lanes = {
      onReady: (carrier: Carrier, isMeant: (lane: Lane) => boolean = () => true) => {
        if (isMeant(this.doubtful)) this.given.push(carrier);
        if (isMeant(this.calm)) this.givenCalm.push(carrier);
      },
    };
    const ask = (_lanes: LaneSet, signal: AbortSignal) => {
      if (!this.isInDoubt) return undefined;
      this.asked.push(signal);
      const { promise, resolve } = Promise.withResolvers<number | null>();
      this.finish = (leftSince) => resolve(leftSince ?? null);
      signal.addEventListener("abort", () => resolve(null), { once: true });
      return { lanes: new Set([this.doubtful]), over: promise };
    };
    this.reconciling = new Reconciling(lanes as unknown as LaneSet, hasHook ? ask : undefined, this.clock);
  }
}

test("the lanes get a link at once when nothing is in doubt, or nobody can be asked", () => {
  const calm = new Bench();
  calm.isInDoubt = false;
  const alone = new Bench(false);
  for (const bench of [calm, alone]) {
    bench.reconciling.begin(new FakeCarrier());
    assert.deepEqual([bench.given.length, bench.asked.length, bench.clock.pending], [1, 0, 0]);
  }
});

test("while something is in doubt the lanes wait for the answer", async () => {
  const bench = new Bench();
  const carrier = new FakeCarrier();
  bench.reconciling.begin(carrier);
  assert.deepEqual([bench.given, bench.givenCalm], [[], [carrier]], "an alarm that nothing is in doubt of need not wait");
  bench.finish();
  await turn();
  assert.deepEqual([bench.given, bench.givenCalm, bench.clock.pending], [[carrier], [carrier], 0]);
});

test("a hub that does not answer is waited for thirty seconds", async () => {
  const bench = new Bench();
  bench.reconciling.begin(new FakeCarrier());
  await bench.clock.pass(29_999);
  assert.equal(bench.given.length, 0);
  await bench.clock.pass(1);
  assert.deepEqual([bench.asked[0]?.aborted, bench.given.length], [true, 1]);
});

test("a link that falls meanwhile ends the asking, and its lanes never see it", async () => {
  const bench = new Bench();
  bench.reconciling.begin(new FakeCarrier());
  bench.reconciling[Symbol.dispose]();
  await turn();
  assert.deepEqual([bench.asked[0]?.aborted, bench.given.length, bench.clock.pending], [true, 0, 0]);
  const next = new FakeCarrier();
  bench.reconciling.begin(next);
  bench.finish();
  await turn();
  assert.deepEqual(bench.given, [next]);
});

test("what was left to the streams is left until it is answered for, and to this link alone", async () => {
  const bench = new Bench();
  const { reconciling, doubtful, calm, clock } = bench;
  const leftSince = () => reconciling.leftSince(doubtful);
  await clock.pass(1000);
  reconciling.begin(new FakeCarrier());
  assert.equal(leftSince(), Number.POSITIVE_INFINITY, "not yet");
  bench.finish(400);
  await turn();
  assert.deepEqual([leftSince(), reconciling.leftSince(calm)], [400, Number.POSITIVE_INFINITY]);
  await clock.pass(1000);
  bench.doubtSince = clock.now(); // what is under way now was sent over this link
  assert.equal(leftSince(), Number.POSITIVE_INFINITY);
  bench.hasInherited = true;
  assert.equal(leftSince(), 400);
  reconciling[Symbol.dispose]();
  assert.equal(leftSince(), Number.POSITIVE_INFINITY);
  reconciling.begin(new FakeCarrier());
  bench.finish();
  await turn();
  assert.equal(leftSince(), Number.POSITIVE_INFINITY, "looked for");
});
