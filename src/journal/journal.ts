// An append-only store of records on flash, for one lane of one outbox, in a folder of its own.
//
//   free ▶                                                              ◀ append
//   ├ segment 3 ┼ segment 4 ────────┼ segment 5 ────────┼ segment 6 ┄┄┄
//     ▲ freedThrough                   ▲ reader                    ▲ durable: appended, fdatasynced
//
// Everything that writes goes through one queue, in the order it was asked for. A healthy link frees what was never written, so
// nothing here touches the disk then. Format, invariants, decisions: README.md. Tests: test/unit/journal/

import { ensureDirectory } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";
import { Appender, measureAppend } from "./appender.ts";
import type { Keep } from "./copy-segment.ts";
import { CURSOR_NAMES, cursorTimeNow, writeCursor } from "./cursor.ts";
import type { DamagedSpan } from "./damage.ts";
import { changeFailed, JournalError } from "./errors.ts";
import { countLive } from "./examine.ts";
import { Janitor } from "./janitor.ts";
import type { JournalEnv, JournalOptions } from "./journal-options.ts";
import { writeOwed } from "./owed.ts";
import { JournalReader, type ReaderSource } from "./reader.ts";
import { type Aside, type Recovered, type RecoveryReport, recover } from "./recovery.ts";
import { Rewriter } from "./rewriter.ts";
import { Shelf } from "./shelf.ts";
import { Spare } from "./spare.ts";
import { Doubt } from "./tail.ts";
import { Vault } from "./vault.ts";

export const SEGMENT_BYTES_DEFAULT = 8 * 1024 * 1024;
/** Damaged spans remembered while the journal is open. */
const DAMAGED_MAX = 256;

/** What `dropOldest` or `rewriteOldest` has thrown away: records with numbers in this range, not freed before. */
export interface Dropped {
  readonly fromSeq: number;
  readonly throughSeq: number;
  /** 0 if all of it had been freed. */
  readonly records: number;
  /** Room given back on the disk. */
  readonly bytes: number;
}

