// Modbus RTU frames heard on a bus where another master asks: questions and answers alike, whole as they are but for the two bytes of
// checksum at their end, which were right.
//
//   ─█████████──────███████████████─────────█████████──
//    question  3.5  answer           3.5    question
//
// The standard ends a frame by a silence of 3.5 characters (1.75 ms above 19,200 baud). User space cannot time that: a timer is good to
// a millisecond or two, and a USB adapter hands over what it gathered in 16 ms, so question and answer may come in one chunk and one
// frame in two. So three things decide together:
//
//   length     a frame's function and count tell its length, once as a question and once as an answer; both are tried
//   checksum   a frame is one whose CRC is right; nothing else ever comes out. An answer may have the right CRC of a question in it by
//              accident, so counts must be possible, too
//   silence    ends what is under way: a frame of an unknown function is taken if all of it has a right CRC; what is left is noise
//
// After noise each next byte is tried as a beginning, so frames are found again within the same burst. A wrong frame would need a
// possible count and a right CRC by accident: for a question in the registers of an answer one of 30 million, for other noise one of
// 65,536 where it begins as a frame does. Work per byte is bounded by the longest frame (256 bytes).

import { assert } from "#base/assert.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { FrameListener, Framer } from "../framer.ts";
import { crcModbus } from "../modbus/crc.ts";
import { FrameSlab } from "./frame-slab.ts";
import { Silence } from "./silence.ts";

/** Source: MODBUS over Serial Line V1.02, §2.5.1. */
const RTU_FRAME_BYTES_MAX = 256;
const RTU_FRAME_BYTES_MIN = 4;
const CRC_BYTES = 2;
const CANDIDATES = 3;
/** A USB adapter gathers for up to 16 ms: a shorter silence says nothing. */
const GAP_MS_MIN: Millis = 20;

export class ModbusFramer implements Framer {
  readonly showsBeginning = true;
  readonly #listener: FrameListener;
  readonly #frameMax: number;
  readonly #held = new FrameSlab(2 * RTU_FRAME_BYTES_MAX);
  readonly #silence: Silence;
  /** Bytes at the front of what is held that no frame of a known length begins with. */
  #passed = 0;

  constructor(maxFrame: number, gap: Millis, clock: Pick<Clock, "now" | "after">, listener: FrameListener) {
    this.#listener = listener;
    this.#frameMax = Math.min(maxFrame + CRC_BYTES, RTU_FRAME_BYTES_MAX);
    this.#silence = new Silence(clock, gap, () => this.#onSilence());
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const end = Math.min(chunk.length, at + RTU_FRAME_BYTES_MAX);
      this.#held.append(chunk, at, end); // there is room: less than a frame is held between two of these
      at = end;
      this.#scan(false);
      if (this.#held.used > RTU_FRAME_BYTES_MAX) this.#shorten();
    }
    if (this.#held.used > 0) this.#silence.touch();
  }

  reset(): number {
    const held = this.#held.used;
    this.#held.used = 0;
    this.#passed = 0;
    this.#silence.stop();
    return held;
  }

  /** Gives the frames of known length. `isAll`: nothing more will come, so a beginning that wants more is none. */
  #scan(isAll: boolean): void {
    let from = 0;
    while (this.#passed < this.#held.used) {
      const length = this.#frameAt(this.#passed, isAll);
      if (length === undefined) break;
      if (length === 0) {
        this.#passed += 1;
        continue;
      }
      if (this.#passed > from) this.#listener.onFault("noise", this.#passed - from);
      this.#listener.onFrame(this.#held.bytes, this.#passed, this.#passed + length - CRC_BYTES);
      this.#passed += length;
      from = this.#passed;
    }
    if (from > 0) {
      this.#held.drop(from);
      this.#passed -= from;
    }
  }

  /** Length of the frame that begins at `at`; 0: none does; undefined: that needs more bytes. */
  #frameAt(at: number, isAll: boolean): number | undefined {
    const { bytes, used } = this.#held;
    let isWaiting = false;
    const rest = used - at;
    if (bytes[at]! > 247) return 0; // 0: to all units, 1 … 247: to one
    if (rest < 2) return isAll ? 0 : undefined;
    for (let which = 0; which < CANDIDATES; which++) {
      const length = candidate(bytes, at, used, which);
      if (length === 0 || length > this.#frameMax) continue;
      if (Number.isNaN(length) || length > rest) {
        isWaiting = true;
        continue;
      }
      if (isPlausible(bytes, at, which) && crcModbus(bytes, at, at + length) === 0) return length;
    }
    return isWaiting && !isAll ? undefined : 0;
  }

  #onSilence(): void {
    const { used } = this.#held;
    if (
      used >= RTU_FRAME_BYTES_MIN &&
      used <= this.#frameMax &&
      this.#isAddressed() &&
      crcModbus(this.#held.bytes, 0, used) === 0
    ) {
      this.#held.used = 0;
      this.#passed = 0;
      this.#listener.onFrame(this.#held.bytes, 0, used - CRC_BYTES);
      return;
    }
    this.#scan(true);
    const noise = this.#held.used;
    this.#held.used = 0;
    this.#passed = 0;
    if (noise > 0) this.#listener.onFault("noise", noise, this.#held.bytes.subarray(0, noise));
  }

  #isAddressed(): boolean {
    return this.#held.bytes[0]! <= 247;
  }

