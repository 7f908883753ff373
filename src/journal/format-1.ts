// Format 1, read and never written any more: records as they lie in memory, each with two checksums.
//
//   0         4       8        12      16       20             28
//   ├ own crc ┼ crc ──┼ length ┼ seq ──┼ seq ───┼ time ────────┼ body …
//   │ of 4…28 │ body  │ u32    │ low   │ high   │ f64, ms since│
//   │         │       │        │       │        │ 1970         │
//
// Both checksums start from the segment's salt. Bit 31 of the length marks the first record of an append; bits 27–30 are zero. Seq 0
// is a filler: bytes to skip. Tests: test/unit/journal/format-1.test.ts, fixtures.test.ts

import { crc32c } from "#base/crc32c.ts";
import type { UnitFormat } from "./format.ts";
import {
  bodyBytes,
  RECORD_BODY_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordBytes,
  recordSeq,
  recordTime,
  writeHeader,
} from "./record.ts";

const HEADER_CRC = 0;
const BODY_CRC = 4;
const LENGTH = 8;
const SEQ_HIGH = 16;

const LENGTH_MASK = 0x07ff_ffff;
const LENGTH_RESERVED = 0x7800_0000;
const BEGINS_APPEND = 0x8000_0000;
const SEQ_HIGH_END = 0x20_0000; // 2^53, the safe integers
/** Its last byte is zero, and the one before it below this. */
const SEQ_TOP = SEQ_HIGH + 3;
const SEQ_TOP_END = 0x20;

export const format1: UnitFormat = {
  version: 1,
  start: 64,
  headerBytes: RECORD_HEADER_BYTES,
  headerHolds(slab, at, salt) {
    const length = slab.readUInt32LE(at + LENGTH);
    if ((length & LENGTH_RESERVED) !== 0 || (length & LENGTH_MASK) > RECORD_BODY_BYTES_MAX) return false;
    if (slab.readUInt32LE(at + SEQ_HIGH) >= SEQ_HIGH_END) return false;
    return slab.readUInt32LE(at + HEADER_CRC) === crc32c(slab, at + BODY_CRC, at + RECORD_HEADER_BYTES, salt);
  },
  mayBegin(slab, at, last) {
    let next = at;
    while (next <= last && (slab[next + SEQ_TOP]! !== 0 || slab[next + SEQ_TOP - 1]! >= SEQ_TOP_END)) next += 1;
    return next;
  },
  bodyHolds(slab, at, salt, checksum = crc32c) {
    const body = at + RECORD_HEADER_BYTES;
    return slab.readUInt32LE(at + BODY_CRC) === checksum(slab, body, body + bodyBytes(slab, at), salt);
  },
  unitBytes: recordBytes,
  firstSeq: recordSeq,
  lastSeq: recordSeq,
  count: () => 1,
  newestTime: recordTime,
  laidOutBytes: recordBytes,
  beginsAppend: (slab, at) => slab.readUInt32LE(at + LENGTH) >= BEGINS_APPEND,
  filler(bytes, salt) {
    const header = Buffer.alloc(RECORD_HEADER_BYTES);
    writeHeader(header, 0, bytes - RECORD_HEADER_BYTES, 0, 0);
    header.writeUInt32LE(crc32c(header, BODY_CRC, RECORD_HEADER_BYTES, salt), HEADER_CRC);
    return header;
  },
};
