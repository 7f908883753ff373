// Time as a seam: the only file that touches the runtime's timers and its calendar.
//
// Two clocks that must not be mixed: `now` never jumps and measures durations; `wall` is the calendar and may jump by years
// on a board without a battery. Tests turn both by hand (test/support/fake-clock.ts).

/** A duration or a monotonic instant, in milliseconds. */
export type Millis = number;

/** Milliseconds since 1970 by a calendar that may be wrong. */
export type WallMillis = number;

export interface Clock {
  /**
   * Monotonic, fractions allowed. The system's counts from its boot, so that two processes of one boot agree; time in which the
   * system was suspended does not count. What it counts from is nobody's business but the time keeper's.
   */
  now(): Millis;
  wall(): WallMillis;
  /** Calls `action` once, `delay` from now, unless disposed first. Does not keep the process alive by itself. */
  after(delay: Millis, action: () => void): Disposable;
  /** Calls `action` every `period` until disposed. Does not keep the process alive by itself. */
  every(period: Millis, action: () => void): Disposable;
}

/** The longest delay the runtime's timers take; longer ones would fire at once. */
const TIMER_MAX_MS = 2_147_483_647;

export function systemClock(): Clock {
  // Both read CLOCK_MONOTONIC; performance.now() is the cheaper one, but counts from the start of the process.
  const processStart = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return {
    now: () => processStart + performance.now(),
    wall: () => Date.now(),
    after(delay, action) {
      const timer = setTimeout(action, Math.max(0, Math.min(delay, TIMER_MAX_MS))).unref();
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
    every(period, action) {
      const timer = setInterval(action, Math.min(period, TIMER_MAX_MS)).unref();
      return { [Symbol.dispose]: () => clearInterval(timer) };
    },
  };
}

/** Resolves after `delay`; rejects with the signal's reason if it is aborted first. Leaves no listener and no timer behind. */
export async function sleep(clock: Clock, delay: Millis, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _timer = clock.after(delay, resolve);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** The calendar as RFC 3339 in UTC with milliseconds. */
export function timestamp(wall: WallMillis): string {
  return new Date(wall).toISOString();
}

/** The other way round; undefined if it is no date. */
export function parseTimestamp(text: string): WallMillis | undefined {
  const wall = Date.parse(text);
  return Number.isNaN(wall) ? undefined : wall;
}
