// Frames of binary: Modbus RTU, COBS, SLIP, marks around text, or a fixed length with marks that come again and again.

import { frameAt } from "../modbus/pdu.ts";
import { findChecksum, framesOf } from "./find-checksum.ts";
import { type Interpretation, type SettingsJson, weight } from "./interpretation.ts";
import { textShare } from "./text-lines.ts";

const FRAMES_MIN = 4;
/** A length proves less than a mark. */
const FIXED_FRAMES_MIN = 6;
/** What is heard too slowly is mostly ones: a handful of different bytes. */
const DIFFERENT_BYTES_MIN = 12;
const LENGTH_MAX = 256;
const REGISTERS_MAX = 32;

/** What binary frames the sample may hold, the best first or none. Both ends of the sample may lie in the middle of one. */
export function interpretBinary(sample: Buffer): readonly Interpretation[] {
  const found = [asModbus(sample), asMarked(sample), asCobs(sample), asSlip(sample), asFixed(sample)];
  return found.filter((each) => each !== undefined).sort((a, b) => b.score - a.score);
}

function asModbus(sample: Buffer): Interpretation | undefined {
  let frames = 0;
  let explained = 0;
  let asked: readonly [unit: number, code: number, address: number, count: number] | undefined;
  const registers = new Map<string, SettingsJson>();
  for (let at = 0; at < sample.length; ) {
    const length = frameAt(sample, at, sample.length);
    if (length === 0) {
      at += 1;
      continue;
    }
    frames += 1;
    explained += length;
    const [unit, code] = [sample[at]!, sample[at + 1]!];
    if (code >= 3 && code <= 4 && asked?.[0] === unit && asked[1] === code && sample[at + 2] === asked[3] * 2) {
      const table = code === 3 ? "holding" : "input";
      for (let i = 0; i < asked[3] && registers.size < REGISTERS_MAX; i++) {
        const name = `${table}_${asked[2] + i}`;
        registers.set(name, { name, table, address: asked[2] + i, type: "u16" });
      }
      asked = undefined;
    } else if (length === 8 && code >= 3 && code <= 4)
      asked = [unit, code, sample.readUInt16BE(at + 2), sample.readUInt16BE(at + 4)];
    at += length;
  }
  if (frames < 2) return undefined;
  const share = explained / sample.length;
  return {
    score: 0.99 * Math.min(1, share * 1.1) * weight(frames),
    why: `${frames} Modbus RTU frames with a right checksum make up ${Math.round(share * 100)} % of it: another master asks on this bus`,
    framing: { type: "modbus_rtu" },
    decode: registers.size === 0 ? { type: "raw" } : { type: "modbus", registers: [...registers.values()] },
    hasFields: registers.size > 0,
    explained,
  };
}

/** STX … ETX. */
function asMarked(sample: Buffer): Interpretation | undefined {
  let frames = 0;
  let explained = 0;
  for (let at = sample.indexOf(2); at >= 0; ) {
    const end = sample.indexOf(3, at + 1);
    const next = sample.indexOf(2, at + 1);
    if (end > at + 1 && (next < 0 || next > end)) {
      frames += 1;
      explained += end - at + 1;
    }
    at = next;
  }
  if (frames < FRAMES_MIN) return undefined;
  const share = explained / sample.length;
  const check = findChecksum(framesOf(sample, { type: "start_end", start: "\x02", end: "\x03", maxFrame: sample.length }));
  return {
    score: (check === undefined ? 0.88 : 0.97) * Math.min(1, share * 1.1) * weight(frames),
    why: `${frames} frames between the marks 02 and 03 make up ${Math.round(share * 100)} % of it${check === undefined ? "" : `; ${check.why}`}`,
    framing: { type: "start_end", start: "\\x02", end: "\\x03", ...check?.settings },
    decode: { type: "text" },
    hasFields: false,
    explained,
  };
}

function asCobs(sample: Buffer): Interpretation | undefined {
  const frames = cut(sample, 0);
  const right = frames.filter(isCobs);
  if (right.length < FRAMES_MIN || meanLength(right) < 4) return undefined;
  const share = right.length / frames.length;
  if (share < 0.8) return undefined;
  const check = findChecksum(framesOf(sample, { type: "cobs", maxFrame: sample.length }));
  return {
    score: (check === undefined ? 0.9 : 0.97) * share * weight(right.length),
    why: `${right.length} of ${frames.length} frames between zeros are whole in COBS${check === undefined ? "" : `; ${check.why}`}`,
    framing: { type: "cobs", ...check?.settings },
    decode: { type: "raw" },
    hasFields: false,
    explained: right.reduce((sum, frame) => sum + frame.length + 1, 0),
  };
}

/** Each code byte says how far the next one is; the last leads to the end. */
function isCobs(frame: Buffer): boolean {
  let at = 0;
  while (at < frame.length) at += frame[at]!;
  return at === frame.length;
}

