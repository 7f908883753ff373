// What a start finds may be in the kernel's memory only: the process was killed before its fdatasync, or behind one that failed, and the
// power stayed on. Whatever a start has shown is still there when the power goes after it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "#base/disk.ts";
import { tryDecodeCursor } from "#journal/cursor.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import {
  append,
  DIRECTORY,
  ENCRYPTED,
  FLAVORS,
  isExhaustive,
  numbered,
  open,
  openAs,
  PLAIN,
  segmentFiles,
  seqsIn,
  testEnv,
} from "./harness.ts";

/** Both copies of the cursor: what every start writes. */
const CURSOR_BYTES = 160;
const SEEDS = isExhaustive ? 40 : 3;

/** Of what draws lots: the last call is struck when it has had its effect, and a power cut keeps nothing unsynced. */
const NEVER_LUCKY = { random: () => 0.6 };

/** A disk on which an append failed to be synced, and its process was killed before it could do anything about it. */
async function killedBehindAFailedSync(first: number, through: number, flavor = PLAIN, bodySize = 20): Promise<FakeDisk> {
  const disk = new FakeDisk(NEVER_LUCKY);
  const journal = await openAs(flavor, disk, 1 << 20);
  if (first > 1) await append(journal, numbered(1, first - 1));
  disk.faults.failDatasyncIn = 1;
  disk.strikeAfter(first > 1 ? 2 : 4, "kill"); // write, datasync; before them, for a new segment: create, write its header
  await assert.rejects(append(journal, numbered(first, through, bodySize)), /refuses/);
  await journal[Symbol.asyncDispose]();
  return disk;
}

/** Another life opens, is killed or loses its power at once. */
async function glance(disk: FakeDisk, flavor = PLAIN): Promise<number[]> {
  const journal = await openAs(flavor, disk, 1 << 20);
  const seqs = await seqsIn(journal);
  disk.powerCut();
  await journal[Symbol.asyncDispose]();
  return seqs;
}

for (const flavor of FLAVORS) {
  for (const first of [1, 6]) {
    test(`an append that failed to be synced, then a kill: what the start finds outlives the power (${flavor.name}, from record ${first})`, async () => {
      const disk = await killedBehindAFailedSync(first, 9, flavor);
      assert.deepEqual(await glance(disk, flavor), [1, 2, 3, 4, 5, 6, 7, 8, 9], "it can all be read");
      assert.deepEqual(await glance(disk, flavor), [1, 2, 3, 4, 5, 6, 7, 8, 9], "and the power has not taken it away");
    });
  }
}

test("killed at any moment of an append, healthy disk or not: what a start has shown is there after the power went", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (let moment = 1; moment <= 9; moment++) {
      const random = seededRandom(seed * 100 + moment);
      const disk = new FakeDisk({ random });
      const flavor = FLAVORS[seed % FLAVORS.length]!;
      const journal = await openAs(flavor, disk, 700);
      for (let seq = 1; seq < 4 + (moment % 3); seq++) await append(journal, numbered(seq, seq, 60));
      if (seed % 2 === 0) disk.faults.failDatasyncIn = 1 + (moment % 2);
      disk.strikeAfter(moment, "kill");
      const next = journal.lastSeq + 1;
      for (let seq = next; seq < next + 3; seq++) await append(journal, numbered(seq, seq + 3, 90)).catch(() => undefined);
      disk.killProcess();
      await journal[Symbol.asyncDispose]();
      disk.faults.failDatasyncIn = undefined;
      const shown = await glance(disk, flavor);
      assert.deepEqual(await glance(disk, flavor), shown, `seed ${seed}, killed in call ${moment}`);
    }
  }
});

test("the name of a new segment is made durable, too, also where the disk is so full that the cursors are overwritten", async () => {
  let fate = 0.6;
  const disk = new FakeDisk({ random: () => fate });
  await (await openAs(PLAIN, disk))[Symbol.asyncDispose]();
  const journal = await openAs(PLAIN, disk);
  disk.strikeAfter(4, "kill"); // created, header, records, datasync; the folder's sync is to come
  await assert.rejects(append(journal, numbered(1, 5)), /refuses/);
  await journal[Symbol.asyncDispose]();
  disk.totalBytes = disk.usedBytes;
  const again = await openAs(PLAIN, disk);
  assert.deepEqual(await seqsIn(again), [1, 2, 3, 4, 5]);
  fate = 0.1; // nothing unsynced survives
  disk.powerCut();
  await again[Symbol.asyncDispose]();
  disk.totalBytes *= 100;
  assert.deepEqual(await glance(disk), [1, 2, 3, 4, 5]);
});

test("a segment that was overwritten in the place of an older one is written again like any other", async () => {
  const disk = new FakeDisk(NEVER_LUCKY);
  const options = { isRecycling: true };
  const journal = await open(disk, 1000, testEnv(disk.mount()), PLAIN, options);
  for (let seq = 1; seq <= 12; seq++) await append(journal, numbered(seq, seq, 200));
  journal.free(8);
  await journal.flushCursor();
  assert.ok(journal.spareBytes > 0);
  disk.faults.failDatasyncIn = 1;
  // Renaming the spare, the folder's sync, opening it, header, records, datasync; the one before is full and has nothing to be cut.
  disk.strikeAfter(6, "kill");
  await assert.rejects(append(journal, numbered(13, 16, 200)), /refuses/);
  await journal[Symbol.asyncDispose]();
  const shown = await glance(disk);
  assert.deepEqual(shown, [9, 10, 11, 12, 13, 14, 15, 16]);
  assert.deepEqual(await glance(disk), shown);
});

