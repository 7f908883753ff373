// What goes out to one client: encoded into slabs, written once a turn, one write at a time.
//
//   reserve ─ encode ─ commit ─ … ─▶ slab │ full slabs ──▶ in flight (at most FLIGHT_BYTES_MAX) ──▶ stream
//
// With one write under way at most, a write that ends is a sign of life, and all that waits is counted here. Bounded by its
// user, who looks at `pendingBytes` after each message. What the network takes at once is free again at once, not when Node
// comes round to tell: a batch for many clients then passes through few slabs.

import type { ByteStream } from "#base/net.ts";
import { LARGE_SLAB_BYTES, type Slabs, SMALL_SLAB_BYTES } from "./slabs.ts";
import type { Turn, Writes } from "./turn.ts";

/** Gathered bytes that are not kept until the end of the turn. */
const EAGER_BYTES = 65_536;
const FLIGHT_BYTES_MAX = 1_048_576;
const NONE: Buffer = Buffer.alloc(0);

export interface OutboundEvents {
  /** The stream took a write to its end. */
  onProgress(): void;
}

export class Outbound implements Writes {
  /** The slab to encode into, from the offset that `reserve` returned. Changes with every `reserve`. */
  bytes = NONE;
  writtenBytes = 0;
  readonly #stream: ByteStream;
  readonly #slabs: Slabs;
  readonly #turn: Turn;
  readonly #events: OutboundEvents;
  /** Slabs that wait, and how much of each is used. Of the first `#flightCount` the stream was told. */
  readonly #full: Buffer[] = [];
  readonly #fullUsed: number[] = [];
  #used = 0;
  #fullBytes = 0;
  #flightCount = 0;
  #flightBytes = 0;
  /** Writes that had ended when `write` returned: of these we are told once more. */
  #endedEarly = 0;
  #isScheduled = false;
  #isFinishing = false;
  #isDead = false;
  /** The last write was more than a small slab. */
  #isBusy = false;

  constructor(stream: ByteStream, slabs: Slabs, turn: Turn, events: OutboundEvents) {
    this.#stream = stream;
    this.#slabs = slabs;
    this.#turn = turn;
    this.#events = events;
  }

  /** Bytes that the peer's side has not taken yet. */
  get pendingBytes(): number {
    return this.#used + this.#fullBytes;
  }

  /** The same of all clients together. */
  get pendingBytesOfAll(): number {
    return this.#slabs.pendingBytes;
  }

  get isWriting(): boolean {
    return this.#flightCount > 0;
  }

