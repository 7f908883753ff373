// So many a second, and some more at once after a quiet time. What was taken beyond that is owed, and whoever owes waits.

import type { Clock, Millis } from "#base/clock.ts";

export interface Rate {
  readonly perSecond: number;
  /** Taken at once after a quiet time. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #clock: Pick<Clock, "now">;
  readonly #rate: Rate;
  #level: number;
  #at: Millis;

  constructor(rate: Rate, clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#rate = rate;
    this.#level = rate.burst;
    this.#at = clock.now();
  }

  /** Takes them, though they may not be there yet; the answer is how long until nothing is owed, 0: nothing is. */
  take(count: number): Millis {
    this.#fill();
    this.#level -= count;
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level * 1000) / this.#rate.perSecond);
  }

  /** Takes one if it is there. */
  tryTake(): boolean {
    this.#fill();
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }

  /** Nothing was taken for so long that a new one would be the same. */
  get isFull(): boolean {
    this.#fill();
    return this.#level >= this.#rate.burst;
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#level = Math.min(this.#rate.burst, this.#level + ((now - this.#at) / 1000) * this.#rate.perSecond);
    this.#at = now;
  }
}
