// A journal whose segments are encrypted, all or some, with a key that is there, lost, or another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recordSeq } from "#journal/record.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  COMPRESSED,
  DIRECTORY,
  ENCRYPTED,
  type Flavor,
  numbered,
  open,
  openAs,
  PLAIN,
  STRIDE,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

const OTHER: Flavor = { ...ENCRYPTED, name: "another key", key: Buffer.alloc(32, 99) };

async function lives(disk: FakeDisk, flavors: readonly Flavor[]): Promise<void> {
  for (const [index, flavor] of flavors.entries()) {
    await using journal = await openAs(flavor, disk);
    await append(journal, numbered(index * 10 + 1, index * 10 + 10));
  }
}

test("neither subject nor payload can be seen on the card, whatever was appended", async () => {
  const disk = new FakeDisk();
  await using journal = await openAs(ENCRYPTED, disk);
  await append(journal, [{ seq: 1, body: "plant.7.secret{}" }, ...numbered(2, 50)]);
  for (const path of disk.files(DIRECTORY)) {
    assert.ok(!disk.peek(path).includes("secret") && !disk.peek(path).includes("body"));
    assert.ok(!disk.peek(path).includes(ENCRYPTED.key!));
  }
});

test("two segments, and two journals of one key, never share a nonce: the same records look different each time", async () => {
  const bodies = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const disk = new FakeDisk();
    await using journal = await openAs(ENCRYPTED, disk, 100);
    await append(journal, numbered(1, 3));
    journal.free(3);
    await journal.flushCursor();
    await append(journal, numbered(4, 6));
    bodies.add(disk.peek(segmentFiles(disk)[0]!).toString("hex", 224 + 44));
  }
  assert.equal(bodies.size, 1, "the tests' entropy is the same each time");
  const disk = new FakeDisk();
  await using journal = await openAs(ENCRYPTED, disk, 100);
  for (let seq = 1; seq <= 30; seq += 3) await append(journal, [{ seq, body: "the same" }]);
  const sealed = segmentFiles(disk).map((path) => disk.peek(path).toString("hex", 224 + 44));
  assert.equal(new Set(sealed).size, 10);
});

test("plain segments are read when encryption is on, and encrypted ones stay encrypted beside plain ones", async () => {
  const disk = new FakeDisk();
  await lives(disk, [PLAIN, ENCRYPTED, COMPRESSED, ENCRYPTED]);
  await using journal = await openAs(ENCRYPTED, disk);
  assert.equal((await seqsIn(journal)).length, 40);
  assert.deepEqual(journal.recovery.sealed, []);
});

for (const [name, flavor] of [
  ["without its key", COMPRESSED],
  ["with another key", OTHER],
] as const) {
  test(`${name} an encrypted segment is left alone and reported, and is there again with the right one`, async () => {
    const disk = new FakeDisk();
    await lives(disk, [COMPRESSED, ENCRYPTED]);
    const sealed = segmentFiles(disk)[1]!;
    const before = disk.peek(sealed);
    {
      await using journal = await openAs(flavor, disk);
      assert.deepEqual(journal.recovery.sealed, [sealed.slice(DIRECTORY.length + 1)]);
      assert.deepEqual([await seqsIn(journal), journal.lastSeq], [numbered(1, 10).map(({ seq }) => seq), 20]);
      assert.deepEqual([journal.recovery.damaged, journal.recovery.quarantined, journal.recovery.tornBytes], [[], [], 0]);
      await append(journal, numbered(21, 25));
    }
    assert.deepEqual(disk.peek(sealed), before);
    await using journal = await openAs(ENCRYPTED, disk);
    const found = await seqsIn(journal);
    assert.deepEqual([found.slice(0, 20).at(-1), journal.recovery.sealed.length], [20, flavor === OTHER ? 1 : 0]);
    assert.equal(found.length, flavor === OTHER ? 20 : 25);
  });
}

test("a segment of any state is left alone without its key: cut off anywhere, flipped anywhere", async () => {
  const disk = new FakeDisk();
  await lives(disk, [ENCRYPTED]);
  const file = segmentFiles(disk)[0]!;
  const whole = disk.peek(file);
  for (let at = 0; at < whole.length; at += STRIDE) {
    const copy = new FakeDisk();
    for (const path of disk.files()) copy.plant(path, disk.peek(path));
    if (at % 2 === 0) copy.plant(file, whole.subarray(0, at));
    else copy.rot(file, at);
    await using journal = await openAs(OTHER, copy);
    assert.deepEqual(await seqsIn(journal), []);
    await append(journal, numbered(journal.lastSeq + 1, journal.lastSeq + 1));
    assert.ok(journal.lastSeq > 10);
  }
});

