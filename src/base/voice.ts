// A log that a flood of bad peers cannot flood: one line per kind and peer in a while, with the number of those left out.

import type { Clock, Millis } from "./clock.ts";
import type { Facts, Log } from "./log.ts";

const QUIET_MS = 10_000;
const KEYS_MAX = 1024;

export class Voice {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #spoken = new Map<string, { readonly at: Millis; unsaid: number }>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `key`: what counts as the same news. */
  warn(key: string, message: string, facts: Facts): void {
    const now = this.#clock.now();
    const last = this.#spoken.get(key);
    if (last !== undefined && now - last.at < QUIET_MS) {
      last.unsaid += 1;
      return;
    }
    this.#spoken.delete(key);
    if (this.#spoken.size >= KEYS_MAX) this.#spoken.delete(this.#spoken.keys().next().value!);
    this.#spoken.set(key, { at: now, unsaid: 0 });
    this.#log.warn(message, last === undefined || last.unsaid === 0 ? facts : { ...facts, more_like_this: last.unsaid });
  }
}
