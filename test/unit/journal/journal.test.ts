import assert from "node:assert/strict";
import { test } from "node:test";
import { GROUP_BYTES_MAX, GROUP_HEADER_BYTES } from "#journal/group.ts";
import { inspectJournal } from "#journal/inspect.ts";
import { SEGMENT_BYTES_DEFAULT } from "#journal/journal.ts";
import { RECORD_HEADER_BYTES } from "#journal/record.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  BOOT,
  DIRECTORY,
  layOut,
  numbered,
  open,
  PLAIN,
  readAll,
  readOn,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const ABORT = new AbortController();

test("an empty journal has no records, no first and no last, and its first start is epoch 1", async () => {
  await using journal = await open(new FakeDisk());
  assert.deepEqual(
    [journal.records, journal.bytes, journal.firstSeq, journal.lastSeq, journal.oldestTime],
    [0, 0, 1, 0, undefined],
  );
  assert.equal(journal.epoch, 1);
  assert.deepEqual(await readAll(journal), []);
  assert.equal(await journal.dropOldest(), undefined);
});

test("what was appended is read back, with its times and its epoch, also after a restart", async () => {
  const disk = new FakeDisk();
  {
    await using journal = await open(disk);
    await append(journal, [
      { seq: 3, body: "three", time: 333.25 },
      { seq: 7, body: "", time: 777 },
    ]);
    assert.deepEqual([journal.records, journal.firstSeq, journal.lastSeq, journal.oldestTime], [2, 3, 7, 777]);
  }
  await using journal = await open(disk);
  await append(journal, [{ seq: 8, body: "eight", time: 1 }]);
  assert.deepEqual(await readAll(journal), [
    { seq: 3, time: 333.25, epoch: 1, body: "three" },
    { seq: 7, time: 777, epoch: 1, body: "" },
    { seq: 8, time: 1, epoch: 2, body: "eight" },
  ]);
  assert.deepEqual([journal.records, journal.firstSeq, journal.lastSeq], [3, 3, 8]);
});

test("an append is one write and one fdatasync; only a new segment costs a folder sync and a header", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, SEGMENT_BYTES_DEFAULT);
  await append(journal, numbered(1, 10));
  const before = { ...disk.counters };
  const { slab, end, count } = layOut(numbered(11, 1010, 120));
  await journal.append(slab, 0, end, count);
  const { writes, writtenBytes, datasyncs, directorySyncs } = disk.counters;
  assert.deepEqual([writes - before.writes, datasyncs - before.datasyncs, directorySyncs - before.directorySyncs], [1, 1, 0]);
  const perGroup = Math.floor(GROUP_BYTES_MAX / (120 + RECORD_HEADER_BYTES));
  const groups = Math.ceil(1000 / perGroup);
  const written = writtenBytes - before.writtenBytes;
  const packed = 1000 * (120 + 2); // a byte of length and one of time beside each body
  assert.ok(
    written >= packed + groups * GROUP_HEADER_BYTES && written <= packed + groups * (GROUP_HEADER_BYTES + 2),
    `${written}`,
  );
});

test("freeing what was never stored touches the disk neither then nor later", async () => {
  const disk = new FakeDisk();
  const env = testEnv(disk.mount());
  await using journal = await open(disk, 4096, env);
  const { calls } = disk.counters;
  for (let seq = 1; seq <= 1000; seq++) journal.free(seq);
  await env.clock.pass(3_600_000);
  assert.equal(disk.counters.calls, calls);
  assert.equal(env.clock.pending, 0);
  assert.equal(journal.firstSeq, 1001);
  assert.equal(journal.lastSeq, 1000, "numbers freed are numbers used");
});

