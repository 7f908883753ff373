// How far a lane has come, in numbers and sets of numbers. Pure: it neither reads nor sends anything.
//
//   seq  ───●──────────────●──────────────●───▶        held   passed, but not done: they stay. Nobody listens yet, or no stream
//       confirmed        sent           last                  has answered yet
//                                                      ahead  sent over this link ahead of their turn, not confirmed yet
//   going back for the held:                           done   nobody needs them any more, whatever lies before them
//   ──●── h ─── h ────────────────●───▶                found  a stream was seen to hold them, before this link
//   sent = confirmed            doneSeq
//
// Tests: test/unit/outbox/progress.test.ts, test/simulation/

import { SeqSet } from "./seq-set.ts";

/** Epochs of found messages remembered: a journal holds those of a few starts, and what a stream holds anybody may have written. */
const EPOCHS_MAX = 1024;

/** `settled`: the hub has it, or its loss was told; `awaiting` a stream's answer; `kept`: on flash; `staged`: in memory alone. */
export type Whereabouts = "settled" | "awaiting" | "kept" | "staged";

export class Progress {
  /** Written to this link, or passed by. Falls back to `confirmedSeq` when the link goes. */
  sentSeq: number;
  /** A PONG came back behind it. */
  confirmedSeq: number;
  readonly held = new SeqSet();
  readonly ahead = new SeqSet();
  readonly #done = new SeqSet();
  readonly #found = new Map<number, SeqSet>();
  /** While held messages are looked through again: how far `confirmedSeq` has been before. */
  #doneSeq = 0;

  constructor(confirmedSeq: number) {
    this.sentSeq = confirmedSeq;
    this.confirmedSeq = confirmedSeq;
  }

  /** Everything up to here that is not held is done with. */
  get passedSeq(): number {
    return Math.max(this.confirmedSeq, this.#doneSeq);
  }

  /** Up to here nobody needs a message any more. */
  get doneThrough(): number {
    return Math.min(this.passedSeq, this.held.first - 1);
  }

  /** On the way from the first held message to where it has been before. */
  get isGoingBack(): boolean {
    return this.sentSeq < this.#doneSeq;
  }

  /** There is no place to remember one more that leaves out of turn. */
  get isFullAhead(): boolean {
    return this.ahead.isFull || this.#done.isFull;
  }

  /** A message that is not held needs nothing more over this link. */
  isDone(seq: number): boolean {
    return seq <= this.#doneSeq || this.#done.has(seq) || this.ahead.has(seq);
  }

  /** Nobody needs it any more, though older ones may still wait: the hub has it, or its loss was told. */
  isSettled(seq: number): boolean {
    return (seq <= this.passedSeq || this.#done.has(seq)) && !this.held.has(seq);
  }

  /** Might some of these be settled? */
  hasSettled(fromSeq: number, throughSeq: number): boolean {
    return this.passedSeq >= fromSeq || this.#done.firstAbove(fromSeq - 1) <= throughSeq;
  }

  isFound(epoch: number, seq: number): boolean {
    return this.#found.size > 0 && this.#found.get(epoch)?.has(seq) === true;
  }

  onFound(epoch: number, seqs: SeqSet): void {
    const known = this.#found.get(epoch);
    if (known !== undefined) {
      for (let seq = seqs.first; seq <= seqs.last && !known.isFull; seq = seqs.firstAbove(seq)) known.add(seq);
    } else if (this.#found.size < EPOCHS_MAX) this.#found.set(epoch, seqs);
  }

  /** Nobody needs it any more. */
  finish(seq: number): void {
    this.held.remove(seq);
    if (seq > this.passedSeq) this.#done.add(seq);
  }

  /** The same for one that is held. False: it is not. */
  finishHeld(seq: number): boolean {
    if (!this.held.remove(seq)) return false;
    if (seq > this.passedSeq) this.#done.add(seq);
    return true;
  }

  /** A PONG confirms everything sent up to `seq`. */
  confirm(seq: number): void {
    this.confirmedSeq = Math.max(this.confirmedSeq, seq);
    this.#done.removeThrough(this.passedSeq);
  }

  /** Between `sentSeq` and `seq` there is nothing any more: whoever was held there is gone, unless it is still `awaited`. */
  skipTo(seq: number, awaited: (seq: number) => boolean): void {
    for (let gone = this.held.firstAbove(this.sentSeq); gone <= seq; gone = this.held.firstAbove(gone)) {
      if (!awaited(gone)) this.held.remove(gone);
    }
    this.sentSeq = Math.max(this.sentSeq, seq);
  }

  /** Back to the first held message. */
  goBack(): void {
    this.#doneSeq = this.passedSeq;
    this.confirmedSeq = Math.min(this.confirmedSeq, this.held.first - 1);
    this.sentSeq = this.confirmedSeq;
  }

  /** Everything has been passed: what was found before is of no use now. */
  onCaughtUp(lastSeq: number): void {
    this.sentSeq = lastSeq;
    this.#found.clear();
  }

  onDown(): void {
    this.ahead.clear();
    this.sentSeq = this.confirmedSeq;
  }

  /** Everything up to `seq` was thrown away. */
  drop(seq: number): void {
    for (const seqs of [this.held, this.ahead, this.#done]) seqs.removeThrough(seq);
    this.confirmedSeq = Math.max(this.confirmedSeq, seq);
    this.sentSeq = Math.max(this.sentSeq, seq);
  }
}