test("with encryption switched off what was encrypted is read, and what comes is plain, rewritten segments included", async () => {
  const disk = new FakeDisk();
  await lives(disk, [ENCRYPTED, ENCRYPTED]);
  await using journal = await open(
    disk,
    4096,
    testEnv(disk.mount()),
    { ...ENCRYPTED, packer: undefined },
    { isEncrypting: false },
  );
  assert.deepEqual(journal.recovery.sealed.length, 2, "compressed, and nothing to expand it with");
  await journal[Symbol.asyncDispose]();
  await using again = await open(disk, 4096, testEnv(disk.mount()), ENCRYPTED, { isEncrypting: false });
  await append(again, [{ seq: 100, body: "plainly seen" }]);
  const odd = (slab: Buffer, at: number) => recordSeq(slab, at) % 2 === 1;
  while ((await again.rewriteOldest(() => true, odd)) !== undefined);
  assert.deepEqual(await seqsIn(again), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 100]);
  const files = segmentFiles(disk).map((path) => disk.peek(path));
  assert.ok(files.at(-1)!.includes("plainly seen"));
  await again[Symbol.asyncDispose]();
  await using without = await openAs(COMPRESSED, disk);
  assert.deepEqual([without.recovery.sealed, (await seqsIn(without)).length], [[], 11]);
});

test("sealed segments take room and give it back: the oldest first, counted, whoever is the oldest", async () => {
  const disk = new FakeDisk();
  await lives(disk, [ENCRYPTED, ENCRYPTED]);
  const files = segmentFiles(disk);
  {
    await using journal = await openAs(COMPRESSED, disk);
    await append(journal, numbered(21, 25));
    const sizes = segmentFiles(disk).map((path) => disk.peek(path).length);
    assert.deepEqual([journal.bytes, journal.sealedBytes], [sizes[0]! + sizes[1]! + sizes[2]!, sizes[0]! + sizes[1]!]);
    assert.deepEqual([journal.records, journal.oldestTime], [5, 1010]);
    const doomed: unknown[] = [];
    assert.equal(await journal.dropOldest(async () => false), undefined, "not now");
    const dropped = await journal.dropOldest(async (each) => doomed.push(each) > 0);
    assert.deepEqual(dropped, { fromSeq: 1, throughSeq: 10, records: 10, bytes: sizes[0] });
    assert.deepEqual(doomed, [dropped]);
    assert.deepEqual(segmentFiles(disk).slice(0, 1), [files[1]]);
    assert.equal(journal.oldestTime, 1020);
  }
  await using journal = await openAs(COMPRESSED, disk);
  assert.equal((await journal.dropOldest())?.throughSeq, 20);
  assert.deepEqual([journal.sealedBytes, await seqsIn(journal)], [0, [21, 22, 23, 24, 25]]);
  assert.equal((await journal.dropOldest())?.throughSeq, 25);
  assert.deepEqual([await journal.dropOldest(), journal.bytes], [undefined, 0]);
});

test("of a sealed segment that was freed nothing is wanted any more, key or not", async () => {
  const disk = new FakeDisk();
  await lives(disk, [ENCRYPTED, ENCRYPTED]);
  const before = new FakeDisk();
  for (const path of disk.files()) before.plant(path, disk.peek(path));
  {
    await using journal = await openAs(ENCRYPTED, disk);
    journal.free(13);
    await journal.flushCursor();
  }
  for (const path of before.files().filter((each) => each.endsWith(".seg"))) disk.plant(path, before.peek(path));
  await using journal = await openAs(OTHER, disk);
  await journal.flushCursor();
  assert.equal(journal.recovery.sealed.length, 1);
  assert.equal(segmentFiles(disk).length, 1);
  const { length } = disk.peek(segmentFiles(disk)[0]!);
  assert.deepEqual(await journal.dropOldest(), { fromSeq: 14, throughSeq: 20, records: 7, bytes: length });
});
