// Public nkeys as text, and the signatures made with them: `U…` a user's, `A…` an account's.
//
//   56 characters of base32  =  [ kind 5 bits, 000 ] [ 32 bytes, Ed25519 ] [ CRC-16 of both, little-endian ]

import { createPublicKey, verify } from "node:crypto";
import { base32Value, decodeBase32 } from "#base/base32.ts";
import { crc16 } from "#base/crc16.ts";

const CHARS = 56;
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
  if (text.length !== CHARS || !/^[A-Z2-7]+$/.test(text)) return undefined;
  const bytes = decodeBase32(Buffer.from(text, "latin1"));
  if (typeof bytes === "number") return undefined;
  const body = bytes.subarray(0, -2);
  const isWhole = bytes[0] === base32Value(text[0]!) << 3 && crc16(body) === bytes.readUInt16LE(body.length);
  return isWhole ? bytes.subarray(1, 1 + RAW_BYTES) : undefined;
}
