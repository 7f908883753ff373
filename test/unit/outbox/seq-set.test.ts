import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeqSet } from "#outbox/seq-set.ts";

test("the set answers as a plain set of numbers would, through any adds and removes", () => {
  const step = fc.record({ does: fc.constantFrom("add", "remove", "removeThrough"), seq: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const held = new SeqSet();
      const plain = new Set<number>();
      for (const { does, seq } of steps) {
        if (does === "add") {
          held.add(seq);
          plain.add(seq);
        } else if (does === "remove") {
          held.remove(seq);
          plain.delete(seq);
        } else {
          held.removeThrough(seq);
          for (const each of [...plain]) if (each <= seq) plain.delete(each);
        }
        assert.equal(held.size, plain.size);
        assert.equal(held.first, Math.min(...plain));
        for (let probe = 0; probe <= 41; probe++) {
          assert.equal(held.has(probe), plain.has(probe), `has ${probe}`);
          assert.equal(held.firstAbove(probe), Math.min(...[...plain].filter((each) => each > probe)), `first above ${probe}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a long run costs one entry, not one a message", () => {
  const held = new SeqSet();
  for (let seq = 1; seq <= 1_000_000; seq++) held.add(seq);
  assert.equal(held.size, 1_000_000);
  assert.equal(held.isFull, false);
});

test("half a million runs leave from the front in a moment", () => {
  const held = new SeqSet();
  for (let seq = 1; seq <= 1_000_000; seq++) held.add(seq);
  for (let seq = 1; seq <= 1_000_000; seq += 2) held.remove(seq);
  const start = performance.now();
  for (let seq = 2; seq <= 1_000_000; seq += 2) held.remove(seq);
  assert.deepEqual([held.size, held.first], [0, Number.POSITIVE_INFINITY]);
  assert.ok(performance.now() - start < 5_000, `${performance.now() - start} ms, and it was minutes once`);
});
