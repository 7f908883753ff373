// How long each phase of an attempt may take: learnt from what this remote took before, generous where nothing is known.
//
// A modem that wakes up answers after seconds, a satellite after one; a hub next door that says nothing for five is dead. When all
// URLs of a round have failed, patience doubles: better a late link than none. Tests: test/unit/uplink/patience.test.ts

import type { Millis } from "#base/clock.ts";

const DIAL_UNKNOWN_MS: Millis = 15_000;
const DIAL_MIN_MS: Millis = 5_000;
const PHASE_UNKNOWN_MS: Millis = 10_000;
const PHASE_MIN_MS: Millis = 5_000;
/** Round trips that a phase may take: TLS 1.2 with a client certificate needs four, and packets get lost. */
const ROUND_TRIPS = 20;
/** Ceiling of both, however often they doubled. */
const TIMEOUT_MAX_MS: Millis = 60_000;
const DOUBLINGS_MAX = 2;

export class Patience {
  #dial: Millis | null = null;
  #phase: Millis | null = null;

  /** A connection was made within `took`. */
  onDialed(took: Millis): void {
    this.#dial = smoothed(this.#dial, took);
  }

  /** A phase behind the connection was over within `took`. */
  onPhase(took: Millis): void {
    this.#phase = smoothed(this.#phase, took);
  }

  /** `rounds`: how often all URLs have failed in a row. */
  dialTimeout(rounds: number): Millis {
    const wanted = this.#dial === null ? DIAL_UNKNOWN_MS : Math.max(DIAL_MIN_MS, ROUND_TRIPS * this.#dial);
    return stretched(wanted, rounds);
  }

  phaseTimeout(rounds: number): Millis {
    const wanted = this.#phase === null ? PHASE_UNKNOWN_MS : PHASE_MIN_MS + ROUND_TRIPS * this.#phase;
    return stretched(wanted, rounds);
  }
}

function stretched(timeout: Millis, rounds: number): Millis {
  return Math.min(TIMEOUT_MAX_MS, timeout * 2 ** Math.min(rounds, DOUBLINGS_MAX));
}

/** The slowest counts more than the average: a time-out must not be right only half the time. */
function smoothed(known: Millis | null, took: Millis): Millis {
  if (known === null || took > known) return took;
  return known + (took - known) / 8;
}
