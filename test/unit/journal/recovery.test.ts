// Whatever is done to the files of a journal, it starts, gives back what is unharmed, says what is not, and goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { encodeCursor, tryDecodeCursor } from "#journal/cursor.ts";
import { checkGroup, GROUP_HEADER_BYTES, writeGroupHeader } from "#journal/group.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import { encodeHeader, inspectHeader, SEGMENT_START, type SegmentHeader, tryParseName } from "#journal/segment-header.ts";
import { turn } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  BOOT,
  copyOf,
  DIRECTORY,
  ENCRYPTED,
  FLAVORS,
  type Flavor,
  isExhaustive,
  type NewRecord,
  numbered,
  open,
  openAs,
  PLAIN,
  readAll,
  readOn,
  STRIDE,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const HEADER: SegmentHeader = {
  ...{ version: 2, number: 1, epoch: 1, salt: 1, firstSeq: 1, born: 0, uptime: 12.5, generation: 3, boot: BOOT },
  seed: Buffer.alloc(16, 9),
  staleBytes: 65_536,
};

/** Bytes beyond one read window or several. */
const LARGE = isExhaustive ? ([2_500_000, 1_500_000] as const) : ([1_100_000, 200_000] as const);

/** A closed journal of `groups` in one segment, the segment's file, and where in it each group begins; last its end. */
async function stored(
  groups: readonly (readonly NewRecord[])[],
  disk = new FakeDisk(),
  segmentBytes = 1 << 20,
  flavor: Flavor = PLAIN,
) {
  await using journal = await openAs(flavor, disk, segmentBytes);
  const offsets = [SEGMENT_START];
  for (const group of groups) {
    await append(journal, group);
    offsets.push(disk.peek(segmentFiles(disk)[0]!).length);
  }
  return { disk, file: segmentFiles(disk)[0]!, offsets };
}

/** The journal takes more, and a later start finds the same and the more. */
async function goesOn(disk: FakeDisk, journal: Journal, flavor: Flavor = PLAIN): Promise<void> {
  const before = await seqsIn(journal);
  const next = journal.lastSeq + 1;
  await append(journal, numbered(next, next));
  await journal[Symbol.asyncDispose]();
  disk.powerCut();
  await using again = await openAs(flavor, disk);
  assert.deepEqual(await seqsIn(again), [...before, next]);
  assert.equal(again.recovery.tornBytes, 0);
}

/** Index of the group that byte `at` is in. */
function groupAt(offsets: readonly number[], at: number): number {
  return offsets.findLastIndex((offset) => offset <= at);
}

function asStored(records: readonly NewRecord[]) {
  return records.map(({ seq, body }) => ({ seq, body, time: 1000 + seq, epoch: 1 }));
}

for (const flavor of [PLAIN, ENCRYPTED]) {
  test(`a segment cut off at any byte gives back every whole group in front of the cut (${flavor.name})`, async () => {
    const groups = [numbered(1, 3), numbered(4, 6)];
    const { disk, file, offsets } = await stored(groups, undefined, undefined, flavor);
    const whole = disk.peek(file);
    for (let length = 0; length < whole.length; length += STRIDE) {
      const copy = copyOf(disk);
      copy.plant(file, whole.subarray(0, length));
      const journal = await openAs(flavor, copy);
      const left = Math.max(0, groupAt(offsets, length));
      assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6].slice(0, left * 3), `cut at ${length}`);
      const { records, tornBytes, damaged, quarantined } = journal.recovery;
      const torn = left === 0 ? length : length - offsets[left]!;
      assert.deepEqual(
        { records, tornBytes, damaged, quarantined },
        { records: left * 3, tornBytes: torn, damaged: [], quarantined: [] },
      );
      assert.equal(journal.lastSeq, 6, "the cursor remembers");
      assert.equal(copy.files(DIRECTORY).includes(file) ? copy.peek(file).length : 0, left === 0 ? 0 : length - torn);
      if (length % 16 === 0) await goesOn(copy, journal, flavor);
    }
  });

  test(`a bit flipped in any byte of a segment costs the one group it is in, which is reported (${flavor.name})`, async () => {
    const groups = [numbered(1, 3), numbered(5, 5), numbered(7, 8)];
    const { disk, file, offsets } = await stored(groups, undefined, undefined, flavor);
    for (let at = 0; at < disk.peek(file).length; at += STRIDE) {
      const copy = copyOf(disk);
      copy.rot(file, at, 1 << (at % 8));
      const journal = await openAs(flavor, copy);
      const hit = groupAt(offsets, at);
      assert.deepEqual(await readAll(journal), asStored(groups.filter((_, index) => index !== hit).flat()), `flip at ${at}`);
      const { damaged, tornBytes, records, sealed } = journal.recovery;
      assert.deepEqual([records, sealed], [6 - (groups[hit]?.length ?? 0), []]);
      // In the last append rot cannot be told from a torn write.
      if (hit < 0) assert.deepEqual([damaged, tornBytes], [[], 0]);
      else if (hit === 2) assert.deepEqual([damaged, tornBytes], [[], offsets[3]! - offsets[2]!]);
      else {
        const isHeader = at - offsets[hit]! < GROUP_HEADER_BYTES;
        const [fromSeq, throughSeq] = isHeader
          ? [
              [1, 4],
              [4, 6],
            ][hit]!
          : [
              [1, 3],
              [5, 5],
            ][hit]!;
        const name = file.slice(DIRECTORY.length + 1);
        assert.deepEqual(damaged, [{ file: name, from: offsets[hit], to: offsets[hit + 1], fromSeq, throughSeq }]);
      }
      if (at % 16 === 0) await goesOn(copy, journal, flavor);
    }
  });
}

