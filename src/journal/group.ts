// Format 2: records packed together in groups. A group's header; its body is packed records (packing.ts), perhaps compressed,
// perhaps sealed (sealing.ts).
//
//   0         4       8        12       16        20      24       28       32     36             44
//   ├ own crc ┼ crc ──┼ stored ┼ packed ┼ laid out┼ count ┼ first ─┼ first ─┼ span ┼ newest time ─┼ body, `stored` bytes …
//   │ of 4…44 │ body  │ bytes  │ bytes  │ bytes   │ u32   │ seq low│ seq    │ u32  │ f64          │
//   │         │       │ +flags │ u32    │ u32     │       │ u32    │ high   │      │              │
//
// Little-endian, no padding. Both checksums start from the segment's salt, so neither stale bytes of another segment nor a group that
// somebody hid in a payload can pass for one of ours. The header has its own, so that its length and its numbers can be believed when
// the body is rotten. `span` is the last seq less the first. Count 0 is a filler: bytes to skip. Flags, in the upper bits of `stored`:
//
//   31 first group of its append     30 compressed     29 sealed     28 times as they are (f64)     27 zero
//
// Every length is a claim and is checked against the others before a byte is reserved. Tests: test/unit/journal/packing.test.ts

import { crc32c } from "#base/crc32c.ts";
import type { UnitFormat } from "./format.ts";
import type { Checksum } from "./packer.ts";
import { RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES } from "./record.ts";
import { SEGMENT_START } from "./segment-header.ts";

export const GROUP_HEADER_BYTES = 44;
/** Records of a group, laid out in memory; one record that is larger has a group to itself. What rot costs, at most. */
export const GROUP_BYTES_MAX = 64 * 1024;
/** What sealing adds. */
export const TAG_BYTES = 16;
/** Seqs of a group lie closer together than this. */
export const SPAN_END = 0x1_0000_0000;

const HEADER_CRC = 0;
const BODY_CRC = 4;
const STORED = 8;
const PACKED = 12;
const LAID_OUT = 16;
const COUNT = 20;
const SEQ_LOW = 24;
const SEQ_HIGH = 28;
const SPAN = 32;
const NEWEST = 36;

const STORED_MASK = 0x07ff_ffff;
const BEGINS_APPEND = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
const SEALED = 0x2000_0000;
const EXACT_TIMES = 0x1000_0000;
const RESERVED = 0x0800_0000;
const SEQ_HIGH_END = 0x20_0000; // 2^53, the safe integers
/** Its last byte is zero, and the one before it below this. */
const SEQ_TOP = SEQ_HIGH + 3;
const SEQ_TOP_END = 0x20;
const WORD = 0x1_0000_0000;
/** A record of the largest body, packed with all that may stand in front of it. */
const PACKED_BYTES_MAX = RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX;

export interface GroupFields {
  readonly storedBytes: number;
  readonly packedBytes: number;
  readonly laidOutBytes: number;
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly newestTime: number;
  readonly beginsAppend: boolean;
  readonly isCompressed: boolean;
  readonly isSealed: boolean;
  readonly hasExactTimes: boolean;
}

/** Writes all but the checksums. */
export function writeGroupHeader(slab: Buffer, at: number, group: GroupFields): void {
  const flags =
    (group.beginsAppend ? BEGINS_APPEND : 0) +
    (group.isCompressed ? COMPRESSED : 0) +
    (group.isSealed ? SEALED : 0) +
    (group.hasExactTimes ? EXACT_TIMES : 0);
  slab.writeUInt32LE(group.storedBytes + flags, at + STORED);
  slab.writeUInt32LE(group.packedBytes, at + PACKED);
  slab.writeUInt32LE(group.laidOutBytes, at + LAID_OUT);
  slab.writeUInt32LE(group.count, at + COUNT);
  slab.writeUInt32LE(group.firstSeq % WORD, at + SEQ_LOW);
  slab.writeUInt32LE(Math.floor(group.firstSeq / WORD), at + SEQ_HIGH);
  slab.writeUInt32LE(group.lastSeq - group.firstSeq, at + SPAN);
  slab.writeDoubleLE(group.newestTime, at + NEWEST);
}

/** Fills in the checksums over header and body. */
export function checkGroup(slab: Buffer, at: number, salt: number, checksum: Checksum = crc32c): void {
  const body = at + GROUP_HEADER_BYTES;
  slab.writeUInt32LE(checksum(slab, body, body + storedBytes(slab, at), salt), at + BODY_CRC);
  slab.writeUInt32LE(crc32c(slab, at + BODY_CRC, body, salt), at + HEADER_CRC);
}

