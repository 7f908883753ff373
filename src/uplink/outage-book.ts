// Times without a link, and what became of what was kept meanwhile: "02:10 to 05:40: 41,212 stored, 41,212 delivered, 0 lost".
//
//            down                     ready
//   lane  ─────┬───────────────────────┬──────────▶ seq        stored: those between the two
//            from                   through                    delivered: as far as the hub has confirmed, without those held or lost
//
// An outage that began before this start counts from what the hub had not confirmed by then. In memory only; what is lost for good
// stands in the ledger.

import type { Clock, Millis } from "#base/clock.ts";
import type { LossTotal } from "#outbox/ledger/ledger-entry.ts";

/** Outages remembered, per remote. */
const OUTAGES_MAX = 64;

/** Connecting for the first time takes as long without being an outage, unless something waited from before. */
const FIRST_MS: Millis = 60_000;

/** Shorter ones during which nothing was kept are no outages: a start, a link that was opened anew. */
const SHORT_MS: Millis = 10_000;

/** A lane, as far as it matters here. */
export interface LaneMarks {
  readonly class: string;
  readonly lastSeq: number;
  readonly confirmedSeq: number;
  readonly held: number;
}

export interface Outage {
  /** By the clock that never jumps; `to` null: it goes on. */
  readonly from: Millis;
  readonly to: Millis | null;
  readonly stored: number;
  readonly delivered: number;
  readonly lost: number;
}

interface Stretch {
  readonly from: number;
  through: number | null;
  delivered: number;
  lost: number;
}

interface Entry {
  readonly from: Millis;
  /** The start's, with nothing to be sent from before: no link was lost. */
  readonly isFirst: boolean;
  to: Millis | null;
  readonly lanes: Map<string, Stretch>;
  /** Lost before they were kept: `when_full`. */
  turnedAway: number;
}

/** What was told of a loss, as the ledger tells it. */
export type LossNews = Pick<LossTotal, "reason" | "lane" | "messages" | "fromSeq" | "throughSeq">;

export class OutageBook {
  readonly #clock: Clock;
  readonly #lanes: () => readonly LaneMarks[];
  readonly #entries: Entry[] = [];
  #current: Entry | undefined;

  /** The link is not there yet. */
  constructor(clock: Clock, lanes: () => readonly LaneMarks[]) {
    this.#clock = clock;
    this.#lanes = lanes;
    const hasBacklog = lanes().some(({ lastSeq, confirmedSeq }) => lastSeq > confirmedSeq);
    this.#begin(({ confirmedSeq }) => confirmedSeq, !hasBacklog);
  }

  /** As often as one likes. */
  onDown(): void {
    if (this.#current === undefined) this.#begin(({ lastSeq }) => lastSeq);
  }

  onReady(): void {
    if (this.#current === undefined) return;
    for (const { class: name, lastSeq } of this.#lanes()) {
      const stretch = this.#current.lanes.get(name);
      if (stretch !== undefined) stretch.through = lastSeq;
    }
    this.#current.to = this.#clock.now();
    this.#current = undefined;
  }

  onLoss({ reason, lane, messages, fromSeq, throughSeq }: LossNews): void {
    if (lane === null || fromSeq === null || throughSeq === null) {
      if (this.#current !== undefined && (reason === "displaced" || reason === "refused")) this.#current.turnedAway += messages;
      return;
    }
    let rest = messages;
    for (const { lanes } of this.#entries) {
      const stretch = lanes.get(lane);
      if (stretch === undefined || rest === 0) continue;
      const last = Math.min(throughSeq, stretch.through ?? throughSeq);
      const lost = Math.min(rest, Math.max(0, last - Math.max(fromSeq, stretch.from + 1) + 1));
      stretch.lost += lost;
      rest -= lost;
    }
  }

  /** Oldest first, those that somebody may ask about. */
  list(): Outage[] {
    const now = this.#clock.now();
    return this.#all()
      .filter(({ from, to, stored, lost, isFirst }) => {
        if (isFirst) return lost > 0 || (to ?? now) - from >= FIRST_MS;
        return to === null || stored > 0 || to - from >= SHORT_MS;
      })
      .map(({ isFirst, ...outage }) => outage);
  }

  #all(): (Outage & { readonly isFirst: boolean })[] {
    const marks = new Map(this.#lanes().map((lane) => [lane.class, lane]));
    return this.#entries.map(({ from, to, isFirst, lanes, turnedAway }) => {
      let stored = 0;
      let delivered = 0;
      let lost = turnedAway;
      for (const [name, stretch] of lanes) {
        const mark = marks.get(name);
        if (mark === undefined) continue;
        const kept = (stretch.through ?? mark.lastSeq) - stretch.from;
        const passed = Math.min(kept, Math.max(0, mark.confirmedSeq - stretch.from));
        // What is held has been passed, and is not there. It only grows: a lane that goes back for the held takes nothing back.
        stretch.delivered = Math.min(kept - stretch.lost, Math.max(stretch.delivered, passed - stretch.lost - mark.held));
        stored += kept;
        delivered += Math.max(0, stretch.delivered);
        lost += stretch.lost;
      }
      return { from, to, isFirst, stored: stored + turnedAway, delivered, lost };
    });
  }

  #begin(since: (lane: LaneMarks) => number, isFirst = false): void {
    const lanes = new Map(
      this.#lanes().map((lane) => [lane.class, { from: since(lane), through: null, delivered: 0, lost: 0 } as Stretch] as const),
    );
    this.#current = { from: this.#clock.now(), to: null, isFirst, lanes, turnedAway: 0 };
    this.#entries.push(this.#current);
    if (this.#entries.length > OUTAGES_MAX) this.#entries.shift();
  }
}
