// COBS (Cheshire & Baker, 1999): frames ended by 00, and no other 00 in them: each block begins with its length, and between blocks
// shorter than 255 stood a 00.
//
//   03 11 22 02 33 00   ─▶   11 22 00 33
//
// A frame whose last block is cut short is damaged, one longer than `maxFrame` once decoded is oversize: either is counted once and
// thrown away up to its 00, and the next one is read as if nothing had been.

import type { FrameListener, Framer } from "../framer.ts";
import { FrameSlab } from "./frame-slab.ts";

const BLOCK_MAX = 0xff;

export class CobsFramer implements Framer {
  readonly showsBeginning = false;
  readonly #listener: FrameListener;
  readonly #held: FrameSlab;
  /** Bytes still to come of the block under way. */
  #rest = 0;
  #isZeroDue = false;
  #isSkipping = false;

  constructor(maxFrame: number, listener: FrameListener) {
    this.#listener = listener;
    this.#held = new FrameSlab(maxFrame);
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === 0) this.#close();
      else if (this.#isSkipping) continue;
      else if (this.#rest > 0) {
        this.#rest -= 1;
        this.#push(byte);
      } else {
        if (this.#isZeroDue) this.#push(0);
        this.#rest = byte - 1;
        this.#isZeroDue = byte < BLOCK_MAX;
      }
    }
  }

  reset(): number {
    const held = this.#isSkipping ? 0 : this.#held.used + (this.#rest > 0 ? 1 : 0);
    this.#begin();
    return held;
  }

  #push(byte: number): void {
    if (this.#isSkipping || this.#held.push(byte)) return;
    this.#isSkipping = true;
    this.#listener.onOversize();
  }

  #close(): void {
    const { bytes, used } = this.#held;
    const isCut = this.#rest > 0;
    const isGone = this.#isSkipping;
    this.#begin();
    if (isGone) return;
    if (isCut) this.#listener.onFault("escape", used + 1, bytes.subarray(0, used));
    else if (used > 0) this.#listener.onFrame(bytes, 0, used);
  }

  #begin(): void {
    this.#held.used = 0;
    this.#rest = 0;
    this.#isZeroDue = false;
    this.#isSkipping = false;
  }
}
