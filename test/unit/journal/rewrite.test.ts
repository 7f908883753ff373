import assert from "node:assert/strict";
import { test } from "node:test";
import type { Journal } from "#journal/journal.ts";
import { recordSeq, recordTime } from "#journal/record.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { storedAs1 } from "./format-1-writer.ts";
import {
  append,
  BOOT,
  copyOf,
  DIRECTORY,
  FLAVORS,
  isExhaustive,
  numbered,
  open,
  openAs,
  readOn,
  recordsIn,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const all = () => true;
const odd = (slab: Buffer, at: number) => recordSeq(slab, at) % 2 === 1;
const seqs = (from: number, through: number, is: (seq: number) => boolean = () => true) =>
  Array.from({ length: through - from + 1 }, (_, index) => from + index).filter(is);

/** Segments of ten records each, `count` of them, the last one active. */
async function fill(journal: Journal, count: number): Promise<void> {
  for (let seq = 1; seq <= count * 10; seq += 10) await append(journal, numbered(seq, seq + 9));
}

for (const flavor of FLAVORS) {
  test(`the oldest segment is written anew without what is refused, counted exactly, and so it stays (${flavor.name})`, async () => {
    const disk = new FakeDisk();
    {
      await using journal = await openAs(flavor, disk, 600);
      await fill(journal, 4);
      journal.free(3);
      const { bytes } = journal;
      const files = segmentFiles(disk);
      const givenUp = await journal.rewriteOldest(all, odd);
      assert.deepEqual([givenUp?.fromSeq, givenUp?.throughSeq, givenUp?.records], [4, 10, 4]);
      assert.equal(bytes - journal.bytes, givenUp?.bytes);
      assert.deepEqual([journal.records, journal.firstSeq], [33, 5]);
      assert.deepEqual(await seqsIn(journal), [5, 7, 9, ...seqs(11, 40)]);
      assert.deepEqual(segmentFiles(disk).length, files.length);
      assert.ok(!disk.files(DIRECTORY).includes(files[0]!), "the old file is gone");
      assert.deepEqual((await journal.rewriteOldest(all, odd))?.records, 5);
      assert.deepEqual((await journal.rewriteOldest(all, odd))?.records, 5);
      assert.equal(await journal.rewriteOldest(all, odd), undefined, "not the active one, and none twice");
    }
    disk.powerCut();
    await using journal = await openAs(flavor, disk, 600);
    assert.deepEqual(await seqsIn(journal), [5, 7, 9, ...seqs(11, 30, (seq) => seq % 2 === 1), ...seqs(31, 40)]);
    assert.deepEqual([journal.records, journal.recovery.damaged, journal.recovery.foreign], [23, [], []]);
  });
}

test("only what is old enough is touched, by the time and the boot of its newest record; the rest is asked about its records", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600, { ...testEnv(disk.mount()), bootId: BOOT });
  await fill(journal, 3);
  const asked: unknown[] = [];
  const isOld = (newestTime: number, boot: string | null) => boot === BOOT && newestTime <= 1010;
  const keep = (slab: Buffer, at: number, epoch: number, boot: string | null) => {
    asked.push([recordSeq(slab, at), recordTime(slab, at), epoch, boot]);
    return true;
  };
  assert.equal((await journal.rewriteOldest(isOld, keep))?.records, 0);
  assert.deepEqual(
    asked,
    seqs(1, 10).map((seq) => [seq, 1000 + seq, 1, BOOT]),
  );
  assert.equal(await journal.rewriteOldest(isOld, keep), undefined);
  assert.deepEqual(await seqsIn(journal), seqs(1, 30));
});

test("a segment of which nothing is kept is removed, wherever it stands", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600);
  await fill(journal, 4);
  const none = (slab: Buffer, at: number) => recordSeq(slab, at) < 11 || recordSeq(slab, at) > 20;
  await journal.rewriteOldest(all, none);
  assert.equal((await journal.rewriteOldest(all, none))?.records, 10);
  assert.deepEqual([await seqsIn(journal), journal.records], [[...seqs(1, 10), ...seqs(21, 40)], 30]);
  disk.powerCut();
  await journal[Symbol.asyncDispose]();
  await using again = await open(disk, 600);
  assert.deepEqual([await seqsIn(again), again.recovery.damaged], [[...seqs(1, 10), ...seqs(21, 40)], []]);
});

