// Segments of format 1, as an earlier version left them: whatever was done to them, they are read, cut, covered and reported as ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import { format1 } from "#journal/format-1.ts";
import type { Journal } from "#journal/journal.ts";
import { bodyBytes, RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES, recordBytes, recordSeq, writeHeader } from "#journal/record.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { HEADER_1_BYTES, sealRecord, storedAs1 } from "./format-1-writer.ts";
import { append, copyOf, DIRECTORY, layOut, numbered, open, readAll, STRIDE, segmentFiles, seqsIn } from "./harness.ts";

const SALT = 0x9f1c22ab;
const BODY = 20;
const RECORD = RECORD_HEADER_BYTES + BODY;

function sealed(seq: number, body: string, isFirst = true): Buffer {
  const slab = Buffer.alloc(RECORD_HEADER_BYTES + body.length);
  writeHeader(slab, 0, body.length, seq, 1234.5);
  slab.write(body, RECORD_HEADER_BYTES);
  sealRecord(slab, 0, SALT, isFirst);
  return slab;
}

/** The journal takes more, and a later start finds the same and the more. */
async function goesOn(disk: FakeDisk, journal: Journal): Promise<void> {
  const before = await seqsIn(journal);
  const next = journal.lastSeq + 1;
  await append(journal, numbered(next, next));
  await journal[Symbol.asyncDispose]();
  disk.powerCut();
  await using again = await open(disk);
  assert.deepEqual(await seqsIn(again), [...before, next]);
  assert.equal(again.recovery.tornBytes, 0);
}

test("the layout on flash is what the README draws", () => {
  const bytes = sealed(0x1_0000_0002, "hi");
  assert.equal(bytes.toString("hex"), "f033af262dcaa01902000080020000000100000000000000004a93406869");
  assert.equal(bytes.readUInt32LE(8), 0x8000_0002);
  assert.equal(bytes.readUInt32LE(12), 2);
  assert.equal(bytes.readUInt32LE(16), 1);
  assert.equal(bytes.readDoubleLE(20), 1234.5);
});

test("a sealed record holds, with another salt it does not", () => {
  const slab = sealed(5, "body");
  assert.ok(format1.headerHolds(slab, 0, SALT) && format1.bodyHolds(slab, 0, SALT));
  assert.ok(!format1.headerHolds(slab, 0, SALT + 1));
  assert.ok(!format1.bodyHolds(slab, 0, SALT + 1));
});

test("the mark of an append's first record changes neither length nor seq, and sealing again sets it anew", () => {
  const slab = sealed(5, "body", true);
  assert.ok(format1.beginsAppend(slab, 0));
  assert.equal(bodyBytes(slab, 0), 4);
  assert.equal(recordBytes(slab, 0), RECORD_HEADER_BYTES + 4);
  sealRecord(slab, 0, SALT, false);
  assert.ok(!format1.beginsAppend(slab, 0));
  assert.ok(format1.headerHolds(slab, 0, SALT) && format1.bodyHolds(slab, 0, SALT));
});

test("a flip of any bit breaks the header or the body it is in", () => {
  const whole = sealed(77, "some body");
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const slab = Buffer.from(whole);
    slab[bit >> 3]! ^= 1 << (bit & 7);
    if (bit >> 3 < RECORD_HEADER_BYTES) assert.ok(!format1.headerHolds(slab, 0, SALT), `bit ${bit}`);
    else assert.ok(format1.headerHolds(slab, 0, SALT) && !format1.bodyHolds(slab, 0, SALT), `bit ${bit}`);
  }
});

test("zeros, ones and lengths beyond the limit are no header, whatever their checksum", () => {
  assert.ok(!format1.headerHolds(Buffer.alloc(RECORD_HEADER_BYTES), 0, SALT));
  assert.ok(!format1.headerHolds(Buffer.alloc(RECORD_HEADER_BYTES, 0xff), 0, SALT));
  assert.ok(format1.headerHolds(format1.filler(RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX, SALT), 0, SALT));
  assert.ok(!format1.headerHolds(format1.filler(RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX + 1, SALT), 0, SALT));
});

test("a filler has seq 0 and covers what it should", () => {
  const header = format1.filler(100, SALT);
  assert.equal(recordSeq(header, 0), 0);
  assert.equal(recordBytes(header, 0), 100);
  assert.ok(format1.headerHolds(header, 0, SALT));
});

test("a segment cut off at any byte gives back every whole record in front of the cut", async () => {
  const { disk, file } = storedAs1([numbered(1, 3), numbered(4, 6)]);
  const whole = disk.peek(file);
  for (let length = 0; length < whole.length; length += STRIDE) {
    const copy = copyOf(disk);
    copy.plant(file, whole.subarray(0, length));
    const journal = await open(copy);
    const left = Math.max(0, Math.floor((length - HEADER_1_BYTES) / RECORD));
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6].slice(0, left), `cut at ${length}`);
    const { records, tornBytes, damaged, quarantined } = journal.recovery;
    const torn = left === 0 ? length : length - HEADER_1_BYTES - left * RECORD;
    assert.deepEqual(
      { records, tornBytes, damaged, quarantined },
      { records: left, tornBytes: torn, damaged: [], quarantined: [] },
    );
    assert.equal(journal.lastSeq, 6, "the cursor remembers");
    assert.equal(copy.files(DIRECTORY).includes(file) ? copy.peek(file).length : 0, left === 0 ? 0 : length - torn);
    if (length % 16 === 0) await goesOn(copy, journal);
  }
});

