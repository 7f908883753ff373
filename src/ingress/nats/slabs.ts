// Slabs to write in, lent and given back, shared by all clients of the listener, so that an idle client holds none.

/** For a client that gets a message now and then, or one of very many. */
export const SMALL_SLAB_BYTES = 8192;
/** For one of few that get many. */
export const LARGE_SLAB_BYTES = 65_536;
/** Slabs kept for later, of each size. */
const SMALL_KEPT_MAX = 512;
const LARGE_KEPT_MAX = 64;

export class Slabs {
  /** Bytes that wait for all clients together; kept by those who write into slabs. */
  pendingBytes = 0;
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  /** Its content is whatever was there. */
  take(isLarge: boolean): Buffer {
    if (isLarge) return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_SLAB_BYTES);
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_SLAB_BYTES);
  }

  /** Only what `take` gave, once, when nobody reads it any more. */
  giveBack(slab: Buffer): void {
    if (slab.length === LARGE_SLAB_BYTES) {
      if (this.#large.length < LARGE_KEPT_MAX) this.#large.push(slab);
    } else if (this.#small.length < SMALL_KEPT_MAX) this.#small.push(slab);
  }
}
