// The ledger and the journals at a start: what the one says is gone must not come out of the others any more.
//
//   told displaced ──▶ written ──▶ ⚡ ──▶ next start: the segment is still there ──▶ it goes now, or it would be sent and counted as lost
//   damage         ──▶ found at every start while the file is there ──▶ told once
//   what is lost   ──▶ written ──▶ and only then do its records go: the journals ask `Foresight` before they forget anything

import { isFault } from "#base/errors.ts";
import type { Journal } from "#journal/journal.ts";
import type { OutboxOptions } from "../options.ts";
import type { UrgencyClass } from "../urgency.ts";
import { type LedgerEnv, openLedger } from "./ledger.ts";
import { Losses } from "./losses.ts";
import { rulesKey } from "./rules-key.ts";

/** Between journals that are about to forget something and the ledger, which is opened after them. */
export class Foresight {
  readonly #ready = Promise.withResolvers<void>();
  #losses: Losses | undefined;
  #journals: ReadonlyMap<UrgencyClass, Journal> = new Map();

  /** The ledger is there. Without one, because nothing came of the opening, nobody is kept waiting. */
  begin(losses?: Losses, journals: ReadonlyMap<UrgencyClass, Journal> = new Map()): void {
    this.#losses = losses;
    this.#journals = journals;
    this.#ready.resolve();
  }

  /** For the journals: settles when every loss told so far, and all damage they have found, is on flash. */
  readonly beforeForget = async (): Promise<void> => {
    await this.#ready.promise;
    for (const [urgency, journal] of this.#journals) this.#losses?.addDamage(urgency, journal.damaged);
    await this.#losses?.flushKept();
  };
}

/** `directory`: the remote's. Never refuses for what it finds. Dispose what it returns, after the journals' last word. */
export async function openLosses(
  options: Pick<OutboxOptions, "rules">,
  directory: string,
  journals: ReadonlyMap<UrgencyClass, Journal>,
  foresight: Foresight,
  env: LedgerEnv,
): Promise<Losses> {
  const freedThrough = (urgency: UrgencyClass) => journals.get(urgency)!.firstSeq - 1;
  const ledger = await openLedger({ directory, rules: rulesKey(options.rules), freedThrough }, env);
  const losses = new Losses(ledger);
  foresight.begin(losses, journals);
  for (const [urgency, journal] of journals) {
    const oldest = await epochOfOldest(journal);
    const dropped = oldest === undefined ? 0 : ledger.droppedThrough(urgency, oldest);
    if (dropped <= freedThrough(urgency)) continue;
    journal.free(dropped);
    await journal.flushCursor();
  }
  await foresight.beforeForget();
  await losses.keepReserve();
  return losses;
}

/** The life that wrote the oldest record that is there; undefined: there is none, or the disk refuses to say. */
async function epochOfOldest(journal: Journal): Promise<number | undefined> {
  try {
    return journal.records === 0 ? undefined : (await journal.read(0).next(1))?.epoch;
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined;
  }
}
