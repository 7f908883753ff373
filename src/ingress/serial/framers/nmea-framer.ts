// NMEA 0183 sentences: from `$` or `!` to the end of the line, with an XOR of what lies between as `*hh`. A frame is the whole sentence,
// `$GPGGA,…*47`, without its line end.
//
//   \s:st1,c:1*0D\$GPGGA,…*47␍␊     tag blocks (NMEA 4) in front are passed over
//   $GPGGA,12$GPRMC,…*6A␍␊           a second beginning means that an end was lost: the first part is torn, counted
//
// A sentence with a wrong checksum is never a frame; one without is a frame only where the checksum is optional. A sentence longer than
// `maxFrame` (the standard says 82) is thrown away and counted once, and the next beginning is looked for.

import type { FrameListener, Framer } from "../framer.ts";
import { FrameSlab } from "./frame-slab.ts";

const DOLLAR = 0x24;
const BANG = 0x21;
const STAR = 0x2a;
const BACKSLASH = 0x5c;
const LF = 0x0a;
const CR = 0x0d;
/** `*hh` */
const CHECKSUM_BYTES = 3;

export class NmeaFramer implements Framer {
  readonly showsBeginning = true;
  readonly #listener: FrameListener;
  readonly #needsChecksum: boolean;
  readonly #held: FrameSlab;
  #state: "searching" | "tag" | "within" | "skipping" = "searching";
  #noise = 0;

  constructor(maxFrame: number, checksum: "required" | "optional", listener: FrameListener) {
    this.#listener = listener;
    this.#needsChecksum = checksum === "required";
    this.#held = new FrameSlab(maxFrame);
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === DOLLAR || byte === BANG) this.#open(byte);
      else if (byte === LF || byte === CR) this.#close();
      else if (this.#state === "within") this.#push(byte);
      else if (byte === BACKSLASH && this.#state !== "skipping") this.#state = this.#state === "tag" ? "searching" : "tag";
      else if (this.#state === "searching") this.#noise += 1;
    }
    this.#tellNoise();
  }

  reset(): number {
    const held = this.#held.used;
    this.#held.used = 0;
    this.#noise = 0;
    this.#state = "searching";
    return held;
  }

  #open(byte: number): void {
    this.#tellNoise();
    if (this.#state === "within") this.#fault("torn", this.#held.used);
    this.#held.used = 0;
    this.#state = "within";
    this.#push(byte);
  }

  #push(byte: number): void {
    if (this.#held.push(byte)) return;
    this.#held.used = 0;
    this.#state = "skipping";
    this.#listener.onOversize();
  }

  #close(): void {
    const { bytes, used } = this.#held;
    const isSentence = this.#state === "within";
    this.#held.used = 0;
    this.#state = "searching";
    if (!isSentence) return;
    const isGood = hasRightChecksum(bytes, 0, used) ?? !this.#needsChecksum;
    if (isGood) this.#listener.onFrame(bytes, 0, used);
    else this.#fault("checksum", used);
  }

  #fault(fault: "torn" | "checksum", bytes: number): void {
    this.#listener.onFault(fault, bytes, this.#held.bytes.subarray(0, bytes));
  }

  #tellNoise(): void {
    if (this.#noise === 0) return;
    const noise = this.#noise;
    this.#noise = 0;
    this.#listener.onFault("noise", noise);
  }
}

/** Of a sentence from its `$` on; undefined: it has no checksum. */
export function hasRightChecksum(bytes: Buffer, start: number, end: number): boolean | undefined {
  const star = end - CHECKSUM_BYTES;
  if (star <= start || bytes[star] !== STAR) return bytes.subarray(start, end).includes(STAR) ? false : undefined;
  let sum = 0;
  for (let at = start + 1; at < star; at++) sum ^= bytes[at]!;
  return sum === Number(`0x${bytes.latin1Slice(star + 1, end)}`);
}
