// One message at rest: a fixed header and an opaque body. Hot path: plain functions over slabs, nothing is allocated.
//
//   0         4       8        12      16       20             28
//   ├ own crc ┼ crc ──┼ length ┼ seq ──┼ seq ───┼ time ────────┼ body …
//   │ of 4…28 │ body  │ u32    │ low   │ high   │ f64, ms since│
//   │         │       │        │       │        │ 1970         │
//
// Little-endian, no padding. Both checksums start from the segment's salt, so neither stale bytes of another segment nor a
// record that somebody hid in a payload can pass for one of ours. The header has a checksum of its own, so that its length can
// be believed when the body is rotten. Bit 31 of the length marks the first record of a group (one append, one fdatasync);
// bits 27–30 are zero. Seq 0 is a filler: bytes to skip. Format and reasons: README.md. Tests: test/unit/journal/record.test.ts

import { crc32c } from "#base/crc32c.ts";

export const RECORD_HEADER_BYTES = 28;

/** No record claims more; checked before a byte is reserved. */
export const RECORD_BODY_BYTES_MAX = 64 * 1024 * 1024;

const HEADER_CRC = 0;
const BODY_CRC = 4;
const LENGTH = 8;
const SEQ_LOW = 12;
const SEQ_HIGH = 16;
const TIME = 20;

const LENGTH_MASK = 0x07ff_ffff;
const LENGTH_RESERVED = 0x7800_0000;
const BEGINS_GROUP = 0x8000_0000;
const SEQ_HIGH_END = 0x20_0000; // 2^53, the safe integers
const WORD = 0x1_0000_0000;

/** Lays out the header of a record whose body of `bodyBytes` follows; checksums come with the append. `seq` is 1 … 2^53 − 1. */
export function writeHeader(slab: Buffer, at: number, bodyBytes: number, seq: number, time: number): void {
  slab.writeUInt32LE(0, at + HEADER_CRC);
  slab.writeUInt32LE(0, at + BODY_CRC);
  slab.writeUInt32LE(bodyBytes, at + LENGTH);
  slab.writeUInt32LE(seq % WORD, at + SEQ_LOW);
  slab.writeUInt32LE(Math.floor(seq / WORD), at + SEQ_HIGH);
  slab.writeDoubleLE(time, at + TIME);
}

/** Header and body. */
export function recordBytes(slab: Buffer, at: number): number {
  return RECORD_HEADER_BYTES + (slab.readUInt32LE(at + LENGTH) & LENGTH_MASK);
}

export function bodyBytes(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + LENGTH) & LENGTH_MASK;
}

export function recordSeq(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + SEQ_HIGH) * WORD + slab.readUInt32LE(at + SEQ_LOW);
}

/** Capture time, milliseconds since 1970 by the clock of then. */
export function recordTime(slab: Buffer, at: number): number {
  return slab.readDoubleLE(at + TIME);
}

/** True if this record was the first of its append. */
export function beginsGroup(slab: Buffer, at: number): boolean {
  return slab.readUInt32LE(at + LENGTH) >= BEGINS_GROUP;
}

/** Fills in mark and checksums, over whatever an earlier attempt left there. */
export function sealRecord(slab: Buffer, at: number, salt: number, isFirst: boolean): void {
  const length = slab.readUInt32LE(at + LENGTH) & LENGTH_MASK;
  const body = at + RECORD_HEADER_BYTES;
  slab.writeUInt32LE(isFirst ? length + BEGINS_GROUP : length, at + LENGTH);
  slab.writeUInt32LE(crc32c(slab, body, body + length, salt), at + BODY_CRC);
  slab.writeUInt32LE(crc32c(slab, at + BODY_CRC, body, salt), at + HEADER_CRC);
}

/** True if the header at `at`, which lies wholly in `slab`, is one of ours and unharmed. Cheap for bytes that are no header. */
export function headerHolds(slab: Buffer, at: number, salt: number): boolean {
  const length = slab.readUInt32LE(at + LENGTH);
  if ((length & LENGTH_RESERVED) !== 0 || (length & LENGTH_MASK) > RECORD_BODY_BYTES_MAX) return false;
  if (slab.readUInt32LE(at + SEQ_HIGH) >= SEQ_HIGH_END) return false;
  return slab.readUInt32LE(at + HEADER_CRC) === crc32c(slab, at + BODY_CRC, at + RECORD_HEADER_BYTES, salt);
}

/** True if the body, which lies wholly in `slab` behind a header that holds, is unharmed. */
export function bodyHolds(slab: Buffer, at: number, salt: number): boolean {
  const body = at + RECORD_HEADER_BYTES;
  return slab.readUInt32LE(at + BODY_CRC) === crc32c(slab, body, body + bodyBytes(slab, at), salt);
}

/** A header that says: skip from here `bytes` in all. It has no body checksum, what it covers is garbage. */
export function fillerHeader(bytes: number, salt: number): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  writeHeader(header, 0, bytes - RECORD_HEADER_BYTES, 0, 0);
  header.writeUInt32LE(crc32c(header, BODY_CRC, RECORD_HEADER_BYTES, salt), HEADER_CRC);
  return header;
}