test("what is written at a start: nothing but the cursors after a clean close, the last append once after a kill", async () => {
  const disk = new FakeDisk();
  const journal = await open(disk, 1 << 20);
  await append(journal, numbered(1, 200, 500));
  const before = disk.peek(segmentFiles(disk)[0]!).length;
  await append(journal, numbered(201, 210, 500));
  const lastBytes = disk.peek(segmentFiles(disk)[0]!).length - before;
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  const written: number[] = [];
  for (const ending of ["kill", "close", "close"]) {
    const bytes = disk.counters.writtenBytes;
    const again = await open(disk, 1 << 20);
    written.push(disk.counters.writtenBytes - bytes);
    if (ending === "kill") disk.killProcess();
    await again[Symbol.asyncDispose]();
  }
  assert.deepEqual(written, [lastBytes + CURSOR_BYTES, CURSOR_BYTES, CURSOR_BYTES]);
});

test("a box that closes cleanly with work in its journal writes none of it again", async () => {
  const disk = new FakeDisk();
  const journal = await open(disk, 1 << 20);
  await append(journal, numbered(1, 50, 500));
  await journal[Symbol.asyncDispose]();
  const bytes = disk.counters.writtenBytes;
  await using again = await open(disk, 1 << 20);
  assert.equal(disk.counters.writtenBytes - bytes, CURSOR_BYTES);
  assert.equal(again.records, 50);
});

/** Refuses to write to what is there already of segments while `isMean`. */
function stubborn(mounted: Disk) {
  const state = { isMean: true, disk: mounted };
  state.disk = {
    ...mounted,
    open: async (path, mode) => {
      if (state.isMean && mode === "update" && path.endsWith(".seg"))
        throw Object.assign(new Error(`EACCES: open '${path}'`), { code: "EACCES", path });
      return await mounted.open(path, mode);
    },
  };
  return state;
}

function lastSeqOnDisk(disk: FakeDisk): number[] {
  return ["cursor", "epoch"].map((name) => tryDecodeCursor(disk.peek(`${DIRECTORY}/${name}`))!.cursor.lastSeq);
}

