// An append-only store of records on flash, for one lane of one outbox, in a folder of its own.
//
//   free ▶                                                              ◀ append
//   ├ segment 3 ┼ segment 4 ────────┼ segment 5 ────────┼ segment 6 ┄┄┄
//     ▲ freedThrough                   ▲ reader                    ▲ durable: appended, fdatasynced
//
// Everything that writes goes through one queue, in the order it was asked for. A healthy link frees what was never written, so
// nothing here touches the disk then. Format, invariants, decisions: README.md. Tests: test/unit/journal/

import type { Clock, Millis } from "#base/clock.ts";
import { type Disk, ensureDirectory, removeIfThere } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { Appender, measureGroup } from "./appender.ts";
import { writeCursor } from "./cursor.ts";
import type { DamagedSpan } from "./damage.ts";
import { changeFailed, JournalError } from "./errors.ts";
import { examineSegment } from "./examine.ts";
import { JournalReader, type ReaderSource } from "./reader.ts";
import { type Recovered, type RecoveryReport, recover } from "./recovery.ts";
import type { Segment } from "./segment.ts";

export const SEGMENT_BYTES_DEFAULT = 8 * 1024 * 1024;
/** How long a crash may forget what was freed: so long what was sent may be sent again. */
const CURSOR_INTERVAL_MS: Millis = 30_000;
const COUNT_WINDOW_BYTES = 256 * 1024;
/** Damaged spans remembered while the journal is open. */
const DAMAGED_MAX = 256;

export interface JournalOptions {
  /** Absolute; made if it is not there. Nobody else's, and one journal's at a time: the caller sees to that. */
  readonly directory: string;
  /** A segment takes no more once it is this long; a group of records larger than this has one to itself. */
  readonly segmentBytes: number;
}

export interface JournalEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** What `dropOldest` has thrown away: records with numbers in this range, not freed before. */
export interface Dropped {
  readonly fromSeq: number;
  readonly throughSeq: number;
  /** 0 if all of the segment had been freed. */
  readonly records: number;
  /** Room given back on the disk. */
  readonly bytes: number;
}

/** Recovers what the last life left, counts this start durably, and is ready. Refuses only a folder that cannot be written. */
export async function openJournal(options: JournalOptions, env: JournalEnv, signal: AbortSignal): Promise<Journal> {
  const { directory } = options;
  try {
    await ensureDirectory(env.disk, directory);
    const recovered = await recover(env.disk, directory, env.log, signal);
    await writeCursor(env.disk, directory, "epoch", recovered.cursor);
    await writeCursor(env.disk, directory, "cursor", recovered.cursor);
    return new Journal(options, env, recovered);
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    throw changeFailed("JOURNAL_OPEN_FAILED", `journal ${directory}: opening`, error);
  }
}

