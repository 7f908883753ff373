// How long a session has been away, over restarts: on a board that wakes up in 1970 the calendar cannot say. The spoke's time keeper
// can; without one the calendar is believed.

import type { Clock } from "#base/clock.ts";
import type { TimeKeeper } from "#base/time-keeper.ts";

/** `ageOf` undefined: nobody knows, so nothing expires by it. */
export type Ages = Pick<TimeKeeper, "bootId" | "stamp" | "ageOf">;

export function calendarAges(clock: Clock): Ages {
  return {
    bootId: "",
    stamp: () => Math.floor(clock.wall()),
    ageOf: (stamp) => Math.max(0, clock.wall() - stamp),
  };
}
