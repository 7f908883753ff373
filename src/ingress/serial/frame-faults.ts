// What a port's framer has passed over since the start, for status and metrics.

import type { FrameFault } from "./framer.ts";

export class FrameFaults {
  /** Bytes outside of any frame. */
  noiseBytes = 0;
  /** Frames with a wrong checksum. */
  checksumErrors = 0;
  /** Frames with bytes that the framing's own code does not know. */
  escapeErrors = 0;

  /** `torn` is counted with the frames that an unplug cut. */
  count(fault: Exclude<FrameFault, "torn">, bytes: number): void {
    if (fault === "noise") this.noiseBytes += bytes;
    else if (fault === "checksum") this.checksumErrors += 1;
    else this.escapeErrors += 1;
  }

  /** Frames, for the error budget; noise is none. */
  get badFrames(): number {
    return this.checksumErrors + this.escapeErrors;
  }
}

/** Bytes of a bad frame that are shown, as in the tally. */
const SHOWN_BYTES_MAX = 64;

/** For people: `bytes`, or the first of `length`. */
export function shownHex(bytes: Buffer, length: number): string {
  const shown = bytes.subarray(0, SHOWN_BYTES_MAX);
  return `${shown.toString("hex")}${shown.length < length ? "…" : ""}`;
}

/** What a person should look at. */
export function adviceFor(fault: FrameFault): string {
  switch (fault) {
    case "noise":
      return "bytes outside of any frame; check framing, baud rate and wiring";
    case "checksum":
      return "a frame's checksum is wrong; check wiring and baud rate, and framing.checksum if all are wrong";
    case "escape":
      return "a frame is not escaped as its framing wants; check framing and baud rate";
    case "torn":
      return "a frame was never finished; check wiring and baud rate";
  }
}
