// A deadline that moves with every sign of life. `touch` is a note, not a new timer: the timer looks at the note when it
// fires and sleeps for what is left. Used for the CONNECT that must come, keep-alive, and clients that stop reading.

import type { Clock, Millis } from "#base/clock.ts";

export class Deadline implements Disposable {
  readonly #clock: Clock;
  readonly #onExpired: () => void;
  #period: Millis = 0;
  #last: Millis = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, onExpired: () => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  get isArmed(): boolean {
    return this.#timer !== undefined;
  }

  /** Expires `period` from now unless touched or disarmed; replaces what was armed before. */
  arm(period: Millis): void {
    this.disarm();
    this.#period = period;
    this.#last = this.#clock.now();
    this.#timer = this.#clock.after(period, this.#look);
  }

  /** Counts the period from now on. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** The same period once more, from within its own expiry. */
  rearm(): void {
    this.arm(this.#period);
  }

  disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.disarm();
  }

  readonly #look = (): void => {
    const left = this.#last + this.#period - this.#clock.now();
    this.#timer = left > 0 ? this.#clock.after(left, this.#look) : undefined;
    if (this.#timer === undefined) this.#onExpired();
  };
}
