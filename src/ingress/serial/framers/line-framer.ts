// Lines, ended by LF or CRLF. Empty lines carry nothing and are passed over.
//
//   chunk n          chunk n+1
//   …␊21.4␊21.       7␊21.9␊
//     └frame┘└held──────┘└frame┘       only a line that spans chunks is copied, into a slab that doubles up to the limit
//
// A line longer than `maxFrame` is thrown away up to its end and counted once; the next line is read as if nothing had been.

import { assert } from "#base/assert.ts";
import type { FrameListener, Framer } from "../framer.ts";
import { FrameSlab } from "./frame-slab.ts";

const LF = 0x0a;
const CR = 0x0d;

export class LineFramer implements Framer {
  readonly showsBeginning = false;
  readonly #listener: FrameListener;
  /** Longest frame in bytes, line end not counted. */
  readonly #maxFrame: number;
  /** One byte above the limit is kept too: it may be the CR of the line's end. */
  readonly #held: FrameSlab;
  #isSkipping = false;

  constructor(maxFrame: number, listener: FrameListener) {
    assert(maxFrame >= 1, "a frame of no bytes");
    this.#maxFrame = maxFrame;
    this.#listener = listener;
    this.#held = new FrameSlab(maxFrame + 1);
  }

  /** Bytes reserved between chunks; for tests of the bound. */
  get slabBytes(): number {
    return this.#held.bytes.length;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    let end = chunk.indexOf(LF);
    if (end !== -1 && this.#isSkipping) {
      this.#isSkipping = false;
      at = end + 1;
      end = chunk.indexOf(LF, at);
    } else if (end !== -1 && this.#held.used > 0) {
      this.#hold(chunk, 0, end);
      if (this.#isSkipping) this.#isSkipping = false;
      else this.#give(this.#held.bytes, 0, this.#held.used);
      this.#held.used = 0;
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
    const held = this.#held.used;
    this.#held.used = 0;
    this.#isSkipping = false;
    return held;
  }

  #give(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end - start > this.#maxFrame) this.#listener.onOversize();
    else if (end > start) this.#listener.onFrame(bytes, start, end);
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (this.#held.append(chunk, start, end)) return;
    this.#held.used = 0;
    this.#isSkipping = true;
    this.#listener.onOversize();
  }
}
