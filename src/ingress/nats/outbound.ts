// What goes out to one client: encoded into slabs, written once a turn, one write at a time.
//
//   reserve ─ encode ─ commit ─ … ─▶ slab │ full slabs ──▶ in flight (at most FLIGHT_BYTES_MAX) ──▶ stream
//
// With one write under way at most, a write that ends is a sign of life, and all that waits is counted here. Bounded by its
// user, who looks at `pendingBytes` after each message.

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
  readonly #full: Buffer[] = [];
  readonly #flight: Buffer[] = [];
  #used = 0;
  #fullBytes = 0;
  #flightBytes = 0;
  #isScheduled = false;
  #isFinishing = false;
  #isDead = false;
  #isBusy = false;

  constructor(stream: ByteStream, slabs: Slabs, turn: Turn, events: OutboundEvents) {
    this.#stream = stream;
    this.#slabs = slabs;
    this.#turn = turn;
    this.#events = events;
  }

  /** Bytes that the peer's side has not taken yet. */
  get pendingBytes(): number {
    return this.#used + this.#fullBytes + this.#flightBytes;
  }

  /** The same of all clients together. */
  get pendingBytesOfAll(): number {
    return this.#slabs.pendingBytes;
  }

  get isWriting(): boolean {
    return this.#flightBytes > 0;
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
      if (this.#used === this.bytes.length) this.#nextSlab(Math.min(end - from, LARGE_SLAB_BYTES));
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

  /** The peer is gone: everything is forgotten. */
  abandon(): void {
    this.#isDead = true;
    this.#slabs.pendingBytes -= this.pendingBytes;
    this.#used = 0;
    this.#full.length = 0;
    this.#fullBytes = 0;
    this.#flight.length = 0;
    this.#flightBytes = 0;
    this.bytes = NONE;
  }

  #nextSlab(count: number): void {
    this.#putAside();
    if (this.#fullBytes >= EAGER_BYTES) this.#write();
    this.bytes = this.#slabs.take(this.#isBusy || this.#fullBytes > 0 || count > SMALL_SLAB_BYTES);
  }

  #putAside(): void {
    if (this.#used > 0) {
      this.#full.push(this.#used === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.#used));
      this.#fullBytes += this.#used;
    } else if (this.bytes !== NONE) this.#slabs.giveBack(this.bytes);
    this.bytes = NONE;
    this.#used = 0;
  }

  #write(): void {
    if (this.#flightBytes > 0) return;
    if (this.#isDead || !this.#stream.writable) {
      this.abandon();
      return;
    }
    this.#isBusy = this.#used + this.#fullBytes > SMALL_SLAB_BYTES;
    if (this.#fullBytes < FLIGHT_BYTES_MAX) this.#putAside();
    if (this.#full.length === 0) {
      if (this.#isFinishing) this.#stream.end();
      return;
    }
    let count = 0;
    while (count < this.#full.length && this.#flightBytes < FLIGHT_BYTES_MAX) {
      const slab = this.#full[count]!;
      this.#flight.push(slab);
      this.#flightBytes += slab.length;
      count += 1;
    }
    this.#full.splice(0, count);
    this.#fullBytes -= this.#flightBytes;
    if (count === 1) this.#stream.write(this.#flight[0]!, this.#onWritten);
    else {
      this.#stream.cork(); // so that they leave in one system call
      for (let i = 0; i < count; i++) {
        if (i < count - 1) this.#stream.write(this.#flight[i]!);
        else this.#stream.write(this.#flight[i]!, this.#onWritten);
      }
      this.#stream.uncork();
    }
  }

  /** After a fault the slabs are left to the collector: the stream may still hold them. */
  readonly #onWritten = (fault?: Error | null): void => {
    if (this.#isDead) return;
    if (fault != null) {
      this.abandon();
      return;
    }
    for (const slab of this.#flight) this.#slabs.giveBack(whole(slab));
    this.#flight.length = 0;
    this.writtenBytes += this.#flightBytes;
    this.#slabs.pendingBytes -= this.#flightBytes;
    this.#flightBytes = 0;
    if (!this.#isScheduled || this.#isFinishing) this.#write();
    this.#events.onProgress();
  };
}

/** The slab of which this is the used part. */
function whole(part: Buffer): Buffer {
  return part.length === part.buffer.byteLength ? part : Buffer.from(part.buffer);
}
