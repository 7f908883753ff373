// The part of a frame that has come so far: one buffer that doubles up to a limit and is used again for every frame.

const SLAB_BYTES_MIN = 256;

export class FrameSlab {
  readonly #bytesMax: number;
  bytes = Buffer.allocUnsafeSlow(0);
  used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Appends and says true, or leaves everything as it is and says false: it would be more than the limit. */
  append(chunk: Buffer, start: number, end: number): boolean {
    const wanted = this.used + end - start;
    if (wanted > this.bytes.length && !this.#widen(wanted)) return false;
    chunk.copy(this.bytes, this.used, start, end);
    this.used = wanted;
    return true;
  }

  push(byte: number): boolean {
    if (this.used === this.bytes.length && !this.#widen(this.used + 1)) return false;
    this.bytes[this.used++] = byte;
    return true;
  }

  /** Takes `count` bytes off the front. */
  drop(count: number): void {
    this.bytes.copyWithin(0, count, this.used);
    this.used -= count;
  }

  #widen(wanted: number): boolean {
    if (wanted > this.#bytesMax) return false;
    const length = Math.min(this.#bytesMax, Math.max(SLAB_BYTES_MIN, this.bytes.length * 2, wanted));
    const wider = Buffer.allocUnsafeSlow(length);
    this.bytes.copy(wider, 0, 0, this.used);
    this.bytes = wider;
    return true;
  }
}