test("a full segment makes room for a new one, and a group larger than a segment has one to itself", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 1100);
  await append(journal, numbered(1, 10));
  await append(journal, numbered(11, 20));
  assert.equal(segmentFiles(disk).length, 1);
  await append(journal, numbered(21, 30));
  assert.equal(segmentFiles(disk).length, 2);
  await append(journal, [{ seq: 31, body: "x".repeat(50_000) }]);
  await append(journal, numbered(32, 32));
  assert.equal(segmentFiles(disk).length, 4);
  assert.deepEqual(
    await seqsIn(journal),
    Array.from({ length: 32 }, (_, index) => index + 1),
  );
  assert.equal(
    journal.bytes,
    disk.files(DIRECTORY).reduce((sum, path) => sum + (path.endsWith(".seg") ? disk.peek(path).length : 0), 0),
  );
});

test("segments are removed as soon as all of them is freed, after the cursor was written", async () => {
  const disk = new FakeDisk();
  const env = testEnv(disk.mount());
  await using journal = await open(disk, 1000, env);
  for (let seq = 1; seq <= 100; seq += 10) await append(journal, numbered(seq, seq + 9));
  const files = segmentFiles(disk);
  assert.ok(files.length >= 4);
  journal.free(60);
  assert.equal(journal.records, 40);
  assert.equal(journal.firstSeq, 61);
  await journal.flushCursor();
  assert.ok(segmentFiles(disk).length < files.length);
  assert.deepEqual(
    await seqsIn(journal),
    Array.from({ length: 40 }, (_, index) => index + 61),
  );
  disk.powerCut();
  await using again = await open(disk, 1000);
  assert.deepEqual([again.firstSeq, again.records, again.recovery.records], [61, 40, 40]);
});

test("when everything is freed the card empties: at the cursor's turn, when asked, and at the end", async () => {
  for (const end of ["clock", "flush", "dispose"]) {
    const disk = new FakeDisk();
    const env = testEnv(disk.mount());
    await using journal = await open(disk, 4096, env);
    await append(journal, numbered(1, 10));
    journal.free(10);
    assert.deepEqual([journal.records, journal.firstSeq, journal.oldestTime], [0, 11, undefined]);
    if (end === "clock") await env.clock.pass(30_000);
    if (end === "flush") await journal.flushCursor();
    if (end === "dispose") await journal[Symbol.asyncDispose]();
    assert.deepEqual(segmentFiles(disk), [], end);
    assert.equal(journal.bytes, 0);
  }
});

test("the cursor is written at most every thirty seconds while segments are freed in part", async () => {
  const disk = new FakeDisk();
  const env = testEnv(disk.mount());
  await using journal = await open(disk, 1 << 20, env);
  await append(journal, numbered(1, 1000));
  const { writes } = disk.counters;
  for (let seq = 1; seq <= 600; seq++) {
    journal.free(seq);
    await env.clock.pass(100);
  }
  assert.equal(disk.counters.writes - writes, 2);
});

test("a freed group that is still being written counts as freed when it is durable", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk);
  const appended = append(journal, numbered(1, 10));
  journal.free(10);
  await appended;
  assert.deepEqual([journal.records, journal.firstSeq, journal.lastSeq], [0, 11, 10]);
  assert.deepEqual(await readAll(journal), []);
  await append(journal, numbered(11, 12));
  assert.deepEqual(await seqsIn(journal), [11, 12]);
});

test("numbers are not used again, even if everything stored was freed and the power cut", async () => {
  const disk = new FakeDisk();
  {
    await using journal = await open(disk);
    await append(journal, numbered(1, 50));
    journal.free(80);
  }
  disk.powerCut();
  await using journal = await open(disk);
  assert.equal(journal.lastSeq, 80);
  assert.equal(journal.firstSeq, 81);
});

