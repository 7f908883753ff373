// Reads a journal's records in order, in large pieces, beside the appends. Hot path.
//
// A reader holds no file between calls, so a removed segment gives its room back at once and a forgotten reader costs nothing.
// It passes by what was freed or dropped meanwhile, and never reads what is not durable yet. Its two slabs serve as long as it lives.

import { assert } from "#base/assert.ts";
import type { Disk } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";
import { type DamagedSpan, DamageList } from "./damage.ts";
import { JournalError } from "./errors.ts";
import { format2 } from "./group.ts";
import type { GroupReader, LaidOut } from "./group-reader.ts";
import { recordBytes, recordSeq } from "./record.ts";
import { salvageRead } from "./salvage-read.ts";
import type { Segment } from "./segment.ts";
import { LAID_OUT_BYTES_MAX, SegmentScanner } from "./segment-scanner.ts";
import type { Vault } from "./vault.ts";

/** Whole, checked records of one epoch: `slab[start, end)`. Borrowed: valid until its reader is asked again. */
export interface ReadBatch {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** The start of the program under which they were appended. */
  readonly epoch: number;
  /** Which boot of the system their times are of; null: not told, they are wall times. */
  readonly boot: string | null;
}

/** What a reader sees of its journal. */
export interface ReaderSource {
  readonly directory: string;
  readonly vault: Vault;
  readonly freedThrough: number;
  readonly isClosed: boolean;
  /** The first segment with a record at or above `seq`; undefined if there is none. */
  segmentWith(seq: number): Segment | undefined;
  onDamage(span: DamagedSpan): void;
}

const WINDOW_BYTES = 256 * 1024;
/** A disk that refuses to read is asked this often before what it refuses is passed over. */
const ATTEMPTS_MAX = 3;

export class JournalReader {
  readonly #source: ReaderSource;
  readonly #disk: Disk;
  /** Everything below has been handed out, or is not wanted. */
  #wanted: number;
  #segment: Segment | undefined;
  #scanner: SegmentScanner | undefined;
  /** Of the segment that is being read. */
  #groups: GroupReader | undefined;
  /** What is read into, and what it is laid out in. */
  #window: Buffer | undefined;
  #laidOut: Buffer | undefined;
  /** Bad spans met and not told of yet: what they cost shows when good records follow. */
  #damage = new DamageList(0);
  /** Records read and not handed out yet: `run.slab[#at, run.end)`, `#left` of them. */
  #run: (LaidOut & { readonly lastSeq: number }) | undefined;
  #at = 0;
  #left = 0;
  /** The batch handed out last: `run.slab[from, to)`. */
  #last = { from: 0, to: 0 };
  #attempts = 0;
  #isBusy = false;

  constructor(source: ReaderSource, disk: Disk, fromSeq: number) {
    this.#source = source;
    this.#disk = disk;
    this.#wanted = fromSeq;
  }

