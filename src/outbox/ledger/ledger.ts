// The loss ledger of one outbox: every message that did not make it, by reason, lane and rule, with the ranges; on flash, so that a
// restart neither forgets nor doubles a count.
//
//   lane, outbox, retention ── add ──▶ pending ── 5 s, or flush() ──▶ file        a full disk: kept in memory, tried again
//                                 │                    └──▶ whoever listens (the hub, by $PETIOLE.<name>.ledger)
//                                 └──▶ totals: status, metrics
//
// What was kept and is lost is written within seconds, and always before its records are destroyed: `await flush()` first. What was
// never kept (the link was down) is merely counted, and written along with the rest, or every quarter of an hour: a crash may forget
// so much of it. Nothing lost writes nothing. Tests: test/unit/outbox/ledger/ledger.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { CLASSES, type UrgencyClass } from "../urgency.ts";
import type { LedgerAddition, LedgerEntry, LossTotal, LossTotals } from "./ledger-entry.ts";
import { LedgerFile, type LedgerHistory } from "./ledger-file.ts";
import { type Before, encodeLine } from "./ledger-lines.ts";
import { PendingEntries } from "./ledger-pending.ts";
import { ToldMessages } from "./ledger-told.ts";

const FLUSH_KEPT_MS: Millis = 5_000;
const FLUSH_COUNTS_MS: Millis = 15 * 60_000;
const RETRY_MS: Millis = 60_000;
/** Between two looks whether there is room for the reserve again. */
const RESERVE_EVERY_MS: Millis = 60_000;
/** Text that waits for a disk that refuses it; what comes then stays in `pending`, ranges coarser, counts exact. */
const UNWRITTEN_CHARS_MAX = 64 * 1024;
/** Entries remembered for status. */
const RECENT_MAX = 64;
/** Entries with messages that may be met again, remembered for the next file. */
const TOLD_ENTRIES_MAX = 128;
/** Numbers in the runs of those, so that they leave the new file room for news. */
const TOLD_NUMBERS_MAX = 4096;
const DAMAGE_MAX = 1024;

export interface LedgerEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
}

export interface LedgerOptions {
  /** The remote's folder. */
  readonly directory: string;
  /** Changes when the numbers of rules come to mean something else. */
  readonly rules: string;
  /** Up to here no record of the lane will be met again. */
  freedThrough(lane: UrgencyClass): number;
}

/** Never refuses: what cannot be read is said in the log. */
export async function openLedger(options: LedgerOptions, env: LedgerEnv): Promise<Ledger> {
  const { file, history } = await LedgerFile.open(env.disk, options.directory, env.log);
  return new Ledger(file, history, options, env);
}

export class Ledger implements AsyncDisposable {
  /** Why it cannot be written, in words; null while it can. */
  fault: string | null = null;
  readonly #file: LedgerFile;
  readonly #options: LedgerOptions;
  /** What the numbers of rules refer to now. */
  #rules: string;
  readonly #env: LedgerEnv;
  readonly #history: LedgerHistory;
  readonly #totals: LossTotals;
  readonly #pending = new PendingEntries();
  readonly #told = new ToldMessages();
  #toldEntries: LedgerEntry[];
  #recent: LedgerEntry[];
  /** Damage told by this life or an earlier one. */
  readonly #knownDamage: Set<string>;
  /** Damage that is still there. */
  readonly #seenDamage = new Set<string>();
  readonly #listeners = new Set<(entry: LedgerEntry) => void>();
  /** What the file says: totals without the lines that wait. */
  readonly #writtenTotals: LossTotals;
  #writtenNumber: number;
  #writtenRules: string | null;
  #lastNumber: number;
  /** Lines that are numbered and not known to be on flash: tried again as they are. */
  #unwritten = "";
  #unwrittenEntries: LedgerEntry[] = [];
  #timer: Disposable | undefined;
  #due: "never" | "later" | "soon" = "never";
  /** Somebody wants the ledger to have room of its own. */
  #isReserved = false;
  #reserveTimer: Disposable | undefined;
  #queue: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(file: LedgerFile, history: LedgerHistory, options: LedgerOptions, env: LedgerEnv) {
    this.#file = file;
    this.#history = history;
    this.#options = options;
    this.#rules = options.rules;
    this.#env = env;
    this.#totals = history.totals.copy();
    this.#writtenTotals = history.totals.copy();
    if (history.rules !== null && history.rules !== options.rules) this.#totals.forgetRules();
    this.#writtenRules = history.rules;
    this.#writtenNumber = history.lastNumber;
    this.#lastNumber = history.lastNumber;
    this.#knownDamage = new Set(history.damage);
    this.#recent = history.entries.slice(-RECENT_MAX);
    this.#toldEntries = history.told.filter(({ lane, epoch, isPrefix }) => lane !== null && epoch !== null && !isPrefix);
    for (const entry of this.#toldEntries) this.#restore(entry);
  }

  // ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Counts it, unless it was told before. Never throws, never waits. `messages`: instead of the addition's. */
  add(addition: LedgerAddition, messages = addition.messages): void {
    const isNew = addition.lane === null ? messages : this.#untold(addition, messages);
    if (isNew <= 0) return;
    const time = this.#env.clock.wall();
    this.#totals.count(addition, isNew, time);
    this.#pending.add(addition, isNew, time);
    this.#schedule(addition.lane === null ? "later" : "soon");
  }

  /** From now on the numbers of rules mean something else; what was told before is of the old ones. */
  changeRules(key: string): void {
    if (key === this.#rules) return;
    this.#take();
    this.#rules = key;
    this.#totals.forgetRules();
  }

  /** Has this message been told lost? Then that stands: it is not sent any more, and not counted again. */
  isTold(lane: UrgencyClass, epoch: number, seq: number): boolean {
    return this.#told.has(lane, epoch, seq);
  }

  /** Has any of these been told lost? */
  hasTold(lane: UrgencyClass, throughSeq: number): boolean {
    return this.#told.hasThrough(lane, throughSeq);
  }

  /** Damage on flash, once: `name` is its own for good. */
  addDamage(lane: UrgencyClass, name: string, fromSeq: number, throughSeq: number, messages: number): void {
    if (this.#seenDamage.size < DAMAGE_MAX) this.#seenDamage.add(name);
    if (this.#knownDamage.has(name) || this.#knownDamage.size >= DAMAGE_MAX * 2) return;
    this.#knownDamage.add(name);
    this.add({ reason: "corrupted", lane, rule: null, epoch: null, fromSeq, throughSeq, messages, damage: name });
  }

  /**
   * Makes everything told so far durable. Await it before records are destroyed. Resolves also when the disk refuses: then `fault` says
   * so, and it is kept in memory and tried again.
   */
  flush(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#write());
    return this.#queue;
  }

  /** The same for losses of kept messages. Costs nothing where none of them waits. */
  flushKept(): Promise<void> {
    return this.#pending.hasKept || this.#unwritten !== "" ? this.flush() : this.#queue;
  }

  /** From now on there is room for the ledger alone, whenever the disk has some to spare. Costs nothing while it is there. */
  keepReserve(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#makeReserve());
    return this.#queue;
  }

  // ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Since the outbox was made. */
  totals(): readonly LossTotal[] {
    return this.#totals.list();
  }

  /** The last entries, oldest first. */
  recent(): readonly LedgerEntry[] {
    return this.#recent;
  }

  /** Told each new entry, when it is about to be written. */
  onEntry(listener: (entry: LedgerEntry) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Up to where a life told records of a lane displaced, perhaps without having got to removing them: they are to go. `sinceEpoch`: of
   * the oldest record that is there; what an earlier life told was about others, with numbers that were given again. 0: nothing.
   */
  droppedThrough(lane: UrgencyClass, sinceEpoch: number): number {
    let through = 0;
    for (const { isPrefix, lane: of, epoch, throughSeq } of this.#history.entries)
      if (isPrefix && of === lane && (epoch ?? 0) >= sinceEpoch) through = Math.max(through, throughSeq ?? 0);
    return through;
  }

  /** Writes what is left. A disk that refuses is told in the log, and forgotten. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.flush();
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#reserveTimer?.[Symbol.dispose]();
    this.#listeners.clear();
    if (this.fault === null) return;
    const kinds = this.#unwrittenEntries.length + this.#pending.size;
    this.#env.log.error("outbox: the loss ledger could not be written before closing; its last counts are lost", { kinds });
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** How many of the messages have no fate yet. */
  #untold(addition: LedgerAddition, messages: number): number {
    const { lane, epoch, fromSeq, throughSeq, isPrefix } = addition;
    if (lane === null || fromSeq === null || throughSeq === null) return messages;
    if (isPrefix === true) {
      this.#told.forgetThrough(lane, throughSeq);
      return messages;
    }
    if (epoch === null || throughSeq - fromSeq + 1 !== messages) return messages;
    let isNew = 0;
    for (let seq = fromSeq; seq <= throughSeq; seq++) if (this.#told.add(lane, epoch, seq)) isNew += 1;
    return isNew;
  }

  #restore({ lane, epoch, fromSeq, throughSeq, messages, runs }: LedgerEntry): void {
    if (lane === null || epoch === null || fromSeq === null || throughSeq === null) return;
    const freed = this.#options.freedThrough(lane);
    if (throughSeq <= freed) return;
    if (runs === null) this.#told.restoreRange(lane, epoch, fromSeq, throughSeq, messages);
    else for (let i = 0; i < runs.length; i += 2) this.#told.restoreRun(lane, epoch, Math.max(runs[i]!, freed + 1), runs[i + 1]!);
  }

  #schedule(when: "later" | "soon"): void {
    if (this.#due === "soon" || this.#due === when || this.#closing !== undefined) return;
    this.#due = when;
    const delay = this.fault !== null ? RETRY_MS : when === "soon" ? FLUSH_KEPT_MS : FLUSH_COUNTS_MS;
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#env.clock.after(delay, () => void this.flush());
  }

  async #write(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#due = "never";
    for (const lane of CLASSES) this.#told.forgetThrough(lane, this.#options.freedThrough(lane));
    if (this.#pending.size > 0 && this.#unwritten.length < UNWRITTEN_CHARS_MAX) this.#take();
    if (this.#unwritten === "") return;
    try {
      await this.#file.append(this.#unwritten, () => this.#before());
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#onRefused(error);
      return;
    }
    for (const entry of this.#unwrittenEntries) this.#writtenTotals.add(entry);
    this.#writtenNumber = this.#lastNumber;
    this.#unwritten = "";
    this.#unwrittenEntries = [];
    if (this.fault !== null) this.#env.log.info("outbox: the loss ledger is written again");
    this.fault = null;
    if (this.#pending.size > 0) this.#schedule("soon");
    if (this.#isReserved && !this.#file.reserve.isThere) this.#lookForRoom();
  }

  async #makeReserve(): Promise<void> {
    if (this.#closing !== undefined) return;
    this.#isReserved = true;
    await this.#file.reserve.make();
    if (!this.#file.reserve.isThere) this.#lookForRoom();
  }

  /** Whoever makes room asks for it at once; this is for room that comes by itself. */
  #lookForRoom(): void {
    if (this.#reserveTimer !== undefined || this.#closing !== undefined) return;
    this.#reserveTimer = this.#env.clock.after(RESERVE_EVERY_MS, () => {
      this.#reserveTimer = undefined;
      void this.keepReserve();
    });
  }

  /** What is pending becomes lines, which are never changed again. */
  #take(): void {
    const rules = this.#rules;
    if (this.#writtenRules !== rules) {
      this.#unwritten += encodeLine({ is: "rules", key: rules });
      if (this.#writtenRules !== null) this.#writtenTotals.forgetRules();
      this.#writtenRules = rules;
    }
    const entries = this.#pending.take(this.#lastNumber + 1);
    this.#lastNumber += entries.length;
    for (const entry of entries) {
      this.#unwritten += encodeLine({ is: "loss", entry });
      this.#unwrittenEntries.push(entry);
      if (entry.lane !== null && entry.epoch !== null && !entry.isPrefix) this.#toldEntries.push(entry);
      for (const listener of this.#listeners) listener(entry);
    }
    this.#recent = [...this.#recent, ...entries].slice(-RECENT_MAX);
    if (this.#toldEntries.length > TOLD_ENTRIES_MAX) this.#toldEntries = this.#toldEntries.slice(-TOLD_ENTRIES_MAX);
  }

  #onRefused(error: unknown): void {
    if (this.fault === null)
      this.#env.log.error("outbox: the loss ledger cannot be written; losses are counted in memory until it can", {
        error: explain(error),
      });
    this.fault = explain(error);
    this.#schedule("soon");
  }

  /** For the beginning of a new file: everything but the lines that are about to follow. */
  #before(): Before {
    let numbers = 0;
    const told = this.#toldEntries
      .filter(
        ({ number, lane, throughSeq }) => number <= this.#writtenNumber && (throughSeq ?? 0) > this.#options.freedThrough(lane!),
      )
      .toReversed()
      .map((entry) => {
        numbers += entry.runs?.length ?? 0;
        return numbers > TOLD_NUMBERS_MAX ? { ...entry, runs: null } : entry;
      })
      .toReversed();
    return {
      number: this.#writtenNumber,
      rules: this.#writtenRules ?? this.#rules,
      totals: this.#writtenTotals.list(),
      damage: [...this.#knownDamage].filter((name) => this.#seenDamage.has(name)),
      told,
    };
  }
}
