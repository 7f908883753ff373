import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, formatSize, tryDuration, trySize } from "#base/quantity.ts";

const counts = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));

test("a duration survives being written and read again", () => {
  fc.assert(fc.property(counts, (ms) => tryDuration(formatDuration(ms)) === ms));
});

test("a size survives being written and read again", () => {
  fc.assert(fc.property(counts, (bytes) => trySize(formatSize(bytes)) === bytes));
});

test("durations are written in their largest whole unit", () => {
  assert.deepEqual([0, 250, 30_000, 90_000, 7_200_000, 1_209_600_000].map(formatDuration), [
    "0ms",
    "250ms",
    "30s",
    "90s",
    "2h",
    "14d",
  ]);
});

test("sizes are powers of 1024", () => {
  assert.deepEqual(["512B", "64KiB", "1GiB"].map(trySize), [512, 65_536, 1_073_741_824]);
  assert.deepEqual([0, 1000, 1024, 1536, 1024 ** 4].map(formatSize), ["0B", "1000B", "1KiB", "1536B", "1TiB"]);
});

test("what is no quantity is none", () => {
  for (const text of [
    "",
    "30",
    "s",
    "-1s",
    "1.5s",
    " 1s",
    "1s ",
    "1 s",
    "1h30m",
    "1S",
    "0x10s",
    "99999999999999999999d",
    "1s\n",
  ]) {
    assert.equal(tryDuration(text), undefined, text);
  }
  for (const text of ["", "64", "64KB", "64kib", "64K", "1e3B", "9999999999999TiB", "B"])
    assert.equal(trySize(text), undefined, text);
});
