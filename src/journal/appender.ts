// Writes appends to the newest segment: one write, one fdatasync, and a new segment when the old one is full.
//
//   none ──append──▶ active ──append──▶ active          full, or a fault: none, and the next append begins a new segment
//
// An append counts as a whole or not at all while we live; a power cut may leave the beginning of one.
//
// A new segment may stand in the file of one that is done with (spare.ts): it is overwritten in place, and what is left of the old bytes
// when the segment is finished is cut off, before a later one is begun: only the newest segment may have a tail that is no record.
//
// After a fault the file's tail is never trusted again: what the kernel could not write it may since have called clean.

import { assert } from "#base/assert.ts";
import type { Clock } from "#base/clock.ts";
import { type Disk, type DiskFile, removeIfThere } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { changeFailed } from "./errors.ts";
import { GroupWriter } from "./group-writer.ts";
import { RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime } from "./record.ts";
import type { SegmentSeal } from "./sealing.ts";
import { type Growth, Segment } from "./segment.ts";
import { encodeHeader, formatName, SEED_BYTES, SEGMENT_VERSION } from "./segment-header.ts";
import type { Spare } from "./spare.ts";
import type { Vault } from "./vault.ts";

export interface AppenderOptions {
  readonly directory: string;
  /** A segment takes no more once it would be this long. An append larger than this has a segment to itself. */
  readonly segmentBytes: number;
  /** Nor once it would hold more records; an append of more than a few times as many is cut up. */
  readonly segmentRecords?: number;
  readonly epoch: number;
  readonly nextNumber: number;
  readonly boot: string | null;
  /** Absent: each segment has a file of its own from its birth. */
  readonly spare?: Spare | undefined;
}

export interface AppenderEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** What an append has added to a segment. */
export interface Appended {
  readonly segment: Segment;
  readonly isNew: boolean;
  readonly growth: Growth;
}

interface Active {
  readonly segment: Segment;
  readonly seal: SegmentSeal | undefined;
  readonly file: DiskFile;
}

/** A segment that an append has touched; `growth`: durable, not counted yet. */
interface Writing {
  readonly active: Active;
  readonly isNew: boolean;
  growth: Growth | undefined;
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly measured: Measured;
}

/** A tail that is not cut off for good would be in the middle of the journal after a power cut, and look like rot. */
const CUT_ATTEMPTS = 3;
/** An append of more records than these times `segmentRecords` stands in several segments, each made durable by itself. */
const PIECE_SEGMENTS = 4;

export class Appender {
  readonly #options: AppenderOptions;
  readonly #env: AppenderEnv;
  readonly #vault: Vault;
  readonly #writer: GroupWriter;
  #nextNumber: number;
  #active: Active | undefined;
  /** From here on there may be records in a file that no append has made durable, and that could not be taken away. */
  #ghostsFrom = Number.POSITIVE_INFINITY;
  /** A segment that failed at birth was removed, and a power cut might still bring it back, torn, behind the next one. */
  #isRemovalPending = false;

  constructor(options: AppenderOptions, vault: Vault, env: AppenderEnv) {
    this.#options = options;
    this.#env = env;
    this.#vault = vault;
    this.#writer = new GroupWriter(vault.packer);
    this.#nextNumber = options.nextNumber;
  }

  /** The segment that the next append may go to. */
  get active(): Segment | undefined {
    return this.#active?.segment;
  }

  /**
   * Makes the records durable and counts them to their segments, which are returned: one, but for an append of very many records.
   * Rejects with a JournalError if nothing was appended.
   */
  async append(slab: Buffer, start: number, end: number, measured: Measured): Promise<readonly Appended[]> {
    const { segmentRecords = Number.POSITIVE_INFINITY, directory } = this.#options;
    const written: Writing[] = [];
    try {
      for (const piece of cutUp(slab, { start, end, measured }, segmentRecords * PIECE_SEGMENTS)) {
        await this.#write(slab, piece, written);
      }
    } catch (error) {
      await this.#abandon(written, measured.firstSeq);
      if (!isFault(error)) throw error;
      const what = `journal ${directory}: writing ${measured.count} records (${end - start} bytes)`;
      throw changeFailed("JOURNAL_APPEND_FAILED", what, error);
    }
    const last = written.at(-1)!.active;
    this.#active = last;
    if (written.some(({ isNew }) => isNew)) this.#ghostsFrom = Number.POSITIVE_INFINITY; // they stand below a durable header
    for (const { active } of written) if (active !== last) await this.#closeFile(active);
    return written.map(({ active: { segment }, growth, isNew }) => {
      segment.grow(growth!);
      return { segment, isNew, growth: growth! };
    });
  }

