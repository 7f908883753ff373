// PINGs under way as receipts: what the PONG of each will prove.
//
//   ── a b c ── PING ── d e ── PING ──▶ hub          the first PONG proves a b c, the second all five
//
// Most messages leave in the order of their seqs: one seq per PING stands for all of them. Those that leave apart from that order
// (ahead of the backlog, or from among the held) are proven one by one, in the order in which they were sent.

import type { Millis } from "#base/clock.ts";
import { NumberRing } from "#base/ring.ts";

/** PINGs of one lane under way, at most. */
const BARRIERS_MAX = 2;
/** Per PING: sent through, messages sent so far, sent apart so far, when the first was sent that it covers. */
const WORDS = 4;

export class Receipts {
  /** Of the receipt taken last: everything up to here was sent before it, … */
  seq = 0;
  /** … and that many messages. */
  messages = 0;
  readonly #barriers = new NumberRing();
  readonly #apart = new NumberRing();
  #apartSent = 0;
  #apartTaken = 0;
  #apartProven = 0;
  /** When the first message behind the newest PING was written; 0: none was. */
  #sentSince: Millis = 0;

  /** Nothing waits for a PONG: neither a PING nor a message that left apart. */
  get isIdle(): boolean {
    return this.#barriers.size === 0 && this.#apart.size === 0;
  }

  /** When the oldest message was sent that is not proven; Infinity when all are. */
  get since(): Millis {
    if (this.#barriers.size > 0) return this.#barriers.at(WORDS - 1);
    return this.#sentSince === 0 ? Number.POSITIVE_INFINITY : this.#sentSince;
  }

  /** Has nothing been written since the last PING? Then `onSent` wants to know when. */
  get isFirst(): boolean {
    return this.#sentSince === 0;
  }

  onSent(now: Millis): void {
    this.#sentSince = now;
  }

  onSentApart(seq: number): void {
    this.#apart.push(seq);
    this.#apartSent += 1;
  }

  /** Is there something that no PING under way covers, and may there be one more? */
  isDue(sentSeq: number, confirmedSeq: number): boolean {
    const { size } = this.#barriers;
    if (size >= BARRIERS_MAX * WORDS) return false;
    const seqAsked = size === 0 ? confirmedSeq : this.#barriers.at(size - WORDS);
    const apartAsked = size === 0 ? this.#apartTaken : this.#barriers.at(size - WORDS + 2);
    return sentSeq > seqAsked || this.#apartSent > apartAsked;
  }

  /** A PING was written behind everything up to `seq`. */
  onAsked(seq: number, messages: number, now: Millis): void {
    this.#barriers.push(seq);
    this.#barriers.push(messages);
    this.#barriers.push(this.#apartSent);
    this.#barriers.push(this.#sentSince === 0 ? now : this.#sentSince);
    this.#sentSince = 0;
  }

  /** The PONG of the oldest PING: `seq`, `messages` and `takeApart` say what it proves. False: none was under way. */
  take(): boolean {
    if (this.#barriers.size === 0) return false;
    this.seq = this.#barriers.shift();
    this.messages = this.#barriers.shift();
    this.#apartProven = this.#barriers.shift();
    this.#barriers.shift();
    return true;
  }

  /** The next of those sent apart that the last receipt proves; 0: no more. */
  takeApart(): number {
    if (this.#apartTaken >= this.#apartProven) return 0;
    this.#apartTaken += 1;
    return this.#apart.shift();
  }

  /** The link is gone: nothing under way will be proven. */
  clear(): void {
    this.#barriers.clear();
    this.#apart.clear();
    this.#apartTaken = this.#apartSent;
    this.#apartProven = this.#apartSent;
    this.#sentSince = 0;
  }
}
