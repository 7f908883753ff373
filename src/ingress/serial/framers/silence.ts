// Notices when a line falls silent: one timer that is set again when it fires, never one for each byte or chunk.
//
//   chunk  chunk chunk              ├──── gap ────┤
//   ──█──────█─────█──────────────────────────────▶ onSilence
//     └─ timer ─────▲ not yet: for the rest └─────▲
//
// Only the timer decides. Bytes that come late because this process was busy must not look like a silence of the device, so a timer that
// fires late looks a second time, after the bytes that wait in the system have been read. How exact that is: to a millisecond or two at
// best, and a USB adapter may hold bytes back for 16 ms; 3.5 characters at a high baud rate cannot be told from user space at all.

import type { Clock, Millis } from "#base/clock.ts";

const LATE_MS: Millis = 5;
const SECOND_LOOK_MS: Millis = 2;

export class Silence {
  readonly #clock: Pick<Clock, "now" | "after">;
  readonly #gap: Millis;
  readonly #onSilence: () => void;
  #lastAt: Millis = 0;
  #dueAt: Millis = 0;
  #timer: Disposable | undefined;
  #hasLookedTwice = false;

  /** `gap` 0: never. */
  constructor(clock: Pick<Clock, "now" | "after">, gap: Millis, onSilence: () => void) {
    this.#clock = clock;
    this.#gap = gap;
    this.#onSilence = onSilence;
  }

  /** Bytes have come, and what they began is not ended yet. */
  touch(): void {
    if (this.#gap === 0) return;
    this.#lastAt = this.#clock.now();
    this.#hasLookedTwice = false;
    if (this.#timer === undefined) this.#arm(this.#gap);
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(delay: Millis): void {
    this.#dueAt = this.#clock.now() + delay;
    this.#timer = this.#clock.after(delay, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const rest = this.#lastAt + this.#gap - now;
    if (rest > 0) {
      this.#arm(rest);
    } else if (now - this.#dueAt > LATE_MS && !this.#hasLookedTwice) {
      this.#hasLookedTwice = true;
      this.#arm(SECOND_LOOK_MS);
    } else {
      this.#onSilence();
    }
  }
}
