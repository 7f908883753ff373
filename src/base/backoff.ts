// How long to wait before trying again: exponential with a ceiling and full jitter, so that a thousand devices that lost
// the same hub do not come back in the same second.

import type { Millis } from "./clock.ts";

export interface BackoffOptions {
  readonly min: Millis;
  readonly max: Millis;
  /** Share of the delay that is random: 0 = none, 1 = anywhere between 0 and the delay. */
  readonly jitter: number;
}

/** Delay before attempt `attempt` (0 = the first retry). `random` is in [0, 1). Never below `min` × (1 − jitter). */
export function backoff(options: BackoffOptions, attempt: number, random: number): Millis {
  const ceiling = Math.min(options.max, options.min * 2 ** Math.min(attempt, 30));
  return ceiling * (1 - options.jitter) + ceiling * options.jitter * random;
}