for (const mask of [0x01, 0x80]) {
  test(`bits flipped (mask ${mask}) in any byte of a segment cost the one record they are in, which is reported`, async () => {
    const { disk, file } = storedAs1([numbered(1, 3), numbered(4, 4), numbered(5, 6)]);
    const lastAppendAt = HEADER_1_BYTES + 4 * RECORD;
    for (let at = 0; at < disk.peek(file).length; at += STRIDE) {
      const copy = copyOf(disk);
      copy.rot(file, at, mask);
      const journal = await open(copy);
      const hit = at < HEADER_1_BYTES ? 0 : 1 + Math.floor((at - HEADER_1_BYTES) / RECORD);
      assert.deepEqual(
        await readAll(journal),
        numbered(1, 6)
          .filter(({ seq }) => seq !== hit)
          .map(({ seq, body }) => ({ seq, body, time: 1000 + seq, epoch: 1 })),
        `flip at ${at}`,
      );
      const { damaged, tornBytes, records } = journal.recovery;
      assert.equal(records, hit === 0 ? 6 : 5);
      // In the last group rot cannot be told from a torn write; if its first record is hit, the group before may be the last.
      if (hit === 0) assert.deepEqual([damaged, tornBytes], [[], 0]);
      else if (at >= lastAppendAt) assert.deepEqual([damaged, tornBytes], [[], RECORD]);
      else {
        const from = HEADER_1_BYTES + (hit - 1) * RECORD;
        assert.deepEqual(damaged, [
          { file: file.slice(DIRECTORY.length + 1), from, to: from + RECORD, fromSeq: hit, throughSeq: hit },
        ]);
      }
      if (at % 16 === 0) await goesOn(copy, journal);
    }
  });

  test(`bits flipped (mask ${mask}) in any byte of an older segment are never taken for a torn tail`, async () => {
    const { disk, file } = storedAs1([numbered(1, 3), numbered(7, 9), numbered(20, 20)], new FakeDisk(), 360);
    assert.equal(segmentFiles(disk).length, 2);
    const seqs = [1, 2, 3, 7, 8, 9];
    for (let at = HEADER_1_BYTES; at < disk.peek(file).length; at += STRIDE) {
      const copy = copyOf(disk);
      copy.rot(file, at, mask);
      await using journal = await open(copy, 360);
      const index = Math.floor((at - HEADER_1_BYTES) / RECORD);
      assert.deepEqual(await seqsIn(journal), [...seqs.filter((_, other) => other !== index), 20]);
      assert.equal(journal.recovery.tornBytes, 0);
      const [span, ...others] = journal.recovery.damaged;
      assert.deepEqual(others, []);
      assert.ok(span!.fromSeq <= seqs[index]! && seqs[index]! <= span!.throughSeq!);
      const isKnown = (at - HEADER_1_BYTES) % RECORD >= RECORD_HEADER_BYTES;
      if (isKnown) assert.equal(span!.fromSeq, span!.throughSeq);
    }
  });
}

test("a hole in the last write is covered: the records behind it are kept, and the next start finds nothing amiss", async () => {
  const { disk, file } = storedAs1([numbered(1, 2), numbered(3, 9)]);
  const bytes = disk.peek(file);
  bytes.fill(0, HEADER_1_BYTES + 3 * RECORD, HEADER_1_BYTES + 5 * RECORD + 10);
  disk.plant(file, bytes);
  {
    await using journal = await open(disk);
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 7, 8, 9]);
    assert.deepEqual([journal.recovery.tornBytes, journal.recovery.damaged], [3 * RECORD, []]);
    await append(journal, numbered(10, 10)); // so that the segment is not the newest any more
  }
  disk.powerCut();
  await using journal = await open(disk);
  assert.deepEqual(await seqsIn(journal), [1, 2, 3, 7, 8, 9, 10]);
  assert.deepEqual([journal.recovery.tornBytes, journal.recovery.damaged], [0, []]);
});

test("a record hidden in a payload is not taken for one, even when the record around it rots", async () => {
  const forged = layOut([{ seq: 2, body: "forged" }]).slab;
  for (const salt of [0, 1, 0xffff_ffff]) {
    sealRecord(forged, 0, salt, true);
    const { disk, file } = storedAs1([
      [
        { seq: 1, body: "" },
        { seq: 5, body: forged.toString("latin1") },
        { seq: 9, body: "" },
      ],
    ]);
    disk.rot(file, HEADER_1_BYTES + RECORD_HEADER_BYTES + 5);
    await using journal = await open(disk);
    assert.deepEqual(await seqsIn(journal), [1, 9]);
  }
});

test("a header nobody can read is made good by the file's name", async () => {
  const { disk, file } = storedAs1([numbered(1, 5), numbered(6, 10)], new FakeDisk(), 400);
  disk.plant(file, Buffer.concat([Buffer.alloc(HEADER_1_BYTES, 0xee), disk.peek(file).subarray(HEADER_1_BYTES)]));
  await using journal = await open(disk, 400);
  assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual([journal.recovery.damaged, journal.recovery.quarantined], [[], []]);
});
