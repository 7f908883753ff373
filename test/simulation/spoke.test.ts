import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { openS2Codec } from "#s2/codec.ts";
import { runWorld } from "../../scripts/lib/simulate/run-world.ts";

/**
 * SIM_SEED replays worlds from there on, `random` draws fresh ones (the seed stands in the test's name); SIM_CUTS sets how often the spoke
 * dies in all. Unasked, the worlds are the same each time: what breaks one fresh world in thousands is for scripts/simulate to find.
 */
const { SIM_SEED = "1" } = process.env;
const SEED = SIM_SEED === "random" ? randomInt(2 ** 31) : Number(SIM_SEED);
const CUTS = Number(process.env["SIM_CUTS"] ?? 500);
const LIVES = 20;

test(`the whole spoke keeps its promises through ${CUTS} power cuts and kills (seed ${SEED})`, async (t) => {
  const codec = openS2Codec();
  let cuts = 0;
  let acknowledged = 0;
  let published = 0;
  let linked = 0;
  let commits = 0;
  for (let seed = SEED; cuts < CUTS; seed++) {
    const world = await runWorld(seed, { codec, lives: LIVES });
    if (world.breach !== null) {
      throw new Error(`world ${seed}: ${world.breach.message}; replay it with scripts/simulate --seed ${seed} --verbose`, {
        cause: world.breach,
      });
    }
    cuts += world.cuts;
    acknowledged += world.acknowledged;
    published += world.published;
    linked += world.linked;
    commits += world.commits;
  }
  t.diagnostic(`${cuts} cuts, ${published} published, ${acknowledged} acknowledged, lost 0, doubled 0`);
  assert.ok(acknowledged > cuts * 5 && linked > cuts / 4 && commits > cuts, "a simulation in which little happens proves little");
});
