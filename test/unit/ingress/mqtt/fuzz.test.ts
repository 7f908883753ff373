// A short, fixed share of what scripts/fuzz mqtt does with millions of inputs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzMqtt } from "../../../../scripts/lib/fuzz/mqtt.ts";

const NEVER = new AbortController().signal;

test("packets of all versions, spoilt and cut anywhere, are read as mqtt-packet reads them, or end with a reason", async () => {
  const { inputs, accepted } = await fuzzMqtt({ inputs: 4000, seed: 20_260, signal: NEVER });
  assert.equal(inputs, 4000);
  assert.ok(
    accepted > 1000 && accepted < 3000,
    `${accepted} of ${inputs} were good: a fuzzer that finds all good, or all bad, tests nothing`,
  );
});
