// Writes groups of records to the newest segment: one write, one fdatasync, and a new segment when the old one is full.
//
//   none ──append──▶ active ──append──▶ active          full, or a fault: none, and the next append begins a new segment
//
// After a fault the file's tail is never trusted again: what the kernel could not write it may since have called clean.

import { assert } from "#base/assert.ts";
import type { Clock } from "#base/clock.ts";
import type { Disk, DiskFile } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { changeFailed } from "./errors.ts";
import { RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime, sealRecord } from "./record.ts";
import { type Group, Segment } from "./segment.ts";
import { encodeHeader } from "./segment-header.ts";

export interface AppenderOptions {
  readonly directory: string;
  /** A segment takes no more once it is this long. A group larger than this has a segment to itself. */
  readonly segmentBytes: number;
  readonly epoch: number;
  readonly nextNumber: number;
}

export class Appender {
  readonly #options: AppenderOptions;
  readonly #env: { readonly disk: Disk; readonly clock: Clock; readonly entropy: Entropy; readonly log: Log };
  #nextNumber: number;
  #active: { readonly segment: Segment; readonly file: DiskFile } | undefined;
  /** A segment that failed at birth was removed, and a power cut might still bring it back, torn, behind the next one. */
  #isRemovalPending = false;

  constructor(
    options: AppenderOptions,
    env: { readonly disk: Disk; readonly clock: Clock; readonly entropy: Entropy; readonly log: Log },
  ) {
    this.#options = options;
    this.#env = env;
    this.#nextNumber = options.nextNumber;
  }

  /** The segment that the next append may go to. */
  get active(): Segment | undefined {
    return this.#active?.segment;
  }

  /** Makes the group durable and counts it to its segment, which is returned. Rejects with a JournalError if nothing was appended. */
  async append(slab: Buffer, start: number, end: number, group: Group): Promise<Segment> {
    if (this.#active !== undefined && this.#active.segment.endBytes + group.bytes > this.#options.segmentBytes)
      await this.release();
    const isBirth = this.#active === undefined;
    try {
      this.#active ??= await this.#begin(group.firstSeq);
      const { segment, file } = this.#active;
      sealGroup(slab, start, end, segment.salt);
      await file.write(slab.subarray(start, end), segment.endBytes);
      await file.datasync();
      if (isBirth) await this.#env.disk.syncDirectory(this.#options.directory);
      segment.grow(group);
      return segment;
    } catch (error) {
      await this.#abandon(isBirth);
      if (!isFault(error)) throw error;
      throw changeFailed(
        "JOURNAL_APPEND_FAILED",
        `journal ${this.#options.directory}: writing ${group.count} records (${group.bytes} bytes)`,
        error,
      );
    }
  }

  /** Closes the active segment: the next append begins a new one. */
  async release(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    try {
      await active.file[Symbol.asyncDispose]();
    } catch (error) {
      this.#env.log.debug("journal: closing a segment failed; its records are durable", { error: explain(error) });
    }
  }

  async #begin(firstSeq: number): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
    const { disk, clock, entropy } = this.#env;
    const { directory, epoch } = this.#options;
    if (this.#isRemovalPending) await disk.syncDirectory(directory);
    this.#isRemovalPending = false;
    const identity = { number: this.#nextNumber, epoch, salt: entropy.bytes(4).readUInt32LE(0) };
    this.#nextNumber += 1; // also if this fails: a name is never tried twice
    const segment = new Segment(identity, firstSeq);
    const file = await disk.open(`${directory}/${segment.name}`, "create");
    this.#active = { segment, file }; // so that a fault below takes it away again
    await file.write(encodeHeader({ ...identity, firstSeq, born: clock.wall() }), 0);
    return this.#active;
  }

  /** Takes the half-written tail away as well as the disk lets us. What stays is passed over, now and by the next recovery. */
  async #abandon(isBirth: boolean): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    const { segment, file } = active;
    try {
      await using _closes = file;
      if (isBirth) {
        await this.#env.disk.remove(`${this.#options.directory}/${segment.name}`);
        this.#isRemovalPending = true;
      } else {
        await file.truncate(segment.endBytes);
        await file.datasync();
      }
    } catch (error) {
      this.#env.log.debug("journal: the tail of a failed write could not be cut off; it is passed over", {
        name: segment.name,
        error: explain(error),
      });
    }
  }
}

/** Walks the records of `slab[start, end)` and checks what the caller promised: a breach is a bug. `after`: highest seq appended so far. */
export function measureGroup(slab: Buffer, start: number, end: number, count: number, after: number): Group {
  let lastSeq = after;
  let counted = 0;
  let newestTime = Number.NEGATIVE_INFINITY;
  let at = start;
  while (at + RECORD_HEADER_BYTES <= end) {
    const seq = recordSeq(slab, at);
    assert(seq > lastSeq, `journal: append of seq ${seq} after ${lastSeq}`);
    const bytes = recordBytes(slab, at);
    assert(bytes <= RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX, `journal: append of a record of ${bytes} bytes`);
    newestTime = Math.max(newestTime, recordTime(slab, at));
    lastSeq = seq;
    counted += 1;
    at += bytes;
  }
  assert(
    at === end && counted === count && count > 0,
    `journal: ${counted} records end at ${at}; wanted ${count} ending at ${end}`,
  );
  return { firstSeq: recordSeq(slab, start), lastSeq, count, bytes: end - start, newestTime };
}

function sealGroup(slab: Buffer, start: number, end: number, salt: number): void {
  for (let at = start; at < end; at += recordBytes(slab, at)) sealRecord(slab, at, salt, at === start);
}
