// @ts-nocheck: AssemblyScript
// CRC-32C (Castagnoli) at memory speed, without an instruction for it.
//
// A checksum is the remainder of a polynomial division, so adding (xor) multiples of the divisor does not change it. There are
// multiples with six terms whose distances are all whole 16-byte words: with them a word is got rid of by xoring it into five
// later ones. Turned round, each word gathers five earlier ones; what remains in the last words has the remainder of the whole.
//
//   words  ├───────────────────────────────────┼── last 209 ──┤      five terms at 65, 155, 170, 195, 209
//                                              ├───────┼ 55 ──┤      nine terms at 10, 13, 29, 31, 36, 46, 50, 52, 55
//                                                      └─ 880 bytes by sixteen tables
//
// A stage's last words gather only from words before them that the stage reduced. test/unit/s2/codec.test.ts compares with
// base/crc32c.ts at every length about the thresholds.

import { CRC_SCRATCH, CRC_TABLES } from "./layout";

const POLYNOMIAL: u32 = 0x82f63b78;
/** Below this many bytes tables alone are quicker; below the second, the shorter multiple alone. Both leave a first word to reduce. */
const ONE_STAGE_BYTES_MIN: u32 = 1344;
const TWO_STAGES_BYTES_MIN: u32 = 5120;

const WIDE: u32 = 209;
const WIDE_BYTES: u32 = WIDE * 16;
const NARROW: u32 = 55;
const NARROW_BYTES: u32 = NARROW * 16;
const TILE_BYTES: u32 = 512 * 16;
const TILE: u32 = CRC_SCRATCH + WIDE_BYTES;
const WIDE_REST: u32 = TILE + TILE_BYTES;
const NARROW_WORK: u32 = CRC_SCRATCH + NARROW_BYTES;
const NARROW_REST: u32 = WIDE_REST + WIDE_BYTES;

/** Fills the tables; must run once before anything else here. */
export function initCrc32c(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    store<u32>(CRC_TABLES + (byte << 2), crc);
  }
  for (let at: u32 = 256; at < 4096; at++) {
    const shorter = load<u32>(CRC_TABLES + ((at - 256) << 2));
    store<u32>(CRC_TABLES + (at << 2), (shorter >>> 8) ^ load<u32>(CRC_TABLES + ((shorter & 255) << 2)));
  }
}

/** The checksum as it stands in a chunk. */
export function maskedCrc32c(at: u32, bytes: u32): u32 {
  const crc = crc32c(at, bytes);
  return ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
}

export function crc32c(at: u32, bytes: u32): u32 {
  if (bytes < ONE_STAGE_BYTES_MIN) return ~byTables(~0, at, bytes);
  const odd = bytes & 15;
  let state = byTables(~0, at, odd);
  let from = at + odd;
  let words = bytes >>> 4;
  if (bytes >= TWO_STAGES_BYTES_MIN) {
    reduceWide(from, words, state);
    from = WIDE_REST;
    words = WIDE;
    state = 0;
  }
  reduceNarrow(from, words, state);
  return ~byTables(0, NARROW_REST, NARROW_BYTES);
}

function byTables(state: u32, at: u32, bytes: u32): u32 {
  const wholeEnd = at + (bytes & ~15);
  const end = at + bytes;
  while (at < wholeEnd) {
    const a = load<u32>(at) ^ state;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    state =
      entry(15, a & 255) ^
      entry(14, (a >>> 8) & 255) ^
      entry(13, (a >>> 16) & 255) ^
      entry(12, a >>> 24) ^
      entry(11, b & 255) ^
      entry(10, (b >>> 8) & 255) ^
      entry(9, (b >>> 16) & 255) ^
      entry(8, b >>> 24) ^
      entry(7, c & 255) ^
      entry(6, (c >>> 8) & 255) ^
      entry(5, (c >>> 16) & 255) ^
      entry(4, c >>> 24) ^
      entry(3, d & 255) ^
      entry(2, (d >>> 8) & 255) ^
      entry(1, (d >>> 16) & 255) ^
      entry(0, d >>> 24);
    at += 16;
  }
  while (at < end) {
    state = entry(0, (state ^ load<u8>(at)) & 255) ^ (state >>> 8);
    at += 1;
  }
  return state;
}

