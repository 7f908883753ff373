// One ordered stream of kept messages towards one hub: confirm-or-commit (DESIGN §4.3).
//
//   seq   ──────●────────────────●───────────────●──────────────●───▶
//          confirmed           sent          committed        last
//
//   direct    the link has everything up to `last`: new messages are staged and sent at once
//   draining  the link is behind: drain.ts reads the journal, then the stage, and turns direct when it has caught up
//   down      no link: staged messages are committed each interval
//
// A message is safe when it is committed (journal, after fdatasync) or confirmed (a PONG behind it), whichever comes first.
// Held messages (nobody at the hub listens yet) count as sent but never as confirmed: they stay until somebody does.
// Invariants and the way of a message: README.md. Tests: test/unit/outbox/, test/simulation/.

import { assert } from "#base/assert.ts";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { NumberRing } from "#base/ring.ts";
import type { Batch } from "#core/batch.ts";
import type { Ticket } from "#core/sink.ts";
import type { Journal } from "#journal/journal.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordSeq, recordTime } from "#journal/record.ts";
import { Committer } from "./committer.ts";
import { Drain } from "./drain.ts";
import { HeldSet } from "./held-set.ts";
import type { Carrier } from "./hub-view.ts";
import { encodeKept, KeptView, keptBytes } from "./kept-message.ts";
import type { KeptWriter } from "./kept-writer.ts";
import { Stage } from "./stage.ts";

/** Staged bytes above which publishers are paused: the disk cannot keep up. */
export const STAGE_BYTES_MAX = 8 * 1024 * 1024;
/** PINGs under way as receipts, at most. */
const BARRIERS_MAX = 2;

/** What becomes of one kept message now that the link could take it. `park`: nobody listens, but somebody may soon. */
export type Fate =
  | { readonly at: "send"; readonly groups: readonly string[] }
  | { readonly at: "park" }
  | { readonly at: "discard" };

export interface LaneOptions {
  readonly commitInterval: Millis;
}

/** What the lane asks of its outbox. */
export interface LaneHost {
  /** Asked for each message that comes from the backlog; `wireBytes` is its header block and payload as sent. */
  fateOf(subject: string, wireBytes: number, seq: number, time: WallMillis): Fate;
  /** More is safe than before: `oldestWaiting` has risen. */
  onSafe(): void;
  /** The stage has room again. */
  onRoom(): void;
  /** The lane is no longer behind: the link has everything of it, or all that it can give for now. */
  onCaughtUp(): void;
  /** A commit is done: a good moment to keep within the limits of the disk. */
  onCommitted(): Promise<void>;
  /** A commit found no space left: a good moment to make some, before it is tried again. */
  onDiskFull(): Promise<void>;
  onUnreadable(seq: number): void;
}

export class Lane implements AsyncDisposable {
  readonly journal: Journal;
  readonly #host: LaneHost;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #writer: KeptWriter;
  readonly #stage = new Stage();
  readonly #committer: Committer;
  readonly #drain: Drain;
  readonly #held = new HeldSet();
  /** Held messages that are on their way after all, rising. */
  readonly #heldSent = new NumberRing();
  /** seq, ticket, staged at: one triple per message that waits to be safe. */
  readonly #waiting = new NumberRing();
  /** seq and messages sent so far: one pair per PING under way. */
  readonly #barriers = new NumberRing();
  readonly #view = new KeptView();
  #carrier: Carrier | undefined;
  #isDirect = false;
  #closing: Promise<void> | undefined;
  #lastSeq: number;
  #sentSeq: number;
  #confirmedSeq: number;
  #safeSeq: number;
  /** While held messages are looked through again: everything up to here that is not held has been confirmed. */
  #doneSeq = 0;
  #isLookDue = false;
  /** What comes next is to be held, and was found to have no place. */
  #wantsPlace = false;
  /** The router has seen us full and paused publishers: it must hear when there is room. */
  #hasBeenFull = false;
  /** When the batch under way began to be staged; 0 between batches. */
  #batchAt: Millis = 0;
  #sentMessages = 0;
  #delivered = 0;

