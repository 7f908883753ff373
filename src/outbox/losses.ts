// Every message that did not make it, by reason: how many and, for kept ones, which. Kept in memory in this version;
// the page, the log and /metrics read it.

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
  readonly messages: number;
  /** Lowest and highest seq lost for this reason; null for messages that never had one. */
  readonly fromSeq: number | null;
  readonly throughSeq: number | null;
}

export class Losses {
  readonly #byReason = new Map<LossReason, { messages: number; fromSeq: number | null; throughSeq: number | null }>();

  add(reason: LossReason, messages = 1, fromSeq: number | null = null, throughSeq = fromSeq): void {
    const entry = this.#byReason.get(reason);
    if (entry === undefined) {
      this.#byReason.set(reason, { messages, fromSeq, throughSeq });
      return;
    }
    entry.messages += messages;
    if (fromSeq === null || throughSeq === null) return;
    entry.fromSeq = Math.min(entry.fromSeq ?? fromSeq, fromSeq);
    entry.throughSeq = Math.max(entry.throughSeq ?? throughSeq, throughSeq);
  }

  count(reason: LossReason): number {
    return this.#byReason.get(reason)?.messages ?? 0;
  }

  list(): readonly Loss[] {
    return [...this.#byReason].map(([reason, entry]) => ({ reason, ...entry }));
  }
}
