import assert from "node:assert/strict";
import { test } from "node:test";
import { inspectJournal } from "#journal/inspect.ts";
import { encodeHeader, inspectHeader, isHeaderOf, SEGMENT_START, tryParseName } from "#journal/segment-header.ts";
import { turn } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  COMPRESSED,
  copyOf,
  DIRECTORY,
  ENCRYPTED,
  FLAVORS,
  type Flavor,
  numbered,
  open,
  PLAIN,
  readAll,
  STRIDE,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const SPARE = `${DIRECTORY}/spare`;

function recycling(disk: FakeDisk, flavor: Flavor = PLAIN, segmentBytes = 4096, seed = 1) {
  return open(disk, segmentBytes, testEnv(disk.mount(), seed), flavor, { isRecycling: true });
}

/** A journal whose first segment, with records 1 … 20, is done with and waits to be overwritten. */
async function withSpare(disk = new FakeDisk(), flavor: Flavor = PLAIN) {
  const journal = await recycling(disk, flavor);
  await append(journal, numbered(1, 20));
  const was = segmentFiles(disk)[0]!;
  const old = disk.peek(was);
  journal.free(20);
  await journal.flushCursor();
  return { disk, journal, was, old };
}

function headerIn(disk: FakeDisk, path: string) {
  const finding = inspectHeader(disk.peek(path));
  assert.equal(finding.is, "ours");
  return finding.is === "ours" ? finding.header : assert.fail();
}

test("the file of a segment that is done with is overwritten in place by the next, and grows no more than that needs", async () => {
  const { disk, journal, was, old } = await withSpare();
  assert.deepEqual([segmentFiles(disk), journal.bytes, journal.spareBytes], [[], 0, old.length]);
  assert.deepEqual(disk.peek(SPARE), old);
  await append(journal, numbered(21, 25));
  const [now] = segmentFiles(disk);
  assert.notEqual(now, was);
  assert.equal(disk.peek(now!).length, old.length);
  assert.deepEqual(disk.peek(now!).subarray(journal.bytes), old.subarray(journal.bytes), "behind its records is what was there");
  assert.deepEqual([journal.bytes + journal.spareBytes, headerIn(disk, now!).staleBytes], [old.length, old.length]);
  await append(journal, numbered(26, 60));
  assert.deepEqual([await seqsIn(journal), journal.spareBytes], [numbered(21, 60).map(({ seq }) => seq), 0]);
  await journal[Symbol.asyncDispose]();
});

test("without being told to, a journal keeps no file", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk);
  await append(journal, numbered(1, 20));
  journal.free(20);
  await journal.flushCursor();
  assert.deepEqual([disk.files(DIRECTORY).filter((path) => !/cursor|epoch/.test(path)), journal.spareBytes], [[], 0]);
});

test("a segment that is full, and one that is closed with records, is cut where they end", async () => {
  const { disk, journal } = await withSpare();
  await append(journal, numbered(21, 22));
  await append(journal, numbered(23, 24, 3600)); // into a segment of its own
  const [first, second] = segmentFiles(disk);
  assert.ok(second !== undefined);
  const { segments } = await inspectJournal(disk, DIRECTORY);
  assert.deepEqual(
    segments.map(({ is, records, fileBytes }) => [is, records, fileBytes]),
    [
      ["fine", 2, disk.peek(first!).length],
      ["fine", 2, disk.peek(second).length],
    ],
  );
  assert.ok(disk.peek(first!).length < 400, "cut off");
  await journal[Symbol.asyncDispose]();
  const other = await withSpare();
  await append(other.journal, numbered(21, 22));
  await other.journal[Symbol.asyncDispose]();
  assert.ok(other.disk.peek(segmentFiles(other.disk)[0]!).length < 400);
  assert.deepEqual(
    other.disk.files(DIRECTORY).filter((path) => path === SPARE),
    [],
  );
});

test("a spare does not outlive its process: the next start removes it, and reports nothing", async () => {
  const { disk, journal } = await withSpare();
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  assert.ok(disk.files(DIRECTORY).includes(SPARE));
  await using again = await recycling(disk);
  assert.ok(!disk.files(DIRECTORY).includes(SPARE));
  const { records, damaged, foreign, tornBytes } = again.recovery;
  assert.deepEqual([records, damaged, foreign, tornBytes], [0, [], [], 0]);
});

test("after a kill, what an earlier life left behind the records is neither read nor reported, and cut off", async () => {
  for (const flavor of FLAVORS) {
    const { disk, journal } = await withSpare(new FakeDisk(), flavor);
    await append(journal, numbered(21, 23));
    disk.killProcess();
    await journal[Symbol.asyncDispose]();
    const [path] = segmentFiles(disk);
    const before = disk.peek(path!).length;
    await using again = await recycling(disk, flavor);
    const { damaged, tornBytes, records } = again.recovery;
    assert.deepEqual([damaged, tornBytes, records, await seqsIn(again)], [[], 0, 3, [21, 22, 23]], flavor.name);
    assert.ok(disk.peek(path!).length < before, flavor.name);
  }
});