function entry(table: u32, byte: u32): u32 {
  return load<u32>(CRC_TABLES + (table << 10) + (byte << 2));
}

/** Words before the first count as zero: the history begins so. More than 209 words. */
function reduceWide(at: u32, words: u32, state: u32): void {
  memory.fill(CRC_SCRATCH, 0, WIDE_BYTES);
  let left = (words - WIDE) << 4;
  let first = v128.and(v128.splat<u32>(state), i32x4(-1, 0, 0, 0));
  while (left > 0) {
    const size = min<u32>(left, TILE_BYTES);
    for (let to: u32 = TILE, end: u32 = TILE + size; to < end; to += 16, at += 16) {
      const word = v128.xor(
        v128.xor(v128.xor(v128.load(at), first), v128.load(to - 65 * 16)),
        v128.xor(
          v128.xor(v128.load(to - 155 * 16), v128.load(to - 170 * 16)),
          v128.xor(v128.load(to - 195 * 16), v128.load(to - 209 * 16)),
        ),
      );
      v128.store(to, word);
      first = i32x4(0, 0, 0, 0);
    }
    memory.copy(CRC_SCRATCH, CRC_SCRATCH + size, WIDE_BYTES);
    left -= size;
  }
  for (let k: u32 = 0; k < WIDE; k++) {
    const from = CRC_SCRATCH + WIDE_BYTES + (k << 4);
    let word = v128.xor(v128.load(at + (k << 4)), v128.load(from - 209 * 16));
    if (k < 195) word = v128.xor(word, v128.load(from - 195 * 16));
    if (k < 170) word = v128.xor(word, v128.load(from - 170 * 16));
    if (k < 155) word = v128.xor(word, v128.load(from - 155 * 16));
    if (k < 65) word = v128.xor(word, v128.load(from - 65 * 16));
    v128.store(WIDE_REST + (k << 4), word);
  }
}

/** 56 to 320 words: they fit into the scratch as they are. */
function reduceNarrow(at: u32, words: u32, state: u32): void {
  memory.fill(CRC_SCRATCH, 0, NARROW_BYTES);
  let to: u32 = NARROW_WORK;
  const end = to + ((words - NARROW) << 4);
  let first = v128.and(v128.splat<u32>(state), i32x4(-1, 0, 0, 0));
  for (; to < end; to += 16, at += 16) {
    const near = v128.xor(
      v128.xor(v128.load(to - 10 * 16), v128.load(to - 13 * 16)),
      v128.xor(v128.load(to - 29 * 16), v128.load(to - 31 * 16)),
    );
    const far = v128.xor(
      v128.xor(v128.load(to - 36 * 16), v128.load(to - 46 * 16)),
      v128.xor(v128.xor(v128.load(to - 50 * 16), v128.load(to - 52 * 16)), v128.load(to - 55 * 16)),
    );
    v128.store(to, v128.xor(v128.xor(v128.load(at), first), v128.xor(near, far)));
    first = i32x4(0, 0, 0, 0);
  }
  for (let k: u32 = 0; k < NARROW; k++, to += 16, at += 16) {
    let word = v128.xor(v128.load(at), v128.load(to - 55 * 16));
    if (k < 52) word = v128.xor(word, v128.load(to - 52 * 16));
    if (k < 50) word = v128.xor(word, v128.load(to - 50 * 16));
    if (k < 46) word = v128.xor(word, v128.load(to - 46 * 16));
    if (k < 36) word = v128.xor(word, v128.load(to - 36 * 16));
    if (k < 31) word = v128.xor(word, v128.load(to - 31 * 16));
    if (k < 29) word = v128.xor(word, v128.load(to - 29 * 16));
    if (k < 13) word = v128.xor(word, v128.load(to - 13 * 16));
    if (k < 10) word = v128.xor(word, v128.load(to - 10 * 16));
    v128.store(NARROW_REST + (k << 4), word);
  }
}
