// When a packet comes out at the other end of a line, if it does: pure arithmetic over the times at which packets are offered.
//
//   offered ─▶ │ waits until those before it are through │ ─ its own bits at the line's rate ─▶ ~ delay ~ ─▶ out
//              └ no room in the buffer: gone                                  └ lost, all the same it took its time

export interface LineShape {
  readonly bitsPerSecond: number;
  /** One way. */
  readonly delayMs: number;
  /** Of packets, 0 to 1. */
  readonly loss: number;
  /** What may wait; more is dropped. */
  readonly bufferBytes: number;
}

export class LineSchedule {
  lost = 0;
  overflowed = 0;
  readonly #shape: LineShape;
  readonly #random: () => number;
  /** When the line is through with all that it was offered. */
  #freeAt = 0;
  #acceptedBytes = 0;

  /** `random` gives 0 to 1. */
  constructor(shape: LineShape, random: () => number) {
    this.#shape = shape;
    this.#random = random;
  }

  /** Milliseconds; undefined when it does not arrive. Times offered do not go back. */
  arrivalOf(bytes: number, now: number): number | undefined {
    if (this.#waitingBytes(now) + bytes > this.#shape.bufferBytes) {
      this.overflowed += 1;
      return undefined;
    }
    this.#freeAt = Math.max(now, this.#freeAt) + (bytes * 8000) / this.#shape.bitsPerSecond;
    this.#acceptedBytes += bytes;
    if (this.#random() < this.#shape.loss) {
      this.lost += 1;
      return undefined;
    }
    return this.#freeAt + this.#shape.delayMs;
  }

  /** That went through until `now`, lost ones too: they used the line. */
  bytesThrough(now: number): number {
    return this.#acceptedBytes - this.#waitingBytes(now);
  }

  #waitingBytes(now: number): number {
    return (Math.max(0, this.#freeAt - now) * this.#shape.bitsPerSecond) / 8000;
  }
}
