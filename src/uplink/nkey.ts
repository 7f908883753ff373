// NATS's nkeys: Ed25519 keys as text. A seed or public key is base32 (no padding) of prefix, 32 bytes, and a CRC-16 over both.
//
//   public key   [ kind 5 bits, 000 ] [ 32 bytes ] [ CRC-16, little-endian ]            U…, 56 characters
//   seed         [ S    5 bits, kind 3 high ] [ kind 5 low, 000 ] [ 32 bytes ] [ CRC ]  SU…, 58 characters
//
// The seed is kept nowhere: what we made of its characters is wiped when the key stands in the crypto library's memory.

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { base32Value, decodeBase32, encodeBase32 } from "#base/base32.ts";
import { crc16 } from "#base/crc16.ts";

const KINDS: Readonly<Record<string, string>> = {
  O: "an operator",
  A: "an account",
  U: "a user",
  N: "a server",
  C: "a cluster",
  X: "an encryption (curve)",
};
const USER = base32Value("U");
/** S in the high five bits, the high three of U's byte behind it; the rest of that byte is 0. */
const USER_SEED_PREFIX = (base32Value("S") << 3) | (USER >> 2);
const RAW_BYTES = 32;
const CRC_BYTES = 2;
const SEED_CHARS = 58;
const PUBLIC_CHARS = 56;
/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8. Source: RFC 8410, section 7. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

export interface UserKey {
  readonly privateKey: KeyObject;
  /** `U…` */
  readonly publicKey: string;
}

/** The key of a user's seed, or what is wrong with it, as the end of a sentence ("the seed …"). Neither tells of its content. */
export function parseUserSeed(seed: Uint8Array): UserKey | { readonly fault: string } {
  const first = String.fromCharCode(seed[0] ?? 0);
  const second = String.fromCharCode(seed[1] ?? 0);
  if (first !== "S") {
    if (seed.length === PUBLIC_CHARS && first in KINDS)
      return { fault: `is ${KINDS[first]}'s public key; wanted the seed, "SU…"` };
    if (first === "P") return { fault: 'is a private key ("P…"); wanted the seed, "SU…"' };
    return { fault: 'does not begin with "SU"' };
  }
  if (second !== "U" && second in KINDS) return { fault: `is ${KINDS[second]}'s ("S${second}…"); wanted a user's, "SU…"` };
  if (seed.length !== SEED_CHARS) {
    const why = seed.length < SEED_CHARS ? "it was cut off" : "there is more behind it";
    return { fault: `has ${seed.length} characters where a seed has ${SEED_CHARS}: ${why}` };
  }
  const bytes = decodeBase32(seed);
  if (typeof bytes === "number") return { fault: `has at place ${bytes + 1} a character that no seed has (A–Z and 2–7)` };
  try {
    const body = bytes.subarray(0, -CRC_BYTES);
    if (crc16(body) !== bytes.readUInt16LE(body.length)) return { fault: "fails its checksum: a character was changed or lost" };
    if (body[0] !== USER_SEED_PREFIX || body[1] !== 0) return { fault: "is not that of a user, whatever its first letters say" };
    return keyOf(body.subarray(2));
  } finally {
    bytes.fill(0);
  }
}

function keyOf(raw: Uint8Array): UserKey {
  const der = Buffer.concat([PKCS8_PREFIX, raw]);
  try {
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const { x } = createPublicKey(privateKey).export({ format: "jwk" });
    return { privateKey, publicKey: encodeUserKey(Buffer.from(x!, "base64url")) };
  } finally {
    der.fill(0);
  }
}

function encodeUserKey(raw: Uint8Array): string {
  const bytes = Buffer.alloc(1 + RAW_BYTES + CRC_BYTES);
  bytes[0] = USER << 3;
  bytes.set(raw, 1);
  bytes.writeUInt16LE(crc16(bytes.subarray(0, -CRC_BYTES)), 1 + RAW_BYTES);
  return encodeBase32(bytes);
}
