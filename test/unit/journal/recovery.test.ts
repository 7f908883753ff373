// Whatever is done to the files of a journal, it starts, gives back what is unharmed, says what is not, and goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { encodeCursor, tryDecodeCursor } from "#journal/cursor.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "#journal/record.ts";
import { encodeHeader, inspectHeader, SEGMENT_HEADER_BYTES, tryParseName } from "#journal/segment-header.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  DIRECTORY,
  layOut,
  type NewRecord,
  numbered,
  open,
  readAll,
  readOn,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const BODY = 20;
const RECORD = RECORD_HEADER_BYTES + BODY;

/** A closed journal of `groups` in one segment, and the segment's file. */
async function stored(groups: readonly (readonly NewRecord[])[], disk = new FakeDisk(), segmentBytes = 1 << 20) {
  await using journal = await open(disk, segmentBytes);
  for (const group of groups) await append(journal, group);
  return { disk, file: segmentFiles(disk)[0]! };
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

test("a segment cut off at any byte gives back every whole record in front of the cut", async () => {
  const { disk, file } = await stored([numbered(1, 3), numbered(4, 6)]);
  const whole = disk.peek(file);
  for (let length = 0; length < whole.length; length++) {
    const copy = copyOf(disk);
    copy.plant(file, whole.subarray(0, length));
    const journal = await open(copy);
    const left = Math.max(0, Math.floor((length - SEGMENT_HEADER_BYTES) / RECORD));
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6].slice(0, left), `cut at ${length}`);
    const { records, tornBytes, damaged, quarantined } = journal.recovery;
    const torn = left === 0 ? length : length - SEGMENT_HEADER_BYTES - left * RECORD;
    assert.deepEqual(
      { records, tornBytes, damaged, quarantined },
      { records: left, tornBytes: torn, damaged: [], quarantined: [] },
    );
    assert.equal(journal.lastSeq, 6, "the cursor remembers");
    assert.equal(copy.files(DIRECTORY).includes(file) ? copy.peek(file).length : 0, left === 0 ? 0 : length - torn);
    await goesOn(copy, journal);
  }
});

for (const mask of [0x01, 0x80, 0xff]) {
  test(`bits flipped (mask ${mask}) in any byte of a segment cost the one record they are in, which is reported`, async () => {
    const { disk, file } = await stored([numbered(1, 3), numbered(4, 4), numbered(5, 6)]);
    const lastGroupAt = SEGMENT_HEADER_BYTES + 4 * RECORD;
    for (let at = 0; at < disk.peek(file).length; at++) {
      const copy = copyOf(disk);
      copy.rot(file, at, mask);
      const journal = await open(copy);
      const hit = at < SEGMENT_HEADER_BYTES ? 0 : 1 + Math.floor((at - SEGMENT_HEADER_BYTES) / RECORD);
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
      else if (at >= lastGroupAt) assert.deepEqual([damaged, tornBytes], [[], RECORD]);
      else {
        const from = SEGMENT_HEADER_BYTES + (hit - 1) * RECORD;
        assert.deepEqual(damaged, [
          { file: file.slice(DIRECTORY.length + 1), from, to: from + RECORD, fromSeq: hit, throughSeq: hit },
        ]);
      }
      await goesOn(copy, journal);
    }
  });

  test(`bits flipped (mask ${mask}) in any byte of an older segment are never taken for a torn tail`, async () => {
    const { disk, file } = await stored([numbered(1, 3), numbered(7, 9), numbered(20, 20)], new FakeDisk(), 360);
    assert.equal(segmentFiles(disk).length, 2);
    const seqs = [1, 2, 3, 7, 8, 9];
    for (let at = SEGMENT_HEADER_BYTES; at < disk.peek(file).length; at++) {
      const copy = copyOf(disk);
      copy.rot(file, at, mask);
      await using journal = await open(copy, 360);
      const index = Math.floor((at - SEGMENT_HEADER_BYTES) / RECORD);
      assert.deepEqual(await seqsIn(journal), [...seqs.filter((_, other) => other !== index), 20]);
      assert.equal(journal.recovery.tornBytes, 0);
      const [span, ...others] = journal.recovery.damaged;
      assert.deepEqual(others, []);
      assert.ok(span!.fromSeq <= seqs[index]! && seqs[index]! <= span!.throughSeq!);
      const isKnown = (at - SEGMENT_HEADER_BYTES) % RECORD >= RECORD_HEADER_BYTES;
      if (isKnown) assert.equal(span!.fromSeq, span!.throughSeq);
    }
  });
}

