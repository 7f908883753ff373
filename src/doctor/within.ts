// A time limit around anything that waits: it ends with what it waited for, with the limit's own words, or with the caller's signal.

import type { Clock, Millis } from "#base/clock.ts";

export interface TimeLimit {
  readonly clock: Clock;
  readonly limit: Millis;
  readonly signal: AbortSignal;
  /** What is thrown when the time is over. */
  readonly late: () => Error;
}

/** Leaves no timer and no listener behind. Work that does not heed its signal is no longer waited for. */
export async function within<T>(
  { clock, limit, signal, late }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    controller.abort(reason);
    ended.reject(reason);
  };
  const onAbort = () => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  using _timer = clock.after(limit, () => end(late()));
  try {
    const working = work(controller.signal);
    working.catch(() => undefined); // it may fail long after nobody waits for it any more
    return await Promise.race([working, ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    ended.promise.catch(() => undefined);
  }
}
