// What one source published and what the hub's stream holds of it, value by value. Each reading carries a number that its source
// uses once, counting from 1, so lost and duplicated are found by looking, not by subtracting totals.

export interface Tally {
  readonly published: number;
  readonly delivered: number;
  /** Published, and not in the stream. */
  readonly lost: number;
  /** In the stream more than once. */
  readonly duplicated: number;
}

const PUBLISHED = 0x80;
const COPIES = 0x7f;

export class Ledger {
  /** One byte a reading: whether it was published, and how often it was stored. */
  #readings = new Uint8Array(1024);
  #published = 0;
  #delivered = 0;
  #duplicated = 0;

  /** The source knows that reading `n` is no longer its own: acknowledged, or written to the wire. */
  published(n: number): void {
    const was = this.#at(n);
    if ((was & PUBLISHED) !== 0) return;
    this.#readings[n] = was | PUBLISHED;
    this.#published += 1;
    if ((was & COPIES) > 0) this.#delivered += 1; // the hub had it before the acknowledgement came back
  }

  publishedThrough(last: number): void {
    for (let n = 1; n <= last; n++) this.published(n);
  }

  /** The stream holds reading `n` (once more). */
  stored(n: number): void {
    const was = this.#at(n);
    const copies = was & COPIES;
    if (copies === COPIES) return;
    this.#readings[n] = was + 1;
    if (copies === 0 && (was & PUBLISHED) !== 0) this.#delivered += 1;
    if (copies === 1) this.#duplicated += 1;
  }

  tally(): Tally {
    const [published, delivered, duplicated] = [this.#published, this.#delivered, this.#duplicated];
    return { published, delivered, lost: published - delivered, duplicated };
  }

  #at(n: number): number {
    if (n >= this.#readings.length) {
      const larger = new Uint8Array(Math.max(n + 1, this.#readings.length * 2));
      larger.set(this.#readings);
      this.#readings = larger;
    }
    return this.#readings[n]!;
  }
}