  constructor(
    journal: Journal,
    writer: KeptWriter,
    options: LaneOptions,
    host: LaneHost,
    env: { readonly clock: Clock; readonly log: Log },
  ) {
    this.journal = journal;
    this.#writer = writer;
    this.#host = host;
    this.#clock = env.clock;
    this.#log = env.log;
    this.#lastSeq = journal.lastSeq;
    this.#safeSeq = journal.lastSeq;
    this.#confirmedSeq = journal.firstSeq - 1;
    this.#sentSeq = this.#confirmedSeq;
    const committing = {
      waitingSince: () => (this.#waiting.size === 0 ? undefined : this.#waiting.at(2)),
      lastSeq: () => this.#lastSeq,
      onWritten: () => this.#onWritten(),
      onCommitted: () => host.onCommitted(),
      onDiskFull: () => host.onDiskFull(),
      onPassed: () => this.#onPassed(),
    };
    this.#committer = new Committer(journal, this.#stage, options.commitInterval, committing, env);
    const lane = this;
    const draining = {
      get target() {
        return lane.#isDirect ? undefined : lane.#carrier;
      },
      get mustWait() {
        return lane.#isLookDue || lane.#isStuck;
      },
      get sentSeq() {
        return lane.#sentSeq;
      },
      sendNext: (slab: Buffer, at: number, epoch: number) => this.#sendFromBacklog(slab, at, epoch),
      skipTo: (seq: number) => {
        this.#sentSeq = Math.max(this.#sentSeq, seq);
      },
      onPass: (carrier: Carrier) => this.#onDrained(carrier),
      onCaughtUp: (carrier: Carrier) => this.#onCaughtUp(carrier),
      onFault: () => host.onCaughtUp(), // nobody waits for a lane that cannot read
    };
    this.#drain = new Drain(journal, this.#stage, draining, env);
  }

  get isFull(): boolean {
    return this.#stage.bytes > STAGE_BYTES_MAX;
  }

  /** Ticket of the oldest message that is not safe; Infinity when all are. */
  get oldestWaiting(): Ticket {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : this.#waiting.at(1);
  }

  /** There is a link, and it does not have everything yet though it could. */
  get isBehind(): boolean {
    return this.#carrier !== undefined && !this.#isDirect && this.#drain.fault === null && !this.#isStuck;
  }

  get #isStuck(): boolean {
    return this.#wantsPlace && this.#held.isFull;
  }

  status() {
    return {
      mode: this.#carrier === undefined ? ("down" as const) : this.#isDirect ? ("direct" as const) : ("draining" as const),
      /** Messages not yet confirmed by the hub: on flash and in memory. */
      depth: this.journal.records + this.#stage.count,
      flashBytes: this.journal.bytes,
      stagedBytes: this.#stage.bytes,
      held: this.#held.size,
      lastSeq: this.#lastSeq,
      confirmedSeq: this.#confirmedSeq,
      committedSeq: this.#committer.committedSeq,
      delivered: this.#delivered,
      commits: this.#committer.commits,
      fault: this.#committer.fault ?? this.#drain.fault,
    };
  }