test("dropOldest gives up the oldest segment and says exactly what was lost, gaps and half-freed segments included", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 600);
  const gapped = (from: number) => numbered(from, from + 9).filter(({ seq }) => seq % 10 !== 4 && seq % 10 !== 5);
  for (let seq = 1; seq <= 60; seq += 10) await append(journal, gapped(seq));
  const oldest = segmentFiles(disk)[0]!;
  const size = disk.peek(oldest).length;
  journal.free(5);
  assert.ok(Math.abs(journal.records - 45) <= 2, `about 45, not ${journal.records}`);
  assert.deepEqual(await journal.dropOldest(), { fromSeq: 6, throughSeq: 10, records: 5, bytes: size });
  assert.equal(disk.files(DIRECTORY).includes(oldest), false);
  assert.equal(journal.records, 40);
  assert.deepEqual(await journal.dropOldest(), { fromSeq: 11, throughSeq: 20, records: 8, bytes: size });
  assert.equal((await readAll(journal))[0]?.seq, 21);
  for (let left = 4; left > 0; left--) assert.equal((await journal.dropOldest())?.records, 8);
  assert.equal(await journal.dropOldest(), undefined);
  assert.deepEqual([journal.records, journal.bytes, journal.lastSeq, segmentFiles(disk).length], [0, 0, 60, 0]);
  await append(journal, gapped(61));
  assert.equal((await readAll(journal)).length, 8);
});

test("what was dropped stays dropped after a power cut", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const disk = new FakeDisk({ seed });
    const journal = await open(disk, 500);
    for (let seq = 1; seq <= 40; seq += 10) await append(journal, numbered(seq, seq + 9));
    await journal.dropOldest();
    disk.powerCut();
    await journal[Symbol.asyncDispose]();
    await using again = await open(disk, 500);
    assert.deepEqual([again.firstSeq, again.lastSeq], [11, 40]);
  }
});

test("the oldest time is the newest of the oldest segment", async () => {
  await using journal = await open(new FakeDisk(), 200);
  await append(journal, [
    { seq: 1, body: "x".repeat(50), time: 500 },
    { seq: 2, body: "x".repeat(50), time: 300 },
  ]);
  await append(journal, [{ seq: 3, body: "x".repeat(90), time: 100 }]);
  assert.equal(journal.oldestTime, 500);
  journal.free(2);
  assert.equal(journal.oldestTime, 100);
});

test("appends asked for at once are done one after the other, in order", async () => {
  await using journal = await open(new FakeDisk());
  await Promise.all([append(journal, numbered(1, 3)), append(journal, numbered(4, 5)), append(journal, numbered(6, 9))]);
  assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("an append whose signal is aborted while it waits appends nothing", async () => {
  await using journal = await open(new FakeDisk());
  ABORT.abort(new Error("never mind"));
  const first = append(journal, numbered(1, 3));
  await assert.rejects(append(journal, numbered(4, 5), ABORT.signal), /never mind/);
  await first;
  assert.equal(journal.lastSeq, 3);
});

test("an append that breaks its promises is a bug, and is told so before anything is written", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk);
  await append(journal, numbered(1, 5));
  const { writes } = disk.counters;
  const { slab, end } = layOut(numbered(6, 7));
  await assert.rejects(append(journal, numbered(5, 6)), { name: "AssertionError", message: /seq 5 after 5/ });
  await assert.rejects(append(journal, [...numbered(8, 8), ...numbered(7, 7)]), { name: "AssertionError" });
  await assert.rejects(journal.append(slab, 0, end, 3), { name: "AssertionError", message: /2|3/ });
  await assert.rejects(journal.append(slab, 0, end - 1, 2), { name: "AssertionError" });
  await assert.rejects(journal.append(slab, 0, 0, 0), { name: "AssertionError" });
  assert.equal(disk.counters.writes, writes);
  await append(journal, numbered(6, 7));
});

test("closing finishes the append under way, closes twice in peace, and leaves no timer", async () => {
  const disk = new FakeDisk();
  const env = testEnv(disk.mount());
  const journal = await open(disk, 4096, env);
  const appended = append(journal, numbered(1, 5));
  const reader = journal.read(1);
  const closed = Promise.all([journal[Symbol.asyncDispose](), journal[Symbol.asyncDispose]()]);
  await assert.rejects(append(journal, numbered(6, 7)), { code: "JOURNAL_CLOSED" });
  await assert.rejects(journal.dropOldest(), { code: "JOURNAL_CLOSED" });
  await assert.rejects(journal.flushCursor(), { code: "JOURNAL_CLOSED" });
  await assert.rejects(reader.next(100), { code: "JOURNAL_CLOSED" });
  await appended;
  await closed;
  journal.free(5);
  assert.equal(env.clock.pending, 0);
  await using again = await open(disk);
  assert.equal(again.records, 5);
});

