// Frames, each ended by silence. For devices that send a burst of bytes now and then, without any mark.
//
// A burst longer than `maxFrame` is thrown away up to the next silence and counted once. Two bursts that come with less than the gap
// between them are one frame: the gap must be longer than what the adapter holds back, and shorter than the device's pause.

import type { Clock, Millis } from "#base/clock.ts";
import type { FrameListener, Framer } from "../framer.ts";
import { FrameSlab } from "./frame-slab.ts";
import { Silence } from "./silence.ts";

export class IdleGapFramer implements Framer {
  readonly showsBeginning = false;
  readonly #listener: FrameListener;
  readonly #held: FrameSlab;
  readonly #silence: Silence;
  #isSkipping = false;

  constructor(maxFrame: number, gap: Millis, clock: Pick<Clock, "now" | "after">, listener: FrameListener) {
    this.#listener = listener;
    this.#held = new FrameSlab(maxFrame);
    this.#silence = new Silence(clock, gap, () => this.#close());
  }

  feed(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#silence.touch();
    if (this.#isSkipping || this.#held.append(chunk, 0, chunk.length)) return;
    this.#held.used = 0;
    this.#isSkipping = true;
    this.#listener.onOversize();
  }

  reset(): number {
    const held = this.#held.used;
    this.#held.used = 0;
    this.#isSkipping = false;
    this.#silence.stop();
    return held;
  }

  #close(): void {
    const { bytes, used } = this.#held;
    this.#held.used = 0;
    this.#isSkipping = false;
    if (used > 0) this.#listener.onFrame(bytes, 0, used);
  }
}
