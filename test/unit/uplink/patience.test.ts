import assert from "node:assert/strict";
import { test } from "node:test";
import { Patience } from "#uplink/patience.ts";

test("where nothing is known, a sleeping modem gets its time", () => {
  const patience = new Patience();
  assert.deepEqual([patience.dialTimeout(0), patience.phaseTimeout(0)], [15_000, 10_000]);
});

test("a hub next door that says nothing is given up after five seconds, a satellite's later", () => {
  const near = new Patience();
  near.onDialed(1);
  near.onPhase(2);
  assert.deepEqual([near.dialTimeout(0), near.phaseTimeout(0)], [5_000, 5_040]);
  const far = new Patience();
  far.onDialed(700);
  far.onPhase(1400);
  assert.deepEqual([far.dialTimeout(0), far.phaseTimeout(0)], [14_000, 33_000]);
});

test("rounds in which every URL failed double it, up to a minute", () => {
  const patience = new Patience();
  patience.onDialed(1);
  assert.deepEqual(
    [1, 2, 3, 50].map((rounds) => patience.dialTimeout(rounds)),
    [10_000, 20_000, 20_000, 20_000],
  );
  assert.equal(new Patience().dialTimeout(9), 60_000);
});

test("one slow answer counts at once, quick ones bring it down slowly", () => {
  const patience = new Patience();
  patience.onPhase(10);
  patience.onPhase(1000);
  assert.equal(patience.phaseTimeout(0), 25_000);
  for (let i = 0; i < 5; i++) patience.onPhase(10);
  assert.ok(patience.phaseTimeout(0) > 14_000 && patience.phaseTimeout(0) < 16_000, `${patience.phaseTimeout(0)}`);
});
