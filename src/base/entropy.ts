// Randomness as a seam, so that a simulation can be replayed from its seed.

import { randomBytes, randomFillSync } from "node:crypto";

export interface Entropy {
  /** Uniform in [0, 1). Good enough for jitter and picks, not for secrets. */
  random(): number;
  /** Unpredictable bytes, fit for secrets. */
  bytes(count: number): Buffer;
}

export function systemEntropy(): Entropy {
  const word = new Uint32Array(1);
  return {
    random: () => randomFillSync(word)[0]! / 0x1_0000_0000,
    bytes: (count) => randomBytes(count),
  };
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford base 32, lower case: no i, l, o, u

/** A token of `length` characters (5 bits each) fit for a subject token, a file name and a label. */
export function randomToken(entropy: Entropy, length: number): string {
  return Array.from(entropy.bytes(length), (byte) => ALPHABET[byte & 31]!).join("");
}
