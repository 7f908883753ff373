// Frames, each ended by given bytes. Empty ones carry nothing and are passed over.
//
// A frame longer than `maxFrame` is thrown away up to its end and counted once; the next one is read as if nothing had been. Where
// frames both begin and end with the same bytes, `beginsToo` passes over what comes before the first of them.

import type { FrameListener, Framer } from "../framer.ts";
import { ByteMatcher } from "./byte-matcher.ts";
import { FrameSlab } from "./frame-slab.ts";

export class DelimiterFramer implements Framer {
  readonly showsBeginning: boolean;
  readonly #listener: FrameListener;
  readonly #maxFrame: number;
  readonly #delimiter: ByteMatcher;
  /** The bytes of a delimiter that has begun are held, too. */
  readonly #held: FrameSlab;
  #state: "searching" | "within" | "skipping";
  #noise = 0;

  constructor(maxFrame: number, delimiter: string, beginsToo: boolean, listener: FrameListener) {
    this.showsBeginning = beginsToo;
    this.#listener = listener;
    this.#maxFrame = maxFrame;
    this.#delimiter = new ByteMatcher(delimiter);
    this.#held = new FrameSlab(maxFrame + this.#delimiter.length);
    this.#state = beginsToo ? "searching" : "within";
  }

  feed(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (!this.#delimiter.next(chunk[at]!)) continue;
      this.#close(chunk, from, at + 1);
      from = at + 1;
    }
    if (from < chunk.length) this.#hold(chunk, from, chunk.length);
  }

  reset(): number {
    const held = this.#held.used;
    this.#held.used = 0;
    this.#noise = 0;
    this.#state = this.showsBeginning ? "searching" : "within";
    this.#delimiter.reset();
    return held;
  }

  /** What is held and the bytes up to `end` are a frame and its delimiter. */
  #close(chunk: Buffer, start: number, end: number): void {
    const { length } = this.#delimiter;
    if (this.#state === "searching") {
      const noise = this.#noise + end - start - length;
      this.#noise = 0;
      if (noise > 0) this.#listener.onFault("noise", noise);
    } else if (this.#state === "within") {
      const bytes = this.#held.used + end - start - length;
      if (bytes > this.#maxFrame) this.#listener.onOversize();
      else if (this.#held.used === 0) {
        if (bytes > 0) this.#listener.onFrame(chunk, start, end - length);
      } else if (this.#held.append(chunk, start, end) && bytes > 0) this.#listener.onFrame(this.#held.bytes, 0, bytes);
    }
    this.#held.used = 0;
    this.#state = "within";
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (this.#state === "searching") this.#noise += end - start;
    if (this.#state !== "within") return;
    const isLonger = this.#held.used + end - start - this.#delimiter.matched > this.#maxFrame;
    if (!isLonger && this.#held.append(chunk, start, end)) return;
    this.#held.used = 0;
    this.#state = "skipping";
    this.#listener.onOversize();
  }
}
