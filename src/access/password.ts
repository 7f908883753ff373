// Password hashes: scrypt (RFC 7914) in a PHC-like text, `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, base64 without padding.
//
// bcrypt hashes are taken as well (bcrypt.ts), but never made.
//
// Hashing runs on the runtime's thread pool, 16 MiB and some 50 ms each on a small board: whoever lets strangers ask must
// bound how many run at once, or the pool has no thread left for the disk.

import { type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Entropy } from "#base/entropy.ts";
import { isBcryptHash, looksLikeBcryptHash } from "./bcrypt.ts";

const scryptAsync = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Cost of new hashes: 2^14 blocks of 1 KiB. */
const LN = 14;
const R = 8;
const P = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Costs beyond these are refused: a settings file must not be able to ask for all our memory. */
const LN_MAX = 17;
const R_MAX = 16;
const P_MAX = 4;

const PREFIX = "$scrypt$";

interface Parts {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export async function hashPassword(password: string, entropy: Entropy): Promise<string> {
  const salt = entropy.bytes(SALT_BYTES);
  const hash = await derive(password, { ln: LN, r: R, p: P, salt, hash: Buffer.alloc(HASH_BYTES) });
  return `${PREFIX}ln=${LN},r=${R},p=${P}$${base64(salt)}$${base64(hash)}`;
}

/** For scrypt hashes. False for a wrong password and for a text that is no hash. Takes the same time wherever the difference lies. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const parts = tryParts(hash);
  return parts !== undefined && timingSafeEqual(await derive(password, parts), parts.hash);
}

export function isPasswordHash(text: string): boolean {
  return tryParts(text) !== undefined || isBcryptHash(text);
}

/** Meant as a hash, whole or not: never to be taken for a plain password. */
export function looksLikePasswordHash(text: string): boolean {
  return text.startsWith(PREFIX) || looksLikeBcryptHash(text);
}

function tryParts(text: string): Parts | undefined {
  const found = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43,86})$/.exec(text);
  if (found === null) return undefined;
  const [ln, r, p] = [Number(found[1]), Number(found[2]), Number(found[3])];
  if (ln < 1 || ln > LN_MAX || r < 1 || r > R_MAX || p < 1 || p > P_MAX) return undefined;
  if (ln >= 16 * r) return undefined; // RFC 7914 §2: N is below 2^(128 * r / 8)
  return { ln, r, p, salt: Buffer.from(found[4]!, "base64"), hash: Buffer.from(found[5]!, "base64") };
}

/** The same characters typed on another keyboard may come in another Unicode form, so both are brought to one (NFC). */
function derive(password: string, { ln, r, p, salt, hash }: Parts): Promise<Buffer> {
  const N = 2 ** ln;
  return scryptAsync(password.normalize("NFC"), salt, hash.length, { N, r, p, maxmem: 128 * N * r * p + 1024 ** 2 });
}

function base64(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