  /**
   * The next records, `maxBytes` of them at most, but at least one. undefined: nothing more is durable now; ask again after the
   * next append. Rejects with a JournalError if the disk refuses; asking again is then fine, and after a few refusals what
   * cannot be read is passed over. One call at a time.
   */
  async next(maxBytes: number): Promise<ReadBatch | undefined> {
    assert(!this.#isBusy, "a journal reader is asked twice at once");
    this.#isBusy = true;
    try {
      for (;;) {
        if (this.#source.isClosed)
          throw new JournalError("JOURNAL_CLOSED", `journal ${this.#source.directory}: read after close`);
        this.#wanted = Math.max(this.#wanted, this.#source.freedThrough + 1);
        const batch = this.#takeBatch(maxBytes);
        if (batch !== undefined) return batch;
        const segment = this.#currentSegment();
        if (segment === undefined) return undefined;
        await this.#readMore(segment);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** Hands out once more what of the last batch has a seq of at least `seq`, without reading it again. */
  putBack(seq: number): void {
    const run = this.#run;
    assert(!this.#isBusy, "a journal reader takes nothing back while it reads");
    let { from } = this.#last;
    const { to } = this.#last;
    if (run === undefined || from === to) return;
    while (from < to && recordSeq(run.slab, from) < seq) from += recordBytes(run.slab, from);
    this.#at = from;
    if (from < to) this.#wanted = recordSeq(run.slab, from);
    for (; from < to; from += recordBytes(run.slab, from)) this.#left += 1;
    this.#last = { from: 0, to: 0 };
  }

  /** Hands out of what was read already. */
  #takeBatch(maxBytes: number): ReadBatch | undefined {
    const run = this.#run;
    if (run === undefined) return undefined;
    this.#skipTo(run);
    if (this.#left === 0 || this.#segment!.isGone) {
      // All of it, or it was rewritten meanwhile: what stays of it is read anew.
      this.#run = undefined;
      return undefined;
    }
    const { slab } = run;
    const start = this.#at;
    let end = run.end;
    let count = this.#left;
    if (end - start > maxBytes) {
      end = start + recordBytes(slab, start);
      for (count = 1; count < this.#left; count++) {
        const bytes = recordBytes(slab, end);
        if (end + bytes - start > maxBytes) break;
        end += bytes;
      }
    }
    this.#wanted = count === this.#left ? run.lastSeq + 1 : recordSeq(slab, end);
    this.#at = end;
    this.#left -= count;
    this.#last = { from: start, to: end };
    const { epoch, boot } = this.#segment!.header;
    return { slab, start, end, count, epoch, boot };
  }

  /** Passes by what is not wanted any more. */
  #skipTo(run: LaidOut & { readonly lastSeq: number }): void {
    if (run.lastSeq < this.#wanted) this.#left = 0;
    while (this.#left > 0 && recordSeq(run.slab, this.#at) < this.#wanted) {
      this.#at += recordBytes(run.slab, this.#at);
      this.#left -= 1;
    }
  }

  /** The segment to read on in; undefined when there is nothing for us. */
  #currentSegment(): Segment | undefined {
    const current = this.#segment;
    if (current !== undefined && !current.isGone && this.#wanted <= current.lastSeq) return current;
    const next = this.#source.segmentWith(this.#wanted);
    if (next !== undefined && next !== current) {
      this.#segment = next;
      this.#scanner = undefined;
      this.#groups = undefined;
      this.#damage = new DamageList(next.firstSeq - 1);
      this.#attempts = 0;
    }
    return next;
  }

  async #readMore(segment: Segment): Promise<void> {
    const { format, header } = segment;
    this.#window ??= Buffer.allocUnsafeSlow(WINDOW_BYTES);
    this.#groups ??= this.#source.vault.readerFor(header);
    this.#scanner ??= new SegmentScanner({
      read: (target, position) => this.#read(segment, target, position),
      format,
      salt: header.salt,
      checksum: this.#source.vault.checksum,
      windowBytes: WINDOW_BYTES,
      slab: this.#window,
    });
    const { endBytes, lastSeq } = segment; // taken before the wait: it may grow meanwhile
    const found = await this.#scanner.next(endBytes);
    if (segment.isGone) return; // freed or dropped while we read it: whatever it was, nobody wants it
    if (found === undefined) {
      this.#wanted = Math.max(this.#wanted, lastSeq + 1);
      this.#tellDamage(segment, lastSeq);
    } else if (found.is === "bad") this.#damage.onBad(found);
    else {
      if (format === format2) this.#laidOut ??= Buffer.allocUnsafeSlow(LAID_OUT_BYTES_MAX);
      const laidOut = this.#groups.layOut(found, this.#laidOut);
      for (const bad of laidOut.bad) this.#damage.onBad(bad);
      this.#damage.onRecords(found);
      this.#tellDamage(segment, lastSeq);
      this.#run = { ...laidOut, lastSeq: found.lastSeq };
      this.#at = laidOut.start;
      this.#left = laidOut.count;
    }
  }

  #tellDamage(segment: Segment, lastSeq: number): void {
    for (const { from, to, fromSeq, throughSeq = lastSeq } of this.#damage.spans.splice(0)) {
      if (throughSeq >= fromSeq) this.#source.onDamage({ file: segment.name, from, to, fromSeq, throughSeq });
    }
  }

  async #read(segment: Segment, target: Buffer, position: number): Promise<number> {
    try {
      await using file = await this.#disk.open(`${this.#source.directory}/${segment.name}`, "read");
      if (this.#attempts >= ATTEMPTS_MAX) return (await salvageRead(file, target, position)).bytesRead;
      const bytesRead = await file.read(target, position);
      this.#attempts = 0;
      return bytesRead;
    } catch (cause) {
      if (!isFault(cause)) throw cause;
      if (segment.isGone || this.#attempts >= ATTEMPTS_MAX) return 0; // nothing there will hold
      this.#attempts += 1;
      const where = `journal ${this.#source.directory}: reading ${target.length} bytes of ${segment.name} at offset ${position}`;
      throw new JournalError("JOURNAL_READ_FAILED", `${where}: the disk refuses; check the card and its cable`, { cause });
    }
  }
}
