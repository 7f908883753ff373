// What may only be said once the store has made it true: CONNACK, SUBACK, PUBREC, PUBREL, PUBCOMP and QoS 2 deliveries of sessions
// that are kept. One per broker, since there is one store.
//
//   mark     7     7     9     12
//   action   ●     ●     ●     ●        safe = 9 runs the first three, in order
//
// Marks rise, so a new action nearly always belongs at the end; one that waits for an older mark goes to its place.

import type { Keeping, Mark } from "./keeping.ts";

interface Waiting {
  readonly mark: Mark;
  readonly action: () => void;
}

export class SafetyQueue implements Disposable {
  readonly #keeping: Keeping;
  readonly #watch: Disposable;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(keeping: Keeping) {
    this.#keeping = keeping;
    this.#watch = keeping.watch(() => this.#run());
  }

  get size(): number {
    return this.#waiting.length;
  }

  isSafe(mark: Mark): boolean {
    return mark <= this.#keeping.safe;
  }

  /** Runs `action` once `mark` is safe: now if it is. An action must bear that its session or connection has ended meanwhile. */
  when(mark: Mark, action: () => void): void {
    if (mark <= this.#keeping.safe && !this.#isRunning) {
      action();
      return;
    }
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.mark > mark) at -= 1;
    this.#waiting.splice(at, 0, { mark, action });
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#waiting = [];
  }

  /** What an action adds, and may run already, runs in the same round: nothing is left behind that is safe. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let due = this.#takeDue(); due.length > 0; due = this.#takeDue()) for (const { action } of due) action();
    } finally {
      this.#isRunning = false;
    }
  }

  #takeDue(): readonly Waiting[] {
    const { safe } = this.#keeping;
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.mark <= safe) count += 1;
    return count === 0 ? [] : this.#waiting.splice(0, count);
  }
}
