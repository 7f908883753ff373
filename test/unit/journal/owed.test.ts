// Segments that cannot be read for a while keep what they hold, also when everything after them was sent in between.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  DIRECTORY,
  ENCRYPTED,
  type Flavor,
  isExhaustive,
  numbered,
  openAs,
  PLAIN,
  readAll,
  segmentFiles,
  seqsIn,
} from "./harness.ts";

const OTHER: Flavor = { ...ENCRYPTED, name: "another key", key: Buffer.alloc(32, 99) };
const OWED = `${DIRECTORY}/owed`;
const seqs = (from: number, through: number) => numbered(from, through).map(({ seq }) => seq);

/** Segments of ten records each, in one life. */
async function filled(flavor: Flavor, count: number): Promise<FakeDisk> {
  const disk = new FakeDisk();
  await using journal = await openAs(flavor, disk, 500);
  for (let seq = 1; seq <= count * 10; seq += 10) await append(journal, numbered(seq, seq + 9));
  return disk;
}

/** Everything that can be read is sent and confirmed. */
async function sendAll(flavor: Flavor, disk: FakeDisk, more: number): Promise<void> {
  await using journal = await openAs(flavor, disk, 500);
  const next = journal.lastSeq + 1;
  await append(journal, numbered(next, next + more - 1));
  journal.free(journal.lastSeq);
}

test("what was sealed while later messages were sent is there when the key is back, with its numbers and its epoch", async () => {
  const disk = await filled(ENCRYPTED, 2);
  for (let life = 0; life < 3; life++) {
    await sendAll(OTHER, disk, 5);
    disk.powerCut();
  }
  assert.ok(disk.files(DIRECTORY).includes(OWED));
  {
    await using journal = await openAs(ENCRYPTED, disk, 500);
    assert.deepEqual(await seqsIn(journal), seqs(1, 20));
    assert.deepEqual(new Set((await readAll(journal)).map(({ epoch }) => epoch)), new Set([1]));
    assert.deepEqual([journal.records, journal.recovery.records, journal.firstSeq, journal.lastSeq], [20, 20, 1, 35]);
    assert.ok(!disk.files(DIRECTORY).includes(OWED));
    journal.free(10);
    await append(journal, numbered(36, 40));
  }
  disk.powerCut();
  await using journal = await openAs(ENCRYPTED, disk, 500);
  assert.deepEqual(await seqsIn(journal), [...seqs(11, 20), ...seqs(36, 40)]);
});

test("the same for a segment that the disk did not give out", async () => {
  const disk = await filled(PLAIN, 3);
  const [first] = segmentFiles(disk) as [string];
  disk.faults.isUnreadable = (path) => path === first;
  await sendAll(PLAIN, disk, 5);
  assert.deepEqual(segmentFiles(disk), [first]);
  disk.faults.isUnreadable = undefined;
  await using journal = await openAs(PLAIN, disk, 500);
  assert.deepEqual([await seqsIn(journal), journal.records], [seqs(1, 10), 10]);
});

test("cut at any call of the start that has the key again, nothing of it is lost", async () => {
  const template = await filled(ENCRYPTED, 1);
  await sendAll(OTHER, template, 5);
  for (let call = 1; call < 40; call += isExhaustive ? 1 : 2) {
    const disk = new FakeDisk({ seed: call });
    for (const path of template.files()) disk.plant(path, template.peek(path));
    disk.strikeAfter(call);
    const journal = await openAs(ENCRYPTED, disk, 500).catch(() => undefined);
    disk.strikeAfter(undefined);
    disk.powerCut();
    await journal?.[Symbol.asyncDispose]();
    await using again = await openAs(ENCRYPTED, disk, 500);
    assert.deepEqual(await seqsIn(again), seqs(1, 10), `struck at call ${call}`);
  }
});

test("a damaged list owes nothing, a card without room for one is no hindrance, and both go on", async () => {
  for (const spoil of [
    (disk: FakeDisk) => disk.rot(OWED, 3),
    (disk: FakeDisk) => disk.plant(OWED, Buffer.alloc(5, 0xff)),
    (disk: FakeDisk) => disk.plant(OWED, Buffer.alloc(0)),
    (disk: FakeDisk) => void (disk.totalBytes = disk.usedBytes),
    (disk: FakeDisk) => void (disk.faults.isUnreadable = (path) => path === OWED),
  ]) {
    const disk = await filled(ENCRYPTED, 1);
    await sendAll(OTHER, disk, 5);
    spoil(disk);
    await using journal = await openAs(ENCRYPTED, disk, 500);
    assert.ok([0, 10].includes((await seqsIn(journal)).length));
    assert.deepEqual(journal.recovery.foreign, []);
    assert.equal(journal.lastSeq, 15);
  }
});
