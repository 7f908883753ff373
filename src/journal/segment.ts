// What is remembered of one segment while the journal is open: a handful of numbers, whatever its size.

import type { UnitFormat } from "./format.ts";
import { format1 } from "./format-1.ts";
import { format2 } from "./group.ts";
import { formatName, type SegmentHeader } from "./segment-header.ts";

/** What an append adds to a segment. */
export interface Growth {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly count: number;
  readonly bytes: number;
  readonly newestTime: number;
}

export class Segment {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly format: UnitFormat;
  /** Lowest and highest seq in it; last < first while it is empty. */
  firstSeq: number;
  lastSeq: number;
  records = 0;
  /** Where the durable records end. Nothing behind it is ever read. */
  endBytes: number;
  /** Newest capture time in it; all are of one life, so of one clock. */
  newestTime = Number.NEGATIVE_INFINITY;
  /** Freed, dropped or replaced: its file is about to go, readers pass it by. */
  isGone = false;
  /** Up to here its file has what an earlier segment left in it; 0: nothing, or it was cut off. */
  staleEnd: number;
  /** Nothing more is to be gained by rewriting it. */
  isRewritten = false;
  /** Of the records above `seq`, exactly `live` are left: where to count from when numbers have gaps. */
  #known = { seq: 0, live: 0 };

  constructor(header: SegmentHeader, name = formatName(header)) {
    this.name = name;
    this.header = header;
    this.format = header.version === 1 ? format1 : format2;
    this.endBytes = this.format.start;
    this.staleEnd = header.staleBytes;
    this.firstSeq = header.firstSeq;
    this.lastSeq = header.firstSeq - 1;
  }

  /** Length of its file. */
  get fileBytes(): number {
    return Math.max(this.endBytes, this.staleEnd);
  }

  /** Room its file takes behind its records. */
  get slackBytes(): number {
    return this.fileBytes - this.endBytes;
  }

  grow(growth: Growth): void {
    if (this.records === 0) this.firstSeq = growth.firstSeq;
    this.lastSeq = growth.lastSeq;
    this.records += growth.count;
    this.endBytes += growth.bytes;
    if (growth.newestTime > this.newestTime) this.newestTime = growth.newestTime;
    this.#known.live += growth.count;
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