test("garbage instead of a tail, of any length, is cut off", async () => {
  const { disk, file } = await stored([numbered(1, 5)]);
  for (const garbage of [
    Buffer.alloc(1, 7),
    Buffer.alloc(27),
    Buffer.alloc(28),
    Buffer.alloc(5000, 0xff),
    Buffer.alloc(3_000_000),
  ]) {
    const copy = copyOf(disk);
    copy.plant(file, Buffer.concat([disk.peek(file), garbage]));
    const journal = await open(copy);
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5]);
    assert.equal(journal.recovery.tornBytes, garbage.length);
    assert.equal(copy.peek(file).length, disk.peek(file).length);
    await goesOn(copy, journal);
  }
});

test("a hole in the last write is covered: the records behind it are kept, and the next start finds nothing amiss", async () => {
  const { disk, file } = await stored([numbered(1, 2), numbered(3, 9)]);
  const bytes = disk.peek(file);
  bytes.fill(0, SEGMENT_HEADER_BYTES + 3 * RECORD, SEGMENT_HEADER_BYTES + 5 * RECORD + 10);
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

test("a large record whose end is beyond several read windows is found behind large garbage", async () => {
  const groups = [
    numbered(1, 1),
    [{ seq: 2, body: "y".repeat(2_500_000) }],
    [{ seq: 3, body: "z".repeat(1_500_000) }],
    numbered(4, 4),
  ];
  const { disk, file } = await stored(groups, new FakeDisk(), 1 << 24);
  disk.rot(file, SEGMENT_HEADER_BYTES + RECORD + 4); // the header of the large one: every byte of it must be looked at
  await using journal = await open(disk);
  const found = await readAll(journal);
  assert.deepEqual(
    found.map(({ seq, body }) => [seq, body.length]),
    [
      [1, BODY],
      [3, 1_500_000],
      [4, BODY],
    ],
  );
  assert.deepEqual(
    journal.recovery.damaged.map(({ fromSeq, throughSeq }) => [fromSeq, throughSeq]),
    [[2, 2]],
  );
});

test("a record hidden in a payload is not taken for one, even when the record around it rots", async () => {
  const disk = new FakeDisk();
  const forged = layOut([{ seq: 2, body: "forged" }]).slab;
  for (const salt of [0, 1, 0xffff_ffff]) {
    sealRecord(forged, 0, salt, true);
    const { slab, end, count } = layOut([
      { seq: 1, body: "" },
      { seq: 5, body: "x".repeat(100) },
      { seq: 9, body: "" },
    ]);
    forged.copy(slab, 2 * RECORD_HEADER_BYTES + 10);
    const victim = new FakeDisk();
    {
      await using journal = await open(victim);
      await journal.append(slab, 0, end, count);
    }
    victim.rot(segmentFiles(victim)[0]!, SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 5);
    await using journal = await open(victim);
    assert.deepEqual(await seqsIn(journal), [1, 9]);
  }
  assert.deepEqual(disk.files(), []);
});

test("a header nobody can read is made good by the file's name, and both gone mean a file set aside", async () => {
  const { disk, file } = await stored([numbered(1, 5), numbered(6, 10), numbered(11, 15)], new FakeDisk(), 400);
  const files = segmentFiles(disk);
  assert.equal(files.length, 3);
  disk.plant(file, Buffer.concat([Buffer.alloc(SEGMENT_HEADER_BYTES, 0xee), disk.peek(file).subarray(SEGMENT_HEADER_BYTES)]));
  const middle = disk.peek(files[1]!);
  disk.plant(files[1]!, Buffer.alloc(middle.length, 0xee));
  {
    await using journal = await open(disk, 400);
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]);
    const name = files[1]!.slice(DIRECTORY.length + 1);
    assert.deepEqual(journal.recovery.quarantined, [`${name}.damaged`]);
    assert.deepEqual(journal.recovery.damaged, [
      { file: name, from: SEGMENT_HEADER_BYTES, to: middle.length, fromSeq: 6, throughSeq: 10 },
    ]);
    assert.ok(disk.files(DIRECTORY).includes(`${files[1]!}.damaged`));
  }
  await using journal = await open(disk, 400);
  assert.deepEqual(journal.recovery.damaged, [], "told once: it is out of the way now");
  assert.equal(journal.recovery.quarantined.length, 1);
});

