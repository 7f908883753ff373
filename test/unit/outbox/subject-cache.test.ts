// Subjects known by their bytes: never one for another, however alike they are and whoever had the slot before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SubjectCache } from "#outbox/subject-cache.ts";

test("every subject comes back as it stands in the slab, whoever had its slot before", () => {
  const cache = new SubjectCache();
  const subjects = Array.from({ length: 3000 }, (_, i) => `sensors.${"x".repeat(i % 7)}.device-${i}.reading`);
  for (const round of [subjects, subjects.toReversed(), subjects]) {
    for (const subject of round) {
      const slab = Buffer.from(`??${subject}!!`, "latin1");
      const known = cache.find(slab, 2, slab.length - 2)!;
      assert.equal(known.text, subject);
      assert.equal(known.line.toString("latin1"), `HMSG ${subject} `);
    }
  }
});

test("a subject that is met again is not made again, in whatever slab it lies", () => {
  const cache = new SubjectCache();
  const slab = Buffer.from("a.bc.d|a.bc.d", "latin1");
  const first = cache.find(slab, 0, 6);
  assert.equal(cache.find(slab, 7, 13), first);
  assert.equal(cache.find(Buffer.from("..a.bc.d").subarray(2), 0, 6), first);
});

test("subjects that differ in one byte only are two", () => {
  const cache = new SubjectCache();
  for (let bytes = 4; bytes <= 122; bytes++) {
    const plain = Buffer.alloc(bytes, "a");
    for (let at = 0; at < bytes; at++) {
      const other = Buffer.from(plain);
      other[at] = 0xe9;
      assert.equal(cache.find(plain, 0, bytes)!.text, plain.toString("latin1"));
      assert.equal(cache.find(other, 0, bytes)!.text, other.toString("latin1"));
    }
  }
});

test("subjects too short or too long for a slot are left to others", () => {
  const cache = new SubjectCache();
  const slab = Buffer.alloc(200, "a");
  for (const bytes of [0, 1, 3, 123, 200]) assert.equal(cache.find(slab, 0, bytes), undefined);
});
