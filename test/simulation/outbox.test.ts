import assert from "node:assert/strict";
import { test } from "node:test";
import { BooksWorld } from "./outbox-books.ts";
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
  let stored = 0;
  let refusals = 0;
  let fresh = 0;
  let historical = 0;
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
    stored += world.stream.stored.size;
    refusals += world.stream.refusals;
    fresh += world.fresh;
    historical += world.historical;
  }
  t.diagnostic(`${cuts} cuts, ${published} published, ${acked} acknowledged, 0 lost, ${doubles} sent again under the same id`);
  t.diagnostic(
    `${stored} in the stream, which refused ${refusals} times; ${fresh} passed the backlog, ${historical} came from it`,
  );
  t.diagnostic(`${live} were sent at most once`);
  assert.ok(stored > 0 && refusals > 0 && fresh > 0 && historical > 0, "every kind of message has been on its way");
  assert.ok(acked > cuts, "a simulation in which nothing is acknowledged proves nothing");
});

const BOOKS = Math.max(4, Math.ceil(CUTS / 50));

test(`${BOOKS} outboxes that are always too small account for every message (seed ${SEED})`, async (t) => {
  const lost: Record<string, number> = {};
  let kept = 0;
  for (let seed = SEED; seed < SEED + BOOKS; seed++) {
    const world = new BooksWorld(seed);
    try {
      if (seed % 4 === 0) await world.run(60, 5, true);
      else await world.run(200, seed % 4 === 1 ? 2 : 0);
    } catch (error) {
      throw new Error(`replay with SIM_SEED=${seed} SIM_CUTS=1`, { cause: error });
    }
    kept += world.kept.size;
    for (const [reason, messages] of Object.entries(world.lost)) lost[reason] = (lost[reason] ?? 0) + messages;
  }
  t.diagnostic(`${kept} given, lost: ${JSON.stringify(lost)}`);
  if (BOOKS < 20) return; // some kinds of loss are rare
  for (const reason of ["displaced", "expired", "thinned", "refused"])
    assert.ok((lost[reason] ?? 0) > 0, `nothing was ${reason}`);
});
