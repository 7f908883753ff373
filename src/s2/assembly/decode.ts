// @ts-nocheck: AssemblyScript
// One S2 block, decoded. Trusts nothing: every operation is checked before it writes, and what it over-reads lies in slack.
//
//   tag  ├ literal ┼ copy1, or repeat if its offset is 0 ┼ copy2 ┼ copy4 ┤      by its low two bits
//
// Operands are read unasked, up to 64 bytes past the end; the one comparison with `end` behind them rejects what was cut short.
// Writes overshoot by up to 63 bytes into what is not decoded yet, or into slack.

import { SWIZZLES } from "./layout";

/** What is wrong, as negative results. src/s2/codec.ts words them. */
export const CUT_SHORT: i32 = -1;
export const OVERRUN: i32 = -2;
export const BAD_OFFSET: i32 = -3;
export const NO_OFFSET: i32 = -4;
export const UNDERRUN: i32 = -5;

/** Where the last refused operation begins. */
let refusedAt: u32 = 0;

export function lastRefusedAt(): u32 {
  return refusedAt;
}

/** Fills the table of patterns; must run once before anything else here. */
export function initDecode(): void {
  for (let offset: u32 = 1; offset < 16; offset++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(SWIZZLES + (offset << 4) + i, (i % offset) as u8);
  }
}

/** Decodes the operations at `source` up to `end` into `size` bytes at `target`. Returns 0, or what is wrong. */
export function decodeBlock(source: u32, end: u32, target: u32, size: u32): i32 {
  const targetEnd = target + size;
  let at = source;
  let to = target;
  let offset: u32 = 0; // none yet: a repeat is refused as is offset 0
  let operation = at;
  while (at < end) {
    operation = at;
    const tag = load<u8>(at) as u32;
    const kind = tag & 3;
    let length: u32;
    if (kind === 0) {
      length = (tag >>> 2) + 1;
      if (length <= 60) {
        at += 1;
        if (length > end - at) return refuse(operation, CUT_SHORT);
        if (length > targetEnd - to) return refuse(operation, OVERRUN);
        v128.store(to, v128.load(at));
        if (length > 16) {
          v128.store(to, v128.load(at, 16), 16);
          v128.store(to, v128.load(at, 32), 32);
          v128.store(to, v128.load(at, 48), 48);
        }
      } else {
        const extra = length - 60; // bytes of length: 1 to 4
        const less = load<u32>(at, 1) & (0xffffffff >>> ((4 - extra) << 3)); // length less one: adding 1 may wrap
        at += 1 + extra;
        if (at > end || less >= end - at) return refuse(operation, CUT_SHORT);
        if (less >= targetEnd - to) return refuse(operation, OVERRUN);
        length = less + 1;
        memory.copy(to, at, length);
      }
      at += length;
      to += length;
      continue;
    }
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4;
      const near = ((tag & 0xe0) << 3) | (load<u8>(at, 1) as u32);
      at += 2;
      if (near !== 0) offset = near;
      else if (length > 8) {
        const extra = length - 8; // bytes of length: 1 to 3
        const more = load<u32>(at) & (0xffffffff >>> ((4 - extra) << 3));
        length = more + (extra === 1 ? 8 : extra === 2 ? 260 : 65540);
        at += extra;
      }
    } else {
      length = (tag >>> 2) + 1;
      if (kind === 2) {
        offset = load<u16>(at, 1) as u32;
        at += 3;
      } else {
        offset = load<u32>(at, 1);
        at += 5;
      }
    }
    if (at > end) return refuse(operation, CUT_SHORT);
    if (offset - 1 >= to - target) return refuse(operation, offset === 0 ? NO_OFFSET : BAD_OFFSET);
    if (length > targetEnd - to) return refuse(operation, OVERRUN);
    const copyEnd = to + length;
    if (offset >= 16) {
      let from = to - offset;
      v128.store(to, v128.load(from));
      while (length > 16) {
        to += 16;
        from += 16;
        length -= 16;
        v128.store(to, v128.load(from));
      }
    } else {
      const pattern = v128.swizzle(v128.load(to - offset), v128.load(SWIZZLES + (offset << 4)));
      const step = 16 - (16 % offset);
      do {
        v128.store(to, pattern);
        to += step;
      } while (to < copyEnd);
    }
    to = copyEnd;
  }
  return to === targetEnd ? 0 : refuse(operation, UNDERRUN);
}

function refuse(operation: u32, why: i32): i32 {
  refusedAt = operation;
  return why;
}
