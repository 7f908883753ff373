// Brings a lane's link up to date: what the journal holds, then what the stage holds, in order and as the link has room. Then the
// lane is direct and the drain rests until it falls behind again.
//
//   resting ──start──▶ reading ◀──▶ waiting (for room, for receipts, for a place among the held)
//      ▲                │    │
//      └── caught up, ──┘    └─ the disk refuses ──▶ fault, tried again after a while
//          or no link
//
// It decides nothing about a message: the lane does. Tests: test/unit/outbox/, test/simulation/.

import { setImmediate } from "node:timers/promises";
import type { Millis } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Journal } from "#journal/journal.ts";
import type { JournalReader } from "#journal/reader.ts";
import { recordBytes, recordSeq } from "#journal/record.ts";
import type { Carrier } from "./hub-view.ts";
import type { OutboxEnv } from "./outbox-deps.ts";
import type { Stage } from "./stage.ts";

/** Read from the journal in one go, at most; the link's room may ask for less. */
const READ_BYTES = 128 * 1024;
const READ_BYTES_MIN = 4 * 1024;
/** Written to the link in one pass, at most: what the hub works on while we go on. */
const PASS_BYTES = 224 * 1024;
/** After so many bytes of records the event loop has a turn: what was written leaves meanwhile. */
const TURN_BYTES = 32 * 1024;
/**
 * Waits before a read that failed is tried again. After three refusals the reader passes over what it cannot get, and that is then lost:
 * a card that is away for a moment must be given the time to come back.
 */
const RETRY_MS: readonly Millis[] = [1_000, 8_000, 64_000];

export interface DrainHost {
  /** The link that is behind; undefined: there is none, or it has everything. */
  readonly target: Carrier | undefined;
  /** Something else must happen first; `wake` when it has. */
  readonly mustWait: boolean;
  /** What comes next has been passed before. */
  readonly isGoingBack: boolean;
  /** Everything up to here has been sent, or needs no sending. */
  readonly sentSeq: number;
  /** Sends, or whatever else becomes of it. False: not now, and `sentSeq` is as it was. `boot`: of its time; undefined: this one. */
  sendNext(slab: Buffer, at: number, epoch: number, boot?: string | null): boolean;
  /** There is nothing between `sentSeq` and here. */
  skipTo(seq: number): void;
  /** Some of the backlog was written to the link. */
  onPass(carrier: Carrier): void;
  /** Everything was: the lane is direct from here on. */
  onCaughtUp(carrier: Carrier): void;
  /** The backlog cannot be read for now. */
  onFault(): void;
}

export class Drain implements AsyncDisposable {
  /** Why the backlog cannot be read, in words; null while it can. */
  fault: string | null = null;
  /** Time spent on what had been passed before, waiting for the link not counted. */
  backMs: Millis = 0;
  readonly #journal: Journal;
  readonly #stage: Stage;
  readonly #host: DrainHost;
  readonly #env: Pick<OutboxEnv, "clock" | "log" | "hold">;
  #running: Promise<void> | undefined;
  #reader: JournalReader | undefined;
  #wake = Promise.withResolvers<void>();
  #retry: Disposable | undefined;
  /** Reads that failed since the last that did not. */
  #failures = 0;
  #isClosed = false;

  constructor(journal: Journal, stage: Stage, host: DrainHost, env: Pick<OutboxEnv, "clock" | "log" | "hold">) {
    this.#journal = journal;
    this.#stage = stage;
    this.#host = host;
    this.#env = env;
  }

  /** Resolves at the next `wake`. */
  get woken(): Promise<void> {
    return this.#wake.promise;
  }

