// What has been sent for a stream to answer, by seq: an open-addressed table of numbers, so that nothing is made or thrown away per message.
//
//   hash of seq ─▶ slot, or one of those behind it      0: nothing there
//
// The hash scatters: with neighbours side by side all of them would be one long run, to be gone through to its end at each removal.
//
// In each: the seq, when it was sent, its epoch, its subject (one string for all of its messages, of the subject cache).
// Tests: test/unit/outbox/sent-table.test.ts

import type { Millis } from "#base/clock.ts";

const SLOTS_MIN = 1024;
/** A table that is fuller than this becomes twice as large. */
const FULL_SHARE = 0.5;

export interface Sent {
  readonly subject: string;
  /** Of the message's id. */
  readonly epoch: number;
  /** Up to a second too early. */
  readonly at: Millis;
}

export class SentTable {
  size = 0;
  #mask = SLOTS_MIN - 1;
  #shift = Math.clz32(SLOTS_MIN - 1);
  #seqs = new Float64Array(0);
  #ats = new Float64Array(0);
  #epochs = new Float64Array(0);
  #subjects: string[] = [];

  /** Its slot; -1: it is not here. */
  find(seq: number): number {
    if (this.size === 0 || !(seq > 0)) return -1;
    const seqs = this.#seqs;
    const mask = this.#mask;
    for (let slot = hash(seq) >>> this.#shift; ; slot = (slot + 1) & mask) {
      const found = seqs[slot];
      if (found === seq) return slot;
      if (found === 0) return -1;
    }
  }

  get(seq: number): Sent | undefined {
    const slot = this.find(seq);
    if (slot < 0) return undefined;
    return { subject: this.#subjects[slot]!, epoch: this.#epochs[slot]!, at: this.#ats[slot]! };
  }

  /** `seq` is 1 or more; of one that is here, what is known is replaced. */
  add(seq: number, subject: string, epoch: number, at: Millis): void {
    if (this.size >= this.#seqs.length * FULL_SHARE) this.#grow();
    const mask = this.#mask;
    let slot = hash(seq) >>> this.#shift;
    while (this.#seqs[slot] !== 0 && this.#seqs[slot] !== seq) slot = (slot + 1) & mask;
    if (this.#seqs[slot] === 0) this.size += 1;
    this.#put(slot, seq, subject, epoch, at);
  }

  /** Removes it. Returns when it was sent; -1: it was not here. */
  take(seq: number): Millis {
    let hole = this.find(seq);
    if (hole < 0) return -1;
    const at = this.#ats[hole]!;
    const seqs = this.#seqs;
    const mask = this.#mask;
    // Whatever stands behind its place for want of room moves up, so that no search ends at the hole.
    for (let slot = (hole + 1) & mask; seqs[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hash(seqs[slot]!) >>> this.#shift;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.#put(hole, seqs[slot]!, this.#subjects[slot]!, this.#epochs[slot]!, this.#ats[slot]!);
      hole = slot;
    }
    seqs[hole] = 0;
    this.size -= 1;
    return at;
  }

  /** When the oldest was sent; Infinity when there are none. Looks at all. */
  get oldestAt(): Millis {
    let oldest = Number.POSITIVE_INFINITY;
    if (this.size > 0) this.#seqs.forEach((seq, slot) => void (seq !== 0 && (oldest = Math.min(oldest, this.#ats[slot]!))));
    return oldest;
  }

  /** The lowest seq; Infinity when there are none. Looks at all. */
  get lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    if (this.size > 0) for (const seq of this.#seqs) if (seq !== 0 && seq < lowest) lowest = seq;
    return lowest;
  }

  /** How many have a lower seq. Looks at all. */
  countBelow(seq: number): number {
    let count = 0;
    if (this.size > 0) for (const each of this.#seqs) if (each !== 0 && each < seq) count += 1;
    return count;
  }

  /** A copy, rising: those that were sent by then. */
  seqs(sentBy: Millis = Number.POSITIVE_INFINITY): Float64Array {
    if (this.size === 0) return new Float64Array(0);
    return this.#seqs.filter((seq, slot) => seq !== 0 && this.#ats[slot]! <= sentBy).sort();
  }

  #put(slot: number, seq: number, subject: string, epoch: number, at: Millis): void {
    this.#seqs[slot] = seq;
    this.#ats[slot] = at;
    this.#epochs[slot] = epoch;
    this.#subjects[slot] = subject;
  }

  #grow(): void {
    const seqs = this.#seqs;
    const ats = this.#ats;
    const epochs = this.#epochs;
    const subjects = this.#subjects;
    const slots = Math.max(SLOTS_MIN, seqs.length * 2);
    this.#mask = slots - 1;
    this.#shift = Math.clz32(slots - 1);
    this.#seqs = new Float64Array(slots);
    this.#ats = new Float64Array(slots);
    this.#epochs = new Float64Array(slots);
    this.#subjects = new Array<string>(slots).fill("");
    this.size = 0;
    for (let slot = 0; slot < seqs.length; slot++)
      if (seqs[slot] !== 0) this.add(seqs[slot]!, subjects[slot]!, epochs[slot]!, ats[slot]!);
  }
}

/** Of neighbours far apart; its upper bits count. */
function hash(seq: number): number {
  return Math.imul(seq, 0x9e3779b1);
}
