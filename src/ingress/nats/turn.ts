// Gathers who has something to write, and lets them write once, when everything that had come in this turn of the event loop has
// been read: many small batches from many publishers become one write per subscriber, and none waits longer than the turn. When
// much is gathered they write before: what the network takes at once need not be held.

import { SMALL_SLAB_BYTES } from "./slabs.ts";

export interface Writes {
  flush(): void;
}

/** Memory begun between two flushes, at most, where few write; where many do, a small slab for each. */
const BEGUN_BYTES_MAX = 2 * 1024 * 1024;
/** With so many who write, each is one of many. */
const MANY = 24;

export class Turn {
  #waiting: Writes[] = [];
  #begunBytes = 0;
  #isEnding = false;

  get hasMany(): boolean {
    return this.#waiting.length >= MANY;
  }

  /** `flush` is called once at the end of this turn, or before. */
  add(writes: Writes): void {
    this.#waiting.push(writes);
    if (this.#isEnding) return;
    this.#isEnding = true;
    setImmediate(this.#end);
  }

  /** Somebody begins another slab, and is not among those who wait if it is its first. */
  begin(bytes: number): void {
    if (this.#begunBytes >= Math.max(BEGUN_BYTES_MAX, (this.#waiting.length + 1) * SMALL_SLAB_BYTES)) this.#flush();
    this.#begunBytes += bytes;
  }

  readonly #end = (): void => {
    this.#isEnding = false;
    this.#flush();
  };

  #flush(): void {
    const due = this.#waiting;
    this.#waiting = [];
    this.#begunBytes = 0;
    for (const writes of due) writes.flush();
  }
}
