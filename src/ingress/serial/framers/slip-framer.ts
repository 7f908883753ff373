// SLIP (RFC 1055): frames ended by C0; within them DB DC stands for C0 and DB DD for DB. Many devices send a C0 in front, too: what
// lies between two of them and is empty is passed over.
//
// A frame with any other byte behind DB, or longer than `maxFrame` once decoded, is thrown away up to the next C0 and counted once.

import type { FrameListener, Framer } from "../framer.ts";
import { FrameSlab } from "./frame-slab.ts";

const END = 0xc0;
const ESCAPE = 0xdb;
const ESCAPED_END = 0xdc;
const ESCAPED_ESCAPE = 0xdd;

export class SlipFramer implements Framer {
  readonly showsBeginning = false;
  readonly #listener: FrameListener;
  readonly #held: FrameSlab;
  #state: "within" | "escaped" | "damaged" | "oversize" = "within";
  /** Of a damaged frame. */
  #damaged = 0;

  constructor(maxFrame: number, listener: FrameListener) {
    this.#listener = listener;
    this.#held = new FrameSlab(maxFrame);
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === END) this.#close();
      else if (this.#state === "within") {
        if (byte === ESCAPE) this.#state = "escaped";
        else this.#push(byte);
      } else if (this.#state === "escaped") this.#unescape(byte);
      else if (this.#state === "damaged") this.#damaged += 1;
    }
  }

  reset(): number {
    const held = this.#state === "escaped" ? this.#held.used + 1 : this.#held.used;
    this.#held.used = 0;
    this.#state = "within";
    return held;
  }

  #unescape(byte: number): void {
    this.#state = "within";
    if (byte === ESCAPED_END) this.#push(END);
    else if (byte === ESCAPED_ESCAPE) this.#push(ESCAPE);
    else this.#damage(2);
  }

  #push(byte: number): void {
    if (this.#held.push(byte)) return;
    this.#held.used = 0;
    this.#state = "oversize";
    this.#listener.onOversize();
  }

  #damage(bytes: number): void {
    this.#damaged = this.#held.used + bytes;
    this.#state = "damaged";
  }

  #close(): void {
    if (this.#state === "escaped") this.#damage(1);
    const { bytes, used } = this.#held;
    const isDamaged = this.#state === "damaged";
    this.#held.used = 0;
    this.#state = "within";
    if (isDamaged) this.#listener.onFault("escape", this.#damaged, bytes.subarray(0, used));
    else if (used > 0) this.#listener.onFrame(bytes, 0, used);
  }
}
