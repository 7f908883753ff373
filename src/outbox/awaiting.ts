// Messages under way to a stream: sent with a reply subject, not answered yet.
//
//   sent ──▶ awaited ──┬─ answered ───────────────────────────▶ forgotten
//                      ├─ silence for STORED_TIMEOUT_MS ─┐         ▲
//                      └─ the link falls ────────────────┴▶ doubtful: it may be stored, and nobody told us
//
// All of them are among the lane's held messages meanwhile: this set only keeps them from being sent twice over one link, and knows
// since when what has been sent may be stored already. One entry a message: its answer, JSON, costs far more than that.
// Tests: test/unit/outbox/stored.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { SeqSet } from "./seq-set.ts";

/** A stream that says nothing for so long is taken for one that has not stored it. */
export const STORED_TIMEOUT_MS: Millis = 10_000;
/** How often we look for such; a message is given up this much later at most, never earlier. */
const LOOK_MS: Millis = 1000;
/** Unanswered messages of one lane under way, at most. */
export const AWAITING_MAX = 4096;
/** When so many were awaited, more are sent once there are but this many: one by one, each would cost a look into the backlog. */
const AWAITING_ENOUGH = AWAITING_MAX * 0.75;
/** Of those that were given up, whose answers may still mean something: remembered at most. */
const LATE_MAX = 1024;

export interface Sent {
  readonly subject: string;
  /** Of the message's id. */
  readonly epoch: number;
  /** At the last look before it was sent: up to LOOK_MS too early. */
  readonly at: Millis;
}

export class Awaiting {
  readonly #clock: Clock;
  readonly #onTimeout: (subject: string, seq: number) => void;
  /** In the order in which they were sent. */
  readonly #sent = new Map<number, Sent>();
  /** Given up over this link, not sent again. */
  readonly #late = new Map<number, Sent>();
  readonly #doubtful = new SeqSet();
  #doubtfulSince = Number.POSITIVE_INFINITY;
  #timer: Disposable | undefined;
  #now: Millis = 0;

  /** `onTimeout` is told of each message given up, when it is no longer awaited. */
  constructor(clock: Clock, onTimeout: (subject: string, seq: number) => void) {
    this.#clock = clock;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#sent.size;
  }

  get isFull(): boolean {
    return this.#sent.size >= AWAITING_MAX;
  }

  /** There is room for more than one. */
  get hasRoom(): boolean {
    return this.#sent.size <= AWAITING_ENOUGH;
  }

  /** When the oldest was sent of those that may be stored without our knowing, or a little earlier; Infinity when there are none. */
  get since(): Millis {
    const { value } = this.#sent.values().next();
    return Math.min(this.#doubtfulSince, value?.at ?? Number.POSITIVE_INFINITY);
  }

  has(seq: number): boolean {
    return this.#sent.has(seq);
  }

  hasThrough(seq: number): boolean {
    for (const each of this.#sent.keys()) if (each <= seq) return true;
    return false;
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
    this.#late.delete(seq);
    this.#sent.set(seq, { subject, epoch, at: this.#now });
  }

  /** What becomes of it is known. */
  settle(seq: number): void {
    this.#sent.delete(seq);
    if (this.#doubtful.size === 0) return;
    this.#late.delete(seq);
    this.#doubtful.remove(seq);
    this.#forgetDoubt();
  }

  /** It may be sent again over this link. False: it was not awaited. */
  giveUp(seq: number): boolean {
    const sent = this.#sent.get(seq);
    if (sent === undefined) return false;
    this.#sent.delete(seq);
    this.#doubt(seq, sent.at);
    return true;
  }

  /** Nobody needs these any more. */
  removeThrough(seq: number): void {
    for (const each of this.#sent.keys()) if (each <= seq) this.#sent.delete(each);
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
    for (const [seq, { at }] of this.#sent) this.#doubt(seq, at);
    this.#sent.clear();
    this.#late.clear();
    this.#rest();
  }

  #look(): void {
    this.#now = this.#clock.now();
    if (this.#sent.size === 0) this.#rest();
    const late: number[] = [];
    for (const [seq, { at }] of this.#sent) {
      if (this.#now - at < STORED_TIMEOUT_MS + LOOK_MS) break;
      late.push(seq);
    }
    for (const seq of late) {
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

  #forgetDoubt(): void {
    if (this.#doubtful.size === 0) this.#doubtfulSince = Number.POSITIVE_INFINITY;
  }
}
