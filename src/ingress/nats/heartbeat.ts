// Is the client still there? Silence is asked about with a PING, and again; an answer tells the round trip as well.
// Any byte counts as life.

import type { Millis } from "#base/clock.ts";

/** Silence after which a client is asked whether it is there, and again. As nats-server's ping_interval and ping_max. */
export const PING_INTERVAL_MS: Millis = 120_000;
export const PINGS_MAX = 2;

export class Heartbeat {
  lastHeard: Millis;
  /** Of the last PING that was answered; null before. */
  rtt: Millis | null = null;
  #pings = 0;
  #pingedAt: Millis = 0;

  constructor(now: Millis) {
    this.lastHeard = now;
  }

  onBytes(now: Millis): void {
    this.lastHeard = now;
    this.#pings = 0;
  }

  /** We did not read, so it could not answer: nothing is known of it. */
  onUnread(now: Millis): void {
    this.onBytes(now);
    this.#pingedAt = 0;
  }

  onPong(now: Millis): void {
    if (this.#pingedAt > 0) this.rtt = now - this.#pingedAt;
    this.#pingedAt = 0;
    this.#pings = 0;
  }

  /** `ping`: a PING must go out now, and is taken as sent. */
  check(now: Millis): "fine" | "ping" | "stale" {
    if (now - this.lastHeard < PING_INTERVAL_MS * (this.#pings + 1)) return "fine";
    if (this.#pings === PINGS_MAX) return "stale";
    this.#pings += 1;
    this.#pingedAt = now;
    return "ping";
  }
}