test("a reader in the midst of the old file goes on correctly, with what it holds in its hands, too", async () => {
  for (const maxBytes of [1, 100, 1 << 20]) {
    await using journal = await open(new FakeDisk(), 600);
    await fill(journal, 3);
    const reader = journal.read(1);
    const first = recordsIn((await reader.next(100))!).map(({ seq }) => seq);
    assert.deepEqual(first, [1, 2]);
    while ((await journal.rewriteOldest(all, odd)) !== undefined);
    assert.deepEqual(
      (await readOn(reader, maxBytes)).map(({ seq }) => seq),
      [...seqs(3, 20, (seq) => seq % 2 === 1), ...seqs(21, 30)],
    );
  }
});

test("reading, appending, freeing and dropping go on while a segment is written anew, and counts stay exact", async () => {
  for (let turns = 0; turns < 60; turns += isExhaustive ? 1 : 4) {
    await using journal = await open(new FakeDisk(), 600);
    await fill(journal, 3);
    const reader = journal.read(1);
    const racing = journal.rewriteOldest(all, odd);
    for (let turn = 0; turn < turns; turn++) await undefined;
    const isDropping = turns % 3 === 0;
    const dropping = isDropping ? journal.dropOldest() : undefined;
    if (turns % 3 === 1) journal.free(4);
    if (turns % 3 === 2) journal.free(10);
    const appending = append(journal, numbered(31, 33));
    const givenUp = await racing;
    const dropped = await dropping;
    await appending;
    const left = (await readOn(reader)).map(({ seq }) => seq);
    assert.deepEqual(left, await seqsIn(journal));
    assert.equal(journal.records, left.length, `after ${turns} turns`);
    const kept = left.filter((seq) => seq <= 10).length;
    const given = givenUp?.records ?? 0;
    // Each of the first ten is freed, given up, dropped, or still there; what was freed in time is not given up.
    if (isDropping) assert.equal(given + dropped!.records + kept, 10);
    else if (turns % 3 === 1) assert.ok(kept === 3 && (given === 3 || given === 5), `${kept} kept, ${given} given up`);
    else assert.ok(kept === 0 && (given === 0 || given === 5), `${kept} kept, ${given} given up`);
  }
});

test("what is lost is told before it is", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600);
  await fill(journal, 2);
  const before = segmentFiles(disk);
  let told: unknown;
  const givenUp = await journal.rewriteOldest(all, odd, async (doomed) => {
    told = doomed;
    assert.deepEqual(segmentFiles(disk), before);
    return true;
  });
  assert.deepEqual(told, givenUp);
});

test("who is told of a loss may say no: nothing goes, and the segment comes again", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600);
  await fill(journal, 2);
  const before = segmentFiles(disk);
  const records = journal.records;
  const refused = await journal.rewriteOldest(all, odd, async () => false);
  assert.deepEqual([refused?.records, journal.records, segmentFiles(disk)], [0, records, before]);
  assert.equal(await journal.dropOldest(async () => false), undefined);
  assert.equal(journal.records, records);
  assert.ok(((await journal.rewriteOldest(all, odd))?.records ?? 0) > 0, "now it may");
});

test("a segment that was rewritten is looked at again when somebody says so", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600);
  await fill(journal, 2);
  const first = await journal.rewriteOldest(all, odd);
  assert.ok(first !== undefined && first.records > 0);
  const left = journal.records;
  while ((await journal.rewriteOldest(all, () => true)) !== undefined); // the others are looked at, too
  assert.equal(await journal.rewriteOldest(all, () => false), undefined);
  journal.reconsider(journal.firstSeq);
  const again = await journal.rewriteOldest(all, () => false);
  assert.ok(again !== undefined && again.records > 0);
  assert.equal(journal.records, left - again.records);
});

