// @ts-nocheck: AssemblyScript
// The module's doors: whole chunks, checksum and header included. One call per chunk, so that crossing from JavaScript costs little.

import { crc32c, initCrc32c, maskedCrc32c } from "./crc32c";
import { CUT_SHORT, decodeBlock, initDecode, lastRefusedAt, OVERRUN } from "./decode";
import { encodeBest } from "./encode-best";
import { encodeBetter } from "./encode-better";
import { encodeFast } from "./encode-fast";
import {
  DECODER_INPUT,
  DECODER_OUTPUT,
  DECODER_OUTPUT_MAX,
  ENCODER_INPUT,
  ENCODER_INPUT_MAX,
  ENCODER_OUTPUT,
  SHORT_TABLE,
} from "./layout";

export { crc32c, decodeBlock, lastRefusedAt };

const CHUNK_COMPRESSED: u32 = 0;
const CHUNK_STORED: u32 = 1;
/** Less is stored untried. */
const COMPRESS_BYTES_MIN: u32 = 32;
/** The checksum is not that of the bytes. -1 to -5 stand in decode.ts. */
const BAD_CHECKSUM: i32 = -6;

export function init(): void {
  initCrc32c();
  initDecode();
}

/** Forgets what the match tables hold, so that the same bytes give the same chunk: for tests. */
export function forget(): void {
  memory.fill(SHORT_TABLE, 0, ENCODER_INPUT - 64 - SHORT_TABLE);
}

/** Only the operations of a block for the `size` bytes of the input; 0 if they are not worth it. */
export function encodeBlock(level: u32, size: u32, target: u32): u32 {
  if (size < COMPRESS_BYTES_MIN) return 0;
  if (level === 1) return encodeFast(ENCODER_INPUT, size, target);
  if (level === 2) return encodeBetter(ENCODER_INPUT, size, target);
  if (level === 3) return encodeBest(ENCODER_INPUT, size, target);
  return 0;
}

/**
 * Makes a chunk of the first `size` bytes of the input (at most ENCODER_INPUT_MAX).
 * Returns its length if it lies in the output, or 0 if it is stored: then it begins 8 bytes before the input and is size + 8 long.
 */
export function encodeChunk(level: u32, size: u32): u32 {
  if (size > ENCODER_INPUT_MAX) unreachable();
  const checksum = maskedCrc32c(ENCODER_INPUT, size);
  let to = ENCODER_OUTPUT + 8;
  let rest = size;
  while (rest >= 0x80) {
    store<u8>(to++, (rest | 0x80) as u8);
    rest >>>= 7;
  }
  store<u8>(to++, rest as u8);
  const length = encodeBlock(level, size, to);
  if (length === 0) {
    store<u32>(ENCODER_INPUT - 8, CHUNK_STORED | ((size + 4) << 8));
    store<u32>(ENCODER_INPUT - 4, checksum);
    return 0;
  }
  const body = to + length - ENCODER_OUTPUT - 4;
  store<u32>(ENCODER_OUTPUT, CHUNK_COMPRESSED | (body << 8));
  store<u32>(ENCODER_OUTPUT + 4, checksum);
  return body + 4;
}

/** Checks a stored chunk whose body, checksum first, has `bytes` bytes (4 or more). Returns how many are data, or what is wrong. */
export function checkStored(bytes: u32): i32 {
  return load<u32>(DECODER_INPUT - 4) === maskedCrc32c(DECODER_INPUT, bytes - 4) ? bytes - 4 : BAD_CHECKSUM;
}

/**
 * Decodes a compressed chunk whose body, checksum first, has `bytes` bytes; the length of its block, `size`, takes `prefix` bytes.
 * Returns `size`, or what is wrong.
 */
export function decodeChunk(bytes: u32, prefix: u32, size: u32): i32 {
  if (size > DECODER_OUTPUT_MAX) return OVERRUN;
  if (bytes < 4 + prefix) return CUT_SHORT;
  const fault = decodeBlock(DECODER_INPUT + prefix, DECODER_INPUT + bytes - 4, DECODER_OUTPUT, size);
  if (fault !== 0) return fault;
  return load<u32>(DECODER_INPUT - 4) === maskedCrc32c(DECODER_OUTPUT, size) ? size : BAD_CHECKSUM;
}
