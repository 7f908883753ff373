// Changes that are in memory only, each key once, in the order of their oldest unfinished mark.
//
//   turn   put a (1), put b (2)  ·  put a (3)  ·  remove b (4)  ·  remove a (5), put c (6)
//   left         a, b                 a, b           a              ghost of a, c
//
// A key that is staged again keeps its place: whoever waits for its first mark waits until this value or a later one is durable.
// A remove of what was never written leaves nothing to write. It is over at once if its turn did nothing else; but where the turn put
// something in its place, the two are one: a ghost holds the mark until the rest of the turn is durable, whatever becomes of its key
// meanwhile. Tests: test/conformance/store/staging.test.ts

import type { Millis } from "#base/clock.ts";
import { changeBytes } from "./change.ts";
import type { Mark } from "./store.ts";

/** Of a change that waits for company, not for a commit. */
export const LAZY: Millis = Number.POSITIVE_INFINITY;

export interface StagedChange {
  readonly key: string;
  /** null: there is nothing any more. undefined: a ghost, nothing is to be written. */
  value: Buffer | null | undefined;
  /** The first of the marks that wait for it. */
  readonly mark: Mark;
  /** Since when it waits for a commit; infinite: it is lazy. */
  soonSince: Millis;
  /** It was a ghost of a turn that put something in its place: its mark waits for a commit, also if the key is staged and cancelled again. */
  isHeld: boolean;
}

export class Staging {
  #changes = new Map<string, StagedChange>();
  #bytes = 0;
  #soon = 0;
  #ghosts = 0;
  /** Cancelled in this turn. */
  #fresh: string[] = [];

  /** Changes to be written. */
  get size(): number {
    return this.#changes.size - this.#ghosts;
  }

  /** Of the bodies these changes would make. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Since when the oldest of those that are not lazy waits; infinite: there is none. */
  get soonSince(): Millis {
    if (this.#soon > 0) for (const { soonSince } of this.#changes.values()) if (soonSince !== LAZY) return soonSince;
    return LAZY;
  }

  /** The mark that has waited longest; undefined: nothing waits. */
  get firstMark(): Mark | undefined {
    return this.#changes.values().next().value?.mark;
  }

  /** Is something about the key to be written? */
  has(key: string): boolean {
    return this.#changes.get(key)?.value !== undefined;
  }

  /** What is to be written, ghosts left out by the caller. */
  changes(): Iterable<StagedChange> {
    return this.#changes.values();
  }

  /** `soonSince`: now, or LAZY. */
  stage(key: string, value: Buffer | null, mark: Mark, soonSince: Millis): void {
    const isSoon = soonSince !== LAZY;
    const known = this.#changes.get(key);
    this.#bytes += changeBytes(key, value);
    if (known === undefined) {
      this.#changes.set(key, { key, value, mark, soonSince, isHeld: false });
      if (isSoon) this.#soon += 1;
      return;
    }
    if (known.value === undefined) this.#ghosts -= 1;
    else this.#bytes -= changeBytes(key, known.value);
    known.value = value;
    if (isSoon && known.soonSince === LAZY) {
      this.#soon += 1;
      known.soonSince = soonSince;
    }
  }

  /** What is staged under the key is not to be written. */
  cancel(key: string): void {
    const known = this.#changes.get(key);
    if (known?.value === undefined) return;
    this.#bytes -= changeBytes(key, known.value);
    if (known.soonSince !== LAZY) this.#soon -= 1;
    known.value = undefined;
    known.soonSince = LAZY;
    this.#ghosts += 1;
    this.#fresh.push(key);
  }

  /** `hasStaged`: the turn that ends has staged something, too. */
  endTurn(hasStaged: boolean): void {
    if (this.#fresh.length === 0) return;
    if (this.size === 0) {
      this.#changes.clear();
      this.#ghosts = 0;
    } else {
      for (const key of this.#fresh) {
        const change = this.#changes.get(key);
        if (change === undefined || change.value !== undefined) continue;
        if (hasStaged) change.isHeld = true;
        else if (!change.isHeld && this.#changes.delete(key)) this.#ghosts -= 1;
      }
    }
    this.#fresh = [];
  }

  /** Puts what could not be written back in front of what was staged since, which counts where both know a key. */
  putBack(earlier: Staging): void {
    // It may have been taken away before its last turn was over: nobody will ask again whether that put something in their place.
    for (const change of earlier.#changes.values()) if (change.value === undefined) change.isHeld = true;
    for (const { key, value, mark, soonSince, isHeld } of this.#changes.values()) {
      if (value !== undefined) {
        earlier.stage(key, value, mark, soonSince);
        if (isHeld) earlier.#changes.get(key)!.isHeld = true;
      } else if (!earlier.#changes.has(key)) {
        earlier.#changes.set(key, { key, value, mark, soonSince, isHeld: true });
        earlier.#ghosts += 1;
      }
    }
    this.#changes = earlier.#changes;
    this.#bytes = earlier.#bytes;
    this.#soon = earlier.#soon;
    this.#ghosts = earlier.#ghosts;
    this.#fresh = [];
  }
}