test("records tell which boot their times are of, and a start tells when the last life wrote its cursor for the last time", async () => {
  const disk = new FakeDisk();
  const boots = [BOOT, BOOT.replace("0", "f")];
  const live = (life: number) => open(disk, 4096, { ...testEnv(disk.mount()), ...(life < 2 ? { bootId: boots[life]! } : {}) });
  {
    await using journal = await live(0);
    assert.deepEqual([journal.recovery.cursorTime, journal.oldestBoot], [null, null]);
    await append(journal, [{ seq: 1, body: "one", time: 12_345.5 }]);
    assert.deepEqual([journal.oldestTime, journal.oldestBoot], [12_345.5, BOOT]);
  }
  {
    const env = { ...testEnv(disk.mount()), bootId: boots[1]! };
    await env.clock.pass(86_400_000);
    await using journal = await open(disk, 4096, env);
    assert.equal(journal.recovery.cursorTime?.boot, BOOT);
    await append(journal, [{ seq: 2, body: "two", time: 17 }]);
    await env.clock.pass(1000);
    journal.free(1);
    await journal.flushCursor();
    const again = await inspectJournal(disk.mount(), DIRECTORY);
    assert.deepEqual(again.cursorTime, { wall: env.clock.wall(), boot: boots[1], mono: env.clock.now() });
  }
  await using journal = await live(2);
  assert.equal(journal.recovery.cursorTime?.boot, boots[1]);
  await append(journal, [{ seq: 3, body: "three", time: 1.7e12 }]);
  const reader = journal.read(1);
  const found = [];
  for (let batch = await reader.next(1); batch !== undefined; batch = await reader.next(1)) found.push(batch.boot);
  assert.deepEqual(found, [boots[1], null]);
});

test("a segment takes no more records than it may, and an append of very many stands in several, all of it or nothing", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 1 << 20, testEnv(disk.mount()), PLAIN, { segmentRecords: 10 });
  for (let seq = 1; seq <= 30; seq += 4) await append(journal, numbered(seq, seq + 3));
  assert.equal(segmentFiles(disk).length, 4, "two appends of four each");
  assert.equal((await journal.dropOldest())?.records, 8);
  const before = segmentFiles(disk);
  for (const nth of [1, 2, 3, 4, 5, 6]) {
    disk.faults.failWriteIn = nth; // headers of segments are written, too
    await assert.rejects(append(journal, numbered(33, 150)), { code: "JOURNAL_APPEND_FAILED" });
    assert.deepEqual([segmentFiles(disk), journal.lastSeq, journal.records], [before, 32, 24]);
  }
  const reader = journal.read(30);
  await append(journal, numbered(33, 150));
  assert.deepEqual(
    (await readOn(reader)).map(({ seq }) => seq),
    numbered(30, 150).map(({ seq }) => seq),
  );
  assert.equal(journal.records, 142);
  const drops: number[] = [];
  for (let dropped = await journal.dropOldest(); dropped !== undefined; dropped = await journal.dropOldest())
    drops.push(dropped.records);
  assert.deepEqual(drops, [8, 8, 8, 40, 40, 38]);
});

test("a disk that is read-only gives no room back: nothing is dropped on it, or it would come back", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 450);
  for (const first of [1, 6, 11]) await append(journal, numbered(first, first + 4));
  let asked = 0;
  const onDoomed = async () => {
    asked += 1;
    return true;
  };
  disk.faults.isReadOnly = true;
  assert.deepEqual([await journal.dropOldest(onDoomed), asked, journal.records], [undefined, 0, 15]);
  disk.faults.isReadOnly = false;
  assert.equal((await journal.dropOldest(onDoomed))?.records, 5);
});
