import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMMIT_BYTES, changeBytes, readChange, writeChange, writeCommit } from "#store/change.ts";

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 300 });

test("what is written is read again, wherever it stands", () => {
  const value = fc.option(fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)));
  fc.assert(
    fc.property(latin1, value, fc.nat(20), (key, value, at) => {
      const bytes = changeBytes(key, value);
      const slab = Buffer.alloc(at + bytes + 5, 0xee);
      writeChange(slab, at, key, value);
      const wanted = value === null ? { is: "remove", key } : { is: "put", key, value };
      assert.deepEqual(readChange(slab, at, at + bytes), wanted);
      assert.ok(slab.subarray(at + bytes).every((byte) => byte === 0xee));
    }),
  );
  const slab = Buffer.alloc(COMMIT_BYTES + 2);
  writeCommit(slab, 2, { count: 7, after: 2 ** 40 + 1, floor: 2 ** 39 });
  assert.deepEqual(readChange(slab, 2, slab.length), { is: "commit", count: 7, after: 2 ** 40 + 1, floor: 2 ** 39 });
});

test("bytes that nobody wrote are refused, never read beyond their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const body = Buffer.from(bytes);
      const change = readChange(body, 0, body.length);
      if (change?.is === "put") assert.ok(change.key.length + change.value.length + 3 === body.length);
      if (change?.is === "remove") assert.equal(change.key.length, body.length - 1);
      if (change?.is === "commit") assert.ok(body.length >= COMMIT_BYTES && body[1] === 1);
    }),
    { numRuns: 1000 },
  );
  assert.equal(readChange(Buffer.alloc(0), 0, 0), undefined);
  assert.equal(readChange(Buffer.from([9, 1, 2]), 0, 3), undefined, "a later kind of record");
  assert.equal(readChange(Buffer.from([2, 5, 0, 97]), 0, 4), undefined, "a key that runs over the end");
  const later = Buffer.alloc(COMMIT_BYTES);
  writeCommit(later, 0, { count: 0, after: 0, floor: 0 });
  later[1] = 2;
  assert.equal(readChange(later, 0, later.length), undefined, "a later version");
});
