// How long something may stand still before the watchdog acts. All of them are counted in looks that really took place (standstill.ts),
// so that time in which nobody could look, a suspended laptop's or a stopped process's, never counts.

import type { Millis } from "#base/clock.ts";

export interface WatchdogLimits {
  /** How often the event loop shows that it lives. */
  readonly beatMs: Millis;
  /** How often the second thread looks for it. */
  readonly loopLookMs: Millis;
  /**
   * A standing event loop ends the process after this long. The longest that we know of in good health is one of seconds: a collection of
   * a large heap on a slow card's swap.
   */
  readonly loopMs: Millis;
  /** How often disk and links are looked at. */
  readonly lookMs: Millis;
  /** The same call to the disk under way: told as a fault of the disk. A cheap card that tidies itself up takes seconds. */
  readonly diskToldMs: Millis;
  /** The same, and no hub that confirms what is kept: the process ends. */
  readonly diskMs: Millis;
  /** A link that neither moves on nor, when ready, gets rid of anything that it could: above every wait that it has of its own. */
  readonly uplinkMs: Millis;
  readonly uplinkLookMs: Millis;
  /** What a polite end may take before it is ended otherwise. */
  readonly closeMs: Millis;
  /** For the thread that stands to say where. */
  readonly stackMs: Millis;
  /** Of the last crash, for the hand-over to the disk: what hangs must not keep the end away. */
  readonly recordMs: Millis;
}

export const watchdogLimits: WatchdogLimits = {
  beatMs: 2_000,
  loopLookMs: 5_000,
  loopMs: 60_000,
  lookMs: 5_000,
  diskToldMs: 30_000,
  diskMs: 120_000,
  uplinkMs: 1_800_000,
  uplinkLookMs: 60_000,
  closeMs: 20_000,
  stackMs: 10_000,
  recordMs: 3_000,
};
