// A store over one journal: stages changes, commits them in groups, and gives room back.
//
//                      ┌──────────────── refused: put back, again after a while ◀─┐
//   put, delete ──▶ staging ──timer──▶ commit: all of it + what the cleaner saves ─┴─ append ──▶ safe rises, watchers are told
//                      └─ a put and its delete cancel each other ──▶ safe rises at the end of the turn
//
// One commit at a time; what is staged meanwhile goes with the next. Promises, format, decisions: README.md.
// Tests: test/conformance/store/, test/simulation/store.test.ts

import { assert } from "#base/assert.ts";
import { backoff } from "#base/backoff.ts";
import type { Millis } from "#base/clock.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Journal } from "#journal/journal.ts";
import type { ReadBatch } from "#journal/reader.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq } from "#journal/record.ts";
import { changeBytes, KEY_BYTES_MAX, readChange, VALUE_BYTES_MAX } from "./change.ts";
import { Cleaner } from "./cleaner.ts";
import { CommitSlab } from "./commit-slab.ts";
import { DiskRoom } from "./disk-room.ts";
import type { KeyIndex } from "./key-index.ts";
import type { StoreEnv } from "./open-store.ts";
import type { StoreOptions } from "./options.ts";
import type { Replayed } from "./replay.ts";
import { LAZY, Staging } from "./staging.ts";
import type { CommitUrgency, Mark, Store, StoreStatus } from "./store.ts";

/** This much staged is committed at once. */
const COMMIT_BYTES_WANTED = 1024 * 1024;
/** With this much staged the store is full until some of it is written. */
const STAGED_BYTES_MAX = 16 * 1024 * 1024;
const RETRY = { min: 500, max: 30_000, jitter: 0.2 };

export class LogStore implements Store {
  readonly #directory: string;
  readonly #options: StoreOptions;
  readonly #env: StoreEnv;
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #index: KeyIndex;
  readonly #cleaner: Cleaner;
  readonly #room: DiskRoom;
  readonly #slackBytes: number;
  readonly #slab = new CommitSlab();
  readonly #watchers = new Set<(safe: Mark) => void>();
  /** What was found at the start, until its owners have it. */
  #values: Map<string, Buffer> | undefined;
  #staging = new Staging();
  /** What is being written. */
  #flying: Staging | undefined;
  readonly found: Mark;
  #lastMark: Mark;
  #safe: Mark = 0;
  #lastSeq: number;
  #floor: number;
  #timer: Disposable | undefined;
  #timerAt: Millis = Number.POSITIVE_INFINITY;
  #soonAt: Millis = Number.POSITIVE_INFINITY;
  #lazyAt: Millis = Number.POSITIVE_INFINITY;
  #retryAt: Millis = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #fault: unknown = null;
  #isTurnOpen = false;
  #hasTurnStaged = false;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #commits = 0;
  #failedCommits = 0;
  #committedBytes = 0;
  #copiedBytes = 0;
  readonly #unknown: number;

  constructor(
    directory: string,
    options: StoreOptions & { readonly slackBytes: number },
    journal: Journal,
    found: Replayed,
    env: StoreEnv,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#env = env;
    this.#log = env.log;
    this.#journal = journal;
    this.#index = found.index;
    this.#values = found.values;
    this.#lastSeq = found.lastSeq;
    this.#floor = found.floor;
    this.#unknown = found.unknown;
    this.#slackBytes = options.slackBytes;
    this.#cleaner = new Cleaner(journal, found.index, options.slackBytes);
    this.#room = new DiskRoom(directory, options.freeReserve, env);
    this.found = journal.isSettled ? 0 : 1;
    this.#lastMark = this.found;
  }

  /** Looks after what was found, if it is not durable. */
  begin(): void {
    if (!this.#journal.isSettled) this.#due("soon", this.#env.clock.now());
  }

  // ── for its owners ──────────────────────────────────────────────────────────────────────────────────────────────────

  put(key: string, value: Buffer, urgency: CommitUrgency): Mark {
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, `store: a key of ${key.length} bytes`);
    assert(value.length <= VALUE_BYTES_MAX, `store: a value of ${value.length} bytes`);
    return this.#stage(key, value, urgency);
  }

