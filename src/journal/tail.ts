// The last append that a start finds may stand in the kernel's memory only: its fdatasync never came, or failed, and then the process was
// killed while the power stayed on. All of it can be read, and a power cut takes it away. So it is written again before it counts.
//
//   ├ append ┼ append ┼ append ┤      each was synced before the next one was written, and a fault ends a segment:
//                      ╰ doubtful     only the last one can be missing on the card
//
// A sync alone would not do: after one that failed, Linux calls the pages clean, and the next one succeeds without writing them. It may
// drop them, too, whenever it wants memory: so what is written is what was read, and checked, once. What lies up to the seq that a cursor
// calls used was synced before that cursor was written: after a clean close nothing is written again.
// Tests: test/unit/journal/tail.test.ts

import type { Disk, DiskFile } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { changeFailed, JournalError } from "./errors.ts";
import type { Examined } from "./examine.ts";
import type { Checksum } from "./packer.ts";
import { salvageRead } from "./salvage-read.ts";
import type { Segment } from "./segment.ts";
import { inspectHeader, isHeaderOf, SEGMENT_HEADER_BYTES_MAX } from "./segment-header.ts";
import { SegmentScanner } from "./segment-scanner.ts";

const WINDOW_BYTES = 1024 * 1024;
/** Tries at a start: what comes and goes should not keep it from relying on what it has found. */
const ATTEMPTS = 3;

interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** The last append of a segment. */
export class Tail {
  readonly segment: Segment;
  /** 0: its header was written along with it. */
  readonly #from: number;
  readonly #hasHeader: boolean;
  /** What of the segment was no record when it was examined; undefined: the disk refused parts of it, and may refuse others now. */
  readonly #bad: Examined["bad"] | undefined;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #checksum: Checksum;
  /** Its good units, and its header. */
  #pieces: readonly Piece[] | undefined;

  constructor({ segment, header, lastAppendAt, bad, refusals }: Examined, disk: Disk, directory: string, checksum: Checksum) {
    this.segment = segment;
    this.#from = lastAppendAt <= segment.format.start ? 0 : lastAppendAt;
    this.#hasHeader = header !== undefined;
    this.#bad = refusals > 0 ? undefined : bad;
    this.#disk = disk;
    this.#directory = directory;
    this.#checksum = checksum;
  }

  /** Into memory. False: it is not what was examined any more. */
  async tryRead(): Promise<boolean> {
    try {
      await using file = await this.#disk.open(this.#path, "read");
      const pieces = this.#from === 0 ? await this.#readHeader(file) : [];
      this.#pieces = pieces === undefined ? undefined : await this.#readUnits(file, pieces);
      return this.#pieces !== undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
  }

  /** True: it is durable now. Was read before. */
  async tryWriteAgain(log: Log): Promise<boolean> {
    const { name } = this.segment;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.writeAgain();
        log.info("journal: the last append may not have reached the disk; written again", { name, from: this.#from });
        return true;
      } catch (error) {
        if (!isFault(error)) throw error;
        if (attempt < ATTEMPTS) continue;
        log.error(
          "journal: the last append may not have reached the disk, and cannot be written again; a power cut may take it away",
          { name, error: explain(error) },
        );
        return false;
      }
    }
  }

  /** Durable when it resolves; rejects with the system's fault, or a JournalError if it is not there any more. */
  async writeAgain(): Promise<void> {
    if (this.#pieces === undefined && !(await this.tryRead()))
      throw new JournalError(
        "JOURNAL_APPEND_FAILED",
        `journal ${this.#directory}: the last append in ${this.segment.name}, as it was found at the start, cannot be read any more; restart to go on with what is there`,
      );
    await using file = await this.#disk.open(this.#path, "update");
    for (const { at, bytes } of this.#pieces!) await file.write(bytes, at);
    await file.datasync();
    if (this.#from === 0) await this.#disk.syncDirectory(this.#directory); // its first append: the file's name is as young
    this.#pieces = undefined;
  }

  async #readHeader(file: DiskFile): Promise<Piece[] | undefined> {
    if (!this.#hasHeader) return []; // rotten, and nothing to be kept
    const { format, header, endBytes } = this.segment;
    const beginning = Buffer.alloc(Math.min(endBytes, SEGMENT_HEADER_BYTES_MAX));
    await salvageRead(file, beginning, 0);
    const finding = inspectHeader(beginning);
    if (finding.is !== "ours" || !isHeaderOf(finding.header, header)) return undefined;
    return [{ at: 0, bytes: beginning.subarray(0, format.start) }];
  }

  async #readUnits(file: DiskFile, pieces: Piece[]): Promise<readonly Piece[] | undefined> {
    const { format, header, endBytes } = this.segment;
    const scanner = new SegmentScanner({
      read: async (target, position) => (await salvageRead(file, target, position)).bytesRead,
      format,
      salt: header.salt,
      checksum: this.#checksum,
      windowBytes: WINDOW_BYTES,
      from: Math.max(this.#from, format.start),
    });
    for (let run = await scanner.next(endBytes); run !== undefined; run = await scanner.next(endBytes)) {
      if (run.is === "records")
        pieces.push({ at: run.endOffset - (run.end - run.start), bytes: run.slab.subarray(run.start, run.end) });
      else if (!this.#wasBad(run)) return undefined;
    }
    return pieces;
  }

  #wasBad({ from, to }: Examined["bad"][number]): boolean {
    return this.#bad?.some((known) => known.from <= from && to <= known.to) ?? true;
  }

  get #path(): string {
    return `${this.#directory}/${this.segment.name}`;
  }
}

/** What could not be written again at the start. Held in memory until it is: one commit. */
export class Doubt {
  #tails: readonly Tail[];
  readonly #directory: string;

  constructor(tails: readonly Tail[], directory: string) {
    this.#tails = tails;
    this.#directory = directory;
  }

  /** Written, or done with. */
  isOver(freedThrough: number): boolean {
    return this.#tails.every((tail) => isDone(tail, freedThrough));
  }

  /** Rejects with a JournalError if the disk refuses. */
  async settle(freedThrough: number): Promise<void> {
    for (const tail of this.#tails) {
      try {
        if (!isDone(tail, freedThrough)) await tail.writeAgain();
      } catch (error) {
        if (!isFault(error) || error instanceof JournalError) throw error;
        const what = `journal ${this.#directory}: writing the last append in ${tail.segment.name} again`;
        throw changeFailed("JOURNAL_APPEND_FAILED", what, error);
      }
      this.#tails = this.#tails.filter((each) => each !== tail);
    }
  }
}

function isDone({ segment }: Tail, freedThrough: number): boolean {
  return segment.isGone || segment.lastSeq <= freedThrough;
}