test("cut at any call, a rewriting leaves either all of the segment or what was kept of it", async () => {
  const outcomes = new Set<number>();
  for (let call = 1; call < 40; call += isExhaustive ? 1 : 3) {
    for (const kind of ["power", "kill"] as const) {
      const disk = new FakeDisk({ seed: call });
      const journal = await open(disk, 600);
      await fill(journal, 3);
      disk.strikeAfter(call, kind);
      await journal.rewriteOldest(all, odd).catch(() => undefined);
      disk.strikeAfter(undefined);
      disk.powerCut();
      await journal[Symbol.asyncDispose]();
      await using again = await open(disk, 600);
      const left = await seqsIn(again);
      assert.deepEqual(left.slice(-20), seqs(11, 30));
      assert.ok(left.length === 30 || left.length === 25, `${left.length} left after call ${call}`);
      outcomes.add(left.length);
      assert.deepEqual([again.records, again.recovery.damaged, again.recovery.foreign], [left.length, [], []]);
      await again.flushCursor();
      assert.ok(disk.files(DIRECTORY).length <= 5, "no copy is left over");
    }
  }
  assert.deepEqual(outcomes, new Set([25, 30]));
});

test("a disk that refuses leaves the old segment as it was, and the next one can be tried", async () => {
  for (const order of [
    (disk: FakeDisk) => void (disk.faults.failWriteIn = 2),
    (disk: FakeDisk) => void (disk.faults.failDatasyncIn = 1),
    (disk: FakeDisk) => void (disk.faults.failSyncDirectoryIn = 1),
    (disk: FakeDisk) => void (disk.totalBytes = disk.usedBytes + 300),
  ]) {
    const disk = new FakeDisk();
    await using journal = await open(disk, 600);
    await fill(journal, 3);
    order(disk);
    await assert.rejects(journal.rewriteOldest(all, odd), { name: "JournalError", message: /writing|putting/ });
    disk.totalBytes = 1 << 30;
    assert.deepEqual([await seqsIn(journal), journal.records], [seqs(1, 30), 30]);
    assert.equal((await journal.rewriteOldest(all, odd))?.fromSeq, 12);
    assert.equal(
      disk.files(DIRECTORY).some((path) => path.endsWith(".new")),
      false,
    );
  }
});

test("a segment with damage in it is left as it is: a copy would hide what is lost", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 900);
  await fill(journal, 4);
  const file = segmentFiles(disk)[0]!;
  disk.rot(file, 224 + 60);
  const before = disk.peek(file);
  assert.equal((await journal.rewriteOldest(all, odd))?.records, 0);
  assert.deepEqual(disk.peek(file), before);
});

test("of two files of one number the older generation counts, whichever name sorts first", async () => {
  const disk = new FakeDisk();
  const journal = await open(disk, 600);
  await fill(journal, 2);
  const before = copyOf(disk);
  await journal.rewriteOldest(all, odd);
  await journal[Symbol.asyncDispose]();
  const rewritten = segmentFiles(disk)[0]!;
  before.plant(rewritten, disk.peek(rewritten));
  assert.equal(segmentFiles(before).length, 3);
  await using again = await open(before, 600);
  assert.deepEqual(await seqsIn(again), seqs(1, 20));
  await again.flushCursor();
  assert.equal(segmentFiles(before).length, 2);
});

test("a segment of format 1 is written anew in format 2, its times still wall times", async () => {
  const { disk } = storedAs1([numbered(1, 10), numbered(11, 20)], new FakeDisk(), 600);
  {
    await using journal = await open(disk, 600, { ...testEnv(disk.mount()), bootId: BOOT });
    await append(journal, numbered(21, 30));
    assert.equal((await journal.rewriteOldest(all, odd))?.records, 5);
  }
  await using journal = await open(disk, 600);
  const reader = journal.read(1);
  const boots = new Map<number, string | null>();
  for (let batch = await reader.next(1); batch !== undefined; batch = await reader.next(1)) {
    boots.set(recordSeq(batch.slab, batch.start), batch.boot);
  }
  assert.deepEqual([...boots.keys()], [...seqs(1, 10, (seq) => seq % 2 === 1), ...seqs(11, 30)]);
  assert.deepEqual([boots.get(1), boots.get(11), boots.get(21)], [null, null, BOOT]);
});
