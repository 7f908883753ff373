import assert from "node:assert/strict";
import { test } from "node:test";
import { curveOf, formatCurve } from "../../scripts/lib/bench/fleet-figures.ts";

test("the largest share is found in any window, not only in those that begin at full tenths", () => {
  const { peak, count, firstMs, lastMs } = curveOf("ready", [0, 950, 960, 1040, 1049, 2000], 10);
  assert.deepEqual([peak, count, firstMs, lastMs], [{ share: 0.4, atMs: 950 }, 6, 0, 2000]);
});

test("instants a whole window apart are not in the same one", () => {
  assert.equal(curveOf("ready", [0, 100, 200, 300], 4).peak.share, 0.25);
  assert.equal(curveOf("ready", [0, 99.9], 4).peak.share, 0.5);
});

test("a fleet that comes back in one instant is all in one window", () => {
  assert.equal(curveOf("ready", Array(500).fill(1234), 500).peak.share, 1);
});

test("an even spread over three seconds is about a thirtieth in each window", () => {
  const even = Array.from({ length: 300 }, (_, i) => i * 10);
  assert.equal(curveOf("ready", even, 300).peak.share, 10 / 300);
});

test("rows cover every instant and stay few, however long it took", () => {
  for (const instants of [[5], [0, 99, 100], Array.from({ length: 1000 }, (_, i) => i * 61)]) {
    const { rows } = curveOf("ready", instants, instants.length);
    assert.equal(
      rows.reduce((a, b) => a + b, 0),
      instants.length,
    );
    assert.ok(rows.length <= 40, `${rows.length} rows`);
  }
});

test("the histogram says what it shows; nothing at all is said, too", () => {
  const curve = curveOf("ready", [200, 210, 300], 10);
  const facts = "  ready: 3, first 0.2 s, half 0.2 s, last 0.3 s; most: 20.0 % of the fleet in the 100 ms from 0.2 s\n";
  assert.equal(formatCurve(curve, false), facts);
  assert.equal(formatCurve(curve, true), `${facts}      0.2 s     2 ${"█".repeat(50)}\n      0.3 s     1 ${"█".repeat(25)}\n`);
  assert.equal(formatCurve(curveOf("ready", [], 10), true), "  ready: none\n");
});
