// Turns the records of one append into groups as they stand in a segment: packed, compressed if that helps, sealed if there is a key.
//
//   slab   ├ record ┼ record ┼ … 64 KiB ┼ record ┼ … ┤            as they lie in memory
//   out    ├ group ──────┼ group ┤                                one write; borrowed until the next append
//
// Hot path. Tests: test/unit/journal/packing.test.ts

import {
  checkGroup,
  GROUP_BYTES_MAX,
  GROUP_HEADER_BYTES,
  type GroupFields,
  SPAN_END,
  sealedHeader,
  TAG_BYTES,
  writeGroupHeader,
} from "./group.ts";
import type { Packer } from "./packer.ts";
import { isWhole, packRecords } from "./packing.ts";
import { recordBytes, recordSeq, recordTime } from "./record.ts";
import type { SegmentSeal } from "./sealing.ts";

/** Scratch that is kept between appends. */
const SCRATCH_BYTES_MAX = 2 * 1024 * 1024;
const SCRATCH_BYTES_MIN = 16 * 1024;

/** Where the groups are going to stand. */
export interface GroupPlace {
  readonly salt: number;
  /** Offset in the file of the first of them. */
  readonly offset: number;
  /** undefined: nothing is sealed. */
  readonly seal: SegmentSeal | undefined;
}

export class GroupWriter {
  readonly #packer: Packer | undefined;
  #out = Buffer.alloc(0);

  constructor(packer: Packer | undefined) {
    this.#packer = packer;
  }

  /** The groups of the append `slab[start, end)`, end to end. Borrowed: valid until the next call. */
  encode(slab: Buffer, start: number, end: number, place: GroupPlace): Buffer {
    if (this.#out.length > SCRATCH_BYTES_MAX) this.#out = Buffer.alloc(0);
    let to = 0;
    for (let from = start; from < end; ) {
      const until = groupEnd(slab, from, end);
      this.#reserve(to, GROUP_HEADER_BYTES + (until - from) + TAG_BYTES);
      to = this.#encodeGroup(slab, from, until, from === start, to, place);
      from = until;
    }
    return this.#out.subarray(0, to);
  }

  #encodeGroup(slab: Buffer, from: number, until: number, beginsAppend: boolean, at: number, place: GroupPlace): number {
    const out = this.#out;
    const measured = measure(slab, from, until);
    const body = at + GROUP_HEADER_BYTES;
    const packedEnd = packRecords(slab, from, until, measured, out, body);
    const packedBytes = packedEnd - body;
    let end = packedEnd;
    if (this.#packer !== undefined && packedBytes <= GROUP_BYTES_MAX) {
      const smaller = this.#packer.compress(out, body, packedEnd);
      if (smaller !== null && smaller.length < packedBytes) {
        smaller.copy(out, body);
        end = body + smaller.length;
      }
    }
    const isSealed = place.seal !== undefined;
    const storedBytes = end - body + (isSealed ? TAG_BYTES : 0);
    const isCompressed = end < packedEnd;
    writeGroupHeader(out, at, { ...measured, storedBytes, packedBytes, beginsAppend, isCompressed, isSealed });
    place.seal?.seal(out, body, end, sealedHeader(out, at), place.offset + at);
    checkGroup(out, at, place.salt, this.#packer?.checksum);
    return body + storedBytes;
  }

  /** Room for `bytes` behind the first `used` of the scratch, which stay. */
  #reserve(used: number, bytes: number): void {
    if (used + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(SCRATCH_BYTES_MIN, used + bytes, Math.min(used * 2, SCRATCH_BYTES_MAX)));
    this.#out.copy(larger, 0, 0, used);
    this.#out = larger;
  }
}

/** Where the group that begins with the record at `from` ends. */
function groupEnd(slab: Buffer, from: number, end: number): number {
  const firstSeq = recordSeq(slab, from);
  let at = from + recordBytes(slab, from);
  while (at < end && at + recordBytes(slab, at) - from <= GROUP_BYTES_MAX && recordSeq(slab, at) - firstSeq < SPAN_END) {
    at += recordBytes(slab, at);
  }
  return at;
}

type Measured = Pick<GroupFields, "laidOutBytes" | "count" | "firstSeq" | "lastSeq" | "newestTime" | "hasExactTimes">;

function measure(slab: Buffer, from: number, until: number): Measured {
  let count = 0;
  let lastSeq = 0;
  let newestTime = Number.NEGATIVE_INFINITY;
  let hasExactTimes = false;
  for (let at = from; at < until; at += recordBytes(slab, at)) {
    const time = recordTime(slab, at);
    if (time > newestTime) newestTime = time;
    if (!isWhole(time)) hasExactTimes = true;
    lastSeq = recordSeq(slab, at);
    count += 1;
  }
  return { laidOutBytes: until - from, count, firstSeq: recordSeq(slab, from), lastSeq, newestTime, hasExactTimes };
}
