// The calendar as evidence, and in sentences: boards without a battery wake up in 1970, and then every certificate and JWT is
// "not yet valid".

import { timestamp, type WallMillis } from "./clock.ts";

/** 2026-01-01T00:00:00Z. Nothing of ours ran before: a calendar that shows an earlier day is wrong. */
export const EARLIEST_WALL_MS: WallMillis = 1_767_225_600_000;
/** The last instant that a calendar can write. */
const LATEST_WALL_MS: WallMillis = 8.64e15;

export function isClockBelievable(wall: WallMillis): boolean {
  return wall >= EARLIEST_WALL_MS;
}

/** `2026-01-01 12:00 UTC`: for sentences. Instants come from certificates and JWTs, so any number must do. */
export function instantText(wall: WallMillis): string {
  if (!(Math.abs(wall) <= LATEST_WALL_MS)) return "a day beyond every calendar";
  return `${timestamp(wall).slice(0, -8).replace("T", " ")} UTC`;
}

/** What to do about an unbelievable clock, as the end of a sentence. `why`: what cannot be about it. */
export function clockAdvice(wall: WallMillis, why = "which cannot be"): string {
  return `this device's clock says ${instantText(wall)}, ${why}; give it the time (NTP, or the page) and it goes on by itself`;
}
