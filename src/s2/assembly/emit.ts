// @ts-nocheck: AssemblyScript
// Operations of a block, written in their shortest form. Each function returns where the next one goes. They write up to 64
// bytes past that.

/** A literal of 1 to 65,536 bytes. Reads up to 64 bytes past its end. */
export function emitLiteral(to: u32, from: u32, length: u32): u32 {
  if (length <= 60) {
    store<u8>(to, ((length - 1) << 2) as u8);
    to += 1;
    v128.store(to, v128.load(from));
    if (length > 16) {
      v128.store(to, v128.load(from, 16), 16);
      v128.store(to, v128.load(from, 32), 32);
      v128.store(to, v128.load(from, 48), 48);
    }
    return to + length;
  }
  if (length <= 256) {
    store<u16>(to, (0xf0 | ((length - 1) << 8)) as u16);
    to += 2;
  } else {
    store<u32>(to, 0xf4 | ((length - 1) << 8));
    to += 3;
  }
  memory.copy(to, from, length);
  return to + length;
}

/** A copy of 4 to 65,536 bytes from 1 to 65,535 bytes behind. */
export function emitCopy(to: u32, offset: u32, length: u32): u32 {
  if (length > 64) {
    const isNear = offset < 2048;
    to = emitShortCopy(to, offset, isNear ? 8 : 60);
    return emitRepeat(to, offset, length - (isNear ? 8 : 60));
  }
  return emitShortCopy(to, offset, length);
}

/** 4 to 64 bytes. Both forms are worked out and one is taken: a branch here would be mispredicted half the time. */
function emitShortCopy(to: u32, offset: u32, length: u32): u32 {
  const isOne = u32(offset < 2048) & u32(length < 12);
  const one = 1 | ((length - 4) << 2) | ((offset >>> 8) << 5) | ((offset & 255) << 8);
  const two = 2 | ((length - 1) << 2) | (offset << 8);
  store<u32>(to, select<u32>(one, two, isOne));
  return to + 3 - isOne;
}

/** A copy of 4 to 65,536 bytes from the offset of the copy before; not to be used before the first one. */
export function emitRepeat(to: u32, offset: u32, length: u32): u32 {
  if (length <= 8) {
    store<u16>(to, (1 | ((length - 4) << 2)) as u16);
    return to + 2;
  }
  if (length < 12 && offset < 2048) return emitShortCopy(to, offset, length);
  if (length <= 263) {
    store<u32>(to, 0x15 | ((length - 8) << 16));
    return to + 3;
  }
  store<u32>(to, 0x19 | ((length - 260) << 16));
  return to + 4;
}

/** How many bytes from `a` and `b` on are equal, up to `end` (where `b`, the later one, must stop). May read 7 bytes past it. */
export function matchLength(a: u32, b: u32, end: u32): u32 {
  const from = b;
  do {
    const differs = load<u64>(a) ^ load<u64>(b);
    if (differs !== 0) return min<u32>(b + ((ctz(differs) >>> 3) as u32), end) - from;
    a += 8;
    b += 8;
  } while (b < end);
  return end - from;
}

/** How many bytes before `a` and `b` are equal, at most `most`. May read 8 bytes before either. */
export function matchBefore(a: u32, b: u32, most: u32): u32 {
  let length: u32 = 0;
  while (length < most) {
    const differs = load<u64>(a - 8 - length) ^ load<u64>(b - 8 - length);
    if (differs !== 0) return min<u32>(length + ((clz(differs) >>> 3) as u32), most);
    length += 8;
  }
  return most;
}
