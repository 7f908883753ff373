// What a link went through lately, for people: when it was ready, when it was not, and which URLs were tried in between.
//
//   ready a ── down a ── trying b ── trying a ── ready a        one "trying" per URL of an outage, however often it is tried again
//
// Bounded by count; an outage of a month is as short here as one of a minute.

import type { Clock, Millis } from "#base/clock.ts";
import { Recent } from "#base/recent.ts";

/** Moves remembered of one link. */
const MOVES_MAX = 256;

export interface LinkMove {
  /** By the clock that never jumps. */
  readonly at: Millis;
  readonly state: "ready" | "down" | "trying";
  readonly url: string;
}

export class LinkHistory implements Iterable<LinkMove> {
  readonly #clock: Clock;
  readonly #moves = new Recent<LinkMove>(MOVES_MAX);
  /** Told of the outage under way. */
  readonly #tried = new Set<string>();
  #isReady = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onTrying(url: string): void {
    if (this.#isReady || this.#tried.has(url)) return;
    if (this.#tried.size < MOVES_MAX) this.#tried.add(url);
    this.#note("trying", url);
  }

  onReady(url: string): void {
    this.#isReady = true;
    this.#tried.clear();
    this.#note("ready", url);
  }

  /** Also of a try that came to nothing, which is no move. */
  onDown(url: string): void {
    if (!this.#isReady) return;
    this.#isReady = false;
    this.#note("down", url);
  }

  [Symbol.iterator](): Iterator<LinkMove> {
    return this.#moves[Symbol.iterator]();
  }

  #note(state: LinkMove["state"], url: string): void {
    this.#moves.add({ at: this.#clock.now(), state, url });
  }
}