test("old records are not taken for new ones where a write over them was torn, wherever it was cut", async () => {
  for (const flavor of [PLAIN, COMPRESSED, ENCRYPTED]) {
    const { disk, journal, old } = await withSpare(new FakeDisk(), flavor);
    await append(journal, numbered(21, 23));
    const committed = journal.bytes;
    await append(journal, numbered(24, 40));
    const written = journal.bytes;
    const [path] = segmentFiles(disk);
    const all = disk.peek(path!);
    disk.killProcess();
    await journal[Symbol.asyncDispose]();
    for (let cut = committed; cut < written; cut += STRIDE) {
      // From here on the disk has what was there before; or the other way round, only the end was written.
      for (const isTail of [false, true]) {
        const torn = copyOf(disk);
        const bytes = Buffer.from(all);
        const [from, to] = isTail ? [committed, cut] : [cut, written];
        bytes.fill(0, from, to);
        if (from < old.length) old.copy(bytes, from, from, Math.min(to, old.length));
        if (bytes.equals(all)) continue;
        torn.plant(path!, bytes);
        await using again = await recycling(torn, flavor);
        const seqs = await seqsIn(again);
        assert.deepEqual(seqs.slice(0, 3), [21, 22, 23], `${flavor.name}, cut at ${cut}`);
        assert.ok(seqs.length === 3 || (isTail && cut === committed), `${flavor.name}, cut at ${cut}: ${seqs.join(" ")}`);
        assert.deepEqual(again.recovery.damaged, []);
      }
    }
  }
});

test("a flipped bit in what is left of an earlier life harms nobody, and one in the records costs their group", async () => {
  const { disk, journal } = await withSpare();
  for (const first of [21, 22, 23]) await append(journal, numbered(first, first));
  const end = journal.bytes;
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  const [path] = segmentFiles(disk);
  const all = disk.peek(path!);
  for (let at = SEGMENT_START; at < all.length; at += STRIDE) {
    const rotten = copyOf(disk);
    const bytes = Buffer.from(all);
    bytes[at]! ^= 1 << (at % 8);
    rotten.plant(path!, bytes);
    await using again = await recycling(rotten);
    const stored = await readAll(again);
    assert.ok(stored.every(({ seq, body }) => body.startsWith(`body ${seq} `) && seq > 20));
    if (at >= end) assert.deepEqual([stored.length, again.recovery.damaged], [3, []], `byte ${at}`);
    else assert.equal(stored.length, 2, `byte ${at}`);
  }
});

test("a file that got its new name and nothing more was never begun: it goes, and the segment before it is the newest", async () => {
  const { disk, journal, old } = await withSpare();
  await append(journal, numbered(21, 30));
  await append(journal, numbered(31, 32));
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  const [path] = segmentFiles(disk);
  const unborn = `${DIRECTORY}/0000000009-1-12345678.seg`;
  for (const bytes of [old, Buffer.concat([old.subarray(0, SEGMENT_START), disk.peek(path!).subarray(SEGMENT_START)])]) {
    const found = copyOf(disk);
    found.plant(unborn, bytes);
    await using again = await recycling(found);
    assert.deepEqual(
      await seqsIn(again),
      numbered(21, 32).map(({ seq }) => seq),
    );
    const { damaged, quarantined, unreadable, tornBytes } = again.recovery;
    assert.deepEqual([damaged, quarantined, unreadable, tornBytes], [[], [], [], 0]);
    assert.ok(!found.files(DIRECTORY).includes(unborn));
    await append(again, numbered(33, 33));
    assert.ok(segmentFiles(found).at(-1)! > unborn, "its number is not given again");
  }
  const identity = tryParseName("0000000009-1-12345678.seg")!;
  assert.ok(!isHeaderOf(headerIn(disk, path!), identity));
});

test("a file that was never begun in the midst of others is no damage", async () => {
  const { disk, journal, old } = await withSpare();
  await append(journal, numbered(21, 22));
  await append(journal, numbered(23, 24, 3600));
  await journal[Symbol.asyncDispose]();
  const [first, second] = segmentFiles(disk);
  const later = tryParseName(second!.slice(DIRECTORY.length + 1))!;
  const between = `${DIRECTORY}/${String(later.number).padStart(10, "0")}-1-00000000.seg`;
  assert.ok(between > first! && between < second!);
  disk.plant(between, old);
  await using again = await recycling(disk);
  assert.deepEqual([await seqsIn(again), again.recovery.damaged], [[21, 22, 23, 24], []]);
  assert.ok(!disk.files(DIRECTORY).includes(between));
});

test("the folder is synced before the first byte of a file is overwritten: its old name cannot come back over new bytes", async () => {
  const { disk, journal } = await withSpare();
  disk.faults.failSyncDirectoryIn = 1;
  await assert.rejects(append(journal, numbered(21, 21)));
  assert.deepEqual([segmentFiles(disk), disk.files(DIRECTORY).includes(SPARE), journal.spareBytes], [[], false, 0]);
  await append(journal, numbered(21, 21));
  assert.deepEqual([headerIn(disk, segmentFiles(disk)[0]!).staleBytes, await seqsIn(journal)], [0, [21]]);
  await journal[Symbol.asyncDispose]();
});

