// Frames between two different marks, such as STX and ETX. What lies outside is noise, passed over and counted, unless it is a line end.
//
//   ~~ <21.4> ~ <21.   <21.6>
//   noise       torn            a second start means that an end was lost: what came before it is thrown away and counted
//
// A frame longer than `maxFrame` is thrown away, counted once, and the next start is looked for. Content in which the start mark may
// occur needs a framing that escapes (cobs, slip) or one that counts (length_prefix).

import type { FrameListener, Framer } from "../framer.ts";
import { ByteMatcher } from "./byte-matcher.ts";
import { FrameSlab } from "./frame-slab.ts";

const LF = 0x0a;
const CR = 0x0d;

export interface Marks {
  readonly start: string;
  readonly end: string;
}

export class StartEndFramer implements Framer {
  readonly showsBeginning = true;
  readonly #listener: FrameListener;
  readonly #maxFrame: number;
  readonly #start: ByteMatcher;
  readonly #end: ByteMatcher;
  readonly #held: FrameSlab;
  #state: "searching" | "within" | "skipping" = "searching";
  #noise = 0;

  constructor(maxFrame: number, marks: Marks, listener: FrameListener) {
    this.#listener = listener;
    this.#maxFrame = maxFrame;
    this.#start = new ByteMatcher(marks.start);
    this.#end = new ByteMatcher(marks.end);
    this.#held = new FrameSlab(maxFrame + Math.max(this.#start.length, this.#end.length));
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      const isStart = this.#start.next(byte);
      if (this.#state === "within") this.#take(byte, isStart);
      else if (isStart) this.#open();
      else if (this.#state === "searching") {
        if (this.#start.matched > 0 || (byte !== CR && byte !== LF)) this.#noise += 1;
      } else if (this.#end.next(byte)) this.#search();
    }
    if (this.#state === "searching") this.#tellNoise(this.#start.matched); // what may be the beginning of a mark is not noise yet
  }

  reset(): number {
    const held = this.#held.used;
    this.#held.used = 0;
    this.#noise = 0;
    this.#search();
    return held;
  }

  #take(byte: number, isStart: boolean): void {
    const isEnd = this.#end.next(byte);
    this.#held.push(byte); // there is room: a frame and its mark
    if (isStart) {
      const torn = this.#held.used - this.#start.length;
      if (torn > 0) this.#listener.onFault("torn", torn, this.#held.bytes.subarray(0, torn));
      this.#open();
    } else if (isEnd) {
      const bytes = this.#held.used - this.#end.length;
      if (bytes > this.#maxFrame) this.#listener.onOversize();
      else if (bytes > 0) this.#listener.onFrame(this.#held.bytes, 0, bytes);
      this.#search();
    } else if (this.#held.used - Math.max(this.#end.matched, this.#start.matched) > this.#maxFrame) {
      this.#held.used = 0;
      this.#state = "skipping";
      this.#listener.onOversize();
    }
  }

  #open(): void {
    if (this.#state === "searching") this.#tellNoise(this.#start.length - 1); // its last byte was not counted
    this.#noise = 0;
    this.#held.used = 0;
    this.#end.reset();
    this.#state = "within";
  }

  #search(): void {
    this.#held.used = 0;
    this.#start.reset();
    this.#end.reset();
    this.#state = "searching";
  }

  /** All but the last `kept` bytes. */
  #tellNoise(kept: number): void {
    const bytes = this.#noise - kept;
    if (bytes <= 0) return;
    this.#noise = kept;
    this.#listener.onFault("noise", bytes);
  }
}
