// What a failing or full disk does to appends: nothing counts that is not durable, and the journal goes on when the disk does.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "#base/disk.ts";
import type { FakeDisk } from "../../support/fake-disk.ts";
import { fakeDisk } from "../../support/fake-disk.ts";
import { append, DIRECTORY, isExhaustive, numbered, open, PLAIN, readAll, segmentFiles, seqsIn, testEnv } from "./harness.ts";

const FAULTS: Readonly<Record<string, (disk: FakeDisk) => void>> = {
  "a write that fails": (disk) => void (disk.faults.failWriteIn = 1),
  "a second write that fails": (disk) => void (disk.faults.failWriteIn = 2),
  "a datasync that fails": (disk) => void (disk.faults.failDatasyncIn = 1),
  "a datasync that fails, and cannot be mended": (disk) => {
    disk.faults.failWriteIn = 1;
    disk.faults.failDatasyncIn = 1;
  },
  "a folder sync that fails": (disk) => void (disk.faults.failSyncDirectoryIn = 1),
  "a full disk": (disk) => void (disk.totalBytes = disk.usedBytes + 100),
};

for (const [name, order] of Object.entries(FAULTS)) {
  for (const stored of [0, 5]) {
    test(`${name} with ${stored} records stored: the append rejects, the next one succeeds, a power cut proves it`, async () => {
      for (let seed = 1; seed <= (isExhaustive ? 25 : 4); seed++) {
        const disk = fakeDisk({ seed });
        const room = disk.totalBytes;
        const journal = await open(disk);
        if (stored > 0) await append(journal, numbered(1, stored));
        order(disk);
        const outcome = await append(journal, numbered(6, 9)).catch((error: unknown) => error);
        disk.totalBytes = room;
        Object.assign(disk.faults, { failWriteIn: undefined, failDatasyncIn: undefined, failSyncDirectoryIn: undefined });
        if (stored > 0 && outcome === undefined) {
          await journal[Symbol.asyncDispose](); // this fault does not strike an open segment
          continue;
        }
        assert.match(String(outcome), /JournalError: journal .* writing 4 records .*: the disk (refuses|is full)/);
        assert.equal(journal.lastSeq, stored);
        assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5].slice(0, stored));
        await append(journal, numbered(7, 12, 30)); // one of the four was given up meanwhile
        assert.deepEqual((await seqsIn(journal)).slice(stored), [7, 8, 9, 10, 11, 12]);
        disk.powerCut();
        await journal[Symbol.asyncDispose]();
        await using again = await open(disk);
        const found = await readAll(again);
        assert.deepEqual(
          found.filter(({ seq }) => seq !== 6).map(({ seq }) => seq),
          [...[1, 2, 3, 4, 5].slice(0, stored), 7, 8, 9, 10, 11, 12],
        );
        assert.equal(found.at(-1)?.body.length, 30, "of two copies of a number the later one counts");
        assert.deepEqual(again.recovery.damaged, []);
      }
    });
  }
}

