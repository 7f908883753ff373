// Lines, ended by LF or CRLF. Empty lines carry nothing and are passed over.
//
//   chunk n          chunk n+1
//   …␊21.4␊21.       7␊21.9␊
//     └frame┘└held──────┘└frame┘       only a line that spans chunks is copied, into a slab that doubles up to the limit
//
// A line longer than `maxFrame` is thrown away up to its end and counted once; the next line is read as if nothing had been.

import { assert } from "#base/assert.ts";
import type { FrameListener, Framer } from "./framer.ts";

const LF = 0x0a;
const CR = 0x0d;
const SLAB_BYTES_MIN = 256;

export class LineFramer implements Framer {
  readonly #listener: FrameListener;
  /** Longest frame in bytes, line end not counted. */
  readonly #maxFrame: number;
  #slab = Buffer.allocUnsafeSlow(0);
  #held = 0;
  #isSkipping = false;

  constructor(maxFrame: number, listener: FrameListener) {
    assert(maxFrame >= 1, "a frame of no bytes");
    this.#maxFrame = maxFrame;
    this.#listener = listener;
  }

  /** Bytes reserved between chunks; for tests of the bound. */
  get slabBytes(): number {
    return this.#slab.length;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    let end = chunk.indexOf(LF);
    if (end !== -1 && this.#isSkipping) {
      this.#isSkipping = false;
      at = end + 1;
      end = chunk.indexOf(LF, at);
    } else if (end !== -1 && this.#held > 0) {
      this.#hold(chunk, 0, end);
      if (this.#isSkipping) this.#isSkipping = false;
      else this.#give(this.#slab, 0, this.#held);
      this.#held = 0;
      at = end + 1;
      end = chunk.indexOf(LF, at);
    }
    while (end !== -1) {
      this.#give(chunk, at, end);
      at = end + 1;
      end = chunk.indexOf(LF, at);
    }
    if (at < chunk.length && !this.#isSkipping) this.#hold(chunk, at, chunk.length);
  }

  reset(): number {
    const held = this.#held;
    this.#held = 0;
    this.#isSkipping = false;
    return held;
  }

  #give(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end - start > this.#maxFrame) this.#listener.onOversize();
    else if (end > start) this.#listener.onFrame(bytes, start, end);
  }

  /** Keeps a part of a line. One byte above the limit is kept too: it may be the CR of the line's end. */
  #hold(chunk: Buffer, start: number, end: number): void {
    const bytes = this.#held + end - start;
    if (bytes > this.#maxFrame + 1) {
      this.#held = 0;
      this.#isSkipping = true;
      this.#listener.onOversize();
      return;
    }
    if (bytes > this.#slab.length) this.#widen(bytes);
    chunk.copy(this.#slab, this.#held, start, end);
    this.#held = bytes;
  }

  #widen(bytes: number): void {
    const wanted = Math.max(SLAB_BYTES_MIN, this.#slab.length * 2, bytes);
    const wider = Buffer.allocUnsafeSlow(Math.min(wanted, this.#maxFrame + 1));
    this.#slab.copy(wider, 0, 0, this.#held);
    this.#slab = wider;
  }
}