  /**
   * Stages message `index`; `fate` says what to do with it if the link is direct. Its ticket is safe once committed or confirmed.
   * `time` is the capture time in milliseconds since 1970.
   */
  stage(batch: Batch, index: number, ticket: Ticket, time: number, fate: Fate): void {
    assert(this.#closing === undefined, "stage into a closed lane");
    const seq = ++this.#lastSeq;
    const bytes = keptBytes(batch, index);
    const { slab, body } = this.#stage.add(seq, time, bytes);
    encodeKept(slab, body, batch, index);
    if (this.#batchAt === 0) {
      this.#batchAt = this.#clock.now();
      if (this.#isDirect && this.#carrier!.isCongested) this.#isDirect = false;
    }
    this.#waiting.push(seq);
    this.#waiting.push(ticket);
    this.#waiting.push(this.#batchAt);
    if (!this.#isDirect) return;
    if (fate.at === "send") this.#send(slab, body - RECORD_HEADER_BYTES, this.journal.epoch, fate.groups);
    else if (fate.at === "park" && !this.#held.isFull) this.#held.add(seq);
    else {
      this.#isDirect = false; // it is for the drain to decide
      return;
    }
    this.#sentSeq = seq;
  }

  /** The batch is over: ask for a receipt of what was sent, see to the commit of the rest. */
  flush(): void {
    this.#batchAt = 0;
    this.#askReceipt();
    this.#committer.arm();
    if (this.isFull) this.#hasBeenFull = true;
    this.#drain.start();
  }

  /** A link is ready: everything unconfirmed is sent again, in order. */
  onReady(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#isLookDue = this.#held.size > 0;
    this.#tryLookAgain();
    this.#drain.wake();
  }

  onDown(): void {
    this.#carrier = undefined;
    this.#isDirect = false;
    this.#barriers.clear();
    this.#heldSent.clear();
    this.#sentSeq = this.#confirmedSeq;
    this.#sentMessages = this.#delivered;
    this.#wantsPlace = false;
    this.#drain.goBack();
    this.#drain.wake();
  }

  /** The PONG of the oldest barrier: the hub has parsed and delivered everything sent before it. */
  onReceipt(): void {
    const seq = this.#barriers.shift();
    const messages = this.#barriers.shift();
    if (Number.isNaN(seq)) return;
    this.#delivered = messages;
    this.#confirmedSeq = Math.max(this.#confirmedSeq, seq);
    while (this.#heldSent.peek() <= seq) this.#held.remove(this.#heldSent.shift());
    this.#stage.confirm(this.#doneThrough());
    this.journal.free(this.#doneThrough());
    this.#tellSafe();
    this.#tellRoom();
    this.#tryLookAgain();
    this.#askReceipt();
    this.#carrier?.flush();
    this.#drain.wake();
  }

  /** Somebody at the hub may listen to what is held, or nobody ever will: look through it again. */
  lookAgain(): void {
    if (this.#held.size === 0 || this.#carrier === undefined) return;
    this.#isLookDue = true;
    this.#isDirect = false;
    this.#tryLookAgain();
    this.#drain.wake();
  }

  /** Goes back to the first held message, once nothing is under way: what was sent must not be sent twice over one link. */
  #tryLookAgain(): void {
    if (!this.#isLookDue || this.#barriers.size > 0 || this.#sentSeq > this.#confirmedSeq) return;
    this.#isLookDue = false;
    this.#doneSeq = Math.max(this.#doneSeq, this.#confirmedSeq);
    this.#confirmedSeq = Math.min(this.#confirmedSeq, this.#held.first - 1);
    this.#sentSeq = this.#confirmedSeq;
    this.#wantsPlace = false;
    this.#drain.goBack();
  }

  /** Room in the link: go on with the backlog. */
  onRoom(): void {
    this.#drain.wake();
  }

  /** Forgets the oldest segment on flash. Returns what was lost, undefined when there is nothing to forget. */
  async dropOldest(): Promise<{ readonly fromSeq: number; readonly throughSeq: number; readonly records: number } | undefined> {
    const dropped = await this.journal.dropOldest();
    if (dropped === undefined) return undefined;
    this.#held.removeThrough(dropped.throughSeq);
    this.#confirmedSeq = Math.max(this.#confirmedSeq, dropped.throughSeq);
    this.#sentSeq = Math.max(this.#sentSeq, dropped.throughSeq);
    this.#drain.wake(); // there may be a place among the held again
    return dropped;
  }

  /** Resolves when the hub has confirmed everything, or after `budget`, or at once without a link. */
  async settle(budget: Millis): Promise<void> {
    const end = this.#clock.now() + budget;
    let isOver = false;
    using _timer = this.#clock.after(budget, () => {
      isOver = true;
      this.#drain.wake();
    });
    while (!isOver && this.#clock.now() < end && this.#carrier !== undefined && this.#confirmedSeq < this.#lastSeq)
      await this.#drain.woken;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.onDown();
    this.#committer[Symbol.dispose]();
    await this.#drain[Symbol.asyncDispose]();
    try {
      await this.#committer.commitAll();
    } catch (error) {
      this.#log.error(
        "outbox: the last commit before closing failed; what was acknowledged is safe, the rest was never acknowledged",
        { error: explain(error) },
      );
    }
    await this.journal[Symbol.asyncDispose]();
  }

  #send(slab: Buffer, at: number, epoch: number, groups: readonly string[]): void {
    const carrier = this.#carrier!;
    if (!this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) return;
    this.#writer.write(carrier.out, this.#view, epoch, recordSeq(slab, at), recordTime(slab, at), groups);
    this.#sentMessages += 1;
  }

  #askReceipt(): void {
    const carrier = this.#carrier;
    if (carrier === undefined || this.#barriers.size >= BARRIERS_MAX * 2) return;
    const asked = this.#barriers.size === 0 ? this.#confirmedSeq : this.#barriers.at(this.#barriers.size - 2);
    if (this.#sentSeq <= asked) return;
    carrier.barrier();
    this.#barriers.push(this.#sentSeq);
    this.#barriers.push(this.#sentMessages);
  }

  // ── safe ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A PONG may have overtaken the disk: it could not free what was being written, nor what was staged behind that. */
  #onWritten(): void {
    this.#stage.confirm(this.#doneThrough());
    this.journal.free(this.#doneThrough());
    this.#tellSafe();
  }

  #onPassed(): void {
    this.#stage.confirm(this.#doneThrough());
    this.#drain.wake();
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (!this.#hasBeenFull || this.isFull) return;
    this.#hasBeenFull = false;
    this.#host.onRoom();
  }

  #tellSafe(): void {
    const { committedSeq } = this.#committer;
    const heldInMemory = this.#held.firstAbove(committedSeq);
    this.#safeSeq = Math.max(this.#safeSeq, committedSeq, Math.min(this.#confirmedSeq, heldInMemory - 1));
    if (!(this.#waiting.peek() <= this.#safeSeq)) return;
    while (this.#waiting.peek() <= this.#safeSeq) {
      this.#waiting.shift();
      this.#waiting.shift();
      this.#waiting.shift();
    }
    this.#host.onSafe();
  }

  /** Up to where nobody needs a message any more. */
  #doneThrough(): number {
    return Math.min(Math.max(this.#confirmedSeq, this.#doneSeq), this.#held.first - 1);
  }

  // ── backlog ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onDrained(carrier: Carrier): void {
    this.#askReceipt();
    carrier.flush();
  }

  #onCaughtUp(carrier: Carrier): void {
    this.#sentSeq = this.#lastSeq;
    this.#isDirect = true;
    this.#onDrained(carrier);
    this.#host.onCaughtUp();
  }

  /** False: it is to be held, and there is no place. Nobody waits for a lane that is stuck. */
  #sendFromBacklog(slab: Buffer, at: number, epoch: number): boolean {
    const seq = recordSeq(slab, at);
    this.#wantsPlace = !this.#decide(slab, at, epoch, seq);
    if (this.#wantsPlace) this.#host.onCaughtUp();
    else this.#sentSeq = seq;
    return !this.#wantsPlace;
  }

  #decide(slab: Buffer, at: number, epoch: number, seq: number): boolean {
    const isHeld = this.#held.has(seq);
    if (seq <= this.#doneSeq && !isHeld) return true;
    if (!this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) {
      this.#host.onUnreadable(seq);
      return true;
    }
    const time = recordTime(slab, at);
    const fate = this.#host.fateOf(this.#view.subjectText(), this.#writer.sizeOf(this.#view, epoch, seq, time), seq, time);
    if (fate.at === "park") {
      if (isHeld) return true;
      if (this.#held.isFull) return false;
      this.#held.add(seq);
      return true;
    }
    if (isHeld) this.#heldSent.push(seq);
    if (fate.at === "send") this.#send(slab, at, epoch, fate.groups);
    return true;
  }
}