export class Journal implements AsyncDisposable {
  readonly recovery: RecoveryReport;
  /** Counts the starts of this journal; durable before the first record, so epoch and seq together are never used twice. */
  readonly epoch: number;
  readonly #options: JournalOptions;
  readonly #env: JournalEnv;
  readonly #appender: Appender;
  readonly #source: ReaderSource;
  /** By number; the last may be the active one. None is wholly freed, but the active one may be. */
  readonly #segments: Segment[];
  /** Gone, their files not removed yet. */
  #retired: Segment[];
  #freedThrough: number;
  #appendedSeq: number;
  #records: number;
  #bytes: number;
  readonly #damaged: DamagedSpan[];
  /** What the cursor on the disk says. */
  #cursorFreed: number;
  #cursorLastSeq: number;
  #cursorTimer: Disposable | undefined;
  #isSweepDue = false;
  /** The end of the queue: settles when everything asked for so far is done. */
  #queue: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: JournalOptions, env: JournalEnv, recovered: Recovered) {
    const { cursor, segments, retired, report, nextNumber } = recovered;
    this.#options = options;
    this.#env = env;
    this.recovery = report;
    this.epoch = cursor.epoch;
    this.#appender = new Appender({ ...options, epoch: cursor.epoch, nextNumber }, env);
    this.#segments = segments;
    this.#retired = retired;
    this.#freedThrough = cursor.freedThrough;
    this.#cursorFreed = cursor.freedThrough;
    this.#cursorLastSeq = cursor.lastSeq;
    this.#appendedSeq = cursor.lastSeq;
    this.#records = segments.reduce((sum, segment) => sum + segment.records, 0);
    this.#bytes = report.bytes;
    this.#damaged = [...report.damaged];
    const journal = this;
    this.#source = {
      directory: options.directory,
      get freedThrough() {
        return journal.#freedThrough;
      },
      get isClosed() {
        return journal.#closing !== undefined;
      },
      segmentWith: (seq) => journal.#segmentWith(seq),
      onDamage: (span) => journal.#onDamage(span),
    };
    this.#sweepSoon();
  }

  // ── what is in it ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** No stored record that is not freed has a lower seq; what the next seq will be at least, when there is none. */
  get firstSeq(): number {
    const first = this.#segments[0];
    if (first === undefined || first.lastSeq <= this.#freedThrough) return this.lastSeq + 1;
    return Math.max(first.firstSeq, this.#freedThrough + 1);
  }

  /** The highest seq known to be used: appended, found at the start, or freed without ever having been stored. 0: none. */
  get lastSeq(): number {
    return Math.max(this.#appendedSeq, this.#freedThrough);
  }

  /** Stored and not freed. Exact, but for the oldest segment when it is freed in part and its seqs have gaps: then in proportion. */
  get records(): number {
    const first = this.#segments[0];
    return first === undefined ? 0 : this.#records - first.records + first.liveRecords(this.#freedThrough);
  }

  /** Room taken on the disk by segments that are not done with. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The newest capture time in the oldest segment: all of it is older. undefined when nothing is stored. */
  get oldestTime(): number | undefined {
    const first = this.#segments[0];
    return first === undefined || first.lastSeq <= this.#freedThrough ? undefined : first.newestTime;
  }

  /** Damage found at the start and while reading since, in that order; the first few hundred. */
  get damaged(): readonly DamagedSpan[] {
    return this.#damaged;
  }

  // ── appending and reading ───────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes `count` records that lie end to end in `slab[start, end)`, in rising order of seq, durable: checksums are filled in,
   * then one write and one fdatasync. The slab is not the caller's to change until this settles. Rejects with a JournalError if
   * nothing of it counts as appended; the same records may then be appended again. A signal is heeded until the write begins.
   */
  async append(slab: Buffer, start: number, end: number, count: number, signal?: AbortSignal): Promise<void> {
    this.#assertOpen("append");
    await this.#exclusively(() => this.#append(slab, start, end, count, signal));
  }

  /** Reads durable records in order, the first with a seq of at least `fromSeq`. Needs no closing. */
  read(fromSeq: number): JournalReader {
    return new JournalReader(this.#source, this.#env.disk, fromSeq);
  }

  async #append(slab: Buffer, start: number, end: number, count: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const group = measureGroup(slab, start, end, count, this.#appendedSeq);
    const segment = await this.#appender.append(slab, start, end, group);
    if (this.#segments.at(-1) !== segment) {
      this.#segments.push(segment);
      this.#bytes += segment.endBytes;
    } else this.#bytes += group.bytes;
    this.#records += count;
    this.#appendedSeq = group.lastSeq;
    this.#retireFreed(); // the segment before may have been waiting for this one
  }

  // ── letting go ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Everything up to `through` is done with, stored or not. Whole segments below are removed at once; what else is to be
   * written about it waits for the cursor's turn. Never touches the disk while nothing is stored.
   */
  free(through: number): void {
    if (through <= this.#freedThrough || this.#closing !== undefined) return;
    this.#freedThrough = through;
    this.#retireFreed();
  }

  /** Throws away the oldest segment, freed or not, and says what was lost with it; undefined when there is none. */
  async dropOldest(): Promise<Dropped | undefined> {
    this.#assertOpen("dropOldest");
    return await this.#exclusively(() => this.#dropOldest());
  }

  /** Writes down what is freed, and gives back the room of what is wholly freed, the active segment included. */
  async flushCursor(): Promise<void> {
    this.#assertOpen("flushCursor");
    await this.#exclusively(() => this.#tidy());
  }

  async #dropOldest(): Promise<Dropped | undefined> {
    const first = this.#segments[0];
    if (first === undefined) return undefined;
    if (!first.isExact(this.#freedThrough)) await this.#count(first);
    if (first === this.#appender.active) await this.#appender.release();
    const dropped = {
      fromSeq: Math.max(first.firstSeq, this.#freedThrough + 1),
      throughSeq: first.lastSeq,
      records: first.liveRecords(this.#freedThrough),
      bytes: first.endBytes,
    };
    if (!first.isGone) {
      // not freed while we waited
      this.#freedThrough = Math.max(this.#freedThrough, first.lastSeq);
      this.#retire();
    }
    await this.#sweep();
    return dropped;
  }

  /** Counts the records of a segment that are not freed, by reading it. */
  async #count(segment: Segment): Promise<void> {
    const freedThrough = this.#freedThrough;
    const found = await examineSegment(this.#env.disk, this.#options.directory, {
      name: segment.name,
      identity: segment,
      freedThrough,
      seqEnd: segment.lastSeq + 1,
      lastSeqBefore: 0,
      slab: Buffer.allocUnsafeSlow(COUNT_WINDOW_BYTES),
    });
    if (found.is === "segment") segment.know(freedThrough, found.live);
  }

  /** Segments that are wholly freed go at once, the active one when the cursor is written: it may be filling again by then. */
  #retireFreed(): void {
    while (this.#segments[0] !== undefined && this.#segments[0].lastSeq <= this.#freedThrough) {
      if (this.#segments[0] === this.#appender.active) break;
      this.#retire();
    }
    if (this.#retired.length > 0) this.#sweepSoon();
    else if (this.#segments.length > 0 && this.#freedThrough > this.#cursorFreed) this.#armCursor();
  }

  #retire(): void {
    const first = this.#segments.shift()!;
    first.isGone = true;
    this.#records -= first.records;
    this.#bytes -= first.endBytes;
    this.#retired.push(first);
  }

  #armCursor(): void {
    if (this.#closing !== undefined) return;
    this.#cursorTimer ??= this.#env.clock.after(CURSOR_INTERVAL_MS, () => {
      this.#cursorTimer = undefined;
      void this.#exclusively(() => this.#tidy());
    });
  }

  #sweepSoon(): void {
    if (this.#isSweepDue || this.#retired.length === 0) return;
    this.#isSweepDue = true;
    void this.#exclusively(() => this.#sweep());
  }

  async #tidy(): Promise<void> {
    const active = this.#appender.active;
    if (active !== undefined && active.lastSeq <= this.#freedThrough) {
      await this.#appender.release();
      this.#retireFreed();
    }
    await this.#sweep();
  }

  /** Writes the cursor, then removes what it says is done with: in this order, or a crash between would send it all again. */
  async #sweep(): Promise<void> {
    this.#isSweepDue = false;
    const freedThrough = this.#freedThrough;
    const lastSeq = this.lastSeq;
    const { disk, log } = this.#env;
    const { directory } = this.#options;
    const isLastWord = this.#closing !== undefined && lastSeq > this.#cursorLastSeq;
    if (freedThrough > this.#cursorFreed || isLastWord) {
      try {
        await writeCursor(disk, directory, "cursor", { epoch: this.epoch, freedThrough, lastSeq });
        this.#cursorFreed = freedThrough;
        this.#cursorLastSeq = lastSeq;
        this.#cursorTimer?.[Symbol.dispose]();
        this.#cursorTimer = undefined;
      } catch (error) {
        // A full card may refuse this, too; then it is all the more important to remove what is done with.
        log.warn("journal: what is done with could not be written down; after a crash some of it may be sent twice", {
          directory,
          error: explain(error),
        });
        this.#armCursor();
      }
    }
    const retired = this.#retired;
    this.#retired = [];
    for (const segment of retired) {
      try {
        await removeIfThere(disk, `${directory}/${segment.name}`);
      } catch (error) {
        log.warn("journal: a segment that is done with could not be removed; tried again at the next start", {
          name: segment.name,
          error: explain(error),
        });
      }
    }
  }

  // ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Finishes what was asked for, writes the cursor, closes. Never rejects: what could not be written down may be sent twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#cursorTimer?.[Symbol.dispose]();
    this.#cursorTimer = undefined;
    await this.#exclusively(() => this.#tidy());
    await this.#appender.release();
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs `task` when everything asked for before has settled. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => undefined); // the asker hears of it; the next in the queue goes on
    return done;
  }

  #segmentWith(seq: number): Segment | undefined {
    const last = this.#segments.at(-1);
    if (last === undefined || last.lastSeq < seq) return undefined;
    return this.#segments.find((segment) => segment.lastSeq >= seq);
  }

  #onDamage(span: DamagedSpan): void {
    const isKnown = this.#damaged.some((known) => known.file === span.file && known.from <= span.from && span.from < known.to);
    if (isKnown || this.#damaged.length >= DAMAGED_MAX) return;
    this.#damaged.push(span);
    this.#env.log.error("journal: part of a segment has gone bad; what it held is lost", { ...span });
  }

  #assertOpen(what: string): void {
    if (this.#closing === undefined) return;
    throw new JournalError("JOURNAL_CLOSED", `journal ${this.#options.directory}: ${what} after close`);
  }
}
