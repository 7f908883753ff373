// Public nkeys as text, and the signatures made with them: `U…` a user's, `A…` an account's.
//
//   56 characters of base32  =  [ kind 5 bits, 000 ] [ 32 bytes, Ed25519 ] [ CRC-16 of both, little-endian ]

import { createPublicKey, verify } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CHARS = 56;
const BYTES = 35;
const RAW_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** A whole public key of this kind, its checksum right. */
export function isPublicNkey(text: string, kind: "U" | "A"): boolean {
  return text[0] === kind && tryRaw(text) !== undefined;
}

/** Was `bytes` signed with the seed of this public key? False for whatever is no key and no signature. */
export function verifyNkey(publicKey: string, bytes: Buffer, signature: Buffer): boolean {
  const raw = tryRaw(publicKey);
  if (raw === undefined || signature.length !== SIGNATURE_BYTES) return false;
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  return verify(null, bytes, key, signature);
}

function tryRaw(text: string): Buffer | undefined {
  if (text.length !== CHARS) return undefined;
  const bytes = Buffer.alloc(BYTES);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return undefined;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
  }
  const body = bytes.subarray(0, -2);
  const isWhole = bytes[0] === ALPHABET.indexOf(text[0]!) << 3 && crc16(body) === bytes.readUInt16LE(body.length);
  return isWhole ? bytes.subarray(1, 1 + RAW_BYTES) : undefined;
}

/** CRC-16/XMODEM: polynomial 0x1021, start 0. */
function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