function asSlip(sample: Buffer): Interpretation | undefined {
  const frames = cut(sample, 0xc0);
  const right = frames.filter((frame) => {
    for (let at = frame.indexOf(0xdb); at >= 0; at = frame.indexOf(0xdb, at + 1)) {
      if (frame[at + 1] !== 0xdc && frame[at + 1] !== 0xdd) return false;
    }
    return true;
  });
  if (right.length < FRAMES_MIN || meanLength(right) < 4) return undefined;
  const escapes = right.filter((frame) => frame.includes(0xdb)).length;
  const share = right.length / frames.length;
  const check = findChecksum(framesOf(sample, { type: "slip", maxFrame: sample.length }));
  return {
    score: (check !== undefined ? 0.97 : escapes > 0 ? 0.9 : 0.7) * share * weight(right.length),
    why: `${right.length} of ${frames.length} frames between C0 are whole in SLIP${escapes > 0 ? `, ${escapes} with its escapes` : ""}${check === undefined ? "" : `; ${check.why}`}`,
    framing: { type: "slip", ...check?.settings },
    decode: { type: "raw" },
    hasFields: false,
    explained: right.reduce((sum, frame) => sum + frame.length + 1, 0),
  };
}

/** A length at which the same marks come again in (nearly) every frame, and other bytes do not. */
function asFixed(sample: Buffer): Interpretation | undefined {
  if (textShare(sample) > 0.97) return undefined; // lines of the same length
  let best: Interpretation | undefined;
  const doubt = new Set(sample).size < DIFFERENT_BYTES_MIN ? 0.6 : 1;
  for (let length = 2; length <= Math.min(LENGTH_MAX, sample.length / FIXED_FRAMES_MIN); length++) {
    const marks = findMarks(sample, length);
    if (marks === undefined) continue;
    const { at, bytes, frames, held, varies } = marks;
    const check = length < 4 ? undefined : findChecksum(framesFrom(sample, at, length), [0, ...(bytes > 0 ? [bytes] : [])]);
    const score =
      (check === undefined ? 0.6 + 0.08 * Math.min(3, bytes) : 0.97) * held * weight(frames) * (varies ? doubt : 0.6 * doubt);
    // A multiple of the true length has the same marks: the shorter one is it, unless the longer is clearly better.
    if (best !== undefined && score < best.score * 1.05) continue;
    const start = sample.toString("hex", at, at + bytes);
    best = {
      score,
      why: `every ${length} bytes comes ${start}, ${frames} times${check === undefined ? "" : `; ${check.why}`}`,
      framing: { type: "fixed", length, start: `hex:${start}`, ...check?.settings },
      decode: { type: "raw" },
      hasFields: false,
      explained: frames * length,
    };
  }
  return best;
}

interface Marks {
  /** Where the first whole frame begins. */
  readonly at: number;
  /** How many bytes at its beginning never change. */
  readonly bytes: number;
  readonly frames: number;
  /** Share of frames that have them. */
  readonly held: number;
  /** Some other byte of the frame changes: without that it is a pattern, not a message. */
  readonly varies: boolean;
}

function findMarks(sample: Buffer, length: number): Marks | undefined {
  const frames = Math.floor(sample.length / length) - 1;
  if (frames < FIXED_FRAMES_MIN - 1) return undefined;
  const held = Array.from({ length }, (_, column) => shareOfMost(sample, column, length, frames));
  const isMark = held.map((share) => share >= 0.95);
  if (isMark.every(Boolean)) return { at: 0, bytes: Math.min(4, length), frames, held: Math.min(...held), varies: false };
  let best = { at: 0, bytes: 0 };
  for (let column = 0; column < length; column++) {
    if (!isMark[column] || isMark[(column + length - 1) % length]) continue;
    let bytes = 1;
    while (bytes < 4 && isMark[(column + bytes) % length]) bytes += 1;
    // Two marks and more, or one that is no filling zero.
    if (bytes > best.bytes && (bytes > 1 || ![0, 0xff].includes(sample[column]!))) best = { at: column, bytes };
  }
  if (best.bytes === 0) return undefined;
  let least = 1;
  for (let i = 0; i < best.bytes; i++) least = Math.min(least, held[(best.at + i) % length]!);
  return { ...best, frames, held: least, varies: true };
}

function shareOfMost(sample: Buffer, column: number, length: number, frames: number): number {
  const first = sample[column]!;
  const second = sample[column + length]!;
  let firsts = 0;
  let seconds = 0;
  for (let i = 0; i < frames; i++) {
    const byte = sample[column + i * length];
    if (byte === first) firsts += 1;
    if (byte === second) seconds += 1;
  }
  return Math.max(firsts, seconds) / frames;
}

function framesFrom(sample: Buffer, at: number, length: number): readonly Buffer[] {
  return Array.from({ length: Math.floor((sample.length - at) / length) }, (_, i) =>
    sample.subarray(at + i * length, at + (i + 1) * length),
  );
}

/** Between marks, without the parts at both ends and the empty ones. */
function cut(sample: Buffer, mark: number): readonly Buffer[] {
  const frames: Buffer[] = [];
  for (let from = sample.indexOf(mark); from >= 0; ) {
    const to = sample.indexOf(mark, from + 1);
    if (to > from + 1) frames.push(sample.subarray(from + 1, to));
    from = to;
  }
  return frames;
}

function meanLength(frames: readonly Buffer[]): number {
  return frames.reduce((sum, frame) => sum + frame.length, 0) / frames.length;
}