test("bits flipped in any byte of an older segment are never taken for a torn tail", async () => {
  const groups = [numbered(1, 3), numbered(7, 9)];
  const { disk, file, offsets } = await stored([...groups, numbered(20, 20)], new FakeDisk(), 460);
  assert.equal(segmentFiles(disk).length, 2);
  for (let at = SEGMENT_START; at < disk.peek(file).length; at += STRIDE) {
    const copy = copyOf(disk);
    copy.rot(file, at, 0x80);
    await using journal = await open(copy, 460);
    const hit = groupAt(offsets.slice(0, 3), at);
    assert.deepEqual(await seqsIn(journal), [...groups[1 - hit]!.map(({ seq }) => seq), 20]);
    assert.equal(journal.recovery.tornBytes, 0);
    const [span, ...others] = journal.recovery.damaged;
    assert.deepEqual(others, []);
    assert.ok(span!.fromSeq <= groups[hit]![0]!.seq && groups[hit]![2]!.seq <= span!.throughSeq!);
    const isKnown = at - offsets[hit]! >= GROUP_HEADER_BYTES;
    if (isKnown) assert.deepEqual([span!.fromSeq, span!.throughSeq], [groups[hit]![0]!.seq, groups[hit]![2]!.seq]);
  }
});

test("garbage instead of a tail, of any length, is cut off", async () => {
  const { disk, file } = await stored([numbered(1, 5)]);
  for (const garbage of [
    Buffer.alloc(1, 7),
    Buffer.alloc(GROUP_HEADER_BYTES - 1),
    Buffer.alloc(GROUP_HEADER_BYTES),
    Buffer.alloc(5000, 0xff),
    Buffer.alloc(LARGE[0]),
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

test("a hole in the last append is covered: the groups behind it are kept, and the next start finds nothing amiss", async () => {
  const large = numbered(3, 602, 400); // several groups of one append
  const { disk, file, offsets } = await stored([numbered(1, 2), large], undefined, 1 << 24);
  const bytes = disk.peek(file);
  const hole = offsets[1]! + 100_000;
  bytes.fill(0, hole, hole + 20_000);
  disk.plant(file, bytes);
  let left: number[];
  {
    await using journal = await open(disk);
    left = await seqsIn(journal);
    assert.ok(left.length > 200 && left.length < 500 && left.includes(3) && left.includes(602), `${left.length} left`);
    assert.deepEqual([journal.recovery.records, journal.recovery.damaged], [left.length, []]);
    assert.ok(journal.recovery.tornBytes >= 20_000);
    await append(journal, numbered(603, 603)); // so that the segment is not the newest any more
  }
  disk.powerCut();
  await using journal = await open(disk);
  assert.deepEqual(await seqsIn(journal), [...left, 603]);
  assert.deepEqual([journal.recovery.tornBytes, journal.recovery.damaged], [0, []]);
});

test("a large record whose end is beyond several read windows is found behind large garbage", async () => {
  const groups = [
    numbered(1, 1),
    [{ seq: 2, body: "y".repeat(LARGE[0]) }],
    [{ seq: 3, body: "z".repeat(LARGE[1]) }],
    numbered(4, 4),
  ];
  const { disk, file, offsets } = await stored(groups, new FakeDisk(), 1 << 24);
  disk.rot(file, offsets[1]! + 4); // the header of the large one: every byte of it must be looked at
  await using journal = await open(disk);
  const found = await readAll(journal);
  assert.deepEqual(
    found.map(({ seq, body }) => [seq, body.length]),
    [
      [1, 20],
      [3, LARGE[1]],
      [4, 20],
    ],
  );
  assert.deepEqual(
    journal.recovery.damaged.map(({ fromSeq, throughSeq }) => [fromSeq, throughSeq]),
    [[2, 2]],
  );
});

test("a group hidden in a payload is not taken for one, even when the group around it rots", async () => {
  const body = Buffer.from([1, 2, 65]); // length, time, "A"
  for (const salt of [0, 1, 0xffff_ffff]) {
    const forged = Buffer.alloc(GROUP_HEADER_BYTES + body.length);
    writeGroupHeader(forged, 0, {
      ...{ storedBytes: body.length, packedBytes: body.length, laidOutBytes: 29, count: 1, firstSeq: 2, lastSeq: 2 },
      ...{ newestTime: 1, beginsAppend: true, isCompressed: false, isSealed: false, hasExactTimes: false },
    });
    body.copy(forged, GROUP_HEADER_BYTES);
    checkGroup(forged, 0, salt);
    const groups = [numbered(1, 1), [{ seq: 5, body: forged.toString("latin1") }], numbered(9, 9)];
    const { disk, file, offsets } = await stored(groups);
    disk.rot(file, offsets[1]! + 5);
    await using journal = await open(disk);
    assert.deepEqual(await seqsIn(journal), [1, 9]);
  }
});

test("of two copies of a segment's header either may rot; both gone, the name says enough to read what is not encrypted", async () => {
  for (const flavor of FLAVORS) {
    const { disk, file } = await stored([numbered(1, 5), numbered(6, 10)], undefined, undefined, flavor);
    for (const [from, to] of [
      [0, 112],
      [112, 224],
      [0, 224],
    ] as const) {
      const copy = copyOf(disk);
      const bytes = disk.peek(file);
      bytes.fill(0xee, from, to);
      copy.plant(file, bytes);
      await using journal = await openAs(flavor, copy);
      const isLost = flavor === ENCRYPTED && to - from === 224;
      const name = file.slice(DIRECTORY.length + 1);
      assert.deepEqual(
        [await seqsIn(journal), journal.recovery.sealed],
        isLost ? [[], [name]] : [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], []],
      );
      assert.deepEqual([journal.recovery.damaged, journal.lastSeq], [[], 10]);
    }
  }
});

test("a file without anything readable is set aside, and what it held is reported", async () => {
  const { disk } = await stored([numbered(1, 5), numbered(6, 10), numbered(11, 15)], new FakeDisk(), 450);
  const files = segmentFiles(disk);
  assert.equal(files.length, 3);
  const middle = disk.peek(files[1]!);
  disk.plant(files[1]!, Buffer.alloc(middle.length, 0xee));
  {
    await using journal = await open(disk, 450);
    assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]);
    const name = files[1]!.slice(DIRECTORY.length + 1);
    assert.deepEqual(journal.recovery.quarantined, [`${name}.damaged`]);
    assert.deepEqual(journal.recovery.damaged, [
      { file: name, from: SEGMENT_START, to: middle.length, fromSeq: 6, throughSeq: 10 },
    ]);
    assert.ok(disk.files(DIRECTORY).includes(`${files[1]!}.damaged`));
  }
  await using journal = await open(disk, 450);
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
  const later = encodeHeader({ ...HEADER, number: 2, epoch: 9, salt: 1, firstSeq: 6 });
  later.writeUInt32LE(3, 8);
  later.writeUInt32LE(crc32c(later, 0, 108), 108);
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
  const { disk } = await stored([numbered(1, 5), numbered(6, 10)], new FakeDisk(), 450);
  const [first, second] = segmentFiles(disk) as [string, string];
  for (const sick of [first, second]) {
    const copy = copyOf(disk);
    copy.faults.isUnreadable = (path) => path === sick;
    {
      await using journal = await open(copy, 450);
      assert.deepEqual(journal.recovery.unreadable, [sick.slice(DIRECTORY.length + 1)]);
      assert.deepEqual(await seqsIn(journal), sick === first ? [6, 7, 8, 9, 10] : [1, 2, 3, 4, 5]);
      await append(journal, numbered(journal.lastSeq + 1, journal.lastSeq + 1));
    }
    copy.faults.isUnreadable = undefined;
    await using journal = await open(copy, 450);
    assert.deepEqual((await seqsIn(journal)).slice(0, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(journal.records, 11);
  }
});

test("a few unreadable sectors cost what lies in them, no more", async () => {
  const { disk, file } = await stored(Array.from({ length: 100 }, (_, index) => numbered(index * 10 + 1, index * 10 + 10, 50)));
  disk.faults.isUnreadable = (path, position) => path === file && position >= 8192 && position < 8704;
  const size = disk.peek(file).length;
  await using journal = await open(disk);
  const reader = journal.read(1);
  for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(reader.next(1 << 20), { code: "JOURNAL_READ_FAILED" });
  const seqs = (await readOn(reader)).map(({ seq }) => seq);
  assert.equal(journal.records, journal.recovery.records);
  assert.ok(journal.records > 900 && journal.records < 1000);
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
    for (let at = 0; at < whole.length * 2; at += STRIDE) {
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
  const ours = encodeCursor({ epoch: 3, freedThrough: 2 ** 40, lastSeq: 2 ** 53 - 1 }, { wall: 1.5e12, boot: BOOT, mono: 77.25 });
  const later = Buffer.concat([ours.subarray(0, 76), Buffer.alloc(20, 7)]);
  later.writeUInt32LE(2, 8);
  later.writeUInt32LE(later.length, 12);
  later.writeUInt32LE(crc32c(later, 0, later.length - 4), later.length - 4);
  const cursor = { epoch: 3, freedThrough: 2 ** 40, lastSeq: 2 ** 53 - 1 };
  assert.deepEqual(tryDecodeCursor(later), { cursor, time: { wall: 1.5e12, boot: BOOT, mono: 77.25 } });
  const earlier = Buffer.concat([ours.subarray(0, 40), Buffer.alloc(8)]);
  earlier.writeUInt32LE(48, 12);
  earlier.writeUInt32LE(crc32c(earlier, 0, 44), 44);
  assert.deepEqual(tryDecodeCursor(earlier), { cursor, time: null });
});

test("a segment's name says what its header says, and names of others are none", () => {
  const identity = { number: 12, epoch: 3, salt: 0x0f1c22ab };
  assert.deepEqual(tryParseName("0000000012-3-0f1c22ab.seg"), identity);
  const header = { ...HEADER, ...identity, firstSeq: 2 ** 45, born: 1.5 };
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

test("nothing is set aside, written down as done or removed before its losses are known", async () => {
  const { disk } = await stored([numbered(1, 5), numbered(6, 10), numbered(11, 15)], new FakeDisk(), 450);
  const files = segmentFiles(disk);
  disk.plant(files[1]!, Buffer.alloc(disk.peek(files[1]!).length, 0xee));
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const beforeForget = () => {
    asked += 1;
    return promise;
  };
  await using journal = await open(disk, 450, testEnv(disk.mount()), PLAIN, { beforeForget });
  journal.free(5);
  const flushed = journal.flushCursor();
  await turn();
  assert.deepEqual([asked, segmentFiles(disk)], [1, files]);
  resolve();
  await flushed;
  assert.deepEqual([segmentFiles(disk), disk.files(DIRECTORY).includes(`${files[1]!}.damaged`)], [[files[2]], true]);
});

test("a folder where the journal wants a file is named, and no card is blamed", async () => {
  const disk = new FakeDisk();
  const refuse = (path: string) =>
    Object.assign(new Error("EISDIR: illegal operation"), { code: "EISDIR", path: `${path}.new`, dest: path });
  const mounted = disk.mount();
  const env = testEnv({
    ...mounted,
    rename: async (from, to) => (to.endsWith("/cursor") ? Promise.reject(refuse(to)) : mounted.rename(from, to)),
  });
  await assert.rejects(open(disk, 4096, env), {
    code: "JOURNAL_OPEN_FAILED",
    message: `journal ${DIRECTORY}: opening: ${DIRECTORY}/cursor is a folder where a file is wanted; move it away`,
  });
});

test("a torn tail whose first cut did not reach the disk is cut all the same, or it would be damage once something stands behind it", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new FakeDisk({ seed });
    {
      await using journal = await open(disk);
      await append(journal, numbered(1, 5));
    }
    const [path] = segmentFiles(disk);
    disk.plant(path!, Buffer.concat([disk.peek(path!), Buffer.alloc(300, 0xee)]));
    disk.faults.failDatasyncIn = 1; // the tail's, and the kernel forgets that it was to be cut
    {
      const journal = await open(disk);
      assert.equal(journal.recovery.tornBytes, 300);
      await append(journal, numbered(50, 51));
      disk.powerCut();
      await journal[Symbol.asyncDispose]();
    }
    await using again = await open(disk);
    assert.deepEqual([again.recovery.damaged, await seqsIn(again)], [[], [1, 2, 3, 4, 5, 50, 51]], `seed ${seed}`);
  }
});
