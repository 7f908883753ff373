// Every message that did not make it, by reason: how many and, for kept ones, which. Kept in memory in this version;
// the page, the log and /metrics read it.

import type { UrgencyClass } from "./urgency.ts";

export const LOSS_REASONS = [
  "displaced", // the oldest had to go to make room (max_bytes, max_messages, free_reserve)
  "expired", // older than max_age
  "no_interest", // nobody at the hub listens, and the rule says drop
  "not_permitted", // the hub's permissions or deny_exports forbid the subject
  "too_large", // above the hub's max_payload
  "unreadable", // a damaged or foreign record
  "link_down", // not kept, and the link was down
  "link_slow", // not kept, and the link could not take it
] as const;

export type LossReason = (typeof LOSS_REASONS)[number];

export interface Loss {
  readonly reason: LossReason;
  /** The lane it was lost from; null for messages that were never kept. */
  readonly lane: UrgencyClass | null;
  readonly messages: number;
  /** Lowest and highest seq lost from this lane for this reason; null without a lane. */
  readonly fromSeq: number | null;
  readonly throughSeq: number | null;
}

/** What was lost out of a lane. */
export interface LostRange {
  readonly lane: UrgencyClass;
  readonly fromSeq: number;
  readonly throughSeq: number;
}

export class Losses {
  readonly #entries = new Map<string, { readonly reason: LossReason; messages: number; range: LostRange | null }>();

  add(reason: LossReason, messages = 1, range: LostRange | null = null): void {
    const key = range === null ? reason : `${reason} ${range.lane}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { reason, messages, range });
      return;
    }
    entry.messages += messages;
    if (range === null || entry.range === null) return;
    const fromSeq = Math.min(entry.range.fromSeq, range.fromSeq);
    entry.range = { lane: range.lane, fromSeq, throughSeq: Math.max(entry.range.throughSeq, range.throughSeq) };
  }

  count(reason: LossReason): number {
    let messages = 0;
    for (const entry of this.#entries.values()) if (entry.reason === reason) messages += entry.messages;
    return messages;
  }

  list(): readonly Loss[] {
    return [...this.#entries.values()].map(({ reason, messages, range }) => ({
      reason,
      messages,
      lane: range?.lane ?? null,
      fromSeq: range?.fromSeq ?? null,
      throughSeq: range?.throughSeq ?? null,
    }));
  }
}