  /** Room for `count` bytes (at most LARGE_SLAB_BYTES) at the returned offset of `bytes`. Follow with `commit` of where the encoding ended. */
  reserve(count: number): number {
    if (this.#used + count > this.bytes.length) this.#nextSlab(count);
    return this.#used;
  }

  commit(end: number): void {
    this.#slabs.pendingBytes += end - this.#used;
    this.#used = end;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#turn.add(this);
  }

  /** For what is said now and then. Latin1 form. */
  text(line: string): void {
    if (line.length > SMALL_SLAB_BYTES) {
      this.copy(Buffer.from(line, "latin1"), 0, line.length);
      return;
    }
    const at = this.reserve(line.length);
    this.commit(at + this.bytes.latin1Write(line, at));
  }

  /** Any number of bytes, over as many slabs as it takes. */
  copy(source: Buffer, start: number, end: number): void {
    for (let from = start; from < end; ) {
      if (this.#used === this.bytes.length) this.#nextSlab(0);
      const count = Math.min(end - from, this.bytes.length - this.#used);
      source.copy(this.bytes, this.#used, from, from + count);
      this.commit(this.#used + count);
      from += count;
    }
  }

  /** Writes what was gathered, unless a write is under way: then it follows that one. */
  flush(): void {
    this.#isScheduled = false;
    this.#write();
  }

  /** Whatever was gathered still goes out, then the stream is ended. */
  finish(): void {
    this.#isFinishing = true;
    this.#write();
  }

  /** The peer is gone: everything is forgotten. The stream may still hold what is in flight, so that is left to the collector. */
  abandon(): void {
    this.#isDead = true;
    this.#slabs.pendingBytes -= this.pendingBytes;
    for (const slab of this.#full.slice(this.#flightCount)) this.#slabs.giveBack(slab);
    if (this.bytes !== NONE) this.#slabs.giveBack(this.bytes);
    this.#full.length = 0;
    this.#fullUsed.length = 0;
    this.#fullBytes = 0;
    this.#flightCount = 0;
    this.#flightBytes = 0;
    this.#used = 0;
    this.bytes = NONE;
  }

  #nextSlab(count: number): void {
    this.#putAside();
    if (this.#fullBytes - this.#flightBytes >= EAGER_BYTES) this.#write();
    const isLarge = count > SMALL_SLAB_BYTES || ((this.#isBusy || this.#fullBytes > 0) && !this.#turn.hasMany);
    this.#turn.begin(isLarge ? LARGE_SLAB_BYTES : SMALL_SLAB_BYTES); // everybody may write now, we too
    this.bytes = this.#slabs.take(isLarge);
  }

  #putAside(): void {
    if (this.#used > 0) {
      this.#full.push(this.bytes);
      this.#fullUsed.push(this.#used);
      this.#fullBytes += this.#used;
    } else if (this.bytes !== NONE) this.#slabs.giveBack(this.bytes);
    this.bytes = NONE;
    this.#used = 0;
  }

  #write(): void {
    if (this.#flightCount > 0) return;
    if (this.#isDead || !this.#stream.writable) {
      this.abandon();
      return;
    }
    this.#isBusy = this.pendingBytes > SMALL_SLAB_BYTES;
    if (this.#fullBytes < FLIGHT_BYTES_MAX) this.#putAside();
    if (this.#full.length === 0) {
      if (this.#isFinishing) this.#stream.end();
      return;
    }
    while (this.#flightCount < this.#full.length && this.#flightBytes < FLIGHT_BYTES_MAX) {
      this.#flightBytes += this.#fullUsed[this.#flightCount]!;
      this.#flightCount += 1;
    }
    this.#send();
    if (this.#stream.writableLength > 0) return;
    this.#endedEarly += 1;
    this.#land();
  }

  #send(): void {
    const stream = this.#stream;
    const last = this.#flightCount - 1;
    if (last > 0) stream.cork(); // so that they leave in one system call
    for (let i = 0; i < last; i++) stream.write(this.#part(i));
    stream.write(this.#part(last), this.#onWritten);
    if (last > 0) stream.uncork();
  }

  #part(index: number): Buffer {
    const slab = this.#full[index]!;
    const used = this.#fullUsed[index]!;
    return used === slab.length ? slab : slab.subarray(0, used);
  }

  readonly #onWritten = (fault?: Error | null): void => {
    if (this.#isDead) return;
    if (fault != null) {
      this.abandon();
      return;
    }
    if (this.#endedEarly > 0) this.#endedEarly -= 1;
    else this.#land();
    if (!this.#isScheduled || this.#isFinishing) this.#write();
    this.#events.onProgress();
  };

  /** What was in flight has arrived. */
  #land(): void {
    for (let i = 0; i < this.#flightCount; i++) this.#slabs.giveBack(this.#full[i]!);
    if (this.#flightCount === this.#full.length) {
      this.#full.length = 0;
      this.#fullUsed.length = 0;
    } else {
      this.#full.splice(0, this.#flightCount);
      this.#fullUsed.splice(0, this.#flightCount);
    }
    this.writtenBytes += this.#flightBytes;
    this.#slabs.pendingBytes -= this.#flightBytes;
    this.#fullBytes -= this.#flightBytes;
    this.#flightBytes = 0;
    this.#flightCount = 0;
  }
}
