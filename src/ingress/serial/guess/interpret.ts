// Everything that a sample may mean, the surest first. Pure: whoever listens at several speeds compares the best of each.
//
// Bytes heard at a wrong speed look like something, too. Heard too fast, each bit of the device is several of ours, and since a character
// begins with a zero bit, the lowest bit of every byte is zero: such a sample is doubted. Heard too slow, most characters end in the wrong
// place and are dropped; what is left proves nothing.

import { interpretBinary } from "./binary-frames.ts";
import type { Interpretation } from "./interpretation.ts";
import { interpretLines, textShare } from "./text-lines.ts";

/** Bytes that are looked at: enough to be sure, few enough to be quick. */
export const SAMPLE_BYTES_MAX = 8192;
const SAMPLE_BYTES_MIN = 8;
const STRETCHED_FACTOR = 0.4;

export function interpret(bytes: Buffer): readonly Interpretation[] {
  const sample = bytes.subarray(0, SAMPLE_BYTES_MAX);
  if (sample.length < SAMPLE_BYTES_MIN) return [];
  const doubt = isStretched(sample) ? STRETCHED_FACTOR : 1;
  const found = [...interpretLines(sample), ...interpretBinary(sample), ...asSevenBits(sample), asUnknown(sample)];
  return found.map((each) => ({ ...each, score: each.score * doubt })).sort((a, b) => b.score - a.score);
}

/** Seven bits and a parity bit, heard as eight bits: with the eighth cut off it is text, and the parity is the same throughout. */
function asSevenBits(sample: Buffer): readonly Interpretation[] {
  const ones = sample.map(countOnes);
  const isEven = ones.every((count) => count % 2 === 0);
  const isOdd = ones.every((count) => count % 2 === 1);
  if ((!isEven && !isOdd) || !sample.some((byte) => byte >= 0x80)) return [];
  const line = { dataBits: 7, parity: isEven ? "even" : "odd" } as const;
  return interpretLines(Buffer.from(sample.map((byte) => byte & 0x7f))).map((each) => ({ ...each, line }));
}

function asUnknown(sample: Buffer): Interpretation {
  return {
    score: 0.05,
    why: textShare(sample) > 0.97 ? "text without line ends" : "bytes that look like nothing we know",
    framing: { type: "idle_gap" },
    decode: { type: "raw" },
    hasFields: false,
    explained: 0,
  };
}

function isStretched(sample: Buffer): boolean {
  return sample.every((byte) => (byte & 1) === 0);
}

function countOnes(byte: number): number {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) ones += rest & 1;
  return ones;
}