export function readGroupHeader(slab: Buffer, at: number): GroupFields {
  const stored = slab.readUInt32LE(at + STORED);
  const firstSeq = seqAt(slab, at);
  return {
    storedBytes: stored & STORED_MASK,
    packedBytes: slab.readUInt32LE(at + PACKED),
    laidOutBytes: slab.readUInt32LE(at + LAID_OUT),
    count: slab.readUInt32LE(at + COUNT),
    firstSeq,
    lastSeq: firstSeq + slab.readUInt32LE(at + SPAN),
    newestTime: slab.readDoubleLE(at + NEWEST),
    beginsAppend: stored >= BEGINS_APPEND,
    isCompressed: (stored & COMPRESSED) !== 0,
    isSealed: (stored & SEALED) !== 0,
    hasExactTimes: (stored & EXACT_TIMES) !== 0,
  };
}

/** The part of a header that sealing vouches for: everything but the checksums. */
export function sealedHeader(slab: Buffer, at: number): Buffer {
  return slab.subarray(at + STORED, at + GROUP_HEADER_BYTES);
}

export const format2: UnitFormat = {
  version: 2,
  start: SEGMENT_START,
  headerBytes: GROUP_HEADER_BYTES,
  headerHolds(slab, at, salt) {
    if (!isPlausible(slab, at)) return false;
    return slab.readUInt32LE(at + HEADER_CRC) === crc32c(slab, at + BODY_CRC, at + GROUP_HEADER_BYTES, salt);
  },
  mayBegin(slab, at, last) {
    let next = at;
    while (next <= last && (slab[next + SEQ_TOP]! !== 0 || slab[next + SEQ_TOP - 1]! >= SEQ_TOP_END)) next += 1;
    return next;
  },
  bodyHolds(slab, at, salt, checksum = crc32c) {
    const body = at + GROUP_HEADER_BYTES;
    return slab.readUInt32LE(at + BODY_CRC) === checksum(slab, body, body + storedBytes(slab, at), salt);
  },
  unitBytes: (slab, at) => GROUP_HEADER_BYTES + storedBytes(slab, at),
  firstSeq: (slab, at) => (slab.readUInt32LE(at + COUNT) === 0 ? 0 : seqAt(slab, at)),
  lastSeq: (slab, at) => seqAt(slab, at) + slab.readUInt32LE(at + SPAN),
  count: (slab, at) => slab.readUInt32LE(at + COUNT),
  newestTime: (slab, at) => slab.readDoubleLE(at + NEWEST),
  laidOutBytes: (slab, at) => slab.readUInt32LE(at + LAID_OUT),
  beginsAppend: (slab, at) => slab.readUInt32LE(at + STORED) >= BEGINS_APPEND,
  filler(bytes, salt) {
    const header = Buffer.alloc(GROUP_HEADER_BYTES);
    header.writeUInt32LE(bytes - GROUP_HEADER_BYTES, STORED);
    header.writeUInt32LE(crc32c(header, BODY_CRC, GROUP_HEADER_BYTES, salt), HEADER_CRC);
    return header;
  },
};

/** Do the claims of a header agree with each other and with our limits? Nearly all bytes that are no header fail here. */
function isPlausible(slab: Buffer, at: number): boolean {
  const word = slab.readUInt32LE(at + STORED);
  const stored = word & STORED_MASK;
  const packed = slab.readUInt32LE(at + PACKED);
  const laidOut = slab.readUInt32LE(at + LAID_OUT);
  const count = slab.readUInt32LE(at + COUNT);
  if ((word & RESERVED) !== 0 || slab.readUInt32LE(at + SEQ_HIGH) >= SEQ_HIGH_END) return false;
  if (count === 0) return packed === 0 && laidOut === 0;
  if (laidOut > GROUP_BYTES_MAX && (count !== 1 || laidOut > PACKED_BYTES_MAX)) return false;
  if (laidOut < count * RECORD_HEADER_BYTES || packed > laidOut || laidOut > packed + count * RECORD_HEADER_BYTES) return false;
  const tag = (word & SEALED) !== 0 ? TAG_BYTES : 0;
  if ((word & COMPRESSED) === 0) {
    if (stored !== packed + tag) return false;
  } else if (packed > GROUP_BYTES_MAX || stored >= packed + tag || stored < tag) return false;
  if (slab.readUInt32LE(at + SPAN) < count - 1) return false;
  const firstSeq = seqAt(slab, at);
  return firstSeq > 0 && Number.isSafeInteger(firstSeq + slab.readUInt32LE(at + SPAN));
}

function storedBytes(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + STORED) & STORED_MASK;
}

function seqAt(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + SEQ_HIGH) * WORD + slab.readUInt32LE(at + SEQ_LOW);
}