test("a tail that cannot be written again: the journal opens, says that it is not settled, and settles when the disk does", async () => {
  const disk = await killedBehindAFailedSync(6, 9);
  const state = stubborn(disk.mount());
  const journal = await open(disk, 1 << 20, testEnv(state.disk));
  assert.deepEqual(await seqsIn(journal), [1, 2, 3, 4, 5, 6, 7, 8, 9], "what may have been acknowledged is not left out");
  assert.equal(journal.isSettled, false);
  await assert.rejects(journal.settle(), /JournalError: journal .* writing the last append in 0000000001-1-.* again: .*\.seg/);
  assert.deepEqual(lastSeqOnDisk(disk), [0, 0], "no cursor says that all of it is durable");
  state.isMean = false;
  await journal.settle();
  assert.equal(journal.isSettled, true);
  disk.powerCut();
  await journal[Symbol.asyncDispose]();
  assert.deepEqual(await glance(disk), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a life that could not write the tail again leaves it to the next one, however it ends", async () => {
  for (const ending of ["kill", "close"]) {
    const disk = await killedBehindAFailedSync(6, 9);
    const { disk: refusing } = stubborn(disk.mount());
    const journal = await open(disk, 1 << 20, testEnv(refusing));
    if (ending === "kill") disk.killProcess();
    await journal[Symbol.asyncDispose]();
    const shown = await glance(disk);
    assert.deepEqual(await glance(disk), shown, ending);
    assert.deepEqual(shown, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

test("what the disk never had may leave the kernel's memory before it is written again: it is written as it was found", async () => {
  const disk = await killedBehindAFailedSync(6, 200, PLAIN, 1000);
  const state = stubborn(disk.mount());
  const journal = await open(disk, 1 << 20, testEnv(state.disk));
  assert.equal((await seqsIn(journal)).length, 200);
  disk.dropCaches();
  state.isMean = false;
  await journal.settle();
  disk.powerCut();
  await journal[Symbol.asyncDispose]();
  assert.equal((await glance(disk)).length, 200);
});

test("… or between two looks of a start: what it shows is there all the same when the power goes", async () => {
  for (const first of [1, 6]) {
    for (let opening = 1; opening <= 4; opening++) {
      const disk = await killedBehindAFailedSync(first, 9);
      const mounted = disk.mount();
      let openings = 0;
      const forgetful: Disk = {
        ...mounted,
        open: async (path, mode) => {
          if (path.endsWith(".seg") && ++openings === opening) disk.dropCaches();
          return await mounted.open(path, mode);
        },
      };
      const journal = await open(disk, 1 << 20, testEnv(forgetful));
      const shown = await seqsIn(journal);
      assert.deepEqual([journal.records, journal.recovery.damaged], [shown.length, []], `dropped at opening ${opening}`);
      disk.powerCut();
      await journal[Symbol.asyncDispose]();
      assert.deepEqual(await glance(disk), shown, `dropped at opening ${opening}`);
    }
  }
});

test("… also if records were appended behind it meanwhile: the next life settles every tail that no cursor covers", async () => {
  const disk = await killedBehindAFailedSync(6, 9);
  const { disk: refusing } = stubborn(disk.mount());
  const journal = await open(disk, 1 << 20, testEnv(refusing));
  await append(journal, numbered(10, 12));
  await append(journal, numbered(13, 14));
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  assert.equal((await glance(disk)).length, 14);
  assert.equal((await glance(disk)).length, 14);
});

test("a tail that cannot be written again is no matter any more when it is freed", async () => {
  const disk = await killedBehindAFailedSync(6, 9);
  await using journal = await open(disk, 1 << 20, testEnv(stubborn(disk.mount()).disk));
  assert.equal(journal.isSettled, false);
  journal.free(8);
  assert.equal(journal.isSettled, false);
  journal.free(9);
  assert.equal(journal.isSettled, true);
  await journal.settle();
  await journal.flushCursor();
  assert.equal(tryDecodeCursor(disk.peek(`${DIRECTORY}/cursor`))?.cursor.lastSeq, 9);
});

test("an encrypted tail is written again without its key, and is there when the key is back", async () => {
  const disk = await killedBehindAFailedSync(6, 9, ENCRYPTED);
  const without = await openAs({ ...ENCRYPTED, key: null }, disk, 1 << 20);
  assert.equal(without.recovery.sealed.length, 1);
  disk.powerCut();
  await without[Symbol.asyncDispose]();
  assert.deepEqual(await glance(disk, ENCRYPTED), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a tail that the disk would not read for one start is written again when it does", async () => {
  const disk = await killedBehindAFailedSync(6, 9);
  const [file] = segmentFiles(disk);
  disk.faults.isUnreadable = (path) => path === file;
  const blind = await openAs(PLAIN, disk, 1 << 20);
  assert.equal(blind.recovery.unreadable.length, 1);
  await append(blind, numbered(blind.lastSeq + 1, blind.lastSeq + 3));
  await blind[Symbol.asyncDispose](); // its cursor says that all those numbers are used
  disk.faults.isUnreadable = undefined;
  const shown = await glance(disk);
  assert.deepEqual(shown.slice(0, 9), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(shown.length, 12);
  assert.deepEqual(await glance(disk), shown);
});

test("what a newer segment was found behind is as durable when that segment is removed for nothing was in it", async () => {
  const disk = await killedBehindAFailedSync(6, 9);
  disk.plant(`${DIRECTORY}/0000000002-1-0badf00d.seg`, Buffer.alloc(300));
  assert.deepEqual(await glance(disk), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await glance(disk), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("records of an append that failed and could not be taken away do not come back behind later ones", async () => {
  const disk = new FakeDisk(NEVER_LUCKY);
  let isMean = false;
  const eio = () => Object.assign(new Error("EIO"), { code: "EIO" });
  const mounted = disk.mount();
  const lying: Disk = {
    ...mounted,
    open: async (path, mode) => {
      const file = await mounted.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (source, position) => file.write(source, position),
        truncate: (bytes) => (isMean ? Promise.reject(eio()) : file.truncate(bytes)),
        datasync: () => (isMean ? Promise.reject(eio()) : file.datasync()),
        size: () => file.size(),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
  const journal = await open(disk, 1 << 20, testEnv(lying));
  await append(journal, numbered(1, 5));
  isMean = true;
  await assert.rejects(append(journal, numbered(6, 9)), /refuses/);
  isMean = false;
  await append(journal, numbered(12, 14)); // those were given up
  disk.killProcess();
  await journal[Symbol.asyncDispose]();
  const again = await open(disk, 1 << 20);
  assert.deepEqual(await seqsIn(again), [1, 2, 3, 4, 5, 12, 13, 14]);
  assert.deepEqual(again.recovery.damaged, []);
  disk.powerCut();
  await again[Symbol.asyncDispose]();
  assert.deepEqual(await glance(disk), [1, 2, 3, 4, 5, 12, 13, 14]);
});

test("what the disk refuses to read of the tail is passed by, the rest is written again", async () => {
  const disk = await killedBehindAFailedSync(6, 200, PLAIN, 1000); // several groups
  const [file] = segmentFiles(disk);
  disk.faults.isUnreadable = (path, position) => path === file && position >= 100_000 && position < 104_000;
  const again = await openAs(PLAIN, disk, 1 << 20);
  assert.ok(again.records > 100 && again.records < 200, `${again.records} of 200 can be read`);
  assert.equal(again.isSettled, true);
  disk.powerCut();
  await again[Symbol.asyncDispose]();
  disk.faults.isUnreadable = undefined;
  assert.equal((await glance(disk)).length, again.records);
});
