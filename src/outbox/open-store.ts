// Opens what an outbox keeps on flash: its journals, and the ledger of what they lost.
//
//   journals ──▶ ledger ──▶ damage found in the journals is told and written ──▶ they may forget

import type { Journal } from "#journal/journal.ts";
import { Foresight, openLosses } from "./ledger/ledger-at-start.ts";
import type { Losses } from "./ledger/losses.ts";
import { type JournalsEnv, type JournalsPlace, openJournals } from "./open-journals.ts";
import type { OutboxOptions } from "./options.ts";
import type { UrgencyClass } from "./urgency.ts";

export interface Store {
  readonly journals: ReadonlyMap<UrgencyClass, Journal>;
  readonly losses: Losses;
}

/** Adds each part to `scope` as it opens. */
export async function openStore(
  options: OutboxOptions,
  place: JournalsPlace,
  scope: AsyncDisposableStack,
  env: Omit<JournalsEnv, "beforeForget">,
  signal: AbortSignal,
): Promise<Store> {
  const foresight = new Foresight();
  try {
    const journals = await openJournals(options, place, scope, { ...env, beforeForget: foresight.beforeForget }, signal);
    return { journals, losses: scope.use(await openLosses(options, place.directory, journals, foresight, env)) };
  } catch (error) {
    foresight.begin(); // the journals that did open are closed now, and must not wait for a ledger
    throw error;
  }
}
