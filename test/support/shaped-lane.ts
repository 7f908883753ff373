// One direction of a bad link: a bounded buffer, a line that carries so many bits a second, and the time they are under way.
// Shared by every connection that goes over it, as a modem is. Only scheduling: what bytes are and where they go is the caller's.
//
//   offer ─▶ │ buffer (bufferBytes) │ ─ rate ─▶  ~ delay + jitter, never overtaking ~  ─▶ arrive
//
// Works on any Clock: a fake one for unit tests and simulations, the system's for shaper.ts.

import type { Clock, Millis } from "#base/clock.ts";

export interface LaneShape {
  /** Payload bits a second; Infinity: no limit. */
  readonly rate: number;
  /** One way. */
  readonly delay: Millis;
  /** Each packet is under way for up to this much longer. */
  readonly jitter: Millis;
  /** What the buffer in front of the line holds; more is not taken. */
  readonly bufferBytes: number;
  /** What the line carries in one go; at 50 kbit/s 1200 bytes take 192 ms. */
  readonly packetBytes: number;
}

export const OPEN_LANE: LaneShape = { rate: Infinity, delay: 0, jitter: 0, bufferBytes: 64 * 1024, packetBytes: 1200 };

interface Packet {
  readonly bytes: Buffer;
  readonly arrive: (bytes: Buffer) => void;
}

/** Half a nanosecond: what floating point may lose between an instant and the timer set for it. */
const ROUNDING_MS: Millis = 1e-6;
const NOTHING = Buffer.alloc(0);

export class ShapedLane implements Disposable {
  /** Bytes handed to `arrive` so far. */
  bytesCarried = 0;
  readonly #clock: Clock;
  readonly #random: () => number;
  #shape: LaneShape;
  readonly #queue: Packet[] = [];
  #queuedBytes = 0;
  /** Of the packet that is leaving: bits still here at `#leavingSince`. */
  #leavingBits = 0;
  #leavingSince: Millis = 0;
  readonly #flight: (Packet & { readonly at: Millis })[] = [];
  #lastArrival: Millis = 0;
  readonly #waiting: (() => void)[] = [];
  #isStalled = false;
  #leaveTimer: Disposable | undefined;
  #arriveTimer: Disposable | undefined;
  #roomTimer: Disposable | undefined;

  /** `random` is in [0, 1). */
  constructor(clock: Clock, random: () => number, shape: Partial<LaneShape> = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#shape = { ...OPEN_LANE, ...shape };
  }

  get shape(): LaneShape {
    return this.#shape;
  }

