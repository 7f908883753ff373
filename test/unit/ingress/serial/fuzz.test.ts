import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzFrames } from "../../../../scripts/lib/fuzz/frames.ts";

test("a deterministic share of the fuzzer: no framer and no decoder goes wrong with 4,000 frames, garbage and damaged", async () => {
  const { inputs, accepted } = await fuzzFrames({ inputs: 4000, seed: 20_261_122, signal: new AbortController().signal });
  assert.equal(inputs, 4000);
  assert.ok(accepted > 2000 && accepted < 3800, `${accepted} good`);
});
