// Gathers who has something to write, and lets them write once, when everything that had come in this turn of the event loop has
// been read: many small batches from many publishers become one write per subscriber, and none waits longer than the turn.

export interface Writes {
  flush(): void;
}

export class Turn {
  #waiting: Writes[] = [];

  /** `flush` is called once at the end of this turn. */
  add(writes: Writes): void {
    if (this.#waiting.length === 0) setImmediate(this.#end);
    this.#waiting.push(writes);
  }

  readonly #end = (): void => {
    const due = this.#waiting;
    this.#waiting = [];
    for (const writes of due) writes.flush();
  };
}
