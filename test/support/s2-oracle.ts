// An S2 decoder to read, not to run: plain TypeScript, byte by byte, straight from the format's description. What it says is right.

import { crc32c } from "#base/crc32c.ts";
import type { Category } from "./s2-vectors.ts";

export class S2Refusal extends Error {
  readonly category: Category;

  constructor(category: Category) {
    super(category);
    this.category = category;
  }
}

export interface Decoded {
  /** Plaintext of each chunk that has any, in order. */
  readonly pieces: readonly Buffer[];
  /** Why the stream is refused behind those. */
  readonly refusal: Category | undefined;
}

/** A whole stream, from its first byte to its last. */
export function decodeStream(stream: Uint8Array, chunkBytesMax = 4_194_304): Decoded {
  const pieces: Buffer[] = [];
  try {
    readChunks(stream, chunkBytesMax, pieces);
    return { pieces, refusal: undefined };
  } catch (error) {
    if (error instanceof S2Refusal) return { pieces, refusal: error.category };
    throw error;
  }
}

function readChunks(stream: Uint8Array, chunkBytesMax: number, pieces: Buffer[]): void {
  let plainMax = 0; // no identifier yet
  let at = 0;
  while (at < stream.length) {
    if (at + 4 > stream.length) throw new S2Refusal("truncated");
    const kind = stream[at]!;
    const length = stream[at + 1]! + stream[at + 2]! * 0x100 + stream[at + 3]! * 0x10000;
    at += 4;
    const body = stream.subarray(at, at + length);
    const isWhole = body.length === length;
    at += length;
    if (plainMax === 0 && kind !== 0xff) throw new S2Refusal("header");
    if (kind === 0xff) {
      if (length !== 6) throw new S2Refusal("header");
      if (!isWhole) throw new S2Refusal("truncated");
      const text = Buffer.from(body).toString("latin1");
      if (text === "S2sTwO") plainMax = chunkBytesMax;
      else if (text === "sNaPpY") plainMax = Math.min(chunkBytesMax, 65_536);
      else throw new S2Refusal("header");
    } else if (kind >= 0x80) {
      if (!isWhole) throw new S2Refusal("truncated");
    } else if (kind >= 0x02) {
      throw new S2Refusal("unsupported");
    } else {
      if (length < 4) throw new S2Refusal("corrupt");
      if (length > (kind === 0 ? chunkBytesMax + 12 : plainMax + 4)) throw new S2Refusal("limit");
      if (kind === 0 && body.length >= 4) readLength(body.subarray(4), plainMax, isWhole); // said before the rest is there
      if (!isWhole) throw new S2Refusal("truncated");
      const plain = kind === 0 ? decodeBlock(body.subarray(4), plainMax) : Buffer.from(body.subarray(4));
      if (maskedChecksum(plain) !== Buffer.from(body).readUInt32LE(0)) throw new S2Refusal("crc");
      if (plain.length > 0) pieces.push(plain);
    }
  }
}

export function maskedChecksum(plain: Uint8Array): number {
  const crc = crc32c(plain, 0, plain.length);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A bare block. Throws an S2Refusal. */
export function decodeBlock(block: Uint8Array, plainMax = 4_194_304): Buffer {
  const [size, prefixBytes] = readLength(block, plainMax, true)!;
  const plain = Buffer.alloc(size);
  let made = 0;
  let lastOffset = 0; // no copy yet
  let at = prefixBytes;

  /** The next bytes of the block as a number. */
  const take = (count: number): number => {
    if (at + count > block.length) throw new S2Refusal("corrupt");
    let value = 0;
    for (let i = 0; i < count; i++) value += block[at + i]! * 256 ** i;
    at += count;
    return value;
  };

  const copy = (offset: number, length: number): void => {
    if (offset === 0 || offset > made || length > size - made) throw new S2Refusal("corrupt");
    for (let i = 0; i < length; i++) plain[made + i] = plain[made + i - offset]!;
    made += length;
    lastOffset = offset;
  };

  while (at < block.length) {
    const tag = take(1);
    const kind = tag % 4;
    const high = tag >> 2;
    if (kind === 0) {
      const length = 1 + (high < 60 ? high : take(high - 59));
      if (length > block.length - at || length > size - made) throw new S2Refusal("corrupt");
      plain.set(block.subarray(at, at + length), made);
      at += length;
      made += length;
    } else if (kind === 1) {
      const offset = (tag >> 5) * 256 + take(1);
      const code = high % 8;
      if (offset !== 0) copy(offset, 4 + code);
      else if (code < 5) copy(lastOffset, 4 + code);
      else if (code === 5) copy(lastOffset, 8 + take(1));
      else if (code === 6) copy(lastOffset, 260 + take(2));
      else copy(lastOffset, 65_540 + take(3));
    } else if (kind === 2) {
      copy(take(2), high + 1);
    } else {
      copy(take(4), high + 1);
    }
  }
  if (made !== size) throw new S2Refusal("corrupt");
  return plain;
}

/** The size that a block announces and how many bytes say so. Undefined if they have not all come, which they still may. */
function readLength(block: Uint8Array, plainMax: number, isWhole: boolean): [size: number, bytes: number] | undefined {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const group = block[i];
    if (group === undefined) {
      if (isWhole) throw new S2Refusal("corrupt");
      return undefined;
    }
    size += (group % 128) * 128 ** i;
    if (group >= 128) continue;
    if (size > 0xffff_ffff) throw new S2Refusal("corrupt");
    if (size > plainMax) throw new S2Refusal("limit");
    return [size, i + 1];
  }
  throw new S2Refusal("corrupt");
}
