// Whether a client takes anything of what waits for it: one write is under way at a time, so its end is a sign of life.

import type { Millis } from "#base/clock.ts";

export class Stall {
  /** When a write last ended, or was found to be under way. */
  lastTaken: Millis = 0;
  #isBehind = false;

  /** A write has ended, and so many bytes wait on. */
  onProgress(now: Millis, pendingBytes: number): void {
    this.#isBehind = pendingBytes > 0;
    this.lastTaken = now;
  }

  /** Asked now and then: has it taken nothing for `limit`? */
  isOver(now: Millis, pendingBytes: number, limit: Millis): boolean {
    if (this.#isBehind) return now - this.lastTaken >= limit;
    if (pendingBytes > 0) this.onProgress(now, pendingBytes);
    return false;
  }
}
