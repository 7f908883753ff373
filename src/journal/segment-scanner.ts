// Walks the records of one segment in large sequential reads and checks every byte of them. Hot path of the reader, and all of
// the recovery.
//
//   ├ record ┼ record ┼ r?cord ──────┼ record ┤        header holds, body does not: that one is lost, its seq is known
//   ├ record ┼ ?ecord ░░░░░░░░░░░░░░░┼ record ┤        header does not: look at every byte for the next that does
//   ├ record ┼ rec~                           ┤        nothing holds behind it: bad to the end
//
// Tests: test/unit/journal/segment-scanner.test.ts, recovery.test.ts

import { assert } from "#base/assert.ts";
import { beginsGroup, bodyHolds, headerHolds, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime } from "./record.ts";

/** Whole, checked records with rising seqs: `slab[start, end)`. */
export interface RecordRun {
  readonly is: "records";
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly newestTime: number;
  /** Offset in the file of its last record that began an append; -1 if there is none. */
  readonly lastGroupAt: number;
  /** Offset in the file where the run ends. */
  readonly endOffset: number;
}

/** Bytes `from … to` of the file that are no records. `seq`: the number of the one record they were, if its header holds. */
export interface BadSpan {
  readonly is: "bad";
  readonly from: number;
  readonly to: number;
  readonly seq: number | undefined;
}

export interface ScannerOptions {
  /** Fills `target` from `position` of the file; returns the bytes read, fewer only at its end. */
  readonly read: (target: Buffer, position: number) => Promise<number>;
  readonly salt: number;
  /** Where the first record begins. */
  readonly start: number;
  readonly windowBytes: number;
  /** A slab to use again and again; without it each window gets its own, and whoever holds a run may keep it. */
  readonly slab?: Buffer;
}

const EMPTY = Buffer.alloc(0);

export class SegmentScanner {
  readonly #options: ScannerOptions;
  readonly #salt: number;
  #slab: Buffer = EMPTY;
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
    this.#salt = options.salt;
    this.#base = options.start;
  }

  /** What comes next before `end`, an offset in the file; undefined when all up to there has been handed out. `end` may grow. */
  async next(end: number): Promise<RecordRun | BadSpan | undefined> {
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

  /** A run of good records from here on; undefined if there is not even one. */
  #walk(filledTo: number): RecordRun | undefined {
    const slab = this.#slab;
    const salt = this.#salt;
    const start = this.#at;
    let at = start;
    let count = 0;
    let firstSeq = 0;
    let newestTime = Number.NEGATIVE_INFINITY;
    let lastGroup = -1;
    while (at + RECORD_HEADER_BYTES <= filledTo && headerHolds(slab, at, salt)) {
      const end = at + recordBytes(slab, at);
      const seq = recordSeq(slab, at);
      if (end > filledTo || seq <= this.#lastSeq || !bodyHolds(slab, at, salt)) break;
      if (count === 0) firstSeq = seq;
      if (beginsGroup(slab, at)) lastGroup = at;
      const time = recordTime(slab, at);
      if (time > newestTime) newestTime = time;
      this.#lastSeq = seq;
      count += 1;
      at = end;
    }
    if (count === 0) return undefined;
    this.#at = at;
    const lastGroupAt = lastGroup < 0 ? -1 : this.#base + lastGroup;
    return {
      is: "records",
      slab,
      start,
      end: at,
      count,
      firstSeq,
      lastSeq: this.#lastSeq,
      newestTime,
      lastGroupAt,
      endOffset: this.#base + at,
    };
  }

  /** Not a good record, or not all of one in the slab: the bad span, or how many bytes to read from here (0: look again). */
  #wanted(filledTo: number, end: number): BadSpan | number {
    const offset = this.#base + this.#at;
    const isAllRead = this.#base + filledTo >= end;
    if (this.#at + RECORD_HEADER_BYTES > filledTo) {
      if (!isAllRead) return this.#options.windowBytes;
      return this.#bad(this.#badFrom ?? offset, end);
    }
    if (!headerHolds(this.#slab, this.#at, this.#salt)) {
      this.#badFrom ??= offset;
      this.#at += 1;
      return 0;
    }
    const bytes = recordBytes(this.#slab, this.#at);
    const seq = recordSeq(this.#slab, this.#at);
    if (seq !== 0 && offset + bytes > end) return this.#bad(offset, end, seq);
    if (seq !== 0 && this.#at + bytes > filledTo) return Math.max(this.#options.windowBytes, bytes);
    if (seq !== 0) return this.#bad(offset, offset + bytes, seq > this.#lastSeq ? seq : undefined);
    this.#at += bytes; // a filler: recovery has been here before
    return 0;
  }

  /** Looks for the end of a bad span: the next header that holds. */
  #resume(filledTo: number): BadSpan | undefined {
    const last = filledTo - RECORD_HEADER_BYTES;
    while (this.#at <= last && !this.#isPlausible(this.#at)) this.#at += 1;
    if (this.#at > last) return undefined;
    return this.#bad(this.#badFrom!, this.#base + this.#at);
  }

  #isPlausible(at: number): boolean {
    if (!headerHolds(this.#slab, at, this.#salt)) return false;
    const seq = recordSeq(this.#slab, at);
    return seq === 0 || seq > this.#lastSeq;
  }

  #bad(from: number, to: number, seq?: number): BadSpan {
    this.#badFrom = undefined;
    this.#at = to - this.#base;
    return { is: "bad", from, to, seq };
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
