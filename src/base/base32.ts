// Base32 without padding. Source: RFC 4648, section 6.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What a character stands for; -1: nothing. */
export function base32Value(letter: string): number {
  return letter.length === 1 ? ALPHABET.indexOf(letter) : -1;
}

export function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
    held &= 31;
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31];
}

/** The bytes, or the place of the first character that is not base32. */
export function decodeBase32(chars: Uint8Array): Buffer | number {
  const bytes = Buffer.alloc(Math.floor((chars.length * 5) / 8));
  let at = 0;
  let bits = 0;
  let held = 0;
  for (const [place, char] of chars.entries()) {
    const value = ALPHABET.indexOf(String.fromCharCode(char));
    if (value < 0) {
      bytes.fill(0);
      return place;
    }
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
  }
  return bytes;
}