/** Recovers what the last life left, counts this start durably, and is ready. Refuses only a folder that cannot be written. */
export async function openJournal(options: JournalOptions, env: JournalEnv, signal: AbortSignal): Promise<Journal> {
  const { directory } = options;
  try {
    await ensureDirectory(env.disk, directory);
    const vault = new Vault(env.packer, options.key ?? undefined, options.isEncrypting);
    const recovered = await recover(env.disk, directory, vault, env.log, signal);
    const { owed } = recovered;
    // What came back is off the list only when the cursors say that it is not freed.
    const meanwhile = owed.now.union(owed.returned);
    if (meanwhile.symmetricDifference(owed.before).size > 0) await writeOwed(env.disk, directory, meanwhile, env.log);
    const cursor = { ...recovered.cursor, lastSeq: recovered.syncedSeq };
    for (const name of CURSOR_NAMES) await writeCursor(env.disk, directory, name, cursor, cursorTimeNow(env));
    if (owed.returned.size > 0) await writeOwed(env.disk, directory, owed.now, env.log);
    return new Journal(options, vault, env, recovered);
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
  readonly #vault: Vault;
  readonly #appender: Appender;
  readonly #source: ReaderSource;
  readonly #shelf: Shelf;
  readonly #rewriter: Rewriter;
  readonly #janitor: Janitor;
  readonly #spare: Spare | undefined;
  readonly #doubt: Doubt;
  #freedThrough: number;
  #appendedSeq: number;
  readonly #damaged: DamagedSpan[];
  /** Sealed, older ones first. */
  readonly #aside: Aside[];
  /** The end of the queue: settles when everything asked for so far is done. */
  #queue: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: JournalOptions, vault: Vault, env: JournalEnv, recovered: Recovered) {
    const { cursor, segments, retired, report, nextNumber } = recovered;
    this.#options = options;
    this.#env = env;
    this.#vault = vault;
    this.recovery = report;
    this.epoch = cursor.epoch;
    this.#spare = options.isRecycling === true ? new Spare(options, vault.isEncrypting ? cursor.epoch : null, env) : undefined;
    const appenderOptions = { ...options, epoch: cursor.epoch, nextNumber, boot: env.bootId ?? null, spare: this.#spare };
    this.#appender = new Appender(appenderOptions, vault, env);
    this.#shelf = new Shelf(segments, retired);
    this.#aside = [...recovered.aside];
    this.#doubt = new Doubt(recovered.doubtful, options.directory);
    this.#freedThrough = cursor.freedThrough;
    this.#appendedSeq = cursor.lastSeq;
    this.#damaged = [...report.damaged];
    const journal = this;
    this.#source = {
      directory: options.directory,
      vault,
      get freedThrough() {
        return journal.#freedThrough;
      },
      get isClosed() {
        return journal.#closing !== undefined;
      },
      segmentWith: (seq) => journal.#shelf.segmentWith(seq),
      onDamage: (span) => journal.#onDamage(span),
    };
    this.#rewriter = new Rewriter(this.#shelf, vault, options.directory, env, {
      get freedThrough() {
        return journal.#freedThrough;
      },
      get isClosing() {
        return journal.#closing !== undefined;
      },
      isActive: (segment) => segment === this.#appender.active,
      exclusively: (task) => this.#exclusively(task),
      onReplaced: async () => {
        this.#retireFreed();
        await this.#janitor.sweep();
      },
    });
    this.#janitor = new Janitor(this.#shelf, recovered, options, env, {
      get freedThrough() {
        return journal.#freedThrough;
      },
      get lastSeq() {
        return journal.isSettled ? journal.lastSeq : recovered.syncedSeq;
      },
      get isClosing() {
        return journal.#closing !== undefined;
      },
      spare: this.#spare,
      sweepInTurn: () => void this.#exclusively(() => this.#janitor.sweep()),
      tidyInTurn: () => void this.#exclusively(() => this.#tidy()),
    });
    this.#janitor.sweepSoon();
  }

  // ── what is in it ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** No stored record that is not freed has a lower seq; what the next seq will be at least, when there is none. */
  get firstSeq(): number {
    const { first } = this.#shelf;
    if (first === undefined || first.lastSeq <= this.#freedThrough) return this.lastSeq + 1;
    return Math.max(first.firstSeq, this.#freedThrough + 1);
  }

  /** The highest seq known to be used: appended, found at the start, or freed without ever having been stored. 0: none. */
  get lastSeq(): number {
    return Math.max(this.#appendedSeq, this.#freedThrough);
  }

  /** Stored and not freed. Exact, but for the oldest segment when it is freed in part and its seqs have gaps: then in proportion. */
  get records(): number {
    return this.#shelf.liveRecords(this.#freedThrough);
  }

  /** Room taken on the disk by segments that are not done with, sealed ones included. */
  get bytes(): number {
    return this.#shelf.bytes + this.sealedBytes;
  }

  /** Room on the disk beside `bytes`: a file that waits for the next segment, or what of one is not overwritten yet. */
  get spareBytes(): number {
    return (this.#spare?.bytes ?? 0) + (this.#appender.active?.slackBytes ?? 0);
  }

  /** Room taken by segments that are encrypted with a key that is not here: `dropOldest` gives it back when their turn comes. */
  get sealedBytes(): number {
    return this.#aside.reduce((sum, { segment }) => sum + segment.endBytes, 0);
  }

  /** The newest capture time in the oldest segment: all of it is older. undefined when nothing is stored. */
  get oldestTime(): number | undefined {
    const oldest = this.#oldestAside?.segment ?? this.#shelf.first;
    return oldest === undefined || oldest.lastSeq <= this.#freedThrough ? undefined : oldest.newestTime;
  }

  /** Which boot `oldestTime` counts from; null: it is a wall time, or nothing is stored. */
  get oldestBoot(): string | null {
    return (this.#oldestAside?.segment ?? this.#shelf.first)?.header.boot ?? null;
  }

  /** The oldest segment of all, if it is a sealed one. */
  get #oldestAside(): Aside | undefined {
    const [aside] = this.#aside;
    const { first } = this.#shelf;
    return first === undefined || (aside !== undefined && aside.segment.header.number < first.header.number) ? aside : undefined;
  }

  /**
   * False: the last append that was found could not be written again at the start, so a power cut may take it away: promise nothing on it.
   * True again once `settle` succeeds, or it is freed or dropped.
   */
  get isSettled(): boolean {
    return this.#doubt.isOver(this.#freedThrough);
  }

  /** Damage found at the start and while reading since, in that order; the first few hundred. */
  get damaged(): readonly DamagedSpan[] {
    return this.#damaged;
  }

  // ── appending and reading ───────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes `count` records that lie end to end in `slab[start, end)`, in rising order of seq, durable: packed, then one write and
   * one fdatasync. The slab is not the caller's to change until this settles. Rejects with a JournalError if
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

  /** Makes durable what was found, if it is not for certain. Rejects with a JournalError if the disk refuses. */
  async settle(): Promise<void> {
    this.#assertOpen("settle");
    await this.#exclusively(() => this.#doubt.settle(this.#freedThrough));
  }

  async #append(slab: Buffer, start: number, end: number, count: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const measured = measureAppend(slab, start, end, count, this.#appendedSeq);
    for (const { segment, growth, isNew } of await this.#appender.append(slab, start, end, measured)) {
      if (isNew) this.#shelf.add(segment);
      else this.#shelf.onGrown(growth.count, growth.bytes);
    }
    this.#appendedSeq = measured.lastSeq;
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

  /**
   * Throws away the oldest segment, freed or not, and says what was lost with it; undefined when there is none, or the disk is read-only.
   * `onDoomed` is told the same before, and waited for: to write down what will be lost, or to say no (false): then nothing is lost.
   */
  async dropOldest(onDoomed?: (doomed: Dropped) => Promise<boolean>): Promise<Dropped | undefined> {
    this.#assertOpen("dropOldest");
    return await this.#exclusively(() => this.#dropOldest(onDoomed));
  }

  /** Writes down what is freed, and gives back the room of what is wholly freed, the active segment included. */
  async flushCursor(): Promise<void> {
    this.#assertOpen("flushCursor");
    await this.#exclusively(() => this.#tidy());
  }

  /** Gives back what `spareBytes` says. Returns the bytes. */
  async giveUpSpare(): Promise<number> {
    this.#assertOpen("giveUpSpare");
    return await this.#exclusively(async () => ((await this.#spare?.remove()) ?? 0) + (await this.#appender.cutSlack()));
  }

  async #dropOldest(onDoomed: ((doomed: Dropped) => Promise<boolean>) | undefined): Promise<Dropped | undefined> {
    if (!(await this.#janitor.mayForget())) return undefined;
    const aside = this.#oldestAside;
    if (aside !== undefined) return await this.#dropAside(aside, onDoomed);
    const { first } = this.#shelf;
    if (first === undefined) return undefined;
    await countLive(this.#env.disk, this.#options.directory, first, this.#freedThrough, this.#vault);
    if (first === this.#appender.active) await this.#appender.release();
    const dropped = {
      fromSeq: Math.max(first.firstSeq, this.#freedThrough + 1),
      throughSeq: first.lastSeq,
      records: first.liveRecords(this.#freedThrough),
      bytes: first.endBytes,
    };
    if ((await onDoomed?.(dropped)) === false) return undefined;
    if (!first.isGone) {
      this.#freedThrough = Math.max(this.#freedThrough, first.lastSeq);
      this.#shelf.retireFirst();
    }
    await this.#janitor.sweep(true);
    return dropped;
  }

  async #dropAside(
    { segment, fromSeq, records }: Aside,
    onDoomed: ((doomed: Dropped) => Promise<boolean>) | undefined,
  ): Promise<Dropped | undefined> {
    const dropped = { fromSeq, throughSeq: segment.lastSeq, records, bytes: segment.endBytes };
    if ((await onDoomed?.(dropped)) === false) return undefined;
    this.#freedThrough = Math.max(this.#freedThrough, segment.lastSeq);
    this.#aside.shift();
    this.#shelf.retire(segment);
    await this.#janitor.sweep();
    return dropped;
  }

  /**
   * Gives up, of the oldest segment that is old enough and was not looked at before, the records that `keep` refuses: what stays is
   * written to a new file, which takes the place of the old one. Appends go on meanwhile. undefined: there is no such segment. Whoever
   * refuses a record must know that nobody is sending it. `onDoomed` is awaited when what is lost is known, and before it is; false: it
   * stays, and comes again. Rejects with a JournalError if the disk refuses; nothing is given up then. One at a time.
   */
  async rewriteOldest(
    isOld: (newestTime: number, boot: string | null) => boolean,
    keep: Keep,
    onDoomed?: (doomed: Dropped) => Promise<boolean>,
  ): Promise<Dropped | undefined> {
    this.#assertOpen("rewriteOldest");
    return await this.#rewriter.rewriteOldest(isOld, keep, onDoomed);
  }

  /** Something is to be gained again by rewriting the segment with this record. */
  reconsider(seq: number): void {
    const segment = this.#shelf.segmentWith(seq);
    if (segment !== undefined && segment.firstSeq <= seq) segment.isRewritten = false;
  }

  /** Segments that are wholly freed go at once, the active one when the cursor is written: it may be filling again by then. */
  #retireFreed(): void {
    for (let { first } = this.#shelf; first !== undefined && first.lastSeq <= this.#freedThrough; { first } = this.#shelf) {
      if (first === this.#appender.active) break;
      this.#shelf.retireFirst();
    }
    this.#janitor.onFreed();
  }

  async #tidy(): Promise<void> {
    const active = this.#appender.active;
    if (active !== undefined && active.lastSeq <= this.#freedThrough) {
      await this.#appender.release(true);
      this.#retireFreed();
    }
    await this.#janitor.sweep();
  }

  // ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Finishes what was asked for, writes the cursor, closes. Never rejects: what could not be written down may be sent twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#janitor.close();
    await this.#rewriter.finished;
    await this.#exclusively(() => this.#tidy());
    await this.#appender.release();
    await this.#spare?.remove();
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs `task` when everything asked for before has settled. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => undefined); // the asker hears of it; the next in the queue goes on
    return done;
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
