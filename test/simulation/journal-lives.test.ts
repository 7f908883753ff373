// A journal on a disk that fails, forgets, is killed and loses its power, in lives one after the other, and a notebook of what it promised:
// what was acknowledged, and what a start has shown while it called that settled. Everything is drawn from the seed.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "#base/disk.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { append, FLAVORS, numbered, open, seqsIn, testEnv } from "../unit/journal/harness.ts";

const { SIM_SEED = "random" } = process.env;
const SEED = SIM_SEED === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(SIM_SEED);
const WORLDS = Number(process.env["SIM_WORLDS"] ?? 1000);
const LIVES = 6;
const SEGMENT_BYTES = 700;

const eio = () => Object.assign(new Error("EIO"), { code: "EIO" });

/** `isMean`: no sync succeeds, and what was written is not always to be taken away. `isStubborn`: what is there of segments is not written to. */
function moody(mounted: Disk, disk: FakeDisk, random: () => number) {
  const state = { isMean: false, isStubborn: false, disk: mounted };
  const mayRefuse = () => state.isMean && random() < 0.5;
  state.disk = {
    ...mounted,
    remove: (path) => (mayRefuse() ? Promise.reject(eio()) : mounted.remove(path)),
    open: async (path, mode) => {
      if (state.isStubborn && mode === "update" && path.endsWith(".seg")) throw eio();
      const file = await mounted.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (source, position) => file.write(source, position),
        truncate: (bytes) => (mayRefuse() ? Promise.reject(eio()) : file.truncate(bytes)),
        datasync: () => {
          if (state.isMean) disk.faults.failDatasyncIn = 1;
          return file.datasync();
        },
        size: () => file.size(),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
  return state;
}

interface Sum {
  lives: number;
  acknowledged: number;
  doubtful: number;
}

async function liveAndDie(seed: number, sum: Sum): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (count: number) => 1 + Math.floor(random() * count);
  const disk = new FakeDisk({ random });
  const flavor = FLAVORS[seed % FLAVORS.length]!;
  const options = { isRecycling: seed % 2 === 0, ...(seed % 4 < 2 ? { segmentRecords: 3 } : {}) };
  const promised = new Set<number>();
  let freed = 0;
  for (let life = 0; life < LIVES; life++) {
    Object.assign(disk.faults, { failWriteIn: undefined, failDatasyncIn: undefined, failSyncDirectoryIn: undefined });
    if (random() < 0.2) disk.strikeAfter(upTo(14), random() < 0.5 ? "power" : "kill");
    if (random() < 0.1) disk.faults.failDatasyncIn = upTo(4);
    const state = moody(disk.mount(), disk, random);
    state.isStubborn = random() < 0.25;
    const journal = await open(disk, SEGMENT_BYTES, testEnv(state.disk, seed * LIVES + life), flavor, options).catch(
      () => undefined,
    );
    if (journal === undefined) {
      if (random() < 0.5) disk.powerCut();
      else disk.killProcess();
      continue;
    }
    sum.lives += 1;
    const shown = await seqsIn(journal).catch(() => undefined); // struck
    const isMissing = (seq: number) => seq > freed && shown?.includes(seq) === false;
    assert.deepEqual([...promised].filter(isMissing), [], `lost in life ${life}`);
    const notePromise = () => {
      if (journal.isSettled) for (const seq of shown ?? []) promised.add(seq);
      return journal.isSettled;
    };
    if (!notePromise()) sum.doubtful += 1;
    let seq = Math.max(journal.lastSeq, shown?.at(-1) ?? 0) + 1;
    if (random() < 0.5) disk.strikeAfter(upTo(20), random() < 0.5 ? "power" : "kill");
    for (let steps = upTo(5); steps > 1; steps--) {
      state.isMean = random() < 0.3;
      state.isStubborn &&= random() < 0.6;
      if (random() < 0.25) disk.faults.failDatasyncIn = upTo(5);
      if (random() < 0.1) disk.faults.failWriteIn = upTo(2);
      if (random() < 0.1) disk.faults.failSyncDirectoryIn = 1;
      if (random() < 0.3) disk.dropCaches();
      if (!journal.isSettled && random() < 0.5) await journal.settle().then(notePromise, () => false);
      const through = seq + upTo(30) - 1;
      const isDone = await append(journal, numbered(seq, through, 40)).then(
        () => true,
        () => false,
      );
      for (let each = seq; isDone && each <= through; each++) promised.add(each);
      if (isDone) sum.acknowledged += through - seq + 1;
      if (isDone || random() < 0.3) seq = through + 1; // else the same again, or fewer
      if (random() < 0.2) {
        freed = Math.max(freed, journal.lastSeq - upTo(10));
        journal.free(freed);
        await journal.flushCursor();
      }
    }
    const end = random();
    if (end < 0.3) disk.powerCut();
    else if (end < 0.7) disk.killProcess();
    await journal[Symbol.asyncDispose]();
  }
}

test(`${WORLDS} journals in bad company: what was acknowledged, and what a start has settled, is there in every later life (seed ${SEED})`, async (t) => {
  const sum: Sum = { lives: 0, acknowledged: 0, doubtful: 0 };
  for (let seed = SEED; seed < SEED + WORLDS; seed++) {
    try {
      await liveAndDie(seed, sum);
    } catch (error) {
      throw new Error(`replay with SIM_SEED=${seed} SIM_WORLDS=1`, { cause: error });
    }
  }
  t.diagnostic(JSON.stringify(sum));
  assert.ok(
    WORLDS < 100 || (sum.acknowledged > sum.lives && sum.doubtful > 0),
    "a simulation in which nothing happens proves nothing",
  );
});
