// The checksum that frames end with, found by trying all we know: one that is right in nearly every frame, though it keeps changing, is
// no accident.

import type { FrameListener } from "../framer.ts";
import { CHECKSUM_NAMES, Checksum, type ChecksumName, usualEndian } from "../framers/checksum.ts";
import type { FramingOptions } from "../framing-options.ts";
import { makeFramer } from "../make-framer.ts";
import type { SettingsJson } from "./interpretation.ts";

export interface FoundChecksum {
  /** Keys for the framing. */
  readonly settings: SettingsJson;
  /** "each ends with the crc16_modbus of the rest" */
  readonly why: string;
}

const SHARE = 0.9;
const FRAMES_MIN = 6;
/** Of the sum that is looked at: no accident makes so many different ones right. */
const DIFFERENT_MIN = 3;
const FRAMES_LOOKED_AT = 64;
/** A time that cannot come: nobody waits here for silence. */
const NO_CLOCK = { now: () => 0, after: () => ({ [Symbol.dispose]: () => undefined }) };

/** `froms`: how many bytes at the front may not be counted. The plainest sums are tried first. */
export function findChecksum(frames: readonly Buffer[], froms: readonly number[] = [0]): FoundChecksum | undefined {
  if (frames.length < FRAMES_MIN) return undefined;
  const looked = frames.slice(0, FRAMES_LOOKED_AT);
  for (const as of ["bytes", "hex"] as const) {
    for (const type of CHECKSUM_NAMES) {
      for (const endian of endiansOf(type)) {
        for (const from of froms) {
          const checksum = new Checksum({ type, from, endian, as });
          if (isProved(looked, checksum)) return describe(type, { from, endian, as });
        }
      }
    }
  }
  return undefined;
}

/** Frames of the sample as this framing cuts them; the last, unless it is whole, is missing. */
export function framesOf(sample: Buffer, options: FramingOptions): readonly Buffer[] {
  const frames: Buffer[] = [];
  const listener: FrameListener = {
    onFrame: (bytes, start, end) => void frames.push(Buffer.from(bytes.subarray(start, end))),
    onOversize: () => undefined,
    onFault: () => undefined,
  };
  makeFramer(options, listener, { baudRate: 9600, bitsPerCharacter: 10 }, NO_CLOCK).feed(sample);
  return frames;
}

function endiansOf(type: ChecksumName): readonly ("big" | "little")[] {
  const usual = usualEndian(type);
  return type.includes("8") && !type.includes("16") ? [usual] : [usual, usual === "big" ? "little" : "big"];
}

function isProved(frames: readonly Buffer[], checksum: Checksum): boolean {
  const right = frames.filter((frame) => checksum.isRight(frame, 0, frame.length));
  if (right.length / frames.length < SHARE) return false;
  const different = new Set(right.map((frame) => frame.toString("hex", frame.length - checksum.bytes)));
  return different.size >= Math.max(DIFFERENT_MIN, right.length / 8);
}

function describe(
  type: ChecksumName,
  { from, endian, as }: { readonly from: number; readonly endian: "big" | "little"; readonly as: "bytes" | "hex" },
): FoundChecksum {
  const settings = {
    checksum: type,
    ...(from === 0 ? {} : { checksum_from: from }),
    ...(endian === usualEndian(type) ? {} : { checksum_endian: endian }),
    ...(as === "bytes" ? {} : { checksum_as: as }),
  };
  return { settings, why: `each ends with the ${type} of the rest` };
}
