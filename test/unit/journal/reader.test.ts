import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "#base/disk.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { append, numbered, open, readAll, readOn, recordsIn, segmentFiles, testEnv } from "./harness.ts";

test("a reader begins at the first record at or above the number asked for", async () => {
  await using journal = await open(new FakeDisk(), 500);
  for (let seq = 10; seq <= 200; seq += 10) await append(journal, numbered(seq, seq));
  assert.equal((await readAll(journal, 1))[0]?.seq, 10);
  assert.equal((await readAll(journal, 100))[0]?.seq, 100);
  assert.equal((await readAll(journal, 101))[0]?.seq, 110);
  assert.deepEqual(await readAll(journal, 201), []);
});

test("batches are as large as asked for at most, but never empty, whatever the size", async () => {
  await using journal = await open(new FakeDisk(), 2000);
  const sizes = [0, 1, 500, 27, 28, 3000, 100, 1, 1];
  for (const [index, size] of sizes.entries()) await append(journal, [{ seq: index + 1, body: "b".repeat(size) }]);
  const whole = await readAll(journal);
  assert.deepEqual(
    whole.map(({ body }) => body.length),
    sizes,
  );
  for (let maxBytes = 1; maxBytes < 700; maxBytes += 13) assert.deepEqual(await readOn(journal.read(1), maxBytes), whole);
});

test("records larger than the read window come whole", async () => {
  await using journal = await open(new FakeDisk());
  const sizes = [10, 700_000, 10, 262_144 - 28, 1, 262_144, 5];
  await append(
    journal,
    sizes.map((size, index) => ({ seq: index + 1, body: String(index).repeat(size) })),
  );
  for (const maxBytes of [1, 256 * 1024, 1 << 22]) {
    assert.deepEqual(
      (await readOn(journal.read(1), maxBytes)).map(({ body }) => body.length),
      sizes,
    );
  }
});

test("a reader that has read all goes on when more is durable, through new segments, too", async () => {
  await using journal = await open(new FakeDisk(), 600);
  const reader = journal.read(1);
  for (let seq = 1; seq <= 50; seq += 5) {
    assert.equal(await reader.next(1000), undefined);
    await append(journal, numbered(seq, seq + 4));
    assert.deepEqual(
      (await readOn(reader)).map((record) => record.seq),
      [seq, seq + 1, seq + 2, seq + 3, seq + 4],
    );
  }
});