/** A disk whose datasync does its work and then says it failed, and which will not cut off or remove anything while `isMean`. */
function lyingDisk(mounted: Disk) {
  const eio = () => Object.assign(new Error("EIO"), { code: "EIO" });
  const lie = { isMean: false, disk: mounted };
  lie.disk = {
    ...mounted,
    remove: (path) => (lie.isMean && path.endsWith(".seg") ? Promise.reject(eio()) : mounted.remove(path)),
    open: async (path, mode) => {
      const file = await mounted.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (source, position) => file.write(source, position),
        truncate: (bytes) => (lie.isMean ? Promise.reject(eio()) : file.truncate(bytes)),
        datasync: async () => {
          await file.datasync();
          if (lie.isMean) throw eio();
        },
        size: () => file.size(),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
  return lie;
}

for (const stored of [0, 5]) {
  test(`a failed write that stays on the disk does not count when later ones overlap it (${stored} records before)`, async () => {
    const disk = fakeDisk();
    const lie = lyingDisk(disk.mount());
    const journal = await open(disk, 1 << 20, testEnv(lie.disk));
    if (stored > 0) await append(journal, numbered(1, stored));
    await disk.syncDirectory(DIRECTORY);
    lie.isMean = true;
    await assert.rejects(append(journal, numbered(6, 9)), { code: "JOURNAL_APPEND_FAILED" });
    await assert.rejects(append(journal, numbered(6, 9)), { code: "JOURNAL_APPEND_FAILED" });
    lie.isMean = false;
    await append(journal, numbered(8, 12, 30)); // 6 and 7 were given up meanwhile
    assert.deepEqual(await seqsIn(journal), [...[1, 2, 3, 4, 5].slice(0, stored), 8, 9, 10, 11, 12]);
    await journal[Symbol.asyncDispose]();
    for (let start = 0; start < 2; start++) {
      await using again = await open(disk);
      const found = await readAll(again);
      assert.deepEqual(
        found.map(({ seq, body }) => [seq, body.length]),
        [...numbered(1, stored), ...numbered(8, 12, 30)].map(({ seq, body }) => [seq, body.length]),
      );
      assert.deepEqual([again.records, again.recovery.records, again.recovery.damaged], [found.length, found.length, []]);
      await again.flushCursor();
    }
  });
}

test("behind a failed write that stays, an append of several segments counts whole: only the first of them claims the numbers", async () => {
  const disk = fakeDisk();
  const lie = lyingDisk(disk.mount());
  const journal = await open(disk, 1 << 20, testEnv(lie.disk), PLAIN, { segmentRecords: 2 });
  await append(journal, numbered(1, 5));
  lie.isMean = true;
  await assert.rejects(append(journal, numbered(6, 9)), { code: "JOURNAL_APPEND_FAILED" });
  lie.isMean = false;
  await append(journal, numbered(6, 40, 30));
  assert.ok(segmentFiles(disk).length > 3, "in pieces of eight records");
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  await using again = await open(disk, 1 << 20);
  assert.deepEqual(
    (await readAll(again)).map(({ seq, body }) => [seq, body.length]),
    [...numbered(1, 5), ...numbered(6, 40, 30)].map(({ seq, body }) => [seq, body.length]),
  );
});

test("a segment that failed at birth is gone for good before the next one is made", async () => {
  const disk = fakeDisk();
  const mounted = disk.mount();
  const calls: string[] = [];
  const watched: Disk = {
    ...mounted,
    open: (path, mode) => {
      calls.push(`open ${mode}`);
      return mounted.open(path, mode);
    },
    remove: (path) => {
      calls.push("remove");
      return mounted.remove(path);
    },
    syncDirectory: (path) => {
      calls.push("sync");
      return mounted.syncDirectory(path);
    },
  };
  await using journal = await open(disk, 4096, testEnv(watched));
  calls.length = 0;
  disk.faults.failWriteIn = 2;
  await assert.rejects(append(journal, numbered(1, 5)), { code: "JOURNAL_APPEND_FAILED" });
  await append(journal, numbered(1, 5));
  assert.deepEqual(calls, ["open create", "remove", "sync", "open create", "sync"]);
});

test("a full disk says so, and has room again when segments are freed, though the cursor finds none", async () => {
  const disk = fakeDisk();
  await using journal = await open(disk, 500);
  for (let seq = 1; seq <= 30; seq += 10) await append(journal, numbered(seq, seq + 9));
  disk.totalBytes = disk.usedBytes;
  await assert.rejects(append(journal, numbered(31, 40)), { code: "JOURNAL_DISK_FULL", remedy: "backoff" });
  journal.free(10);
  await journal.flushCursor();
  await append(journal, numbered(31, 35));
  assert.equal((await journal.dropOldest())?.throughSeq, 20);
  assert.deepEqual((await seqsIn(journal))[0], 21);
  disk.powerCut();
  await using again = await open(disk, 500);
  assert.deepEqual([again.firstSeq, again.lastSeq], [21, 35]);
});

test("a start on a full disk succeeds, for it needs no new room", async () => {
  const disk = fakeDisk();
  {
    await using journal = await open(disk);
    await append(journal, numbered(1, 5));
  }
  disk.totalBytes = disk.usedBytes;
  await using journal = await open(disk);
  assert.deepEqual([journal.epoch, journal.records], [2, 5]);
  disk.powerCut();
  await using again = await open(disk);
  assert.equal(again.epoch, 3);
});

test("a folder that cannot be written is refused with a sentence, and leaves no handle", async () => {
  const disk = fakeDisk();
  disk.faults.isReadOnly = true;
  await assert.rejects(open(disk), { code: "JOURNAL_OPEN_FAILED", message: /read-only/ });
  disk.faults.isReadOnly = false;
  disk.totalBytes = 10;
  await assert.rejects(open(disk), { code: "JOURNAL_DISK_FULL" });
  disk.totalBytes = 1 << 20;
  disk.plant("/data/outbox/lane", Buffer.from("a file where the folder should be"));
  await assert.rejects(open(disk), { code: "JOURNAL_OPEN_FAILED" });
});

test("closing on a dead disk does not reject", async () => {
  const disk = fakeDisk();
  const journal = await open(disk, 500, testEnv(disk.mount()));
  await append(journal, numbered(1, 20));
  journal.free(7);
  disk.powerCut();
  await journal[Symbol.asyncDispose]();
  assert.deepEqual(segmentFiles(disk).length, 1);
});

test("a segment that cannot be removed is passed by and removed at the next start", async () => {
  const disk = fakeDisk();
  const mounted = disk.mount();
  const stubborn = {
    ...mounted,
    remove: (path: string) => (path.endsWith(".seg") ? Promise.reject(new Error("not now")) : mounted.remove(path)),
  };
  {
    await using journal = await open(disk, 500, testEnv(stubborn));
    for (let seq = 1; seq <= 30; seq += 10) await append(journal, numbered(seq, seq + 9));
    journal.free(20);
    assert.deepEqual(await seqsIn(journal), [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  }
  assert.equal(segmentFiles(disk).length, 3);
  await using journal = await open(disk, 500);
  await journal.flushCursor();
  assert.equal(segmentFiles(disk).length, 1);
  assert.equal(journal.records, 10);
  assert.ok(disk.files(DIRECTORY).includes(`${DIRECTORY}/cursor`));
});
