// Messages under way to a stream: sent with a reply subject, not answered yet.
//
//   sent ──▶ awaited ──┬─ answered ───────────────────────────▶ forgotten
//                      ├─ silence for STORED_TIMEOUT_MS ─┐         ▲
//                      └─ the link falls ────────────────┴▶ doubtful: it may be stored, and nobody told us
//
// All of them are among the lane's held messages meanwhile: this set only keeps them from being sent twice over one link, and knows
// since when what has been sent may be stored already. What is known of each stands in numbers (sent-table.ts): objects that live as
// long as an answer takes grow old, and a million of them made the process 40 MiB larger.
// Tests: test/unit/outbox/stored.test.ts, sent-table.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { type Sent, SentTable } from "./sent-table.ts";
import { SeqSet } from "./seq-set.ts";
import { StreamWindow } from "./stream-window.ts";

/** A stream that says nothing for so long is taken for one that has not stored it. */
export const STORED_TIMEOUT_MS: Millis = 10_000;
/** How often we look for such; a message is given up this much later at most, never earlier. */
const LOOK_MS: Millis = 1000;
/** At the limit, more are sent once there are but this share of it: one by one, each would cost a look into the backlog. */
const ENOUGH_SHARE = 0.75;
/** An answer is slow that takes so long or longer. */
const SLOW_MS: Millis = 3_000;
/** While slow ones come in, silence may last so much longer before it counts. */
const SLOW_FACTOR = 3;
/** Of those that were given up, whose answers may still mean something: remembered at most. */
const LATE_MAX = 1024;

export class Awaiting {
  readonly #clock: Clock;
  readonly #onTimeout: (subject: string, seq: number) => void;
  readonly #sent = new SentTable();
  /** Given up over this link, not sent again. */
  readonly #late = new Map<number, Sent>();
  readonly #doubtful = new SeqSet();
  #doubtfulSince = Number.POSITIVE_INFINITY;
  #timer: Disposable | undefined;
  #now: Millis = 0;
  readonly #window = new StreamWindow();
  /** When a stream was overrun, up to this one had been sent: their refusals are no news. */
  #overrunThrough = 0;
  #lastSent = 0;
  /** Since the last look: an answer came at once; one came that had taken long, so a stream is behind, and not silent. */
  #isBrisk = false;
  #isSlow = false;

  /** `onTimeout` is told of each message given up, when it is no longer awaited. */
  constructor(clock: Clock, onTimeout: (subject: string, seq: number) => void) {
    this.#clock = clock;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#sent.size;
  }

  get isFull(): boolean {
    return this.#sent.size >= this.#window.limit;
  }

  /** There is room for more than one. */
  get hasRoom(): boolean {
    return this.#sent.size <= this.#window.limit * ENOUGH_SHARE;
  }

  /** When the oldest was sent of those that may be stored without our knowing, or a little earlier; Infinity when there are none. */
  get since(): Millis {
    return Math.min(this.#doubtfulSince, this.#sent.oldestAt);
  }

  has(seq: number): boolean {
    return this.#sent.find(seq) >= 0;
  }

  hasThrough(seq: number): boolean {
    return this.#sent.lowest <= seq;
  }

  get(seq: number): Sent | undefined {
    return this.#sent.get(seq);
  }

  /** One whose answer was waited for in vain. */
  late(seq: number): Sent | undefined {
    return this.#late.get(seq);
  }

  add(seq: number, subject: string, epoch: number): void {
    if (this.#timer === undefined) {
      this.#now = this.#clock.now();
      this.#timer = this.#clock.every(LOOK_MS, () => this.#look());
    }
    if (this.#late.size > 0) this.#late.delete(seq);
    this.#sent.add(seq, subject, epoch, this.#now);
    if (seq > this.#lastSent) this.#lastSent = seq;
  }

  /** A stream has answered for it, by and by or at once. */
  onAnswered(seq: number): void {
    const at = this.#sent.take(seq);
    if (at < 0) return;
    const age = this.#now - at;
    if (age <= LOOK_MS) {
      this.#isBrisk = true;
      this.#window.onBrisk();
    } else if (age >= SLOW_MS) this.#isSlow = true;
    this.#settleDoubt(seq);
  }

  /** More waited for its stream than that lets wait. */
  onOverrun(seq: number): void {
    if (!this.has(seq) || seq <= this.#overrunThrough) return;
    this.#overrunThrough = this.#lastSent;
    this.#window.onOverrun(this.#sent.countBelow(seq), this.#sent.size);
  }

  /** What becomes of it is known. */
  settle(seq: number): void {
    this.#sent.take(seq);
    this.#settleDoubt(seq);
  }

  /** It may be sent again over this link. False: it was not awaited. */
  giveUp(seq: number): boolean {
    const at = this.#sent.take(seq);
    if (at < 0) return false;
    this.#doubt(seq, at);
    return true;
  }

  /** Nobody needs these any more. */
  removeThrough(seq: number): void {
    for (const each of this.#sent.seqs()) if (each <= seq) this.#sent.take(each);
    this.settleThrough(seq);
  }

  /** What became of these is known; none of them is awaited. */
  settleThrough(seq: number): void {
    if (this.#doubtful.first > seq) return;
    for (const each of this.#late.keys()) if (each <= seq) this.#late.delete(each);
    this.#doubtful.removeThrough(seq);
    this.#forgetDoubt();
  }

  /** The link is gone, and the answers with it. */
  onDown(): void {
    for (const seq of this.#sent.seqs()) this.giveUp(seq);
    this.#late.clear();
    this.#rest();
  }

  #look(): void {
    this.#now = this.#clock.now();
    if (this.#sent.size === 0) this.#rest();
    const isLate = this.#now - this.#sent.oldestAt >= SLOW_MS;
    if (isLate && this.#isSlow && !this.#isBrisk) this.#window.onSlow();
    const patience = (this.#isSlow ? SLOW_FACTOR : 1) * STORED_TIMEOUT_MS + LOOK_MS;
    this.#isBrisk = false;
    this.#isSlow = false;
    if (this.#now - this.#sent.oldestAt < patience) return;
    for (const seq of this.#sent.seqs(this.#now - patience)) {
      const sent = this.#sent.get(seq);
      if (sent === undefined || !this.giveUp(seq)) continue;
      if (this.#late.size < LATE_MAX) this.#late.set(seq, sent);
      this.#onTimeout(sent.subject, seq);
    }
  }

  #rest(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #doubt(seq: number, at: Millis): void {
    this.#doubtful.add(seq);
    this.#doubtfulSince = Math.min(this.#doubtfulSince, at);
  }

  #settleDoubt(seq: number): void {
    if (this.#doubtful.size === 0) return;
    this.#late.delete(seq);
    this.#doubtful.remove(seq);
    this.#forgetDoubt();
  }

  #forgetDoubt(): void {
    if (this.#doubtful.size === 0) this.#doubtfulSince = Number.POSITIVE_INFINITY;
  }
}