  /** Bytes the buffer takes now. */
  get room(): number {
    return Math.max(0, this.#shape.bufferBytes - this.#queuedBytes);
  }

  /** Bytes in the buffer that have not left yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** From now on; what is under way keeps its arrival, what is leaving leaves at the new rate. */
  set(change: Partial<LaneShape>): void {
    this.#settleLeaving();
    this.#shape = { ...this.#shape, ...change };
    this.#leave();
    this.#callWaiting();
  }

  /** Takes as many bytes as there is room for, copies them, and says how many. `arrive` gets them packet by packet, in order. */
  offer(bytes: Uint8Array, arrive: (bytes: Buffer) => void): number {
    const taken = Math.min(this.room, bytes.length);
    for (let from = 0; from < taken; from += this.#shape.packetBytes) {
      const to = Math.min(taken, from + this.#shape.packetBytes);
      this.#enqueue({ bytes: Buffer.from(bytes.subarray(from, to)), arrive });
    }
    this.#leave();
    return taken;
  }

  /** Sends something that weighs nothing behind all that was offered before: a handshake, an end, a reset. */
  mark(arrive: () => void): void {
    this.#enqueue({ bytes: NOTHING, arrive });
    this.#leave();
  }

  /** Calls once, when there is room again; those who wait are called in turn. */
  whenRoom(action: () => void): void {
    this.#waiting.push(action);
    if (this.room > 0) this.#roomTimer ??= this.#clock.after(0, () => this.#callWaiting());
  }

  /** Nothing leaves and nothing arrives until `heal`; nothing is lost. */
  stall(): void {
    this.#settleLeaving();
    this.#isStalled = true;
    this.#stopTimers();
  }

  heal(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#leavingSince = this.#clock.now();
    this.#leave();
    this.#arrive();
  }

  /** Drops what it holds; nobody is called any more. */
  [Symbol.dispose](): void {
    this.#stopTimers();
    this.#roomTimer?.[Symbol.dispose]();
    this.#queue.length = this.#flight.length = this.#waiting.length = 0;
    this.#queuedBytes = 0;
    this.#isStalled = true;
  }

  #enqueue(packet: Packet): void {
    if (this.#queue.length === 0) this.#startLeaving(packet, this.#clock.now());
    this.#queue.push(packet);
    this.#queuedBytes += packet.bytes.length;
  }

  #startLeaving(packet: Packet, now: Millis): void {
    this.#leavingBits = packet.bytes.length * 8;
    this.#leavingSince = now;
  }

  /** Accounts for what has left at the rate so far. */
  #settleLeaving(): void {
    if (this.#queue.length === 0 || this.#isStalled) return;
    const now = this.#clock.now();
    if (this.#shape.rate !== Infinity)
      this.#leavingBits = Math.max(0, this.#leavingBits - ((now - this.#leavingSince) * this.#shape.rate) / 1000);
    this.#leavingSince = now;
  }

  /** Puts under way whatever has left by now. Late timers do no harm: each packet starts when the one before it ended. */
  #leave(): void {
    this.#leaveTimer?.[Symbol.dispose]();
    this.#leaveTimer = undefined;
    if (this.#isStalled) return;
    const now = this.#clock.now();
    const { rate, delay, jitter } = this.#shape;
    for (let packet = this.#queue[0]; packet !== undefined; packet = this.#queue[0]) {
      const leftAt = this.#leavingSince + (rate === Infinity ? 0 : (this.#leavingBits / rate) * 1000);
      if (leftAt > now + ROUNDING_MS) {
        this.#leaveTimer = this.#clock.after(leftAt - now, () => {
          this.#leave();
          this.#callWaiting();
        });
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= packet.bytes.length;
      this.#lastArrival = Math.max(this.#lastArrival, leftAt + delay + (jitter === 0 ? 0 : jitter * this.#random()));
      this.#flight.push({ ...packet, at: this.#lastArrival });
      if (this.#queue.length > 0) this.#startLeaving(this.#queue[0]!, leftAt);
    }
    if (this.#arriveTimer === undefined) this.#waitForArrival();
  }

  #arrive(): void {
    while (!this.#isStalled && this.#flight.length > 0 && this.#flight[0]!.at <= this.#clock.now() + ROUNDING_MS) {
      const { bytes, arrive } = this.#flight.shift()!;
      this.bytesCarried += bytes.length;
      arrive(bytes);
    }
    this.#waitForArrival();
  }

  /** Also for what has arrived already: nothing arrives within the call that offered it. */
  #waitForArrival(): void {
    this.#arriveTimer?.[Symbol.dispose]();
    this.#arriveTimer = undefined;
    const next = this.#flight[0];
    if (this.#isStalled || next === undefined) return;
    this.#arriveTimer = this.#clock.after(Math.max(0, next.at - this.#clock.now()), () => this.#arrive());
  }

  #callWaiting(): void {
    this.#roomTimer?.[Symbol.dispose]();
    this.#roomTimer = undefined;
    for (let turns = this.#waiting.length; turns > 0 && this.room > 0; turns--) this.#waiting.shift()!();
  }

  #stopTimers(): void {
    this.#leaveTimer?.[Symbol.dispose]();
    this.#arriveTimer?.[Symbol.dispose]();
    this.#leaveTimer = this.#arriveTimer = undefined;
  }
}
