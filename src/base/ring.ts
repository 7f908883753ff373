// A first-in-first-out ring of numbers that grows by doubling: no object, no closure per entry.
//
//      head              tail
//   ─────┬───┬───┬───┬─────┬─────
//        │ 7 │ 8 │ 9 │     │        index & mask
//   ─────┴───┴───┴───┴─────┴─────

export class NumberRing {
  #values = new Float64Array(16);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    if (this.#size === this.#values.length) this.#grow();
    this.#values[(this.#head + this.#size) & (this.#values.length - 1)] = value;
    this.#size += 1;
  }

  /** The oldest entry; NaN when empty. */
  peek(): number {
    return this.#size === 0 ? Number.NaN : this.#values[this.#head]!;
  }

  /** The entry `index` places behind the oldest; NaN when there is none. */
  at(index: number): number {
    return index < this.#size ? this.#values[(this.#head + index) & (this.#values.length - 1)]! : Number.NaN;
  }

  /** The newest entry; NaN when empty. */
  last(): number {
    return this.at(this.#size - 1);
  }

  /** Removes and returns the oldest entry; NaN when empty. */
  shift(): number {
    if (this.#size === 0) return Number.NaN;
    const value = this.#values[this.#head]!;
    this.#head = (this.#head + 1) & (this.#values.length - 1);
    this.#size -= 1;
    return value;
  }

  clear(): void {
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const wider = new Float64Array(this.#values.length * 2);
    for (let i = 0; i < this.#size; i++) wider[i] = this.#values[(this.#head + i) & (this.#values.length - 1)]!;
    this.#values = wider;
    this.#head = 0;
  }
}