test("what is appended while a read is under way is not passed by", async () => {
  for (let delay = 0; delay < 12; delay++) {
    await using journal = await open(new FakeDisk(), 2000);
    await append(journal, numbered(1, 3));
    const reader = journal.read(1);
    const appends = [append(journal, numbered(4, 6)), append(journal, numbered(7, 60))];
    for (let turn = 0; turn < delay; turn++) await undefined;
    const seen: number[] = [];
    const racing = (async () => {
      for (let batch = await reader.next(100); batch !== undefined; batch = await reader.next(100)) {
        seen.push(...recordsIn(batch).map(({ seq }) => seq));
      }
    })();
    await Promise.all([...appends, racing]);
    seen.push(...(await readOn(reader)).map(({ seq }) => seq));
    assert.deepEqual(
      seen,
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
  }
});

test("what is appended while the reader finds the end rotten is not passed by", async () => {
  for (let delay = 0; delay < 40; delay++) {
    const disk = new FakeDisk();
    await using journal = await open(disk);
    await append(journal, numbered(1, 2));
    const sound = disk.peek(segmentFiles(disk)[0]!).length;
    await append(journal, numbered(3, 3));
    disk.rot(segmentFiles(disk)[0]!, sound + 50);
    const reader = journal.read(3);
    const found = readOn(reader);
    for (let turn = 0; turn < delay; turn++) await undefined;
    await append(journal, numbered(4, 4));
    const seqs = [...(await found), ...(await readOn(reader))].map(({ seq }) => seq);
    assert.deepEqual(seqs, [4], `after ${delay} turns`);
  }
});

test("records are not seen before they are durable", async () => {
  const disk = new FakeDisk();
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let isGated = false;
  const mounted = disk.mount();
  const gated: Disk = {
    ...mounted,
    open: async (path, mode) => {
      const file = await mounted.open(path, mode);
      const datasync = file.datasync.bind(file);
      file.datasync = async () => {
        if (isGated) reached.resolve();
        if (isGated) await gate.promise;
        await datasync();
      };
      return file;
    },
  };
  await using journal = await open(disk, 4096, testEnv(gated));
  await append(journal, numbered(1, 1));
  const reader = journal.read(1);
  isGated = true;
  const appended = append(journal, numbered(2, 5));
  await reached.promise;
  assert.deepEqual(
    (await readOn(reader)).map(({ seq }) => seq),
    [1],
  );
  assert.deepEqual([journal.lastSeq, journal.records], [1, 1]);
  gate.resolve();
  await appended;
  assert.equal((await readOn(reader)).length, 4);
});

test("a reader passes by what is freed or dropped meanwhile, in its hands or on the disk", async () => {
  await using journal = await open(new FakeDisk(), 600);
  for (let seq = 1; seq <= 100; seq += 5) await append(journal, numbered(seq, seq + 4));
  const reader = journal.read(1);
  const first = await reader.next(100);
  assert.equal(recordsIn(first!).at(-1)?.seq, 2);
  journal.free(4); // in its hands
  assert.equal(recordsIn((await reader.next(100))!)[0]?.seq, 5);
  journal.free(33); // several segments away
  assert.equal(recordsIn((await reader.next(100))!)[0]?.seq, 34);
  const dropped = await journal.dropOldest();
  assert.equal(recordsIn((await reader.next(100))!)[0]?.seq, dropped!.throughSeq + 1);
  const racing = reader.next(1000);
  journal.free(80);
  const next = [...recordsIn((await racing)!), ...(await readOn(reader))];
  assert.ok(next.every(({ seq }, index) => index === 0 || seq > next[index - 1]!.seq));
  assert.equal(next.at(-1)?.seq, 100);
  journal.free(100);
  assert.equal(await reader.next(1000), undefined);
});

test("two readers go their own ways, and a batch stays what it was", async () => {
  await using journal = await open(new FakeDisk(), 600);
  await append(journal, numbered(1, 20));
  const [one, two] = [journal.read(1), journal.read(11)];
  const batch = (await one.next(200))!;
  const before = recordsIn(batch);
  assert.equal(recordsIn((await two.next(200))!)[0]?.seq, 11);
  await readOn(one);
  await readOn(two);
  assert.deepEqual(recordsIn(batch), before);
});

test("a reader asked twice at once is a bug", async () => {
  await using journal = await open(new FakeDisk());
  await append(journal, numbered(1, 3));
  const reader = journal.read(1);
  const first = reader.next(10);
  await assert.rejects(reader.next(10), { name: "AssertionError" });
  assert.equal((await first)?.count, 1);
});

test("a disk that refuses to read is an error to wait out; refusing for good, it costs only what cannot be read", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk, 1 << 20);
  for (let seq = 1; seq <= 1000; seq += 10) await append(journal, numbered(seq, seq + 9, 100));
  const bad = segmentFiles(disk)[0]!;
  disk.faults.isUnreadable = (path, position) => path === bad && position >= 8192 && position < 8200;
  const reader = journal.read(1);
  for (let attempt = 0; attempt < 3; attempt++)
    await assert.rejects(reader.next(1 << 20), { code: "JOURNAL_READ_FAILED", remedy: "backoff" });
  const seqs = (await readOn(reader)).map(({ seq }) => seq);
  assert.equal(seqs[0], 1);
  assert.equal(seqs.at(-1), 1000);
  const lost = 1000 - seqs.length;
  assert.ok(lost >= 40 && lost <= 60, `${lost} records lie in the groups that touch 4 KiB`);
  const [span, ...others] = journal.damaged;
  assert.deepEqual(others, []);
  assert.equal(span!.throughSeq! - span!.fromSeq + 1, lost);

  disk.faults.isUnreadable = undefined;
  assert.equal((await readAll(journal)).length, 1000, "what can be read again is there again");
});

test("rot that sets in while the journal is open costs one group and is reported once", async () => {
  const disk = new FakeDisk();
  await using journal = await open(disk);
  await append(journal, numbered(1, 3));
  const sound = disk.peek(segmentFiles(disk)[0]!).length;
  await append(journal, numbered(4, 5));
  await append(journal, numbered(6, 10));
  disk.rot(segmentFiles(disk)[0]!, sound + 50);
  for (let round = 0; round < 2; round++)
    assert.deepEqual(
      (await readAll(journal)).map(({ seq }) => seq),
      [1, 2, 3, 6, 7, 8, 9, 10],
    );
  assert.deepEqual(
    journal.damaged.map(({ fromSeq, throughSeq }) => [fromSeq, throughSeq]),
    [[4, 5]],
  );
});

test("what of a batch was not used is handed out again, in full, and freed or dropped meanwhile it is passed by", async () => {
  for (const maxBytes of [60, 200, 1 << 20]) {
    await using journal = await open(new FakeDisk(), 500);
    for (let seq = 1; seq <= 40; seq += 10) await append(journal, numbered(seq, seq + 9));
    const reader = journal.read(1);
    const used: number[] = [];
    for (let batch = await reader.next(maxBytes); batch !== undefined; batch = await reader.next(maxBytes)) {
      const seqs = recordsIn(batch).map(({ seq }) => seq);
      const half = seqs.slice(0, Math.ceil(seqs.length / 2));
      used.push(...half);
      reader.putBack(half.at(-1)! + 1);
    }
    assert.deepEqual(
      used,
      numbered(1, 40).map(({ seq }) => seq),
    );
    const again = journal.read(1);
    await again.next(1 << 20);
    again.putBack(3);
    journal.free(5);
    assert.equal(recordsIn((await again.next(1))!)[0]!.seq, 6);
    again.putBack(6);
    await journal.dropOldest();
    assert.equal(recordsIn((await again.next(1))!)[0]!.seq, 11);
  }
});
