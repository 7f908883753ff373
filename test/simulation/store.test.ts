import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk, DiskFile } from "#base/disk.ts";
import { StoreWorld } from "./store-world.ts";

/** Fresh worlds each time; SIM_SEED replays one. SIM_CUTS sets how often the power fails in all. */
const { SIM_SEED = "random" } = process.env;
const SEED = SIM_SEED === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(SIM_SEED);
const CUTS = Number(process.env["SIM_CUTS"] ?? 1000);
const CUTS_PER_WORLD = 25;
/** Within so many, what is broken on purpose must show. */
const NOTICED_CUTS = 5000;

test(`${CUTS} power cuts: what was safe is there, each turn as a whole, and what was deleted stays deleted (seed ${SEED})`, async (t) => {
  const sum = {
    ...{ cuts: 0, turns: 0, safeTurns: 0, cancelled: 0, failedCommits: 0, committedBytes: 0, copiedBytes: 0 },
    ...{ killedUnsynced: 0, doubtful: 0 },
  };
  for (let seed = SEED; sum.cuts < CUTS; seed++) {
    const world = new StoreWorld(seed);
    try {
      for (let i = 0; i < CUTS_PER_WORLD; i++) await world.live(5 + (i % 4) * 20);
    } catch (error) {
      throw new Error(`replay with SIM_SEED=${seed} SIM_CUTS=${CUTS_PER_WORLD}`, { cause: error });
    }
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += world[name];
  }
  t.diagnostic(JSON.stringify(sum));
  assert.ok(sum.safeTurns > sum.cuts, "a simulation in which nothing is safe proves nothing");
  assert.ok(
    sum.failedCommits > 0 && sum.copiedBytes > 0 && sum.cancelled > 0,
    "faults, cleaning and cancellations have happened",
  );
  assert.ok(CUTS < 500 || (sum.killedUnsynced > 0 && sum.doubtful > 0), "and what was found was not always durable");
});

type Calls = Pick<DiskFile, "write" | "datasync">;

/** A disk whose files do some calls in their own way. */
const spoilt =
  (calls: (file: DiskFile) => Partial<Calls>) =>
  (disk: Disk): Disk => ({
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (source, position) => file.write(source, position),
        truncate: (bytes) => file.truncate(bytes),
        datasync: () => file.datasync(),
        size: () => file.size(),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
        ...calls(file),
      };
    },
  });

const SPOILERS = {
  "without fdatasync": spoilt(() => ({ datasync: async () => undefined })),
  "that trusts what it reads at its start, once a sync succeeds": spoilt((file) => ({
    write: async (source, position) => {
      const there = Buffer.alloc(source.length);
      const bytesRead = await file.read(there, position);
      if (bytesRead < source.length || !there.equals(source)) await file.write(source, position);
    },
  })),
};

for (const [name, spoil] of Object.entries(SPOILERS)) {
  test(`this simulation would notice a store ${name}`, async (t) => {
    let cuts = 0;
    await assert.rejects(async () => {
      for (let seed = SEED; cuts < NOTICED_CUTS; seed++) {
        const world = new StoreWorld(seed, spoil);
        for (let i = 0; i < CUTS_PER_WORLD; i++, cuts++) await world.live(5 + (i % 4) * 20);
      }
    }, assert.AssertionError);
    t.diagnostic(`after ${cuts} cuts`);
  });
}