  delete(key: string, urgency: CommitUrgency): Mark {
    if (this.#index.has(key)) return this.#stage(key, null, urgency);
    this.#staging.cancel(key);
    this.#beginTurn();
    return ++this.#lastMark;
  }

  get safe(): Mark {
    return this.#safe;
  }

  watch(onSafe: (safe: Mark) => void): Disposable {
    const own = (safe: Mark) => onSafe(safe);
    this.#watchers.add(own);
    return { [Symbol.dispose]: () => void this.#watchers.delete(own) };
  }

  get isFull(): boolean {
    return this.#full !== null;
  }

  *entries(prefix: string): Generator<readonly [key: string, value: Buffer]> {
    for (const entry of this.#values ?? []) if (entry[0].startsWith(prefix)) yield entry;
  }

  release(): void {
    this.#values = undefined;
  }

  status(): StoreStatus {
    const flying = this.#flying;
    return {
      keys: this.#index.size,
      liveBytes: this.#index.liveBytes,
      fileBytes: this.#journal.bytes,
      maxBytes: this.#options.maxBytes,
      staged: this.#staging.size + (flying?.size ?? 0),
      stagedBytes: this.#staging.bytes + (flying?.bytes ?? 0),
      isFull: this.isFull,
      full: this.#full,
      fault: this.#fault === null ? null : explain(this.#fault),
      commits: this.#commits,
      failedCommits: this.#failedCommits,
      committedBytes: this.#committedBytes,
      copiedBytes: this.#copiedBytes,
      damaged: this.#journal.damaged.length + this.#unknown,
    };
  }

  get #full(): StoreStatus["full"] {
    const staged = this.#staging.bytes + (this.#flying?.bytes ?? 0);
    if (staged > STAGED_BYTES_MAX) return "staged";
    if (2 * (this.#index.liveBytes + staged) + this.#slackBytes > this.#options.maxBytes) return "bytes";
    if (this.#room.isShort) {
      // Nobody writes while we say so: somebody has to look again.
      void this.#room.look(this.#writtenBytes, this.#journal.bytes);
      return "disk";
    }
    return isDiskFull(this.#fault) ? "disk" : null;
  }

  // ── when to commit ──────────────────────────────────────────────────────────────────────────────────────────────────

  #due(urgency: CommitUrgency, now: Millis): void {
    if (urgency === "soon" && this.#soonAt === Number.POSITIVE_INFINITY) this.#soonAt = now + this.#options.commitIntervalMs;
    if (this.#lazyAt === Number.POSITIVE_INFINITY) this.#lazyAt = now + this.#options.lazyIntervalMs;
    if (this.#staging.bytes >= COMMIT_BYTES_WANTED) this.#soonAt = Math.min(this.#soonAt, now);
    this.#arm(now);
  }

  #arm(now: Millis): void {
    if (this.#running !== undefined || this.#closing !== undefined) return;
    const at = Math.max(Math.min(this.#soonAt, this.#lazyAt), this.#retryAt);
    if (at >= this.#timerAt || at === Number.POSITIVE_INFINITY) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = at;
    this.#timer = this.#env.clock.after(at - now, () => {
      this.#timer = undefined;
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#start();
    });
  }

  /** Is there anything that must not wait any longer? */
  #isDue(now: Millis): boolean {
    // What was staged first may have been cancelled meanwhile: where all is over within the interval, nothing is ever written.
    if (this.#staging.bytes < COMMIT_BYTES_WANTED) this.#soonAt = this.#staging.soonSince + this.#options.commitIntervalMs;
    if (this.#staging.size === 0) this.#lazyAt = Number.POSITIVE_INFINITY;
    return now >= this.#retryAt && (now >= this.#soonAt || now >= this.#lazyAt);
  }

  #start(): void {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#arm(this.#env.clock.now());
    });
  }

  async #run(): Promise<void> {
    let isGoing = this.#isDue(this.#env.clock.now()) || !this.#journal.isSettled;
    while (isGoing) {
      const old = this.#cleaner.isDue && this.#closing === undefined ? await this.#cleaner.next() : undefined;
      const isWritten = await this.#commit(old);
      await this.#room.look(this.#writtenBytes, this.#journal.bytes, !isWritten && isDiskFull(this.#fault));
      const now = this.#env.clock.now();
      if (!this.#cleaner.isDue) this.#cleaner.rest();
      isGoing = isWritten && this.#closing === undefined && (this.#isDue(now) || (old !== undefined && this.#cleaner.isDue));
    }
  }

  // ── committing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything that is staged, and of `old` what still counts. False: the disk refuses, and all of it waits. */
  async #commit(old: ReadBatch | undefined): Promise<boolean> {
    if (!this.#journal.isSettled && !(await this.#settleFound())) return false;
    const flying = this.#staging;
    if (flying.size === 0 && old === undefined) {
      this.#staging = new Staging(); // of ghosts
      this.#settle();
      return true;
    }
    this.#staging = new Staging();
    this.#flying = flying;
    this.#soonAt = Number.POSITIVE_INFINITY;
    this.#lazyAt = Number.POSITIVE_INFINITY;
    const slab = this.#slab;
    const firstSeq = this.#journal.lastSeq + 1;
    slab.begin(firstSeq, this.#env.clock.wall());
    for (const { key, value } of flying.changes()) {
      if (value === undefined) continue;
      const seq = slab.add(key, value);
      if (value !== null) this.#index.set(key, seq, changeBytes(key, value));
    }
    const copies = old === undefined ? [] : this.#copyLive(old, flying);
    const floor = old === undefined ? this.#floor : lastSeqOf(old);
    slab.finish(this.#lastSeq, floor);
    try {
      await this.#journal.append(slab.bytes, 0, slab.end, slab.count + 1);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#flying = undefined;
      this.#staging.putBack(flying);
      this.#onRefused(error);
      return false;
    }
    for (const { key, seq, bytes } of copies) this.#index.set(key, seq, bytes);
    this.#copiedBytes += copies.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { key, value } of flying.changes()) if (value === null) this.#index.delete(key);
    this.#committedBytes += flying.bytes;
    this.#commits += 1;
    this.#lastSeq = firstSeq + slab.count;
    this.#flying = undefined;
    if (floor > this.#floor) {
      this.#floor = floor;
      this.#journal.free(floor);
    }
    this.#onWritten();
    this.#settle();
    return true;
  }

  /** Writes what of `old` still holds a value behind the changes, but for keys that are written anew just now. */
  #copyLive({ slab, start, end }: ReadBatch, flying: Staging): readonly Copy[] {
    const copies: Copy[] = [];
    for (let at = start; at < end; at += recordBytes(slab, at)) {
      const bytes = bodyBytes(slab, at);
      const change = readChange(slab, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + bytes);
      if (change?.is !== "put" || flying.has(change.key) || this.#index.seqOf(change.key) !== recordSeq(slab, at)) continue;
      copies.push({ key: change.key, seq: this.#slab.copy(slab, at), bytes });
    }
    return copies;
  }

  /** Nothing is written behind what is not durable: it would be taken for so at the next start. False: the disk refuses. */
  async #settleFound(): Promise<boolean> {
    try {
      await this.#journal.settle();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#onRefused(error);
      this.#lazyAt = this.#retryAt; // also if nothing is staged
      return false;
    }
    this.#onWritten();
    return true;
  }

  #onRefused(error: unknown): void {
    this.#cleaner.rest();
    this.#failedCommits += 1;
    const now = this.#env.clock.now();
    this.#retryAt = now + backoff(RETRY, this.#failures, this.#env.entropy.random());
    this.#failures += 1;
    if (this.#staging.size > 0) this.#lazyAt = this.#retryAt;
    const before = codeOf(this.#fault);
    this.#fault = error;
    if (codeOf(error) === before) return;
    this.#log.error("store: changes cannot be made durable; tried again until they are, and nothing is acknowledged meanwhile", {
      directory: this.#directory,
      waiting: this.#staging.size,
      error: explain(error),
    });
  }

  #onWritten(): void {
    if (this.#fault === null) return;
    this.#log.info("store: changes are made durable again", { directory: this.#directory, failed: this.#failures });
    this.#fault = null;
    this.#failures = 0;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  // ── what is safe ────────────────────────────────────────────────────────────────────────────────────────────────────

  #stage(key: string, value: Buffer | null, urgency: CommitUrgency): Mark {
    const mark = ++this.#lastMark;
    const now = this.#env.clock.now();
    this.#staging.stage(key, value, mark, urgency === "soon" ? now : LAZY);
    this.#hasTurnStaged = true;
    this.#beginTurn();
    this.#due(urgency, now);
    return mark;
  }

  /** At the end of the turn it shows what has cancelled each other, once for all. */
  #beginTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    queueMicrotask(() => {
      this.#staging.endTurn(this.#hasTurnStaged);
      this.#isTurnOpen = false;
      this.#hasTurnStaged = false;
      this.#settle();
    });
  }

  #settle(): void {
    if (!this.#journal.isSettled) return;
    const waiting = this.#flying?.firstMark ?? this.#staging.firstMark;
    const safe = waiting === undefined ? this.#lastMark : waiting - 1;
    if (safe <= this.#safe) return;
    this.#safe = safe;
    for (const onSafe of this.#watchers) onSafe(safe);
  }

  get #writtenBytes(): number {
    return this.#committedBytes + this.#copiedBytes;
  }

  // ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes what is staged, lazy or not, once; closes. Never rejects: what could not be written was never said to be safe. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    await this.#running;
    await this.#commit(undefined);
    await this.#journal[Symbol.asyncDispose]();
    this.#watchers.clear();
    this.#values = undefined;
  }
}

interface Copy {
  readonly key: string;
  readonly seq: number;
  readonly bytes: number;
}

function lastSeqOf({ slab, start, end }: ReadBatch): number {
  let seq = 0;
  for (let at = start; at < end; at += recordBytes(slab, at)) seq = recordSeq(slab, at);
  return seq;
}

function codeOf(error: unknown): string | null {
  return error instanceof PetioleError ? error.code : null;
}

function isDiskFull(error: unknown): boolean {
  return codeOf(error) === "JOURNAL_DISK_FULL";
}
