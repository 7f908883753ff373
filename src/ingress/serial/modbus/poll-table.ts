// Who is asked next. Pure: a table of questions with their times, and what is known of each unit; no timer, no bus.
//
//   due       the question that has waited longest goes first, so a bus that cannot keep up serves all in turn and skips rounds
//   failed    repeated behind what else is due; after `retries` the unit is silent: all its questions rest, one of them is tried again
//             after 1 s, 2 s, 4 s … up to `slowDown`, once and without repeats, so a dead unit costs the others one timeout in a while
//   in debt   a unit that has left a question unanswered may still be about to: until that time is over it is asked the same question
//             only, since its late answer could be taken for that to another; if that is answered, the second answer is waited for, too

import type { Millis } from "#base/clock.ts";

/** One question to one unit, asked every `interval`. */
export interface PollEntry {
  readonly unit: number;
  readonly interval: Millis;
}

export interface PollTableOptions {
  readonly retries: number;
  readonly slowDown: Millis;
}

/** What became of a question: `alive` means the unit said something that made sense, be it an exception. */
export type PollOutcome = "alive" | "failed";
/** What that means: the unit `fell` silent or `rose` again with it, or it is as it was. `repeat`: the question is not over. */
export type PollVerdict = "as before" | "repeat" | "fell" | "rose";

interface Row<E extends PollEntry> {
  readonly entry: E;
  readonly unit: UnitState;
  dueAt: Millis;
  failures: number;
}

interface UnitState {
  /** Times in a row that a question was given up. */
  givenUp: number;
  restsUntil: Millis;
  debtUntil: Millis;
  debtor: Row<PollEntry> | undefined;
}

const REST_MS_MIN: Millis = 1000;
const FRESH: UnitState = { givenUp: 0, restsUntil: 0, debtUntil: 0, debtor: undefined };

export class PollTable<E extends PollEntry> {
  /** Rounds left out because the bus could not keep up. */
  skipped = 0;
  readonly #options: PollTableOptions;
  readonly #rows: readonly Row<E>[];
  readonly #units = new Map<number, UnitState>();

  constructor(entries: readonly E[], options: PollTableOptions, now: Millis) {
    this.#options = options;
    this.#rows = entries.map((entry) => ({ entry, unit: this.#unitOf(entry.unit), dueAt: now, failures: 0 }));
  }

  /** Forgets what it knows of the units and asks everything at once: the port was opened anew. */
  reset(now: Millis): void {
    for (const row of this.#rows) {
      row.dueAt = now;
      row.failures = 0;
    }
    for (const unit of this.#units.values()) Object.assign(unit, FRESH);
  }

  /** Rounds that nobody asked for meanwhile do not count as skipped. */
  forgive(now: Millis): void {
    for (const row of this.#rows) row.dueAt = Math.max(row.dueAt, now);
  }

  isSilent(unit: number): boolean {
    return this.#unitOf(unit).givenUp > 0;
  }

  /** The question to be asked now, or the time of the next one; `Infinity` when there is none. */
  next(now: Millis): { readonly entry: E } | { readonly at: Millis } {
    let first: Row<E> | undefined;
    let at = Number.POSITIVE_INFINITY;
    for (const row of this.#rows) {
      const ready = readyAt(row);
      if (ready > now) at = Math.min(at, ready);
      else if (first === undefined || row.dueAt < first.dueAt) first = row;
    }
    return first === undefined ? { at } : { entry: first.entry };
  }

  /** `debt`: how long another answer of the unit may still come. After one that was good nothing is asked of it until then. */
  settle(entry: E, outcome: PollOutcome, now: Millis, debt: Millis): PollVerdict {
    const row = this.#rows.find((each) => each.entry === entry)!;
    return outcome === "alive" ? this.#onAlive(row, now, debt) : this.#onFailed(row, now, debt);
  }

  /** A unit showed that it lives, or that it owes an answer, by a command. */
  note(unit: number, outcome: PollOutcome, now: Millis, debt: Millis): PollVerdict {
    const state = this.#unitOf(unit);
    if (outcome === "alive") return this.#revive(state, now);
    state.debtUntil = now + debt;
    state.debtor = undefined;
    return "as before";
  }

  /** How long until the unit may be asked something else. */
  debtOf(unit: number, now: Millis): Millis {
    return Math.max(0, this.#unitOf(unit).debtUntil - now);
  }

  #onAlive(row: Row<E>, now: Millis, debt: Millis): PollVerdict {
    this.#nextRound(row, now);
    if (debt > 0) {
      row.unit.debtUntil = now + debt;
      row.unit.debtor = undefined;
    }
    return this.#revive(row.unit, now);
  }

  #revive(unit: UnitState, now: Millis): PollVerdict {
    const wasSilent = unit.givenUp > 0;
    unit.givenUp = 0;
    unit.restsUntil = now;
    // Rounds that it slept through were not skipped by the bus.
    if (wasSilent) for (const row of this.#rows) if (row.unit === unit) row.dueAt = Math.max(row.dueAt, now);
    return wasSilent ? "rose" : "as before";
  }

  #onFailed(row: Row<E>, now: Millis, debt: Millis): PollVerdict {
    const { unit } = row;
    unit.debtUntil = now + debt;
    unit.debtor = row;
    row.failures += 1;
    if (unit.givenUp === 0 && row.failures <= this.#options.retries) {
      row.dueAt = now; // behind what else is due
      return "repeat";
    }
    this.#nextRound(row, now);
    unit.givenUp += 1;
    const rest = Math.max(REST_MS_MIN, row.entry.interval) * 2 ** Math.min(unit.givenUp - 1, 30);
    unit.restsUntil = now + Math.min(rest, Math.max(this.#options.slowDown, row.entry.interval));
    return unit.givenUp === 1 ? "fell" : "as before";
  }

  #nextRound(row: Row<E>, now: Millis): void {
    const { interval } = row.entry;
    row.failures = 0;
    row.dueAt += interval;
    if (row.dueAt > now) return;
    const missed = Math.floor((now - row.dueAt) / interval) + 1;
    if (row.unit.givenUp === 0) this.skipped += missed;
    row.dueAt += missed * interval;
  }

  #unitOf(unit: number): UnitState {
    let state = this.#units.get(unit);
    if (state === undefined) {
      state = { ...FRESH };
      this.#units.set(unit, state);
    }
    return state;
  }
}

function readyAt(row: Row<PollEntry>): Millis {
  const { unit } = row;
  const rested = Math.max(row.dueAt, unit.restsUntil);
  return unit.debtor === row ? rested : Math.max(rested, unit.debtUntil);
}
