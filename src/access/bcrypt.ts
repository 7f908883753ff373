// bcrypt hashes as `nats server passwd` makes them, verified in small steps: `$2a$11$<salt, 22 characters><hash, 31>`.
//
//   π ─▶ boxes ── mixed with salt and password, 2^cost times ──▶ boxes ── encrypt a fixed text 64 times ──▶ hash
//
// Only verified, never made: our own hashes are scrypt (password.ts). Node has no bcrypt, and what there is for it holds the event loop
// for 100 ms at a time, on which every other client waits; here a step is a millisecond or two, and others go in between.
// The boxes begin as the first 33,344 binary places of π, which are worked out once, in steps as well.
// Source: N. Provos and D. Mazières, "A Future-Adaptable Password Scheme" (1999); B. Schneier's Blowfish (1993).
// Tests: test/unit/access/bcrypt.test.ts, with hashes made by libxcrypt and others.

import { timingSafeEqual } from "node:crypto";
import { setImmediate } from "node:timers/promises";

/** Dearer hashes are refused: one of 2^14 rounds takes seconds on a small board. */
const COST_MIN = 4;
const COST_MAX = 14;
const ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SUBKEYS = 18;
const BOX_WORDS = 1024;
const TEXT = "OrpheanBeholderScryDoubt";
const TEXT_ROUNDS = 64;
/** Of the 24 bytes of the result, the last is left away. */
const HASH_BYTES = 23;
/** Steps without a pause. */
const SCHEDULES_PER_TURN = 16;
const TERMS_PER_TURN = 200;

interface Parts {
  readonly cost: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** The state of the cipher: 18 subkeys and, one behind the other, four boxes of 256 words. */
interface Boxes {
  readonly p: Int32Array;
  readonly s: Int32Array;
}

export function isBcryptHash(text: string): boolean {
  return tryParts(text) !== undefined;
}

/** Whole, and dearer than what is verified here. */
export function isDearBcryptHash(text: string): boolean {
  return /^\$2[aby]\$(1[5-9]|2\d|3[01])\$[./A-Za-z0-9]{53}$/.test(text);
}

/** Meant as one, whole or not. */
export function looksLikeBcryptHash(text: string): boolean {
  return /^\$2[abxy]?\$/.test(text);
}

/** Remembers what every verification begins with. */
export class BcryptVerifier {
  #start: Promise<Boxes> | undefined;

  /** False for a wrong password and for a text that is no hash. */
  async verify(hash: string, password: string): Promise<boolean> {
    const parts = tryParts(hash);
    if (parts === undefined) return false;
    this.#start ??= boxesOfPi();
    const { p, s } = await this.#start;
    const boxes = { p: p.slice(), s: s.slice() };
    const key = wordsOf(Buffer.from(`${password}\0`, "utf8"));
    const salt = wordsOf(parts.salt); // 16 bytes, so the words repeat them
    const none = new Int32Array(4);
    schedule(boxes, key, salt);
    for (let left = 2 ** parts.cost; left > 0; left--) {
      schedule(boxes, key, none);
      schedule(boxes, salt, none);
      if (left % SCHEDULES_PER_TURN === 0) await setImmediate();
    }
    return timingSafeEqual(encryptText(boxes).subarray(0, HASH_BYTES), parts.hash);
  }
}

function tryParts(text: string): Parts | undefined {
  const found = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/.exec(text);
  const cost = Number(found?.[1]);
  if (found === null || cost < COST_MIN || cost > COST_MAX) return undefined;
  return { cost, salt: decode(found[2]!, 16), hash: decode(found[3]!, HASH_BYTES) };
}

/** bcrypt's own base64. */
function decode(text: string, byteCount: number): Buffer {
  const bytes = Buffer.alloc(byteCount);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    held = ((held << 6) | ALPHABET.indexOf(letter)) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    if (at < byteCount) bytes[at++] = held >> bits;
  }
  return bytes;
}

/** As many words as there are subkeys, the bytes repeated. */
function wordsOf(bytes: Buffer): Int32Array {
  const words = new Int32Array(SUBKEYS);
  for (let i = 0; i < SUBKEYS * 4; i++) words[i >> 2] = (words[i >> 2]! << 8) | bytes[i % bytes.length]!;
  return words;
}

/** Mixes the key into the subkeys, then replaces everything by what it encrypts, the salt mixed in. */
function schedule({ p, s }: Boxes, key: Int32Array, salt: Int32Array): void {
  for (let i = 0; i < SUBKEYS; i++) p[i] = p[i]! ^ key[i]!;
  const block = new Int32Array(2);
  let turn = 0;
  for (const target of [p, s]) {
    for (let i = 0; i < target.length; i += 2) {
      block[0] = block[0]! ^ salt[turn]!;
      block[1] = block[1]! ^ salt[turn + 1]!;
      turn ^= 2;
      encrypt(p, s, block);
      target[i] = block[0]!;
      target[i + 1] = block[1]!;
    }
  }
}

function encrypt(p: Int32Array, s: Int32Array, block: Int32Array): void {
  let left = block[0]! ^ p[0]!;
  let right = block[1]!;
  for (let i = 1; i <= 16; i += 2) {
    right ^=
      (((s[left >>> 24]! + s[256 + ((left >>> 16) & 255)]!) ^ s[512 + ((left >>> 8) & 255)]!) + s[768 + (left & 255)]!) ^ p[i]!;
    left ^=
      (((s[right >>> 24]! + s[256 + ((right >>> 16) & 255)]!) ^ s[512 + ((right >>> 8) & 255)]!) + s[768 + (right & 255)]!) ^
      p[i + 1]!;
  }
  block[0] = right ^ p[17]!;
  block[1] = left;
}

function encryptText({ p, s }: Boxes): Buffer {
  const result = Buffer.from(TEXT, "latin1");
  const block = new Int32Array(2);
  for (let at = 0; at < result.length; at += 8) {
    block[0] = result.readInt32BE(at);
    block[1] = result.readInt32BE(at + 4);
    for (let i = 0; i < TEXT_ROUNDS; i++) encrypt(p, s, block);
    result.writeInt32BE(block[0]!, at);
    result.writeInt32BE(block[1]!, at + 4);
  }
  return result;
}

/** π's places behind the point, by Machin's formula: π = 16 atan 1/5 − 4 atan 1/239. */
async function boxesOfPi(): Promise<Boxes> {
  const bits = (SUBKEYS + BOX_WORDS) * 32;
  const spare = 64;
  const one = 1n << BigInt(bits + spare);
  const pi = 16n * (await arcTangentOfInverse(5n, one)) - 4n * (await arcTangentOfInverse(239n, one));
  const places = Buffer.from(((pi % one) >> BigInt(spare)).toString(16).padStart(bits / 4, "0"), "hex");
  const word = (_: unknown, i: number) => places.readInt32BE(i * 4);
  return {
    p: Int32Array.from({ length: SUBKEYS }, word),
    s: Int32Array.from({ length: BOX_WORDS }, (_, i) => word(_, SUBKEYS + i)),
  };
}

async function arcTangentOfInverse(x: bigint, one: bigint): Promise<bigint> {
  const square = x * x;
  let power = one / x;
  let sum = power;
  for (let k = 1; power > 0n; k++) {
    power /= square;
    const term = power / BigInt(2 * k + 1);
    sum += k % 2 === 0 ? term : -term;
    if (k % TERMS_PER_TURN === 0) await setImmediate();
  }
  return sum;
}
