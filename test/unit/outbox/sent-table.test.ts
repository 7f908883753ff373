import assert from "node:assert/strict";
import { test } from "node:test";
import { SentTable } from "#outbox/sent-table.ts";

test("a table of what is awaited answers like a map, over thousands of turns, with numbers that share a place", () => {
  const table = new SentTable();
  const model = new Map<number, { subject: string; epoch: number; at: number }>();
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let turn = 0; turn < 30_000; turn++) {
    // Far apart by whole tables, so that they want the same places; and beyond 2^32.
    const seq = 1 + random(40) + 65_536 * random(30) + (random(4) === 0 ? 2 ** 40 : 0);
    if (random(9) < (turn < 15_000 ? 6 : 3)) {
      const sent = { subject: `s.${random(5)}`, epoch: random(3), at: turn };
      table.add(seq, sent.subject, sent.epoch, sent.at);
      model.set(seq, sent);
    } else {
      assert.equal(table.take(seq), model.get(seq)?.at ?? -1);
      model.delete(seq);
    }
    assert.equal(table.size, model.size);
    assert.deepEqual(table.get(seq), model.get(seq));
  }
  assert.ok(model.size > 50);
  for (const [seq, sent] of model) assert.deepEqual(table.get(seq), sent);
  const seqs = [...model.keys()].sort((a, b) => a - b);
  assert.deepEqual([...table.seqs()], seqs);
  assert.equal(table.lowest, seqs[0]);
  assert.equal(table.countBelow(seqs[9]!), 9);
  const oldest = Math.min(...[...model.values()].map(({ at }) => at));
  assert.equal(table.oldestAt, oldest);
  assert.equal(table.seqs(oldest).length, 1);
  for (const seq of seqs) table.take(seq);
  assert.deepEqual([table.size, table.oldestAt, table.lowest, table.seqs().length], [0, Infinity, Infinity, 0]);
});

test("numbers that nothing was sent under are not found, in an empty table or another", () => {
  const table = new SentTable();
  for (const seq of [0, -1, 1.5, 7, Number.NaN, 2 ** 53, Infinity])
    assert.deepEqual([table.find(seq), table.take(seq)], [-1, -1]);
  table.add(7, "a", 1, 0);
  for (const seq of [0, -1, 1.5, 8, Number.NaN, 2 ** 53, Infinity])
    assert.deepEqual([table.find(seq), table.take(seq)], [-1, -1]);
  assert.equal(table.take(7), 0);
});