  /** More than the longest frame is held: what no frame begins with goes. That is a byte at least, since none waits for so many. */
  #shorten(): void {
    const noise = this.#passed;
    assert(noise > 0, "a Modbus frame waits for more bytes than it can have");
    this.#held.drop(noise);
    this.#passed = 0;
    this.#listener.onFault("noise", noise);
  }
}

/** Silence between frames at this speed, as long as can be told apart here. */
export function modbusGap(line: { readonly baudRate: number; readonly bitsPerCharacter: number }): Millis {
  const characters = line.baudRate > 19_200 ? 1.75 : (3.5 * line.bitsPerCharacter * 1000) / line.baudRate;
  return Math.max(GAP_MS_MIN, characters);
}

/**
 * How long the frame at `at` would be: `which` 0 as a question, 1 as an answer, 2 as a refusal. 0: no such frame; NaN: not told yet.
 * Source: MODBUS Application Protocol V1.1b3, §6.
 */
function candidate(bytes: Buffer, at: number, end: number, which: number): number {
  const code = bytes[at + 1]!;
  if (which === 2) return code > 0x80 && code <= 0xab ? 5 : 0;
  const isQuestion = which === 0;
  switch (code) {
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x04:
      return isQuestion ? 8 : counted(bytes, at + 2, end, 5);
    case 0x05:
    case 0x06:
    case 0x08:
      return isQuestion ? 8 : 0; // the answer is the same
    case 0x07:
    case 0x0b:
      return isQuestion ? 4 : code === 0x07 ? 5 : 8;
    case 0x0c:
    case 0x11:
      return isQuestion ? 4 : counted(bytes, at + 2, end, 5);
    case 0x0f:
    case 0x10:
      return isQuestion ? counted(bytes, at + 6, end, 9) : 8;
    case 0x14:
    case 0x15:
      return counted(bytes, at + 2, end, 5);
    case 0x16:
      return isQuestion ? 10 : 0;
    case 0x17:
      return isQuestion ? counted(bytes, at + 10, end, 13) : counted(bytes, at + 2, end, 5);
    default:
      return 0;
  }
}

/** A length with a count of bytes in it, where that has come. */
function counted(bytes: Buffer, at: number, end: number, beside: number): number {
  return at < end ? beside + bytes[at]! : Number.NaN;
}

/** May a frame of this length say this? Of reads and of writes of several, where an accident is likeliest. */
function isPlausible(bytes: Buffer, at: number, which: number): boolean {
  const code = bytes[at + 1]!;
  const isOfBits = code === 0x01 || code === 0x02 || code === 0x0f;
  const countMax = isOfBits ? 2000 : 125;
  switch (code) {
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x04:
      if (which === 1) return isOfBits ? bytes[at + 2]! > 0 : bytes[at + 2]! > 0 && bytes[at + 2]! % 2 === 0;
      return isWithin(bytes.readUInt16BE(at + 4), countMax);
    case 0x05:
      return bytes[at + 5] === 0 && (bytes[at + 4] === 0 || bytes[at + 4] === 0xff);
    case 0x0f:
    case 0x10: {
      const count = bytes.readUInt16BE(at + 4);
      const countBytes = isOfBits ? Math.ceil(count / 8) : 2 * count;
      return isWithin(count, countMax) && (which === 1 || bytes[at + 6] === countBytes);
    }
    default:
      return true;
  }
}

function isWithin(count: number, max: number): boolean {
  return count >= 1 && count <= max;
}