test("files set aside are kept, but not more than a few", async () => {
  const { disk } = await stored([numbered(1, 1)]);
  for (let number = 100; number < 110; number++)
    disk.plant(`${DIRECTORY}/0000000${number}-1-00000000.seg.damaged`, Buffer.alloc(10));
  await using journal = await open(disk);
  assert.deepEqual(
    journal.recovery.quarantined.map((name) => name.slice(7, 10)),
    ["106", "107", "108", "109"],
  );
  assert.deepEqual(journal.recovery.foreign, []);
});

test("a segment of a later version is left alone, and its numbers are not used a second time", async () => {
  const { disk, file } = await stored([numbered(1, 5)]);
  const path = `${DIRECTORY}/0000000002-1-00000001.seg`;
  const later = encodeHeader({ number: 2, epoch: 9, salt: 1, firstSeq: 6, born: 0 });
  later.writeUInt32LE(2, 8);
  later.writeUInt32LE(crc32c(later, 0, 60), 60);
  const content = Buffer.concat([later, Buffer.alloc(300, 1)]);
  disk.plant(path, content);
  for (let start = 2; start <= 3; start++) {
    await using journal = await open(disk);
    assert.deepEqual(journal.recovery.newer, ["0000000002-1-00000001.seg"]);
    assert.deepEqual(journal.recovery.damaged, []);
    assert.deepEqual((await seqsIn(journal)).slice(0, 5), start === 2 ? [1, 2, 3, 4, 5] : [2 ** 32 + 6]);
    assert.ok(journal.lastSeq > 2 ** 32);
    await append(journal, numbered(journal.lastSeq + 1, journal.lastSeq + 1));
    journal.free(5);
  }
  assert.deepEqual(disk.peek(path), content);
  assert.ok(!disk.files(DIRECTORY).includes(file));
});

test("files of others are named and left alone, folders among them", async () => {
  const { disk } = await stored([numbered(1, 5)]);
  disk.plant(`${DIRECTORY}/lost+found/x`, Buffer.alloc(1));
  disk.plant(`${DIRECTORY}/notes.txt`, Buffer.from("mine"));
  disk.plant(`${DIRECTORY}/00000000001-1-00000000.seg`, Buffer.from("one digit too many"));
  disk.plant(`${DIRECTORY}/0000000000-1-00000000.seg/x`, Buffer.from("a folder with the name of a segment"));
  disk.plant(`${DIRECTORY}/cursor.new`, Buffer.from("left over"));
  await using journal = await open(disk);
  assert.deepEqual(journal.recovery.foreign, ["00000000001-1-00000000.seg", "lost+found", "notes.txt"]);
  assert.deepEqual(journal.recovery.unreadable, ["0000000000-1-00000000.seg"]);
  assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5]);
  assert.equal(disk.peek(`${DIRECTORY}/notes.txt`).toString(), "mine");
});

