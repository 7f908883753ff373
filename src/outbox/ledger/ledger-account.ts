// Do the books balance? Every message that was given a number has one fate: delivered, lost for one reason, or it still waits.
//
//   given  =  delivered  +  lost  +  waiting            per lane and epoch: an epoch's numbers are its own
//
// Tests: test/unit/outbox/ledger/ledger-account.test.ts

import type { UrgencyClass } from "../urgency.ts";
import type { LossTotal } from "./ledger-entry.ts";

/** A lane over one life, or over several taken together. */
export interface LaneBooks {
  readonly lane: UrgencyClass;
  /** Messages that were given a number. After a crash: those of them that were safe. */
  readonly given: number;
  /** Different messages that reached the hub, or a stream. */
  readonly delivered: number;
  /** On flash and in memory, not confirmed. */
  readonly waiting: number;
}

export interface Account {
  readonly lane: UrgencyClass;
  readonly lost: number;
  /** Messages without a fate; 0 when the books balance. */
  readonly missing: number;
  /** Fates too many: messages counted twice, or delivered and counted as lost. */
  readonly doubled: number;
}

/** `losses`: of one outbox, over the same time as the books. */
export function accountFor(books: readonly LaneBooks[], losses: readonly LossTotal[]): readonly Account[] {
  return books.map(({ lane, given, delivered, waiting }) => {
    const lost = losses.reduce((sum, loss) => sum + (loss.lane === lane ? loss.messages : 0), 0);
    const left = given - delivered - lost - waiting;
    return { lane, lost, missing: Math.max(0, left), doubled: Math.max(0, -left) };
  });
}
