// Single properties written into bytes that go out: numbers, strings out of headers as they are, percent-encoded ones, base64.
// The caller has made room: nothing written here is longer than what it is made of, but for an identifier and a length.

import { CORRELATION_DATA } from "./property-table.ts";
import { textFault } from "./text.ts";

const PERCENT = 0x25;
const EQUALS = 0x3d;
const LOWER = 0x20;
const TEXT_BYTES_MAX = 65_535;
/** Largest number of four bytes. */
export const LONG_MAX = 0xffffffff;

/** The value of a base64 digit; 255: none. */
const BASE64 = Uint8Array.from({ length: 256 }, (_, byte) => {
  const at = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(String.fromCharCode(byte));
  return at < 0 ? 255 : at;
});

/** Writes the identifier; returns the offset behind it. */
export function begin(target: Buffer, at: number, id: number): number {
  target[at] = id;
  return at + 1;
}

/** A length-prefixed string; -1 when the bytes are none. */
export function writeString(target: Buffer, at: number, from: Buffer, start: number, end: number): number {
  if (end - start > TEXT_BYTES_MAX || textFault(from, start, end) !== undefined) return -1;
  writeWord(target, at, end - start);
  at += 2;
  for (let i = start; i < end; i++) target[at++] = from[i]!;
  return at;
}

/** A length-prefixed string out of a percent-encoded one; -1 when it is none. */
export function writeDecoded(target: Buffer, at: number, from: Buffer, start: number, end: number): number {
  let to = at + 2;
  for (let i = start; i < end; i++) {
    const byte = from[i]!;
    if (byte !== PERCENT) target[to++] = byte;
    else {
      const high = i + 2 < end ? hexDigit(from[i + 1]!) : -1;
      const low = i + 2 < end ? hexDigit(from[i + 2]!) : -1;
      if (high < 0 || low < 0) return -1;
      target[to++] = high * 16 + low;
      i += 2;
    }
  }
  if (to - at - 2 > TEXT_BYTES_MAX || textFault(target, at + 2, to) !== undefined) return -1;
  writeWord(target, at, to - at - 2);
  return to;
}

export function writeBase64(target: Buffer, at: number, from: Buffer, start: number, end: number): number {
  if ((end - start) % 4 !== 0) return at;
  let stop = end;
  if (stop > start && from[stop - 1] === EQUALS) stop--;
  if (stop > start && from[stop - 1] === EQUALS) stop--;
  const bytes = Math.floor(((stop - start) * 3) / 4);
  if (bytes > TEXT_BYTES_MAX) return at;
  let to = at + 3;
  let gathered = 0;
  let bits = 0;
  for (let i = start; i < stop; i++) {
    const digit = BASE64[from[i]!]!;
    if (digit === 255) return at;
    gathered = ((gathered << 6) | digit) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    target[to++] = (gathered >> bits) & 255;
  }
  target[at] = CORRELATION_DATA;
  writeWord(target, at + 1, bytes);
  return to;
}

export function writeLong(target: Buffer, at: number, id: number, value: number): number {
  target[at] = id;
  return target.writeUInt32BE(Math.min(value, LONG_MAX), at + 1);
}

export function writeWord(target: Buffer, at: number, value: number): void {
  target[at] = value >> 8;
  target[at + 1] = value & 255;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | LOWER;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
