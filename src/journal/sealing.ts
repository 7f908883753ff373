// Encryption at rest: AES-256-GCM over each group, so that whoever finds the card learns neither subjects nor payloads, and notices
// nothing but how many messages there were, how large together, and when.
//
//   key file, 32 bytes ──HKDF-SHA-256 with the segment's header, seed included──▶ segment key ──▶ group: nonce = its offset in the file
//
// Nonces never repeat under one key: each segment has a key of its own, made from 16 random bytes in its header (two segments of the
// same seed are not to be expected in 2^64), and within a segment an offset is sealed once at most. A fault ends a segment, so what
// was cut off is never overwritten; a segment found at a start is never appended to; a rewritten one is a new file with a new seed;
// a repeated append goes to another segment. The group's header is vouched for as additional data, that of the segment by the key: a
// group cannot be moved or renumbered, nor a segment given another number, epoch or boot.

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { TAG_BYTES } from "./group.ts";
import { encodeHeader, HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const INFO = Buffer.from("petiole journal segment\n");

export const KEY_BYTES = 32;

export class SegmentSeal {
  readonly #key: Uint8Array;

  constructor(key: Buffer, header: SegmentHeader) {
    const info = Buffer.concat([INFO, encodeHeader({ ...header, staleBytes: 0 }).subarray(0, HEADER_BYTES)]);
    this.#key = new Uint8Array(hkdfSync("sha256", key, header.seed, info, KEY_BYTES));
  }

  /** Seals `slab[start, end)` where it lies; the tag goes behind it. `offset`: where in the file the group begins. */
  seal(slab: Buffer, start: number, end: number, header: Buffer, offset: number): void {
    const cipher = createCipheriv(CIPHER, this.#key, nonceOf(offset), { authTagLength: TAG_BYTES });
    cipher.setAAD(header);
    cipher.update(slab.subarray(start, end)).copy(slab, start);
    cipher.final();
    cipher.getAuthTag().copy(slab, end);
  }

  /** What was sealed in `slab[start, end)`, the tag its last bytes; undefined if it was another key, or not this. */
  tryOpen(slab: Buffer, start: number, end: number, header: Buffer, offset: number): Buffer | undefined {
    const decipher = createDecipheriv(CIPHER, this.#key, nonceOf(offset), { authTagLength: TAG_BYTES });
    decipher.setAAD(header);
    decipher.setAuthTag(slab.subarray(end - TAG_BYTES, end));
    const plain = decipher.update(slab.subarray(start, end - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined; // the one thing it throws for: the tag does not fit
    }
    return plain;
  }
}

function nonceOf(offset: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntLE(offset, 0, 6);
  return nonce;
}
