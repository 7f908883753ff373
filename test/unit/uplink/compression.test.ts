import assert from "node:assert/strict";
import { test } from "node:test";
import { agree, levelFor } from "#uplink/compression.ts";

test("who compresses: the whole table of the specification, 7.2", () => {
  const hubs = [null, "not supported", "off", "accept", "s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"];
  const table: Record<string, readonly (string | null)[]> = {
    off: [null, null, null, null, null, null, null, null, null],
    accept: [null, null, null, null, "s2_fast", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"],
  };
  for (const mode of ["s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"]) {
    table[mode] = [null, null, null, mode, mode, mode, mode, mode, mode];
  }
  for (const [ours, wanted] of Object.entries(table)) {
    const got = hubs.map((hub) => agree(ours as "off", hub).announce);
    assert.deepEqual(got, wanted, ours);
  }
});

test("CONNECT says what came of it", () => {
  assert.deepEqual(
    [agree("s2_auto", null), agree("s2_auto", "not supported"), agree("off", "s2_auto"), agree("accept", "accept")].map(
      ({ compressMode }) => compressMode,
    ),
    ["not supported", "not supported", "off", "off"],
  );
  assert.equal(agree("accept", "s2_auto").compressMode, "s2_fast");
  assert.equal(agree("s2_best", "accept").compressMode, "s2_best");
});

test("a hub with a mode we have never heard of is not asked to compress", () => {
  assert.equal(agree("s2_auto", "zstd").announce, null);
});

test("s2_auto goes by the round trip, and a threshold of 0 skips its level", () => {
  const at = (thresholds: readonly number[]) => [0, 10, 11, 50, 51, 100, 101].map((rtt) => levelFor(rtt, thresholds));
  assert.deepEqual(at([10, 50, 100]), ["uncompressed", "uncompressed", "fast", "fast", "better", "better", "best"]);
  assert.deepEqual(at([0, 50, 100]), ["fast", "fast", "fast", "fast", "better", "better", "best"]);
  assert.deepEqual(at([10, 0, 0]), ["uncompressed", "uncompressed", "best", "best", "best", "best", "best"]);
  assert.deepEqual(at([]), ["best", "best", "best", "best", "best", "best", "best"]);
});