  /** Closes the active segment: the next append begins a new one. `isDoneWith`: its file is about to go, or to serve another one. */
  async release(isDoneWith = false): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    if (isDoneWith) await this.#closeFile(active);
    else await this.#close(active);
  }

  /** Gives back the room that the active segment's file takes behind its records. Returns the bytes. */
  async cutSlack(): Promise<number> {
    const segment = this.#active?.segment;
    if (segment === undefined || segment.slackBytes === 0) return 0;
    const { slackBytes } = segment;
    if (!(await this.#cutStale(this.#active!, segment.endBytes))) await this.release(true); // it is not to be trusted any more
    return slackBytes;
  }

  async #write(slab: Buffer, { start, end, measured }: Piece, written: Writing[]): Promise<void> {
    const active = this.#active;
    // The active one stays what it is until all is written: nobody else may take it for finished before.
    if (active !== undefined && written.length === 0) {
      if (this.#takes(active.segment, end - start, measured.count)) written.push({ active, isNew: false, growth: undefined });
      else await this.release();
    }
    const before = written.at(-1);
    if (before?.growth !== undefined) await this.#cutStale(before.active, before.active.segment.endBytes + before.growth.bytes);
    // Only the first one may say that what stands before it from some seq on does not count: behind it that would be its own records.
    if (before === undefined) await this.#begin(Math.min(measured.firstSeq, this.#ghostsFrom), written);
    else if (before.growth !== undefined) await this.#begin(measured.firstSeq, written);
    const own = written.at(-1)!;
    const { segment, file, seal } = own.active;
    const groups = this.#writer.encode(slab, start, end, { salt: segment.header.salt, offset: segment.endBytes, seal });
    await file.write(groups, segment.endBytes);
    await file.datasync();
    if (own.isNew && segment.header.staleBytes === 0) await this.#env.disk.syncDirectory(this.#options.directory);
    own.growth = { ...measured, bytes: groups.length };
  }

  /** How large it is when it is packed is not known yet: segments stay a little smaller. */
  #takes({ endBytes, records }: Segment, bytes: number, count: number): boolean {
    const { segmentBytes, segmentRecords = Number.POSITIVE_INFINITY } = this.#options;
    return endBytes + bytes <= segmentBytes && records + count <= segmentRecords;
  }

  async #begin(firstSeq: number, written: Writing[]): Promise<void> {
    const { disk, clock, entropy } = this.#env;
    const { directory, epoch, boot } = this.#options;
    if (this.#isRemovalPending) await disk.syncDirectory(directory);
    this.#isRemovalPending = false;
    const number = this.#nextNumber;
    this.#nextNumber += 1; // also if this fails: a name is never tried twice
    const salt = entropy.bytes(4).readUInt32LE(0);
    const { file, staleBytes } = await this.#openFile(formatName({ number, epoch, salt }));
    const header = {
      version: SEGMENT_VERSION,
      number,
      epoch,
      salt,
      firstSeq,
      born: clock.wall(),
      uptime: clock.now(),
      generation: 0,
      boot,
      seed: entropy.bytes(SEED_BYTES),
      staleBytes,
    };
    const segment = new Segment(header);
    // Noted first, so that a fault below takes it away again.
    written.push({ active: { segment, seal: this.#vault.sealFor(header), file }, isNew: true, growth: undefined });
    await file.write(encodeHeader(header), 0);
  }

  /** A file of this name, new or inherited. */
  async #openFile(name: string): Promise<{ readonly file: DiskFile; readonly staleBytes: number }> {
    const { disk } = this.#env;
    const { spare, directory } = this.#options;
    const path = `${directory}/${name}`;
    if (spare === undefined || spare.bytes === 0) return { file: await disk.open(path, "create"), staleBytes: 0 };
    try {
      const staleBytes = await spare.become(name);
      return { file: await disk.open(path, "update"), staleBytes };
    } catch (error) {
      this.#isRemovalPending = true;
      if (isFault(error)) await removeIfThere(disk, path).catch(() => undefined); // it was never begun: the next start knows
      throw error;
    }
  }

  /**
   * Takes what was written away as well as the disk lets us. What stays is passed over, now and by the next recovery: the next segment says
   * in its header that all from `firstSeq` on is its own, also if nobody appends these records again.
   */
  async #abandon(written: readonly Writing[], firstSeq: number): Promise<void> {
    this.#active = undefined;
    for (const { active, isNew } of written.toReversed()) {
      const isGone = isNew ? await this.#remove(active.segment) : await this.#cut(active, active.segment.endBytes);
      if (!isGone) this.#ghostsFrom = Math.min(firstSeq, this.#ghostsFrom);
      await this.#closeFile(active);
    }
  }

  async #remove({ name }: Segment): Promise<boolean> {
    try {
      await this.#env.disk.remove(`${this.#options.directory}/${name}`);
      this.#isRemovalPending = true;
      return true;
    } catch (error) {
      this.#env.log.debug("journal: a segment that failed at birth could not be removed", { name, error: explain(error) });
      return false;
    }
  }

  async #close(active: Active): Promise<void> {
    await this.#cutStale(active, active.segment.endBytes);
    await this.#closeFile(active);
  }

  /** Takes away what is behind `end` of an earlier segment. */
  async #cutStale(active: Active, end: number): Promise<boolean> {
    return active.segment.staleEnd <= end || (await this.#cut(active, end));
  }

  /** Durably. All of it again where the disk refuses, for after a fault the kernel may call clean what it never wrote. */
  async #cut({ segment, file }: Active, end: number): Promise<boolean> {
    segment.staleEnd = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        await file.truncate(end);
        await file.datasync();
        return true;
      } catch (error) {
        if (attempt < CUT_ATTEMPTS) continue;
        this.#env.log.warn("journal: what lies behind the records of a segment could not be cut off; it is passed over", {
          name: segment.name,
          error: explain(error),
        });
        return false;
      }
    }
  }

  async #closeFile({ file }: Active): Promise<void> {
    try {
      await file[Symbol.asyncDispose]();
    } catch (error) {
      this.#env.log.debug("journal: closing a segment failed; its records are durable", { error: explain(error) });
    }
  }
}

