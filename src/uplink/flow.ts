// How many bytes may be under way to the hub, and how long an answer may take: learnt from PINGs that ride behind the data.
//
//   handed to the socket  ─────────────●──────────●──────────●────▶
//                                  confirmed     PING       sent         under way = sent − confirmed
//
// A kernel takes megabytes from us that a modem then sends for minutes. What counts is when the PONG comes back: bytes under way are
// capped so that it does within TARGET_MS above the shortest round trip, at the rate the link has shown. So an alarm waits behind little,
// and silence means something. The estimator is BBR's idea (a windowed maximum of delivery rates), with PINGs for ACKs.
//
// Pure: bytes and times in, numbers out. Tests: test/unit/uplink/flow.test.ts

import type { Millis } from "#base/clock.ts";
import { NumberRing } from "#base/ring.ts";

/** Bytes under way on a link that has shown nothing yet. */
export const WINDOW_START_BYTES = 16 * 1024;
/** Never less: one reading must always pass. */
const WINDOW_BYTES_MIN = 4 * 1024;
export const WINDOW_BYTES_MAX = 1024 * 1024;
/** How long bytes may queue on the way, beyond the round trip itself. */
const TARGET_MS: Millis = 1000;
/** A rate counts for this many round trips that were not held back by us, then it is forgotten. */
const RATES = 8;
/** A full window that took this much longer than the line's own round trip was too large by far: what showed such a rate is history. */
const LATE_MS: Millis = 3 * TARGET_MS;
/** A round trip counts as the line's own with at most this many bytes before its PING: it did not queue behind us. */
const CLEAN_BYTES = 2 * 1024;
/** After this long without such a one the window closes to this for one round trip, to see the line's own again. */
const RTT_SPAN_MS: Millis = 60_000;
const PROBE_BYTES = 1024;
/** No PONG is late before this, however fast the link: a modem that changes cells is silent for ten seconds and more. */
const PATIENCE_MIN_MS: Millis = 20_000;
/** What a link that has shown no rate yet is trusted with, in bytes per millisecond (1 KiB/s). */
const RATE_FLOOR = 1.024;

export class Flow {
  /** Smoothed round trip of PINGs, queueing included; null before the first PONG. RFC 6298 weights. */
  rtt: Millis | null = null;
  #rttVariation: Millis = 0;
  /** The line's own round trip: the last clean one, or a shorter one since. */
  #rttOwn = Number.POSITIVE_INFINITY;
  #rttOwnAt: Millis;
  #sent = 0;
  #confirmed = 0;
  #confirmedAt: Millis;
  /** Per PING under way: position, sent at, confirmed then, when that had been confirmed, was the window full since the PING before. */
  readonly #marks = new NumberRing();
  #wasFull = false;
  /** A full window has been answered: before, small rates are our own idleness. */
  #hasMeasured = false;
  readonly #rates: number[] = [];
  #rate = 0;
  #window = WINDOW_START_BYTES;

  constructor(now: Millis) {
    this.#rttOwnAt = now;
    this.#confirmedAt = now;
  }

  /** Bytes under way: handed over and not yet known to have arrived. */
  get underWay(): number {
    return this.#sent - this.#confirmed;
  }

  /** Bytes handed over since the last PING. */
  get unmarked(): number {
    return this.#sent - (this.#marks.size === 0 ? this.#confirmed : this.#marks.at(this.#marks.size - 5));
  }

  get window(): number {
    return this.#window;
  }

  /** The window is closed to see the line's own round trip. */
  get isProbing(): boolean {
    return this.#window === PROBE_BYTES;
  }

  /** Bytes per second the link has shown; 0 before it has. */
  get rate(): number {
    return this.#rate * 1000;
  }

  /** PINGs under way. */
  get pings(): number {
    return this.#marks.size / 5;
  }

  /** More is wanted than the window takes: rates measured now are the link's, not the publisher's. */
  onFull(): void {
    if (this.#window > PROBE_BYTES) this.#wasFull = true;
  }

  onSent(bytes: number, now: Millis): void {
    if (this.underWay === 0) this.#confirmedAt = now; // an idle link measures nothing
    this.#sent += bytes;
  }

  /** A PING was written; `bytesBehind` of what `onSent` counted so far come after it. */
  onPing(now: Millis, bytesBehind = 0): void {
    this.#marks.push(this.#sent - bytesBehind);
    this.#marks.push(now);
    this.#marks.push(this.#confirmed);
    this.#marks.push(this.#confirmedAt);
    this.#marks.push(this.#wasFull ? 1 : 0);
    this.#wasFull = false;
  }

  /** The oldest PING is answered. Returns its round trip, undefined if none was under way. */
  onPong(now: Millis): Millis | undefined {
    if (this.#marks.size === 0) return undefined;
    const position = this.#marks.shift();
    const sentAt = this.#marks.shift();
    const confirmedThen = this.#marks.shift();
    const confirmedThenAt = this.#marks.shift();
    const wasFull = this.#marks.shift() === 1;
    this.#confirmed = Math.max(this.#confirmed, position);
    this.#confirmedAt = now;
    const rtt = now - sentAt;
    this.#learnRtt(rtt, now, position - confirmedThen <= CLEAN_BYTES);
    this.#learnRate((position - confirmedThen) / Math.max(1, now - confirmedThenAt), wasFull, rtt > this.#rttOwn + LATE_MS);
    this.#window = now - this.#rttOwnAt > RTT_SPAN_MS ? PROBE_BYTES : this.#wantedWindow();
    return rtt;
  }

  /** Age of the oldest unanswered PING; 0 when none is under way. */
  oldestPing(now: Millis): Millis {
    return this.#marks.size === 0 ? 0 : now - this.#marks.at(1);
  }

  /**
   * How old an unanswered PING may get before the link counts as broken: what was under way in front of it must have had time to
   * arrive, twice over. What came behind it does not count: it would let a dead link live for as long as somebody writes to it.
   */
  get patience(): Millis {
    const roundTrip = this.rtt === null ? 0 : this.rtt + 4 * this.#rttVariation;
    const ahead = this.#marks.size === 0 ? this.underWay : this.#marks.at(0) - this.#marks.at(2);
    return PATIENCE_MIN_MS + 2 * roundTrip + (2 * ahead) / Math.max(this.#rate, RATE_FLOOR);
  }

  #learnRtt(rtt: Millis, now: Millis, isClean: boolean): void {
    if (this.rtt === null) {
      this.rtt = rtt;
      this.#rttVariation = rtt / 2;
    } else {
      this.#rttVariation += (Math.abs(rtt - this.rtt) - this.#rttVariation) / 4;
      this.rtt += (rtt - this.rtt) / 8;
    }
    if (isClean) {
      this.#rttOwn = rtt;
      this.#rttOwnAt = now;
    } else this.#rttOwn = Math.min(this.#rttOwn, rtt);
  }

  #wantedWindow(): number {
    const least = this.#hasMeasured ? WINDOW_BYTES_MIN : WINDOW_START_BYTES;
    return Math.round(Math.min(WINDOW_BYTES_MAX, Math.max(least, this.#rate * (this.#rttOwn + TARGET_MS))));
  }

  /** Little to send says nothing about the link: only rates of a full window may lower the estimate. */
  #learnRate(rate: number, wasFull: boolean, isLate: boolean): void {
    if (!wasFull && rate <= this.#rate) return;
    if (wasFull) this.#hasMeasured = true;
    if (wasFull && isLate) this.#rates.length = 0;
    this.#rates.push(rate);
    if (this.#rates.length > RATES) this.#rates.shift();
    this.#rate = Math.max(...this.#rates);
  }
}
