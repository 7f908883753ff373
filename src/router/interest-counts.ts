// Local interest as a hub wants to hear it: each (filter, queue group) once, with the number of members.
// Source: spec/leafnode-protocol.md §10.1: the hub does not count, so we do.

/** `members` is 0 when the last one left. */
export type InterestListener = (filter: string, queue: string | null, members: number) => void;

interface Entry {
  readonly filter: string;
  readonly queue: string | null;
  members: number;
}

export class InterestCounts {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<InterestListener>();

  add(filter: string, queue: string | null): void {
    const key = keyOf(filter, queue);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { filter, queue, members: 0 };
      this.#entries.set(key, entry);
    }
    entry.members += 1;
    this.#tell(entry);
  }

  remove(filter: string, queue: string | null): void {
    const key = keyOf(filter, queue);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.members -= 1;
    if (entry.members === 0) this.#entries.delete(key);
    this.#tell(entry);
  }

  watch(listener: InterestListener): Disposable {
    this.#listeners.add(listener);
    for (const entry of this.#entries.values()) listener(entry.filter, entry.queue, entry.members);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #tell(entry: Entry): void {
    for (const listener of this.#listeners) listener(entry.filter, entry.queue, entry.members);
  }
}

/** A space cannot occur in a filter or a queue name. */
function keyOf(filter: string, queue: string | null): string {
  return queue === null ? filter : `${filter} ${queue}`;
}