test("what the cursor does not say yet is removed, not kept", async () => {
  const disk = new FakeDisk();
  await using journal = await recycling(disk, PLAIN, 450);
  await append(journal, numbered(1, 5));
  await append(journal, numbered(6, 10));
  disk.faults.failDatasyncIn = 1; // the cursor's
  journal.free(5);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual([segmentFiles(disk).length, journal.spareBytes], [1, 0]);
});

test("the longest file is kept, and none that held one large append only", async () => {
  const disk = new FakeDisk();
  await using journal = await recycling(disk, PLAIN, 1000);
  await append(journal, numbered(1, 20));
  await append(journal, numbered(21, 25));
  await append(journal, numbered(26, 27, 2500));
  await append(journal, numbered(28, 28));
  const lengths = segmentFiles(disk)
    .map((path) => disk.peek(path).length)
    .slice(0, -1);
  assert.ok(lengths.at(-1)! > 2000);
  journal.free(27);
  await journal.flushCursor();
  assert.equal(journal.spareBytes, Math.max(...lengths.slice(0, -1)));
});

test("room that is wanted back comes from the spare and from behind the records, and no record is touched", async () => {
  const { disk, journal, old } = await withSpare();
  assert.equal(await journal.giveUpSpare(), old.length);
  assert.deepEqual([journal.spareBytes, disk.files(DIRECTORY).includes(SPARE)], [0, false]);
  assert.equal(await journal.giveUpSpare(), 0);
  await journal[Symbol.asyncDispose]();
  const other = await withSpare();
  await append(other.journal, numbered(21, 22));
  const { bytes, spareBytes } = other.journal;
  assert.equal(await other.journal.giveUpSpare(), spareBytes);
  assert.deepEqual([other.journal.spareBytes, other.disk.peek(segmentFiles(other.disk)[0]!).length], [0, bytes]);
  await append(other.journal, numbered(23, 24));
  assert.deepEqual(await seqsIn(other.journal), [21, 22, 23, 24]);
  await other.journal[Symbol.asyncDispose]();
});

test("what is dropped for want of room is not kept", async () => {
  const disk = new FakeDisk();
  await using journal = await recycling(disk, PLAIN, 450);
  for (const first of [1, 6, 11]) await append(journal, numbered(first, first + 4));
  await journal.dropOldest();
  assert.deepEqual([segmentFiles(disk).length, journal.spareBytes], [2, 0]);
});

test("where records are encrypted, no file of an earlier life that may be plain is kept", async () => {
  const disk = new FakeDisk();
  {
    await using plain = await open(disk, 4096, testEnv(disk.mount()), PLAIN);
    await append(plain, numbered(1, 20));
  }
  await using journal = await recycling(disk, ENCRYPTED);
  journal.free(20);
  await turn();
  await journal.flushCursor();
  assert.deepEqual([journal.spareBytes, segmentFiles(disk)], [0, []]);
  await append(journal, numbered(21, 30));
  journal.free(30);
  await journal.flushCursor();
  assert.ok(journal.spareBytes > 0, "its own it keeps");
});

test("a sealed segment in an old file opens for a version that knows nothing of old files", async () => {
  const { disk, journal } = await withSpare(new FakeDisk(), ENCRYPTED);
  await append(journal, numbered(21, 22));
  await journal[Symbol.asyncDispose]();
  const [path] = segmentFiles(disk);
  const header = headerIn(disk, path!);
  assert.ok(header.staleBytes > 0);
  const bytes = disk.peek(path!);
  encodeHeader({ ...header, staleBytes: 0 }).copy(bytes); // as such a version reads it, and makes the key from
  disk.plant(path!, bytes);
  await using again = await recycling(disk, ENCRYPTED);
  assert.deepEqual(await seqsIn(again), [21, 22]);
});

test("a look at a journal beside its spoke sees neither spare nor old records", async () => {
  const { disk, journal } = await withSpare();
  assert.deepEqual((await inspectJournal(disk, DIRECTORY)).others, []);
  await append(journal, numbered(21, 22));
  const { segments, damaged, tailBytes } = await inspectJournal(disk, DIRECTORY);
  assert.deepEqual(
    segments.map(({ is, records }) => [is, records]),
    [["fine", 2]],
  );
  assert.deepEqual([damaged, tailBytes], [[], 0]);
  await journal[Symbol.asyncDispose]();
});

test("a reader in the midst of a segment that is freed and overwritten tells of no damage", async () => {
  const disk = new FakeDisk();
  await using journal = await recycling(disk, PLAIN, 450);
  for (const first of [1, 6, 11]) await append(journal, numbered(first, first + 4));
  const reader = journal.read(1);
  const reading = reader.next(1 << 20);
  journal.free(5);
  await Promise.all([journal.flushCursor(), append(journal, numbered(16, 20))]);
  await reading;
  for (let batch = await reader.next(1 << 20); batch !== undefined; batch = await reader.next(1 << 20));
  assert.deepEqual(journal.damaged, []);
});
