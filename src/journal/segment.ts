// What is remembered of one segment while the journal is open: a handful of numbers, whatever its size.

import type { SegmentIdentity } from "./segment-header.ts";
import { formatName, SEGMENT_HEADER_BYTES } from "./segment-header.ts";

/** What a group of records, laid end to end, adds to a segment. */
export interface Group {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly count: number;
  readonly bytes: number;
  readonly newestTime: number;
}

export class Segment implements SegmentIdentity {
  readonly name: string;
  readonly number: number;
  readonly epoch: number;
  readonly salt: number;
  /** Lowest and highest seq in it; last < first while it is empty. */
  firstSeq: number;
  lastSeq: number;
  records = 0;
  /** Where the durable records end. Nothing behind it is ever read. */
  endBytes = SEGMENT_HEADER_BYTES;
  /** Newest capture time in it. */
  newestTime = Number.NEGATIVE_INFINITY;
  /** Freed or dropped: its file is about to go, readers pass it by. */
  isGone = false;
  /** Of the records above `seq`, exactly `live` are left: where to count from when numbers have gaps. */
  #known = { seq: 0, live: 0 };

  constructor(identity: SegmentIdentity, firstSeq: number, name = formatName(identity)) {
    this.name = name;
    this.number = identity.number;
    this.epoch = identity.epoch;
    this.salt = identity.salt;
    this.firstSeq = firstSeq;
    this.lastSeq = firstSeq - 1;
  }

  grow(group: Group): void {
    if (this.records === 0) this.firstSeq = group.firstSeq;
    this.lastSeq = group.lastSeq;
    this.records += group.count;
    this.endBytes += group.bytes;
    this.newestTime = Math.max(this.newestTime, group.newestTime);
    this.#known.live += group.count;
  }

  /** Of its records, `live` have a seq above `seq`: counted, not guessed. */
  know(seq: number, live: number): void {
    this.#known = { seq, live };
  }

  /** True if `liveRecords` need not guess. */
  isExact(freedThrough: number): boolean {
    return this.#isDense || freedThrough < this.firstSeq || freedThrough >= this.lastSeq || freedThrough === this.#known.seq;
  }

  /** Records above `freedThrough`. Where seqs have gaps and it stands in the midst of them, in proportion, and at least one. */
  liveRecords(freedThrough: number): number {
    if (freedThrough < this.firstSeq) return this.records;
    if (freedThrough >= this.lastSeq) return 0;
    if (this.#isDense) return this.lastSeq - freedThrough;
    const from = Math.max(this.#known.seq, this.firstSeq - 1);
    const { live } = this.#known;
    return Math.max(1, Math.round((live * (this.lastSeq - freedThrough)) / (this.lastSeq - from)));
  }

  get #isDense(): boolean {
    return this.records === this.lastSeq - this.firstSeq + 1;
  }
}