/** What an append holds, all but how many bytes it takes on the disk. */
export type Measured = Omit<Growth, "bytes">;

/** Walks the records of `slab[start, end)` and checks what the caller promised: a breach is a bug. `after`: highest seq appended so far. */
export function measureAppend(slab: Buffer, start: number, end: number, count: number, after: number): Measured {
  let lastSeq = after;
  let counted = 0;
  let newestTime = Number.NEGATIVE_INFINITY;
  let at = start;
  while (at + RECORD_HEADER_BYTES <= end) {
    const seq = recordSeq(slab, at);
    assert(seq > lastSeq, `journal: append of seq ${seq} after ${lastSeq}`);
    const bytes = recordBytes(slab, at);
    assert(bytes <= RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX, `journal: append of a record of ${bytes} bytes`);
    const time = recordTime(slab, at);
    if (time > newestTime) newestTime = time;
    lastSeq = seq;
    counted += 1;
    at += bytes;
  }
  assert(
    at === end && counted === count && count > 0,
    `journal: ${counted} records end at ${at}; wanted ${count} ending at ${end}`,
  );
  return { firstSeq: recordSeq(slab, start), lastSeq, count, newestTime };
}

/** The records in pieces of at most `countMax`. */
function cutUp(slab: Buffer, whole: Piece, countMax: number): readonly Piece[] {
  if (whole.measured.count <= countMax) return [whole];
  const pieces: Piece[] = [];
  for (let start = whole.start; start < whole.end; ) {
    let end = start;
    let count = 0;
    for (; end < whole.end && count < countMax; end += recordBytes(slab, end)) count += 1;
    pieces.push({ start, end, measured: measureAppend(slab, start, end, count, 0) });
    start = end;
  }
  return pieces;
}
