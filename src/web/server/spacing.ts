// As many a second as a person can follow; the rest are counted, and the count is told once a second.

import type { Clock, Millis } from "#base/clock.ts";

const SECOND_MS: Millis = 1_000;

export class Spacing implements Disposable {
  readonly #max: number;
  readonly #onSkipped: (count: number) => boolean;
  readonly #timer: Disposable;
  #left: number;
  #skipped = 0;

  /** `onSkipped`: false if it could not be told; it is told again with the next ones. */
  constructor(max: number, clock: Clock, onSkipped: (count: number) => boolean) {
    this.#max = max;
    this.#left = max;
    this.#onSkipped = onSkipped;
    this.#timer = clock.every(SECOND_MS, () => this.#renew());
  }

  /** May one more be shown? If not, it is counted. */
  take(): boolean {
    if (this.#left > 0) {
      this.#left -= 1;
      return true;
    }
    this.#skipped += 1;
    return false;
  }

  /** One that was taken was not shown after all. */
  skip(): void {
    this.#skipped += 1;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #renew(): void {
    this.#left = this.#max;
    if (this.#skipped > 0 && this.#onSkipped(this.#skipped)) this.#skipped = 0;
  }
}
