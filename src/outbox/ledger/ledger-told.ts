// Which messages have met their fate in the ledger already, so that none is counted twice, and none is sent after it was told lost.
//
//   met in the backlog: dropped, told ──▶ link falls before its number is confirmed ──▶ met again: known here, its fate stands
//                                    └──▶ crash, freed numbers come back            ──▶ the same, from what the ledger holds
//
// A number alone names nothing: after a crash a later life may give it again, under another epoch. Bounded in runs; what has no place,
// and ranges with gaps in the ledger, are a budget: so many among these numbers were told, so many are not counted when met again.

import { SeqSet } from "../seq-set.ts";
import type { UrgencyClass } from "../urgency.ts";

/** Runs remembered per lane and epoch. */
const TOLD_RUNS_MAX = 16_384;
/** Budgets remembered per lane. */
const BUDGETS_MAX = 64;

interface Budget {
  readonly epoch: number;
  readonly fromSeq: number;
  throughSeq: number;
  left: number;
}

interface Told {
  readonly seqs: Map<number, SeqSet>;
  readonly budgets: Budget[];
}

export class ToldMessages {
  readonly #lanes = new Map<UrgencyClass, Told>();

  /** True: its fate stands, and is not to be decided again. */
  has(lane: UrgencyClass, epoch: number, seq: number): boolean {
    return this.#lanes.get(lane)?.seqs.get(epoch)?.has(seq) === true;
  }

  /** False if it was told before: it must not be counted. */
  add(lane: UrgencyClass, epoch: number, seq: number): boolean {
    const told = this.#told(lane);
    const seqs = seqsOf(told, epoch);
    if (seqs.has(seq)) return false;
    if (!seqs.isFull) seqs.add(seq);
    return !spend(told.budgets, epoch, seq);
  }

  /** From the ledger's file: exactly these. */
  restoreRun(lane: UrgencyClass, epoch: number, fromSeq: number, throughSeq: number): void {
    const seqs = seqsOf(this.#told(lane), epoch);
    for (let seq = fromSeq; seq <= throughSeq && !seqs.isFull; seq++) seqs.add(seq);
  }

  /** From the ledger's file: so many among these. */
  restoreRange(lane: UrgencyClass, epoch: number, fromSeq: number, throughSeq: number, messages: number): void {
    const { budgets } = this.#told(lane);
    if (budgets.length >= BUDGETS_MAX) budgets.shift();
    budgets.push({ epoch, fromSeq, throughSeq, left: messages });
  }

  /** Is any of these known? */
  hasThrough(lane: UrgencyClass, seq: number): boolean {
    for (const seqs of this.#lanes.get(lane)?.seqs.values() ?? []) if (seqs.first <= seq) return true;
    return false;
  }

  /** Forgets everything of the lane up to `seq`, for it will not be met again. */
  forgetThrough(lane: UrgencyClass, seq: number): void {
    const told = this.#lanes.get(lane);
    if (told === undefined) return;
    for (const [epoch, seqs] of told.seqs) {
      seqs.removeThrough(seq);
      if (seqs.size === 0) told.seqs.delete(epoch);
    }
    const stays = told.budgets.filter(({ throughSeq }) => throughSeq > seq);
    told.budgets.splice(0, told.budgets.length, ...stays);
  }

  #told(lane: UrgencyClass): Told {
    let told = this.#lanes.get(lane);
    if (told === undefined) {
      told = { seqs: new Map(), budgets: [] };
      this.#lanes.set(lane, told);
    }
    return told;
  }
}

function seqsOf(told: Told, epoch: number): SeqSet {
  let seqs = told.seqs.get(epoch);
  if (seqs === undefined) {
    seqs = new SeqSet(TOLD_RUNS_MAX);
    told.seqs.set(epoch, seqs);
  }
  return seqs;
}

function spend(budgets: readonly Budget[], epoch: number, seq: number): boolean {
  const budget = budgets.find((each) => each.epoch === epoch && each.left > 0 && each.fromSeq <= seq && seq <= each.throughSeq);
  if (budget === undefined) return false;
  budget.left -= 1;
  return true;
}
