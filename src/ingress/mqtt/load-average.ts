// How fast a counter rises, a minute, as three moving averages. They are only looked at when somebody asks: what rose since the last
// look counts as if it had risen evenly, so nothing has to be computed while nobody listens.

import type { Millis } from "#base/clock.ts";

const MINUTE_MS: Millis = 60_000;

export const LOAD_MINUTES = [1, 5, 15] as const;

export class LoadAverage {
  #total = 0;
  #at: Millis;
  #averages: readonly number[] = LOAD_MINUTES.map(() => 0);

  /** `startedAt`: when the counter was 0. */
  constructor(startedAt: Millis) {
    this.#at = startedAt;
  }

  /** Rises a minute over the last 1, 5 and 15 minutes. */
  look(total: number, now: Millis): readonly number[] {
    const elapsed = now - this.#at;
    if (elapsed <= 0) return this.#averages;
    const rate = ((total - this.#total) / elapsed) * MINUTE_MS;
    this.#averages = this.#averages.map((average, i) => {
      const weight = Math.exp(-elapsed / (LOAD_MINUTES[i]! * MINUTE_MS));
      return rate + weight * (average - rate);
    });
    this.#total = total;
    this.#at = now;
    return this.#averages;
  }
}
