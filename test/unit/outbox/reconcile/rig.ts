// A hub with streams by script, lanes in doubt, and the reconciliation between them.

import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { LaneSet } from "#outbox/lane-set.ts";
import { type Doubt, Reconciliation } from "#outbox/reconcile/reconcile.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { DoubtfulLaneFake, ScriptedHub } from "../../../support/scripted-jetstream.ts";

export const HOUR = 3_600_000;

export function opened(...subjects: readonly string[]) {
  const clock = new FakeClock();
  const hub = new ScriptedHub(clock);
  const lanes = [new DoubtfulLaneFake([]), new DoubtfulLaneFake(subjects), new DoubtfulLaneFake([]), new DoubtfulLaneFake([])];
  const reconciliation = new Reconciliation(hub, "dev", { clock, entropy: systemEntropy(), log: silentLog() });
  /** Lets time pass until it is done. */
  const run = async (elapsed: Doubt["elapsed"] = HOUR) => {
    let isDone = false;
    const done = reconciliation.run({ elapsed, lanes }).finally(() => {
      isDone = true;
    });
    for (let i = 0; !isDone && i < 100; i++) await clock.pass(500);
    return await done;
  };
  return { clock, hub, lanes, reconciliation, run };
}

/** A set of lanes, as far as the reconciliation asks them. */
export function laneSet(
  it: ReturnType<typeof opened>,
  doubtful: readonly { readonly inherits?: boolean; readonly sinceMs?: number }[],
) {
  const all = it.lanes.map((lane, i) =>
    Object.assign(lane, {
      hasInherited: doubtful[i]?.inherits === true,
      doubt: () => (doubtful[i]?.sinceMs === undefined ? null : { sinceMs: doubtful[i].sinceMs }),
    }),
  );
  const since = doubtful.flatMap(({ sinceMs }) => sinceMs ?? []);
  return { all, doubt: () => (since.length === 0 ? null : { sinceMs: Math.min(...since) }) } as unknown as LaneSet;
}
