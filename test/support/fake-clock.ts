// A clock turned by hand. Nothing happens until a test advances it; timers then fire in the order of their time, and among
// equal times in the order they were set, each seeing `now()` at exactly its own instant. Timers set by timers fire too.
//
//   const clock = new FakeClock();
//   clock.advance(30_000);        // all at once: for code that works in the timer's own call
//   await clock.pass(30_000);     // with the event loop turning after each timer: for code that awaits in between

import type { Clock, Millis, WallMillis } from "#base/clock.ts";

/** 2026-01-01T00:00:00Z: far from zero, so that a duration mistaken for a date is seen. */
const WALL_START = 1_767_225_600_000;

/** A timer whose delay is too small to be seen beside `now` fires this much later: no clock lets a positive delay pass in no time. */
const TICK_MS: Millis = 2 ** -10;

interface Timer {
  at: Millis;
  readonly order: number;
  /** 0: fires once. */
  readonly period: Millis;
  readonly action: () => void;
}

export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now: Millis = 1000;
  #wallOffset: WallMillis;
  #order = 0;

  constructor(wall: WallMillis = WALL_START) {
    this.#wallOffset = wall - this.#now;
  }

  now(): Millis {
    return this.#now;
  }

  wall(): WallMillis {
    return this.#wallOffset + this.#now;
  }

  after(delay: Millis, action: () => void): Disposable {
    return this.#set(Math.max(0, delay), 0, action);
  }

  every(period: Millis, action: () => void): Disposable {
    const atLeast = Math.max(1, period);
    return this.#set(atLeast, atLeast, action);
  }

  /** Timers set and neither fired nor disposed; 0 at the end of a test proves that nothing was left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer fires; undefined when none is set. */
  get next(): Millis | undefined {
    return this.#earliest()?.at;
  }

  /** Moves time forward, firing on the way. What a timer throws comes out here. */
  advance(duration: Millis): void {
    const end = this.#now + duration;
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) this.#fire(timer);
    this.#now = end;
  }

  /** The same, but lets promises and the event loop run before, between and after the timers. */
  async pass(duration: Millis): Promise<void> {
    const end = this.#now + duration;
    await turn();
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      this.#fire(timer);
      await turn();
    }
    this.#now = end;
    await turn();
  }

  /** The calendar jumps; `now` and the timers do not notice. */
  setWall(wall: WallMillis): void {
    this.#wallOffset = wall - this.#now;
  }

  #set(delay: Millis, period: Millis, action: () => void): Disposable {
    this.#order += 1;
    const at = this.#now + delay;
    const timer: Timer = { at: delay > 0 && at === this.#now ? at + TICK_MS : at, order: this.#order, period, action };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  #fire(timer: Timer): void {
    this.#now = Math.max(this.#now, timer.at);
    if (timer.period === 0) this.#timers.delete(timer);
    else timer.at += timer.period;
    timer.action();
  }

  #due(end: Millis): Timer | undefined {
    const timer = this.#earliest();
    return timer !== undefined && timer.at <= end ? timer : undefined;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (earliest === undefined || timer.at < earliest.at || (timer.at === earliest.at && timer.order < earliest.order)) {
        earliest = timer;
      }
    }
    return earliest;
  }
}

/** One turn of the real event loop: every promise that can settle by itself has. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
