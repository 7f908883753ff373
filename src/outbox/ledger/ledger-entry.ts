// The words of the loss ledger: why a message did not make it, which ones they were, and what all of them come to.
//
//   addition ──┐
//   addition ──┼─▶ entry (one per reason, lane, rule and epoch, until it is written) ──▶ total (per reason, lane and rule, for ever)
//   addition ──┘
//
// Tests: test/unit/outbox/ledger/ledger.test.ts

import type { WallMillis } from "#base/clock.ts";
import { CLASSES, type UrgencyClass } from "../urgency.ts";

/** New ones go to the end: their place in the list is part of a key. */
export const LOSS_REASONS = [
  "displaced", // the oldest had to go to make room (max_bytes, max_messages, free_reserve)
  "expired", // older than max_age
  "thinned", // old, and its rule keeps only some of the old ones
  "refused", // a stream will never store it, or when_full told the publisher no
  "corrupted", // damaged on flash, or of a layout this version does not know
  "no_interest", // nobody at the hub listens, and the rule says drop
  "not_permitted", // the hub's permissions or deny_exports forbid the subject
  "too_large", // above the hub's max_payload
  "link_down", // not kept, and the link was down
  "link_slow", // not kept, and the link could not take it
] as const;

export type LossReason = (typeof LOSS_REASONS)[number];

/** What was lost, as it is told to the ledger. */
export interface LedgerAddition {
  readonly reason: LossReason;
  /** The lane it was lost from; null for messages that were never kept. */
  readonly lane: UrgencyClass | null;
  /** Index in `outbox.rules`; null: not known, or of rules that have changed since. */
  readonly rule: number | null;
  /** Of the messages' ids, or of the life that dropped a prefix; null: several, not known, or never kept. */
  readonly epoch: number | null;
  /** Lowest and highest seq; null without a lane. */
  readonly fromSeq: number | null;
  readonly throughSeq: number | null;
  readonly messages: number;
  /** Everything of the lane up to `throughSeq` goes: a segment that made room. */
  readonly isPrefix?: boolean;
  /** Name of the damage on flash that this is about. */
  readonly damage?: string;
}

/** Additions of one kind, gathered until they are written. */
export interface LedgerEntry extends LossTotal {
  /** Rises by one with each entry of this ledger, over all its lives. */
  readonly number: number;
  readonly epoch: number | null;
  readonly isPrefix: boolean;
  /** Damage on flash that is part of it, by name. */
  readonly damage: readonly string[];
  /** from, through, from, through … of exactly the seqs that were lost; null: too many gaps, or none known. */
  readonly runs: readonly number[] | null;
}

export interface LossTotal {
  readonly reason: LossReason;
  readonly lane: UrgencyClass | null;
  readonly rule: number | null;
  readonly messages: number;
  readonly fromSeq: number | null;
  readonly throughSeq: number | null;
  readonly firstTime: WallMillis;
  readonly lastTime: WallMillis;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Totals with a rule of their own, at most; what comes then is counted without its rule. */
const TOTALS_MAX = 512;

/** A number for each reason, lane and rule: a string would be made anew for every message that is dropped. */
export function lossKey(reason: LossReason, lane: UrgencyClass | null, rule: number | null): number {
  const laneIndex = lane === null ? 0 : CLASSES.indexOf(lane) + 1;
  return LOSS_REASONS.indexOf(reason) + 16 * (laneIndex + 8 * (rule === null ? 0 : rule + 1));
}

/** What all losses come to, per reason, lane and rule. */
export class LossTotals {
  readonly #totals = new Map<number, Mutable<LossTotal>>();

  add(loss: LossTotal): void {
    this.#at(loss.reason, loss.lane, loss.rule, loss);
  }

  /** The same, without an object for each message. */
  count(addition: LedgerAddition, messages: number, time: WallMillis): void {
    const found = this.#totals.get(lossKey(addition.reason, addition.lane, addition.rule));
    if (found === undefined) this.add({ ...addition, messages, firstTime: time, lastTime: time });
    else {
      merge(found, addition.fromSeq, addition.throughSeq, messages, time, time);
      found.lastTime = time; // the last is the last, whatever the clock said before
    }
  }

  /** The rules are others now: what their numbers stood for is not known any more. */
  forgetRules(): void {
    const all = this.list();
    this.#totals.clear();
    for (const total of all) this.add({ ...total, rule: null });
  }

  list(): readonly LossTotal[] {
    return [...this.#totals.values()].map((total) => ({ ...total }));
  }

  copy(): LossTotals {
    const copy = new LossTotals();
    for (const total of this.#totals.values()) copy.add(total);
    return copy;
  }

  #at(reason: LossReason, lane: UrgencyClass | null, rule: number | null, loss: LossTotal): void {
    const key = lossKey(reason, lane, rule);
    const found = this.#totals.get(key);
    if (found !== undefined) merge(found, loss.fromSeq, loss.throughSeq, loss.messages, loss.firstTime, loss.lastTime);
    else if (rule !== null && this.#totals.size >= TOTALS_MAX) this.#at(reason, lane, null, loss);
    else {
      const { messages, fromSeq, throughSeq, firstTime, lastTime } = loss;
      this.#totals.set(key, { reason, lane, rule, messages, fromSeq, throughSeq, firstTime, lastTime });
    }
  }
}

function merge(
  total: Mutable<LossTotal>,
  fromSeq: number | null,
  throughSeq: number | null,
  messages: number,
  firstTime: WallMillis,
  lastTime: WallMillis,
): void {
  total.messages += messages;
  if (fromSeq !== null && (total.fromSeq === null || fromSeq < total.fromSeq)) total.fromSeq = fromSeq;
  if (throughSeq !== null && (total.throughSeq === null || throughSeq > total.throughSeq)) total.throughSeq = throughSeq;
  if (firstTime < total.firstTime) total.firstTime = firstTime;
  if (lastTime > total.lastTime) total.lastTime = lastTime;
}
