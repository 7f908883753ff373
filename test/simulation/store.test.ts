import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreWorld } from "./store-world.ts";

/** SIM_SEED replays one run, `random` draws a fresh one; SIM_CUTS sets how often the power fails in all. */
const { SIM_SEED = "1" } = process.env;
const SEED = SIM_SEED === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(SIM_SEED);
const CUTS = Number(process.env["SIM_CUTS"] ?? 1000);
const CUTS_PER_WORLD = 25;

test(`${CUTS} power cuts: what was safe is there, each turn as a whole, and what was deleted stays deleted (seed ${SEED})`, async (t) => {
  const sum = { cuts: 0, turns: 0, safeTurns: 0, cancelled: 0, failedCommits: 0, committedBytes: 0, copiedBytes: 0 };
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
});
