// Buffers for one pass of writing, lent and given back, shared by all connections of a listener, so that an idle client holds none.

const SLAB_BYTES_MIN = 2048;
/** Slabs larger than this are not kept. */
const SLAB_BYTES_MAX = 1_048_576;
/** Bytes kept in all. */
const KEPT_BYTES_MAX = 4_194_304;

export class SlabPool {
  /** Free slabs by the power of two of their size. */
  readonly #free: Buffer[][] = [];
  #keptBytes = 0;

  /** A slab of at least `bytes`; its content is whatever was there. */
  take(bytes: number): Buffer {
    const power = 32 - Math.clz32(Math.max(SLAB_BYTES_MIN, bytes) - 1);
    const size = 2 ** power;
    const slab = this.#free[power]?.pop();
    if (slab === undefined) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return slab;
  }

  /** Only slabs from `take`, once each, when nobody reads them any more. */
  giveBack(slab: Buffer): void {
    if (slab.length > SLAB_BYTES_MAX || this.#keptBytes + slab.length > KEPT_BYTES_MAX) return;
    const power = 31 - Math.clz32(slab.length);
    this.#keptBytes += slab.length;
    (this.#free[power] ??= []).push(slab);
  }
}
