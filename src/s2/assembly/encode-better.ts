// @ts-nocheck: AssemblyScript
// Level "better": a table keyed by 7 bytes, whose candidates are few and good, beside one keyed by 4, whose candidates are many.
// A long candidate wins; if there is only a short one, the long table is asked at the next byte before it is taken.
//
// Tables are not cleared, as in encode-fast.ts.

import { emitCopy, emitLiteral, emitRepeat, matchBefore, matchLength } from "./emit";
import { finish } from "./encode-fast";
import { LONG_TABLE, SHORT_TABLE } from "./layout";

const PRIME: u64 = ((0x9e3779b1 as u64) << 32) | 0x85ebca87;
const MARGIN: u32 = 8;

/** As encodeFast. */
export function encodeBetter(source: u32, size: u32, target: u32): u32 {
  const end = source + size;
  const searchEnd = end - MARGIN;
  const targetEnd = target + size - (size >>> 5) - 6;
  const bits: u32 = 32 - clz<u32>(size - 1);
  const longShift: u64 = 64 - min<u32>(15, max<u32>(9, bits));
  const shortShift: u64 = 64 - min<u32>(14, max<u32>(9, bits));
  let to = target;
  let pending = source;
  let at = source + 1;
  let repeat: u32 = 1;
  const head = load<u64>(source);
  store<u16>(longSlot(head, longShift), 0);
  store<u16>(shortSlot(head, shortShift), 0);
  while (true) {
    const word = load<u64>(at);
    const next = at + 1 + ((at - pending) >>> 7);
    if (next > searchEnd) return finish(to, pending, end, target, targetEnd);
    const slotLong = longSlot(word, longShift);
    const slotShort = shortSlot(word, shortShift);
    let candidate: u32 = source + load<u16>(slotLong);
    const candidateShort: u32 = source + load<u16>(slotShort);
    store<u16>(slotLong, (at - source) as u16);
    store<u16>(slotShort, (at - source) as u16);
    let length: u32 = 0;
    if ((word as u32) === load<u32>(candidate) && candidate < at) {
      length = 4 + matchLength(candidate + 4, at + 4, end);
    }
    if (length < 8 && ((word >>> 8) as u32) === load<u32>(at + 1 - repeat)) {
      at += 1;
      candidate = at - repeat;
      length = 4 + matchLength(candidate + 4, at + 4, end);
    } else if (length < 8 && (word as u32) === load<u32>(candidateShort) && candidateShort < at) {
      const lengthShort: u32 = 4 + matchLength(candidateShort + 4, at + 4, end);
      if (lengthShort > length) {
        length = lengthShort;
        candidate = candidateShort;
      }
      const wordNext = load<u64>(at + 1);
      const slotNext = longSlot(wordNext, longShift);
      const candidateNext: u32 = source + load<u16>(slotNext);
      if (length < 12 && (wordNext as u32) === load<u32>(candidateNext) && candidateNext <= at) {
        const lengthNext: u32 = 4 + matchLength(candidateNext + 4, at + 5, end);
        if (lengthNext > length + 1) {
          at += 1;
          candidate = candidateNext;
          length = lengthNext;
        }
      }
    }
    if (length === 0) {
      at = next;
      continue;
    }
    const back = matchBefore(candidate, at, min<u32>(at - pending, candidate - source));
    at -= back;
    candidate -= back;
    length += back;
    if (to + (at - pending) > targetEnd) return 0;
    if (at > pending) to = emitLiteral(to, pending, at - pending);
    const offset = at - candidate;
    if (offset === repeat && pending !== source) to = emitRepeat(to, offset, length);
    else to = emitCopy(to, offset, length);
    if (to > targetEnd) return 0;
    repeat = offset;
    // Index the two ends of the match well, its inside sparsely.
    const from = at + 1;
    at = pending = at + length;
    if (at >= searchEnd) return finish(to, pending, end, target, targetEnd);
    enter(from, source, longShift, shortShift);
    enter(at - 2, source, longShift, shortShift);
    for (let inside = from + 2; inside < at - 2; inside += 3) {
      store<u16>(longSlot(load<u64>(inside), longShift), (inside - source) as u16);
    }
  }
}

function enter(at: u32, source: u32, longShift: u64, shortShift: u64): void {
  const word = load<u64>(at);
  store<u16>(longSlot(word, longShift), (at - source) as u16);
  store<u16>(shortSlot(word >>> 8, shortShift), (at + 1 - source) as u16);
}

function longSlot(word: u64, shift: u64): u32 {
  return LONG_TABLE + (((((word << 8) * PRIME) >>> shift) as u32) << 1);
}

function shortSlot(word: u64, shift: u64): u32 {
  return SHORT_TABLE + (((((word << 32) * PRIME) >>> shift) as u32) << 1);
}
