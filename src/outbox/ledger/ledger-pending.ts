// Losses told since the ledger was last written, gathered: ranges of one kind that touch or overlap become one.
//
//   expired 5 · expired 6 · expired 7 · expired 12     →     one entry, 5 to 12, 4 messages, runs 5-7 and 12-12
//
// Bounded: kinds that have no place share an entry without rule and epoch; runs that have none leave the outer range and the count.

import type { WallMillis } from "#base/clock.ts";
import { type LedgerAddition, type LedgerEntry, lossKey } from "./ledger-entry.ts";

/** Entries that wait, at most; a little more when none of them is of the same reason and lane. */
const ENTRIES_MAX = 128;
/** Runs of one entry, at most. */
export const ENTRY_RUNS_MAX = 128;

type Open = { -readonly [K in keyof Omit<LedgerEntry, "number" | "runs" | "damage">]: LedgerEntry[K] } & {
  readonly damage: string[];
  runs: number[] | null;
};

export class PendingEntries {
  readonly #byKind = new Map<number, Open[]>();
  #size = 0;
  /** Some of them are losses of kept messages. */
  hasKept = false;

  get size(): number {
    return this.#size;
  }

  add(addition: LedgerAddition, messages: number, time: WallMillis): void {
    if (addition.lane !== null) this.hasKept = true;
    const entry = this.#entryFor(addition, time);
    entry.messages += messages;
    entry.lastTime = time; // the last is the last, whatever the clock said before
    if (addition.damage !== undefined) entry.damage.push(addition.damage);
    const { fromSeq, throughSeq } = addition;
    if (fromSeq === null || throughSeq === null) return;
    entry.fromSeq = Math.min(entry.fromSeq ?? fromSeq, fromSeq);
    entry.throughSeq = Math.max(entry.throughSeq ?? throughSeq, throughSeq);
    // A range with gaps, or one of which a part was told before: only its ends and its count are known.
    if (throughSeq - fromSeq + 1 !== messages) entry.runs = null;
    if (entry.runs !== null && !addRun(entry.runs, fromSeq, throughSeq)) entry.runs = null;
  }

  /** All of them, numbered from `number` on; then there are none. */
  take(number: number): readonly LedgerEntry[] {
    const all = [...this.#byKind.values()].flat();
    this.#byKind.clear();
    this.#size = 0;
    this.hasKept = false;
    return all.map((entry, i) => ({
      ...entry,
      number: number + i,
      runs: entry.runs !== null && entry.runs.length > 0 ? entry.runs : null,
    }));
  }

  #entryFor(addition: LedgerAddition, time: WallMillis): Open {
    const { reason, lane, rule, epoch, isPrefix = false } = addition;
    const kinds = this.#byKind.get(lossKey(reason, lane, rule));
    if (kinds !== undefined) for (const entry of kinds) if (entry.epoch === epoch && entry.isPrefix === isPrefix) return entry;
    if (this.#size >= ENTRIES_MAX && (rule !== null || epoch !== null))
      return this.#entryFor({ ...addition, rule: null, epoch: null }, time);
    const entry: Open = {
      reason,
      lane,
      rule,
      epoch,
      isPrefix,
      fromSeq: null,
      throughSeq: null,
      messages: 0,
      damage: [],
      runs: [],
      firstTime: time,
      lastTime: time,
    };
    if (kinds === undefined) this.#byKind.set(lossKey(reason, lane, rule), [entry]);
    else kinds.push(entry);
    this.#size += 1;
    return entry;
  }
}

/** False: there is no place for it. They come in rising order, nearly always. */
function addRun(runs: number[], from: number, through: number): boolean {
  let at = runs.length;
  while (at > 0 && runs[at - 2]! > from) at -= 2; // the new run belongs before the pair at `at`
  const joinsBefore = at > 0 && runs[at - 1]! >= from - 1;
  if (joinsBefore) runs[at - 1] = Math.max(runs[at - 1]!, through);
  else if (at < runs.length && runs[at]! <= through + 1) {
    runs[at] = from;
    runs[at + 1] = Math.max(runs[at + 1]!, through);
    at += 2;
  } else if (runs.length >= ENTRY_RUNS_MAX * 2) return false;
  else {
    runs.splice(at, 0, from, through);
    at += 2;
  }
  while (at < runs.length && runs[at]! <= runs[at - 1]! + 1) {
    runs[at - 1] = Math.max(runs[at - 1]!, runs[at + 1]!);
    runs.splice(at, 2);
  }
  return true;
}
