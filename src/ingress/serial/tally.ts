// What a port has counted since the start, for status and metrics. Plain fields: they are touched once per frame.

import type { WallMillis } from "#base/clock.ts";

/** Bytes of a bad frame that are kept for people to look at. */
const BAD_FRAME_BYTES_MAX = 64;

export class Tally {
  bytes = 0;
  /** Whole frames within the limit, good or bad. */
  frames = 0;
  messages = 0;
  decodeErrors = 0;
  /** Frames thrown away because they passed `max_frame`. */
  oversized = 0;
  /** Frames cut by an unplug, or whose beginning was sent before we listened. */
  torn = 0;
  /** Times we stopped reading for longer than the system's buffer lasts at this baud rate: bytes may be lost. */
  overruns = 0;
  opens = 0;
  lastFrameAt: WallMillis | null = null;
  /** What was wrong with the last bad frame, and its first bytes in hex. */
  lastError: string | null = null;
  lastBadFrame: string | null = null;

  /** All frames that were no good: what the error budget counts. */
  get badFrames(): number {
    return this.decodeErrors + this.oversized + this.torn;
  }

  bad(fault: string, bytes: Buffer, start: number, end: number): void {
    this.decodeErrors += 1;
    this.lastError = fault;
    const shown = Math.min(end, start + BAD_FRAME_BYTES_MAX);
    this.lastBadFrame = `${bytes.subarray(start, shown).toString("hex")}${shown < end ? "…" : ""}`;
  }
}
