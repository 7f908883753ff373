// Walks the units of one segment (groups, or records of format 1) in large sequential reads and checks every byte of them. Hot path
// of the reader, and all of the recovery, which needs no record unpacked.
//
//   ├ group ┼ group ┼ gr?up ──────┼ group ┤        header holds, body does not: that one is lost, its seqs are known
//   ├ group ┼ ?roup ░░░░░░░░░░░░░░┼ group ┤        header does not: look at every byte for the next that does
//   ├ group ┼ gro~                        ┤        nothing holds behind it: bad to the end
//
// Tests: test/unit/journal/recovery.test.ts, reader.test.ts

import { assert } from "#base/assert.ts";
import type { UnitFormat } from "./format.ts";
import type { Checksum } from "./packer.ts";

/** Whole, checked units with rising seqs: `slab[start, end)`. */
export interface UnitRun {
  readonly is: "records";
  readonly format: UnitFormat;
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
  /** Records in it. */
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly newestTime: number;
  /** What its records take laid out in memory. */
  readonly laidOutBytes: number;
  /** Offset in the file of its last unit that began an append; -1 if there is none. */
  readonly lastAppendAt: number;
  /** Offset in the file where the run ends. */
  readonly endOffset: number;
}

/** Bytes `from … to` of the file that are no records. `seqs`: the numbers of those that they were, if the header holds. */
export interface BadSpan {
  readonly is: "bad";
  readonly from: number;
  readonly to: number;
  readonly seqs: { readonly first: number; readonly last: number } | undefined;
}

export interface ScannerOptions {
  /** Fills `target` from `position` of the file; returns the bytes read, fewer only at its end. */
  readonly read: (target: Buffer, position: number) => Promise<number>;
  readonly format: UnitFormat;
  readonly salt: number;
  readonly checksum: Checksum;
  readonly windowBytes: number;
  /** A slab to use again and again; without it each window gets its own, and whoever holds a run may keep it. */
  readonly slab?: Buffer;
  /** Offset in the file where a unit begins; default: of the first. */
  readonly from?: number;
}

/** A run is no larger than this when it is laid out, or it is one unit: what packs well must not fill the memory. */
export const LAID_OUT_BYTES_MAX = 256 * 1024;

