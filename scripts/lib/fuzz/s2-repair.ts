// Makes a damaged S2 block announce what its operations come to, and drops an operation that is cut short: else nearly every
// damage would end at the first look. Now and then it misses by one, on purpose: that is where comparisons go wrong.

import { readPrefix } from "../../../test/support/s2-reading.ts";

/** How often one byte is cut off, and how often one too few or too many are announced. */
const CUT = 0.06;
const FEWER = 0.03;
const MORE = 0.03;
const LITERAL_BYTES_MAX = 40;

export function repairBlock(block: Buffer, random: () => number): Buffer {
  const start = readPrefix(block)?.bytes ?? Math.min(1, block.length);
  let at = start;
  let size = 0;
  while (at < block.length) {
    const [bytes, length] = measure(block, at);
    if (at + bytes > block.length) break;
    at += bytes;
    size += length;
  }
  const operations = [block.subarray(start, at)];
  if (random() < 0.2) {
    const literal = longLiteral(1 + Math.floor(random() * 4), 1 + Math.floor(random() * LITERAL_BYTES_MAX));
    size += literal.readUInt8(literal.length - 1);
    operations.push(literal);
  }
  const chance = random();
  if (chance < FEWER) size = Math.max(0, size - 1);
  else if (chance < FEWER + MORE) size += 1;
  const repaired = Buffer.concat([varint(size), ...operations]);
  return random() < CUT ? repaired.subarray(0, -1) : repaired;
}

/** In a longer form than it needs; its bytes all name its length. */
function longLiteral(extra: number, bytes: number): Buffer {
  const literal = Buffer.alloc(1 + extra + bytes, bytes);
  literal[0] = (59 + extra) << 2;
  literal.fill(0, 1, 1 + extra);
  literal[1] = bytes - 1;
  return literal;
}

/** How many bytes the operation at `at` takes, and how many it makes; it may go beyond the end. */
function measure(block: Buffer, at: number): readonly [bytes: number, length: number] {
  const tag = block[at]!;
  const high = tag >> 2;
  const number = (from: number, count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++) value += (block[from + i] ?? 0) * 256 ** i;
    return value;
  };
  switch (tag & 3) {
    case 0: {
      const extra = Math.max(0, high - 59);
      const length = 1 + (extra === 0 ? high : number(at + 1, extra));
      return [1 + extra + length, length];
    }
    case 1: {
      const code = high & 7;
      const isRepeat = tag >> 5 === 0 && block[at + 1] === 0;
      if (!isRepeat || code < 5) return [2, 4 + code];
      return [2 + code - 4, [8, 260, 65_540][code - 5]! + number(at + 2, code - 4)];
    }
    case 2:
      return [3, high + 1];
    default:
      return [5, high + 1];
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}