test("a segment the disk will not read now is not touched, and is there again when the disk will", async () => {
  const { disk } = await stored([numbered(1, 5), numbered(6, 10)], new FakeDisk(), 400);
  const [first, second] = segmentFiles(disk) as [string, string];
  for (const sick of [first, second]) {
    const copy = copyOf(disk);
    copy.faults.isUnreadable = (path) => path === sick;
    {
      await using journal = await open(copy, 400);
      assert.deepEqual(journal.recovery.unreadable, [sick.slice(DIRECTORY.length + 1)]);
      assert.deepEqual(await seqsIn(journal), sick === first ? [6, 7, 8, 9, 10] : [1, 2, 3, 4, 5]);
      await append(journal, numbered(journal.lastSeq + 1, journal.lastSeq + 1));
    }
    copy.faults.isUnreadable = undefined;
    await using journal = await open(copy, 400);
    assert.deepEqual((await seqsIn(journal)).slice(0, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(journal.records, 11);
  }
});

test("a few unreadable sectors cost what lies in them, no more", async () => {
  const { disk, file } = await stored([numbered(1, 500), numbered(501, 1000)]);
  disk.faults.isUnreadable = (path, position) => path === file && position >= 8192 && position < 8704;
  const size = disk.peek(file).length;
  await using journal = await open(disk);
  const reader = journal.read(1);
  for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(reader.next(1 << 20), { code: "JOURNAL_READ_FAILED" });
  const seqs = (await readOn(reader)).map(({ seq }) => seq);
  assert.equal(journal.records, journal.recovery.records);
  assert.ok(journal.records > 900 && journal.records < 930);
  assert.deepEqual([seqs.length, seqs[0], seqs.at(-1)], [journal.records, 1, 1000]);
  assert.equal(disk.peek(file).length, size, "not cut");
});

test("cursor and epoch, each cut off at or flipped in any byte: nothing is lost, and the epoch goes on rising", async () => {
  const disk = new FakeDisk();
  for (let start = 0; start < 3; start++) {
    await using journal = await open(disk);
    await append(journal, numbered(start * 10 + 1, start * 10 + 5));
    if (start === 2) journal.free(12);
  }
  for (const name of ["cursor", "epoch"]) {
    const path = `${DIRECTORY}/${name}`;
    const whole = disk.peek(path);
    for (let at = 0; at < whole.length * 2; at++) {
      const copy = copyOf(disk);
      if (at < whole.length) copy.plant(path, whole.subarray(0, at));
      else copy.rot(path, at - whole.length, 0x10);
      await using journal = await open(copy);
      assert.equal(journal.epoch, 4);
      assert.deepEqual(journal.recovery.damagedCursors, [name]);
      const seqs = await seqsIn(journal);
      assert.deepEqual(
        seqs.filter((seq) => seq > 12),
        [13, 14, 15, 21, 22, 23, 24, 25],
      );
      assert.equal(journal.lastSeq, 25);
    }
  }
});

test("with no copy of the epoch left it leaps beyond any that may have been", async () => {
  for (const loss of ["removed", "damaged"]) {
    const { disk } = await stored([numbered(1, 5)]);
    for (const name of ["cursor", "epoch"]) {
      if (loss === "damaged") disk.rot(`${DIRECTORY}/${name}`, 20);
      else await disk.remove(`${DIRECTORY}/${name}`);
    }
    await using journal = await open(disk);
    assert.equal(journal.epoch, 2 + 2 ** 20);
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5]);
    assert.equal(journal.lastSeq, 5);
  }
});

test("a start that is aborted leaves the journal as it was", async () => {
  const { disk } = await stored([numbered(1, 5)]);
  const before = disk.files(DIRECTORY).map((path) => disk.peek(path).toString("hex"));
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(openJournal({ directory: DIRECTORY, segmentBytes: 4096 }, testEnv(disk.mount()), signal), /enough/);
  assert.deepEqual(
    disk.files(DIRECTORY).map((path) => disk.peek(path).toString("hex")),
    before,
  );
});

test("a cursor with fields of a later version behind ours is still understood", () => {
  const ours = encodeCursor({ epoch: 3, freedThrough: 2 ** 40, lastSeq: 2 ** 53 - 1 });
  const later = Buffer.concat([ours.subarray(0, 44), Buffer.alloc(20, 7)]);
  later.writeUInt32LE(2, 8);
  later.writeUInt32LE(later.length, 12);
  later.writeUInt32LE(crc32c(later, 0, later.length - 4), later.length - 4);
  assert.deepEqual(tryDecodeCursor(later), { epoch: 3, freedThrough: 2 ** 40, lastSeq: 2 ** 53 - 1 });
});

test("a segment's name says what its header says, and names of others are none", () => {
  const identity = { number: 12, epoch: 3, salt: 0x0f1c22ab };
  assert.deepEqual(tryParseName("0000000012-3-0f1c22ab.seg"), identity);
  const header = { ...identity, firstSeq: 2 ** 45, born: 1.5 };
  assert.deepEqual(inspectHeader(encodeHeader(header)), { is: "ours", header });
  for (const name of [
    "12-3-0f1c22ab.seg",
    "0000000012-3-0F1C22AB.seg",
    "0000000012-3.seg",
    "0000000012-3-0f1c22ab.seg.damaged",
    "",
    "cursor",
  ]) {
    assert.equal(tryParseName(name), undefined);
  }
});

/** A disk of its own with the same files. */
function copyOf(disk: FakeDisk): FakeDisk {
  const copy = new FakeDisk();
  for (const path of disk.files()) copy.plant(path, disk.peek(path));
  return copy;
}
