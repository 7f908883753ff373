// Packet identifiers in flight to a session that is not kept, beside an array.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SentIds } from "#ingress/mqtt/sent-ids.ts";

test("what was sent is there until it is acknowledged, in whatever order, and nothing else is", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -40, max: 40 }), { maxLength: 600 }), (moves) => {
      const ids = new SentIds();
      const model: number[] = [];
      let last = 0;
      for (const move of moves) {
        if (move > 0) {
          last += 1;
          ids.add(last);
          model.push(last);
        } else if (move > -20 && model.length > 0) {
          const [gone] = model.splice(move > -12 ? 0 : -move % model.length, 1);
          assert.equal(ids.remove(gone!), true);
          assert.equal(ids.remove(gone!), false);
        } else if (move === -40) {
          ids.clear();
          model.length = 0;
        }
        assert.equal(ids.size, model.length);
        assert.equal(ids.remove(last + 1), false);
      }
      for (const id of model) assert.equal(ids.remove(id), true);
      assert.equal(ids.size, 0);
    }),
    { numRuns: 200 },
  );
});
