// The last so many of something, oldest first: what is older makes room.

export class Recent<T> implements Iterable<T> {
  readonly #max: number;
  readonly #items: T[] = [];
  /** Where the oldest stands, once it is full. */
  #oldest = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(item: T): void {
    if (this.#items.length < this.#max) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.#max;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.#items.length; i++) yield this.#items[(this.#oldest + i) % this.#items.length]!;
  }
}
