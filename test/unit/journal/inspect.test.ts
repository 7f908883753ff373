import assert from "node:assert/strict";
import { test } from "node:test";
import { inspectJournal } from "#journal/inspect.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import {
  append,
  BOOT,
  DIRECTORY,
  ENCRYPTED,
  FLAVORS,
  type Flavor,
  numbered,
  open,
  openAs,
  recordsIn,
  segmentFiles,
  testEnv,
} from "./harness.ts";

const inspect = (disk: FakeDisk, { key, packer }: Flavor) =>
  inspectJournal(disk.mount(), DIRECTORY, { key, ...(packer === undefined ? {} : { packer }) });

async function seqsOf(inspection: Awaited<ReturnType<typeof inspect>>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const batch of inspection.records()) seqs.push(...recordsIn(batch).map(({ seq }) => seq));
  return seqs;
}

for (const flavor of FLAVORS) {
  test(`what a journal holds is told while it is open, and nothing is changed (${flavor.name})`, async () => {
    const disk = new FakeDisk();
    await using journal = await open(disk, 700, { ...testEnv(disk.mount()), bootId: BOOT }, flavor);
    for (let seq = 1; seq <= 50; seq += 10) await append(journal, numbered(seq, seq + 9));
    journal.free(13);
    await journal.flushCursor();
    const before = disk.files().map((path) => [path, disk.peek(path).toString("hex")]);
    const found = await inspect(disk, flavor);
    assert.deepEqual([found.epoch, found.freedThrough, found.damaged, found.tailBytes, found.others], [1, 13, [], 0, []]);
    assert.deepEqual(found.cursorTime?.boot, BOOT);
    assert.deepEqual(
      found.segments
        .map(({ is, live, boot, version }) => [is, live, boot, version])
        .at(0)
        ?.slice(0, 1),
      ["fine"],
    );
    assert.equal(
      found.segments.reduce((sum, { live }) => sum + live, 0),
      37,
    );
    assert.ok(found.segments.every(({ boot, version, epoch }) => boot === BOOT && version === 2 && epoch === 1));
    assert.deepEqual(
      await seqsOf(found),
      numbered(14, 50).map(({ seq }) => seq),
    );
    assert.deepEqual(
      disk.files().map((path) => [path, disk.peek(path).toString("hex")]),
      before,
    );
  });
}

test("segments that vanish, grow or are half written under its eyes do not disturb it", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 700);
  for (let seq = 1; seq <= 50; seq += 10) await append(journal, numbered(seq, seq + 9));
  const newest = segmentFiles(disk).at(-1)!;
  disk.plant(`${newest.slice(0, -4)}.txt`, Buffer.from("a note"));
  const found = await inspect(disk, FLAVORS[0]);
  const first = (await journal.dropOldest())!.throughSeq;
  await append(journal, numbered(51, 52));
  assert.deepEqual(
    await seqsOf(found),
    numbered(first + 1, 50).map(({ seq }) => seq),
  );
  assert.equal(found.others.length, 1);
  const torn = new FakeDisk();
  for (const path of disk.files()) torn.plant(path, disk.peek(path));
  torn.plant(newest, Buffer.concat([disk.peek(newest), Buffer.alloc(77, 1)]));
  const again = await inspect(torn, FLAVORS[0]);
  assert.deepEqual([again.tailBytes, again.damaged], [77, []]);
});

test("rot, other keys and later versions are told, and an empty folder is empty", async () => {
  const disk = new FakeDisk();
  {
    await using journal = await openAs(ENCRYPTED, disk, 500);
    for (let seq = 1; seq <= 30; seq += 10) await append(journal, numbered(seq, seq + 9));
  }
  const files = segmentFiles(disk);
  const sealed = await inspect(disk, FLAVORS[1]);
  assert.deepEqual(
    sealed.segments.map(({ is, records }) => [is, records]),
    files.map((_, index) => ["sealed", index < 3 ? 10 : 0]),
  );
  assert.deepEqual(await seqsOf(sealed), []);
  disk.rot(files[0]!, 224 + 50);
  const rotten = await inspect(disk, ENCRYPTED);
  assert.deepEqual(
    rotten.damaged.map(({ fromSeq, throughSeq }) => [fromSeq, throughSeq]),
    [[1, 10]],
  );
  assert.equal(rotten.segments[0]?.is, "damaged");
  const empty = new FakeDisk();
  await empty.makeDirectory(DIRECTORY);
  assert.deepEqual((await inspect(empty, FLAVORS[0])).segments, []);
  await assert.rejects(inspect(new FakeDisk(), FLAVORS[0]), { code: "ENOENT" });
});
