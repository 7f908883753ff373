// permessage-deflate without context takeover: every message is compressed for itself (RFC 7692 §7). One zlib state per
// direction is kept and reset between messages: a fresh one for each would cost 300 KB of memory's churn.
//
// zlib works in the runtime's thread pool, so the event loop is free meanwhile; callers hand in one thing after the other.

import * as zlib from "node:zlib";
import { ProtocolError } from "#base/errors.ts";

export const LEAF_BAD_DEFLATE = "LEAF_BAD_DEFLATE";

/**
 * What one message may inflate to. It is never held: it flows on in pieces, and only as fast as it is taken. A hub puts into
 * one message what it has gathered, 64 MiB (its max_pending) unless set otherwise.
 */
export const INFLATED_BYTES_MAX = 256 * 1024 * 1024;

const PIECE_BYTES = 64 * 1024;
/** Ends every flushed deflate block; left out on the wire. */
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

export class Inflater {
  readonly #onBytes: (bytes: Buffer) => void;
  readonly #onError: (error: Error) => void;
  #zlib: zlib.InflateRaw;
  #messageBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #isClosed = false;

  constructor(onBytes: (bytes: Buffer) => void, onError: (error: Error) => void) {
    this.#onBytes = onBytes;
    this.#onError = onError;
    this.#zlib = this.#open();
  }

  /** Inflated bytes that wait because of `pause`. */
  get waitingBytes(): number {
    return this.#isClosed ? 0 : this.#zlib.readableLength;
  }

  /** Resolves when they are inflated: not while paused, if they inflate to much. Also when it fails, or is closed. */
  async write(deflated: Buffer): Promise<void> {
    if (this.#isEnded || this.#isClosed) return; // behind a final block nothing counts
    await new Promise<void>((resolve) => this.#zlib.write(deflated, () => resolve()));
  }

  async endMessage(): Promise<void> {
    await this.write(TAIL);
    if (this.#isClosed) return;
    this.#messageBytes = 0;
    if (this.#isEnded) {
      this.#zlib.close();
      this.#zlib = this.#open();
      this.#isEnded = false;
    } else this.#zlib.reset();
  }

  pause(): void {
    this.#isPaused = true;
    this.#zlib.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#zlib.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#zlib.close();
  }

  #open(): zlib.InflateRaw {
    const fresh = zlib.createInflateRaw({ chunkSize: PIECE_BYTES, flush: zlib.constants.Z_SYNC_FLUSH });
    fresh.on("data", (bytes: Buffer) => this.#take(bytes));
    fresh.on("end", () => {
      this.#isEnded = true; // a sender may mark a block as the last one (RFC 7692 §7.2.3.4)
    });
    fresh.on("error", (cause) => this.#fail("does not inflate", cause));
    if (this.#isPaused) fresh.pause();
    return fresh;
  }

  #take(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#messageBytes += bytes.length;
    if (this.#messageBytes <= INFLATED_BYTES_MAX) this.#onBytes(bytes);
    else this.#fail(`inflates to more than ${INFLATED_BYTES_MAX} bytes`);
  }

  #fail(found: string, cause?: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#onError(new ProtocolError(LEAF_BAD_DEFLATE, `WebSocket: found a message that ${found}`, { cause }));
  }
}

export class Deflater {
  readonly #zlib = zlib.createDeflateRaw({ chunkSize: PIECE_BYTES });
  #pieces: Buffer[] = [];
  #isClosed = false;

  constructor(onError: (error: Error) => void) {
    this.#zlib.on("data", (piece: Buffer) => this.#pieces.push(piece)).on("error", onError);
  }

  /** One message. Not before the last one is done. */
  deflate(bytes: Buffer, done: (deflated: Buffer) => void): void {
    this.#zlib.write(bytes);
    this.#zlib.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      if (this.#isClosed) return;
      const deflated = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#zlib.reset();
      done(deflated.subarray(0, deflated.length - TAIL.length));
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#zlib.close();
  }
}
