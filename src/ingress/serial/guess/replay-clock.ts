// The clock of a recording: it stands where the last chunk came, and moves as fast as we read. Framers that go by silence set their timers
// on it, so a replay takes no time and gives what the line gave.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";

interface Timer {
  readonly at: Millis;
  readonly action: () => void;
}

export class ReplayClock implements Clock {
  readonly #startedAt: WallMillis;
  readonly #timers = new Set<Timer>();
  #now: Millis = 0;

  /** `startedAt`: when the recording began. */
  constructor(startedAt: WallMillis) {
    this.#startedAt = startedAt;
  }

  now(): Millis {
    return this.#now;
  }

  wall(): WallMillis {
    return this.#startedAt + this.#now;
  }

  after(delay: Millis, action: () => void): Disposable {
    const timer: Timer = { at: this.#now + Math.max(0, delay), action };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  every(period: Millis, action: () => void): Disposable {
    let timer = this.after(period, repeat.bind(this));
    function repeat(this: ReplayClock): void {
      timer = this.after(period, repeat.bind(this));
      action();
    }
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  /** Moves on to `at`, firing what was due on the way, in its order. Never back. */
  moveTo(at: Millis): void {
    for (let next = this.#next(at); next !== undefined; next = this.#next(at)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = Math.max(this.#now, at);
  }

  #next(until: Millis): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    return first;
  }
}
