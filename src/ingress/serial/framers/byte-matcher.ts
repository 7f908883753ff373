// Finds a mark of several bytes in a stream, one byte after the other (Knuth, Morris, Pratt): each byte is looked at once, however
// the chunks are cut, and a mark that begins within a false start of itself is found.

export class ByteMatcher {
  readonly length: number;
  readonly #mark: Buffer;
  /** For each length of a match the length of the longest shorter one that ends at the same byte. */
  readonly #shorter: Uint8Array;
  #matched = 0;

  /** `mark`: 1 to 255 bytes in a string (latin1). */
  constructor(mark: string) {
    this.#mark = Buffer.from(mark, "latin1");
    this.length = this.#mark.length;
    this.#shorter = new Uint8Array(this.length + 1);
    for (let at = 1, shorter = 0; at < this.length; at++) {
      while (shorter > 0 && this.#mark[at] !== this.#mark[shorter]) shorter = this.#shorter[shorter]!;
      if (this.#mark[at] === this.#mark[shorter]) shorter += 1;
      this.#shorter[at + 1] = shorter;
    }
  }

  /** How many bytes of the mark the stream ends with now. */
  get matched(): number {
    return this.#matched;
  }

  /** Is this byte the last of a mark? Then the search begins anew behind it. */
  next(byte: number): boolean {
    while (this.#matched > 0 && this.#mark[this.#matched] !== byte) this.#matched = this.#shorter[this.#matched]!;
    if (this.#mark[this.#matched] === byte) this.#matched += 1;
    if (this.#matched < this.length) return false;
    this.#matched = 0;
    return true;
  }

  reset(): void {
    this.#matched = 0;
  }
}