  /** The lane may have fallen behind. Costs nothing when it has not, or when that is known. */
  start(): void {
    if (this.#running !== undefined || this.#retry !== undefined || this.#isClosed) return;
    if (this.#host.target === undefined) return;
    const held = this.#env.hold?.();
    this.#running = this.#run()
      .catch((error: unknown) => this.#onFault(error))
      .finally(() => {
        held?.[Symbol.dispose]();
        this.#running = undefined;
        this.start(); // it may have fallen behind again since the last look
      });
  }

  /** Something has changed: looks again whether it can go on. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
    this.start();
  }

  /** What was read ahead is not what comes next: `sentSeq` was moved. */
  goBack(): void {
    this.#reader = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#retry?.[Symbol.dispose]();
    this.wake();
    await this.#running;
  }

  /** The reader stays: it counts its attempts, and passes over what the disk refuses again and again. */
  #onFault(error: unknown): void {
    if (!isFault(error)) throw error;
    if (this.#isClosed) return;
    if (this.fault === null) {
      this.#env.log.error("outbox: reading the backlog failed; trying again", { error: explain(error) });
    }
    this.fault = explain(error);
    const delay = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)]!;
    this.#failures += 1;
    this.#retry = this.#env.clock.after(delay, () => {
      this.#retry = undefined;
      this.start();
    });
    this.#host.onFault();
  }

  async #run(): Promise<void> {
    for (;;) {
      const carrier = this.#host.target;
      if (carrier === undefined || this.#isClosed) break;
      if (this.#host.mustWait || carrier.isCongested) await this.#wake.promise;
      else if (this.#host.sentSeq < this.#journal.lastSeq) await this.#sendStored(carrier);
      else if (this.#sendStaged(carrier)) this.#host.onCaughtUp(carrier);
      else this.#host.onPass(carrier);
    }
    this.#reader = undefined;
    this.fault = null;
  }

  async #sendStored(carrier: Carrier): Promise<void> {
    this.#reader ??= this.#journal.read(this.#host.sentSeq + 1);
    const reader = this.#reader;
    const { isGoingBack } = this.#host;
    const startedAt = this.#env.clock.now();
    const durable = this.#journal.lastSeq; // taken before reading: what is appended meanwhile must be read, too
    const read = await reader.next(Math.max(READ_BYTES_MIN, Math.min(READ_BYTES, Math.floor(carrier.room))));
    this.fault = null;
    this.#failures = 0;
    if (this.#reader !== reader) return;
    this.#reader = undefined;
    // Another link wants it from the beginning, and what is to be looked at again comes before what was read meanwhile.
    if (this.#host.target !== carrier || this.#host.mustWait) return;
    if (read === undefined) {
      this.#host.skipTo(durable); // the numbers in between were confirmed before they were written
      return;
    }
    const { slab, start, end, epoch, boot } = read;
    // On the link it is longer, by its id and its time: what fits the room here need not fit there. Nobody else writes meanwhile.
    const full = carrier.out.pendingBytes + Math.min(PASS_BYTES, carrier.room);
    let isAllSent = true;
    for (let at = start; isAllSent && at < end; at += recordBytes(slab, at)) {
      if (recordSeq(slab, at) <= this.#host.sentSeq) continue;
      isAllSent = carrier.out.pendingBytes < full && this.#host.sendNext(slab, at, epoch, boot);
    }
    if (!isAllSent) reader.putBack(this.#host.sentSeq + 1);
    this.#reader = reader;
    if (isGoingBack) this.backMs += this.#env.clock.now() - startedAt;
    this.#host.onPass(carrier);
    // A socket takes little at once: without a turn of the event loop the hub would wait while we go on, and we for it thereafter.
    if (end - start >= TURN_BYTES) await setImmediate();
  }

  /** Returns true when everything in memory has been sent; false when the link cannot take more now. */
  #sendStaged(carrier: Carrier): boolean {
    let isAllSent = true;
    this.#stage.forEachAfter(this.#host.sentSeq, (slab, at) => {
      isAllSent = !carrier.isCongested && this.#host.sendNext(slab, at, this.#journal.epoch);
      return isAllSent;
    });
    return isAllSent;
  }
}
