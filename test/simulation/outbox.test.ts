import assert from "node:assert/strict";
import { test } from "node:test";
import { OutboxWorld } from "./outbox-world.ts";

/** SIM_SEED replays one run, SIM_CUTS sets how often the power fails in all. */
const SEED = Number(process.env["SIM_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const CUTS = Number(process.env["SIM_CUTS"] ?? 1000);
const CUTS_PER_WORLD = 20;

test(`${CUTS} power cuts lose nothing acknowledged (seed ${SEED})`, async (t) => {
  let cuts = 0;
  let published = 0;
  let acked = 0;
  let doubles = 0;
  let live = 0;
  for (let seed = SEED; cuts < CUTS; seed++) {
    const world = new OutboxWorld(seed);
    try {
      for (let i = 0; i < CUTS_PER_WORLD; i++) await world.live(5 + (i % 4) * 20);
      await world.settle();
    } catch (error) {
      throw new Error(`replay with SIM_SEED=${seed} SIM_CUTS=${CUTS_PER_WORLD}`, { cause: error });
    }
    cuts += world.cuts;
    published += world.published;
    acked += world.acked.size;
    doubles += world.doubles;
    live += world.receivedLive;
  }
  t.diagnostic(`${cuts} cuts, ${published} published, ${acked} acknowledged, 0 lost, ${doubles} sent again under the same id`);
  t.diagnostic(`${live} were sent at most once`);
  assert.ok(acked > cuts, "a simulation in which nothing is acknowledged proves nothing");
});