export class SegmentScanner {
  readonly #options: ScannerOptions;
  readonly #format: UnitFormat;
  readonly #salt: number;
  #slab: Buffer = Buffer.alloc(0);
  /** Offset in the file of the slab's first byte. */
  #base: number;
  /** What of the slab is not looked at yet: `[#at, #filled)`. */
  #at = 0;
  #filled = 0;
  /** Where a bad span began whose end is not found yet. */
  #badFrom: number | undefined;
  #lastSeq = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
    this.#format = options.format;
    this.#salt = options.salt;
    this.#base = options.from ?? options.format.start;
  }

  /** What comes next before `end`, an offset in the file; undefined when all up to there has been handed out. `end` may grow. */
  async next(end: number): Promise<UnitRun | BadSpan | undefined> {
    for (;;) {
      const offset = this.#base + this.#at;
      if (offset >= end) return this.#badFrom === undefined ? undefined : this.#bad(this.#badFrom, end);
      const filledTo = Math.min(this.#filled, end - this.#base);
      const found = this.#badFrom === undefined ? this.#walk(filledTo) : this.#resume(filledTo);
      if (found !== undefined) return found;
      const wanted = this.#wanted(filledTo, end);
      if (typeof wanted !== "number") return wanted;
      if (wanted > 0) await this.#fill(Math.min(wanted, end - (this.#base + this.#at)));
    }
  }

  /** A run of good units from here on; undefined if there is not even one. */
  #walk(filledTo: number): UnitRun | undefined {
    const format = this.#format;
    const slab = this.#slab;
    const salt = this.#salt;
    const start = this.#at;
    let at = start;
    let count = 0;
    let firstSeq = 0;
    let newestTime = Number.NEGATIVE_INFINITY;
    let lastAppend = -1;
    let laidOutBytes = 0;
    while (at + format.headerBytes <= filledTo && format.headerHolds(slab, at, salt)) {
      const end = at + format.unitBytes(slab, at);
      const seq = format.firstSeq(slab, at);
      if (end > filledTo || seq <= this.#lastSeq) break;
      const laidOut = format.laidOutBytes(slab, at);
      if (count > 0 && laidOutBytes + laidOut > LAID_OUT_BYTES_MAX) break; // its body is checked in the next run
      if (!format.bodyHolds(slab, at, salt, this.#options.checksum)) break;
      if (count === 0) firstSeq = seq;
      if (format.beginsAppend(slab, at)) lastAppend = at;
      const time = format.newestTime(slab, at);
      if (time > newestTime) newestTime = time;
      this.#lastSeq = format.lastSeq(slab, at);
      count += format.count(slab, at);
      laidOutBytes += laidOut;
      at = end;
    }
    if (count === 0) return undefined;
    this.#at = at;
    return {
      is: "records",
      format,
      slab,
      start,
      end: at,
      count,
      firstSeq,
      lastSeq: this.#lastSeq,
      newestTime,
      laidOutBytes,
      lastAppendAt: lastAppend < 0 ? -1 : this.#base + lastAppend,
      endOffset: this.#base + at,
    };
  }

  /** Not a good unit, or not all of one in the slab: the bad span, or how many bytes to read from here (0: look again). */
  #wanted(filledTo: number, end: number): BadSpan | number {
    const format = this.#format;
    const offset = this.#base + this.#at;
    const isAllRead = this.#base + filledTo >= end;
    if (this.#at + format.headerBytes > filledTo) {
      if (!isAllRead) return this.#options.windowBytes;
      return this.#bad(this.#badFrom ?? offset, end);
    }
    if (!format.headerHolds(this.#slab, this.#at, this.#salt)) {
      this.#badFrom ??= offset;
      this.#at += 1;
      return 0;
    }
    const bytes = format.unitBytes(this.#slab, this.#at);
    const first = format.firstSeq(this.#slab, this.#at);
    if (first === 0) {
      this.#at += bytes; // a filler: recovery has been here before
      return 0;
    }
    const seqs = first > this.#lastSeq ? { first, last: format.lastSeq(this.#slab, this.#at) } : undefined;
    if (offset + bytes > end) return this.#bad(offset, end, seqs);
    if (this.#at + bytes > filledTo) return Math.max(this.#options.windowBytes, bytes);
    return this.#bad(offset, offset + bytes, seqs);
  }

  /** Looks for the end of a bad span: the next header that holds. */
  #resume(filledTo: number): BadSpan | undefined {
    const last = filledTo - this.#format.headerBytes;
    const slab = this.#slab;
    let at = this.#format.mayBegin(slab, this.#at, last);
    while (at <= last && !this.#isPlausible(at)) at = this.#format.mayBegin(slab, at + 1, last);
    this.#at = Math.max(this.#at, Math.min(at, last + 1));
    if (this.#at > last) return undefined;
    return this.#bad(this.#badFrom!, this.#base + this.#at);
  }

  #isPlausible(at: number): boolean {
    if (!this.#format.headerHolds(this.#slab, at, this.#salt)) return false;
    const seq = this.#format.firstSeq(this.#slab, at);
    return seq === 0 || seq > this.#lastSeq;
  }

  #bad(from: number, to: number, seqs?: { readonly first: number; readonly last: number }): BadSpan {
    this.#badFrom = undefined;
    this.#at = to - this.#base;
    return { is: "bad", from, to, seqs };
  }

  /** Reads from where we are, and forgets what is behind. */
  async #fill(bytes: number): Promise<void> {
    assert(bytes > 0, "a window of no bytes");
    const position = this.#base + this.#at;
    const own = this.#options.slab;
    const slab = own !== undefined && own.length >= bytes ? own : Buffer.allocUnsafeSlow(bytes);
    const bytesRead = await this.#options.read(slab.subarray(0, bytes), position);
    slab.fill(0, bytesRead, bytes); // a file shorter than it should be: nothing there will hold
    this.#slab = slab;
    this.#base = position;
    this.#at = 0;
    this.#filled = bytes;
  }
}
