// @ts-nocheck: AssemblyScript
// Level "fast": one table from a hash of 4 to 6 bytes to the last place they stood at, three neighbouring places tried per step,
// steps that grow while nothing is found, and the offset of the last copy tried first.
//
// The table is never cleared. A slot is a place in *this* piece, 16 bits; what it points at is compared, and it must lie before
// the place at hand: whatever an earlier piece left there does no harm.

import { emitCopy, emitLiteral, emitRepeat, matchBefore, matchLength } from "./emit";
import { SHORT_TABLE } from "./layout";

const PRIME: u64 = ((0x9e3779b1 as u64) << 32) | 0x85ebca87;
/** The search stops this many bytes before the end. */
const MARGIN: u32 = 8;

/** Operations for `size` bytes (32 to 65,536) at `source`, written at `target`. Returns their length, or 0 if that is not worth it. */
export function encodeFast(source: u32, size: u32, target: u32): u32 {
  if (size <= 1024) return encode<u32>(source, size, target);
  return size <= 8192 ? encode<u8>(source, size, target) : encode<u64>(source, size, target);
}

/**
 * Compiled three times: K stands for the bytes of the key, so that shifts are constants (6 to 9 % quicker). u32: 4 bytes, u8: 5,
 * u64: 6, with all 2^14 slots.
 */
function encode<K>(source: u32, size: u32, target: u32): u32 {
  const end = source + size;
  const searchEnd = end - MARGIN;
  const targetEnd = target + size - (size >>> 5) - 5;
  const keyShift: u64 = sizeof<K>() === 4 ? 32 : sizeof<K>() === 1 ? 24 : 16;
  const bits: u32 = min<u32>(14, max<u32>(8, 32 - clz<u32>(size - 1)));
  const hashShift: u64 = sizeof<K>() === 8 ? 50 : 64 - (bits as u64);
  let to = target;
  let pending = source; // where the literal to come begins
  let at = source + 1;
  let repeat: u32 = 1;
  let candidate: u32 = 0;
  store<u16>(slot(load<u64>(source), keyShift, hashShift), 0);
  let word = load<u64>(at);
  while (true) {
    // Look for a match.
    while (true) {
      const next = at + 4 + ((at - pending) >>> 5);
      if (next > searchEnd) return finish(to, pending, end, target, targetEnd);
      const slot0 = slot(word, keyShift, hashShift);
      const slot1 = slot(word >>> 8, keyShift, hashShift);
      const slot2 = slot(word >>> 16, keyShift, hashShift);
      candidate = source + load<u16>(slot0);
      store<u16>(slot0, (at - source) as u16);
      const candidate1 = source + load<u16>(slot1);
      store<u16>(slot1, (at + 1 - source) as u16);
      if (((word >>> 8) as u32) === load<u32>(at + 1 - repeat)) {
        const length: u32 = 4 + matchLength(at + 5 - repeat, at + 5, end);
        const back = matchBefore(at + 1 - repeat, at + 1, min<u32>(at + 1 - pending, at + 1 - repeat - source));
        const from = at + 1 - back;
        if (to + (from - pending) > targetEnd) return 0;
        if (pending === source) {
          to = emitLiteral(to, pending, from - pending);
          to = emitCopy(to, repeat, length + back);
        } else {
          if (from > pending) to = emitLiteral(to, pending, from - pending);
          to = emitRepeat(to, repeat, length + back);
        }
        at = pending = from + length + back;
        if (at >= searchEnd) return finish(to, pending, end, target, targetEnd);
        word = load<u64>(at);
        continue;
      }
      if ((word as u32) === load<u32>(candidate) && candidate < at) break;
      const candidate2 = source + load<u16>(slot2);
      if (((word >>> 8) as u32) === load<u32>(candidate1) && candidate1 <= at) {
        candidate = candidate1;
        at += 1;
        break;
      }
      store<u16>(slot2, (at + 2 - source) as u16);
      if (((word >>> 16) as u32) === load<u32>(candidate2) && candidate2 <= at + 1) {
        candidate = candidate2;
        at += 2;
        break;
      }
      at = next;
      word = load<u64>(at);
    }
    // Take it, and those that follow at once.
    const back = matchBefore(candidate, at, min<u32>(at - pending, candidate - source));
    at -= back;
    candidate -= back;
    if (to + (at - pending) > targetEnd) return 0;
    if (at > pending) to = emitLiteral(to, pending, at - pending);
    let known = back + 4;
    while (true) {
      repeat = at - candidate;
      const length = known + matchLength(candidate + known, at + known, end);
      to = emitCopy(to, repeat, length);
      at = pending = at + length;
      if (at >= searchEnd) return finish(to, pending, end, target, targetEnd);
      if (to > targetEnd) return 0;
      const around = load<u64>(at - 2);
      store<u16>(slot(around, keyShift, hashShift), (at - 2 - source) as u16);
      const slotAt = slot(around >>> 16, keyShift, hashShift);
      candidate = source + load<u16>(slotAt);
      store<u16>(slotAt, (at - source) as u16);
      if (((around >>> 16) as u32) !== load<u32>(candidate) || candidate >= at) break;
      known = 4;
    }
    at += 1;
    word = load<u64>(at);
  }
}

function slot(word: u64, keyShift: u64, hashShift: u64): u32 {
  return SHORT_TABLE + (((((word << keyShift) * PRIME) >>> hashShift) as u32) << 1);
}

/** The last literal; the whole is given up if it did not get small enough. */
export function finish(to: u32, pending: u32, end: u32, target: u32, targetEnd: u32): u32 {
  if (to + (end - pending) > targetEnd) return 0;
  if (end > pending) to = emitLiteral(to, pending, end - pending);
  return to > targetEnd ? 0 : to - target;
}
