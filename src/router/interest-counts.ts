// Local interest as a hub wants to hear it: each (filter, queue group) once, with the number of members.
// Source: spec/leafnode-protocol.md §10.1: the hub does not count, so we do.

import { interestKey } from "#core/interest.ts";

/** `members` is 0 when the last one left. More members of a plain subject are not told: it is announced once. */
export type InterestListener = (filter: string, queue: string | null, members: number) => void;

export interface Interest {
  readonly filter: string;
  readonly queue: string | null;
  readonly members: number;
}

interface Entry extends Interest {
  members: number;
}

export class InterestCounts {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<InterestListener>();

  add(filter: string, queue: string | null): void {
    const key = interestKey(filter, queue);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { filter, queue, members: 0 };
      this.#entries.set(key, entry);
    }
    entry.members += 1;
    if (queue !== null || entry.members === 1) this.#tell(entry);
  }

  remove(filter: string, queue: string | null): void {
    const key = interestKey(filter, queue);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.members -= 1;
    if (entry.members === 0) this.#entries.delete(key);
    if (queue !== null || entry.members === 0) this.#tell(entry);
  }

  /** All interest there is now. */
  entries(): Iterable<Interest> {
    return this.#entries.values();
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
