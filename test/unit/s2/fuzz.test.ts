// A few thousand damaged inputs with every run; scripts/fuzz takes millions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzS2 } from "../../../scripts/lib/fuzz/s2.ts";

test("codec and oracle agree on damaged blocks and streams", async () => {
  const inputs = 10_000;
  const seed = 20_261_122;
  const result = await fuzzS2({ inputs, seed, signal: new AbortController().signal });
  assert.equal(result.inputs, inputs);
  assert.ok(result.accepted > inputs * 0.05 && result.accepted < inputs * 0.95, `${result.accepted} of ${inputs} accepted`);
});

test("the fuzzer ends when it is told to", async () => {
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await assert.rejects(fuzzS2({ inputs: 1_000_000, seed: 1, signal: stop.signal }), /enough/);
});
