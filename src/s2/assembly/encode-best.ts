// @ts-nocheck: AssemblyScript
// Level "best": hash chains lead to all places with the same 4 bytes; the nearest of them are measured, and what a match saves is
// weighed against the matches one and two bytes on.
//
//   heads  hash of 4 bytes → newest place          chain  place → the place before it with the same hash
//
// Heads are cleared for each piece, the chain need not be: it is entered through heads only, and followed only backwards.

import { emitCopy, emitLiteral, emitRepeat, matchLength } from "./emit";
import { finish } from "./encode-fast";
import { CHAIN, LONG_TABLE } from "./layout";

const PRIME: u32 = 0x9e3779b1;
const MARGIN: u32 = 8;
/** How many places are measured; a quarter of them where a match of GOOD bytes is to be beaten. */
const DEPTH: u32 = 12;
const GOOD: u32 = 8;
/** A match this long is taken without looking on. */
const ENOUGH: u32 = 32;

/** As encodeFast. */
export function encodeBest(source: u32, size: u32, target: u32): u32 {
  const end = source + size;
  const searchEnd = end - MARGIN;
  const targetEnd = target + size - 5;
  const bits: u32 = min<u32>(15, max<u32>(8, 32 - clz<u32>(size - 1)));
  const shift: u32 = 32 - bits;
  memory.fill(LONG_TABLE, 0, 2 << bits);
  let to = target;
  let pending = source;
  let at = source + 1;
  let entered = at;
  let repeat: u32 = 0;
  while (at < searchEnd) {
    entered = enter(entered, at, source, shift);
    let found = find(at, source, end, repeat, shift, DEPTH);
    if (found === 0) {
      at += 1 + ((at - pending) >>> 9);
      continue;
    }
    while (lengthOf(found) < ENOUGH && at + 2 < searchEnd) {
      const depth: u32 = lengthOf(found) < GOOD ? DEPTH : DEPTH >>> 2;
      entered = enter(entered, at + 1, source, shift);
      const one = find(at + 1, source, end, repeat, shift, depth);
      // What is skipped goes into the literal; it opens one if there is none.
      const skip: u64 = pending === at ? 1 : 0;
      if (savingOf(one) > savingOf(found) + 1 + skip) {
        found = one;
        at += 1;
        continue;
      }
      entered = enter(entered, at + 2, source, shift);
      const two = find(at + 2, source, end, repeat, shift, depth);
      if (savingOf(two) > savingOf(found) + 2 + skip) {
        found = two;
        at += 2;
        continue;
      }
      break;
    }
    const offset = offsetOf(found);
    const length = lengthOf(found);
    if (to + (at - pending) > targetEnd) return 0;
    if (at > pending) to = emitLiteral(to, pending, at - pending);
    to = offset === repeat ? emitRepeat(to, offset, length) : emitCopy(to, offset, length);
    if (to > targetEnd) return 0;
    repeat = offset;
    at = pending = at + length;
  }
  return finish(to, pending, end, target, targetEnd);
}

/** Enters all places from `from` up to, not including, `to`, which is not beyond the search's end. */
function enter(from: u32, to: u32, source: u32, shift: u32): u32 {
  for (; from < to; from++) {
    const head = slot(load<u32>(from), shift);
    store<u16>(CHAIN + ((from - source) << 1), load<u16>(head));
    store<u16>(head, (from - source) as u16);
  }
  return max<u32>(from, to);
}

/** The match at `at` that saves most: saving, length and offset in one word; 0 if none saves a byte. */
function find(at: u32, source: u32, end: u32, repeat: u32, shift: u32, depth: u32): u64 {
  const word = load<u32>(at);
  let best: u64 = 0;
  let bestLength: u32 = 3;
  if (repeat !== 0 && load<u32>(at - repeat) === word) {
    bestLength = 4 + matchLength(at + 4 - repeat, at + 4, end);
    best = pack(bestLength - repeatCost(repeat, bestLength), bestLength, repeat);
  }
  let place = load<u16>(slot(word, shift)) as u32;
  let limit = at - source; // places come in falling order, or they are not of this piece
  let tail = load<u32>(at + bestLength - 3);
  for (let tries: u32 = depth; tries > 0 && place < limit; tries--) {
    const candidate = source + place;
    if (load<u32>(candidate + bestLength - 3) === tail && load<u32>(candidate) === word) {
      const length: u32 = 4 + matchLength(candidate + 4, at + 4, end);
      if (length > bestLength) {
        const offset = at - candidate;
        const saving: u32 = length - copyCost(offset, length);
        if (saving > (savingOf(best) as u32)) {
          best = pack(saving, length, offset);
          bestLength = length;
          tail = load<u32>(at + bestLength - 3);
        }
      }
    }
    limit = place;
    place = load<u16>(CHAIN + (place << 1)) as u32;
  }
  return best;
}

function repeatCost(offset: u32, length: u32): u32 {
  if (length <= 8) return 2;
  if (length < 12 && offset < 2048) return 2;
  return length <= 263 ? 3 : 4;
}

function copyCost(offset: u32, length: u32): u32 {
  if (length <= 64) return u32(offset >= 2048) | u32(length >= 12) ? 3 : 2;
  return offset < 2048 ? 2 + repeatCost(offset, length - 8) : 3 + repeatCost(offset, length - 60);
}

function pack(saving: u32, length: u32, offset: u32): u64 {
  return ((saving as u64) << 40) | ((length as u64) << 20) | (offset as u64);
}

function savingOf(found: u64): u64 {
  return found >>> 40;
}

function lengthOf(found: u64): u32 {
  return ((found >>> 20) & 0xfffff) as u32;
}

function offsetOf(found: u64): u32 {
  return (found & 0xfffff) as u32;
}

function slot(word: u32, shift: u32): u32 {
  return LONG_TABLE + (((word * PRIME) >>> shift) << 1);
}
