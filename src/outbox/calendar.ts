// What the outbox asks about time at rest. Answered by base/time-keeper.ts; without one, by a clock that is taken at its word.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { isClockBelievable } from "#base/wall-clock.ts";

export interface Calendar {
  /** Names this boot, beside the stamps made in it; null where stamps are wall times. */
  readonly bootId: string | null;
  /** Goes up whenever `wallOf` gives another answer than before. */
  readonly revision: number;
  /** What a message captured now carries. */
  stamp(): number;
  /** When a stamp was made that a start in `boot` stored; undefined: nobody knows. */
  wallOf(stamp: number, boot: string | null): WallMillis | undefined;
  /** How long ago that was, at least; undefined: nobody knows. */
  ageOf(stamp: number, boot: string | null): Millis | undefined;
}

export function plainCalendar(clock: Clock): Calendar {
  return {
    bootId: null,
    revision: 0,
    stamp: () => clock.wall(),
    wallOf: (stamp) => (isClockBelievable(stamp) ? stamp : undefined),
    ageOf: (stamp) => (isClockBelievable(stamp) ? Math.max(0, clock.wall() - stamp) : undefined),
  };
}

/** Is a message older than its owner wants to keep? One of unknown age never is. */
export function isExpired(calendar: Calendar, stamp: number, boot: string | null, maxAge: Millis): boolean {
  const age = calendar.ageOf(stamp, boot);
  return age !== undefined && age > maxAge;
}
