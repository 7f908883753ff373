// One ordered stream of kept messages towards one hub: confirm-or-commit (DESIGN §4.3).
//
//   seq   ──────●────────────────●───────────────●──────────────●───▶
//          confirmed           sent          committed        last
//
//   direct    the link has everything up to `last`: new messages are staged and sent at once
//   draining  the link is behind: drain.ts reads the journal, then the stage, and turns direct when it has caught up
//   down      no link: staged messages are committed each interval
//
// A message is safe when it is committed (journal, after fdatasync) or confirmed, whichever comes first. What confirms it is a PONG
// behind it or, with `confirm: stored`, the answer of a stream. A held message (nobody at the hub listens yet, or no stream has answered
// yet) counts as sent, but no PONG confirms it. With `order: live_first` a fresh message may be sent ahead of the backlog.
//
//   stage, committer    in memory, on flash          drain, backlog    what is behind: read, decided about
//   sender              on the link                  progress          the numbers above, and the sets beside them
//   safety              who may be told, what may go                 giving-up         what must go though nobody has it
//
// Invariants and the way of a message: README.md. Tests: test/unit/outbox/, test/simulation/.

import { assert } from "#base/assert.ts";
import type { Clock, Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Batch } from "#core/batch.ts";
import type { Ticket } from "#core/sink.ts";
import type { Journal } from "#journal/journal.ts";
import { RECORD_HEADER_BYTES } from "#journal/record.ts";
import type { Awaiting } from "./awaiting.ts";
import { Backlog } from "./backlog.ts";
import { Committer } from "./committer.ts";
import { Drain } from "./drain.ts";
import type { Fate } from "./fate.ts";
import { GivingUp } from "./giving-up.ts";
import { encodeKept, keptBytes } from "./kept-message.ts";
import type { KeptWriter } from "./kept-writer.ts";
import type { LaneLink } from "./lane-carrier.ts";
import type { LaneHost, LaneOptions } from "./lane-host.ts";
import type { OutboxEnv } from "./outbox-deps.ts";
import { Progress, type Whereabouts } from "./progress.ts";
import { Safety } from "./safety.ts";
import { Sender } from "./sender.ts";
import type { SeqSet } from "./seq-set.ts";
import { Stage } from "./stage.ts";
import type { Look } from "./streams/suspensions.ts";

export class Lane implements AsyncDisposable {
  readonly journal: Journal;
  readonly givingUp: GivingUp;
  readonly #host: LaneHost;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stage = new Stage();
  readonly #committer: Committer;
  readonly #drain: Drain;
  readonly #safety: Safety;
  readonly #progress: Progress;
  readonly #sender: Sender;
  readonly #backlog: Backlog;
  #link: LaneLink | undefined;
  #isDirect = false;
  #closing: Promise<void> | undefined;
  #lastSeq: number;
  /** Everything up to here was left on flash by earlier lives. */
  readonly #inheritedThrough: number;
  /** Held messages are to be looked through again, as soon as nothing is under way. */
  #isLookDue = false;
  /** When the batch under way began to be staged; 0 between batches. */
  #batchAt: Millis = 0;

  constructor(
    journal: Journal,
    writer: KeptWriter,
    options: LaneOptions,
    host: LaneHost,
    env: Pick<OutboxEnv, "clock" | "log" | "hold">,
  ) {
    this.journal = journal;
    this.#host = host;
    this.#clock = env.clock;
    this.#log = env.log;
    this.#lastSeq = journal.lastSeq;
    this.#inheritedThrough = journal.recovery.records > 0 ? journal.lastSeq : 0;
    this.#progress = new Progress(journal.firstSeq - 1);
    this.#safety = new Safety(journal, this.#stage, this.#progress, host);
    this.#sender = new Sender(this.#progress, writer, env.clock, (subject, seq) => {
      this.#onAwaitedLess();
      host.onNotStored(subject, seq, "timeout");
    });
    this.#backlog = new Backlog(this.#progress, this.#sender, host, () => host.onCaughtUp());
    const committing = {
      waitingSince: () => this.#safety.waitingSince,
      lastSeq: () => this.#lastSeq,
      mayBeSpared: () => this.#link !== undefined,
      // A PONG may have overtaken the disk: it could not free what was being written.
      onWritten: () => this.#safety.onProgress(this.#committer.committedSeq),
      onCommitted: () => host.onCommitted(),
      onDiskFull: () => host.onDiskFull(),
      onPassed: () => {
        this.#safety.onPassed();
        this.#drain.wake();
        this.#safety.tellRoom();
      },
    };
    this.#committer = new Committer(journal, this.#stage, options.commitInterval, committing, env);
    const lane = this;
    const draining = {
      get target() {
        return lane.#isDirect ? undefined : lane.#link;
      },
      get mustWait() {
        return lane.#isLookDue || lane.givingUp.isDue || lane.#backlog.isStuck;
      },
      get isGoingBack() {
        return lane.#progress.isGoingBack;
      },
      get sentSeq() {
        return lane.#progress.sentSeq;
      },
      sendNext: (slab: Buffer, at: number, epoch: number, boot?: string | null) => this.#backlog.sendNext(slab, at, epoch, boot),
      skipTo: (seq: number) => this.#backlog.skipTo(seq),
      onPass: () => this.#onDrained(),
      onCaughtUp: () => this.#onCaughtUp(),
      onFault: () => host.onCaughtUp(), // nobody waits for a lane that cannot read
    };
    this.#drain = new Drain(journal, this.#stage, draining, env);
    const givingUp = { untilWoken: () => this.#drain.woken, onOver: () => this.#onGivenUp() };
    this.givingUp = new GivingUp(journal, this.#progress, this.#sender, givingUp, env.clock);
  }

  get isFull(): boolean {
    return this.#safety.isFull;
  }

  /** Ticket of the oldest message that is not safe; Infinity when all are. */
  get oldestWaiting(): Ticket {
    return this.#safety.oldestWaiting;
  }

  /** Its publisher has not been told that it is safe. */
  isWaiting(seq: number): boolean {
    return this.#safety.isWaiting(seq);
  }

  /** There is a link, and it does not have everything yet though it could: nobody waits for a stuck one. */
  get isBehind(): boolean {
    return this.#link !== undefined && !this.#isDirect && this.#drain.fault === null && !this.#backlog.isStuck;
  }

  status() {
    return {
      mode: this.#link === undefined ? ("down" as const) : this.#isDirect ? ("direct" as const) : ("draining" as const),
      /** Messages not yet confirmed by the hub: on flash and in memory. */
      depth: this.journal.records + this.#stage.count,
      flashBytes: this.journal.bytes,
      stagedBytes: this.#stage.bytes,
      /** Passed by for now: nobody listens, or no stream has answered yet. */
      held: this.#progress.held.size,
      /** Of these: sent over this link, for a stream to answer. */
      awaiting: this.#sender.awaiting.size,
      lastSeq: this.#lastSeq,
      confirmedSeq: this.#progress.confirmedSeq,
      committedSeq: this.#committer.committedSeq,
      delivered: this.#sender.delivered,
      commits: this.#committer.commits,
      fault: this.#committer.fault ?? this.#drain.fault,
    };
  }

  whereabouts(seq: number): Whereabouts {
    if (this.#progress.isSettled(seq)) return "settled";
    return this.#sender.awaiting.has(seq) ? "awaiting" : seq <= this.#committer.committedSeq ? "kept" : "staged";
  }

  // ── from the router ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Stages message `index`; `fate` says what to do with it if the link is direct. Its ticket is safe once committed or confirmed.
   * `time` is what the calendar stamped it with when it was captured.
   */
  stage(batch: Batch, index: number, ticket: Ticket, time: number, fate: Fate): void {
    assert(this.#closing === undefined, "stage into a closed lane");
    const seq = ++this.#lastSeq;
    const bytes = keptBytes(batch, index);
    const { slab, body } = this.#stage.add(seq, time, bytes);
    encodeKept(slab, body, batch, index);
    if (this.#batchAt === 0) {
      this.#batchAt = this.#clock.now();
      if (this.#isDirect && this.#link!.isCongested) this.#isDirect = false;
    }
    this.#safety.onStaged(seq, ticket, this.#batchAt);
    const at = body - RECORD_HEADER_BYTES;
    if (this.#isDirect) this.#sendAtOnce(slab, at, seq, fate);
    else if (fate.at === "send" && fate.order === "live_first") this.#sendAhead(slab, at, seq, fate);
  }

  /** The batch is over: ask for a receipt of what was sent, see to the commit of the rest. */
  flush(): void {
    this.#batchAt = 0;
    this.#sender.askReceipt();
    this.#committer.arm();
    this.#safety.onFlush();
    this.#drain.start();
  }

  #sendAtOnce(slab: Buffer, at: number, seq: number, fate: Fate): void {
    const isPassed =
      (fate.at === "send" || fate.at === "park") &&
      this.#sender.look(slab, at) &&
      this.#sender.pass(this.journal.epoch, seq, fate, false) === undefined;
    if (isPassed) this.#progress.sentSeq = seq;
    else this.#isDirect = false; // it is for the drain to decide
  }

  /** Not while going back for the held is due: nothing may be under way then. */
  #sendAhead(slab: Buffer, at: number, seq: number, fate: Extract<Fate, { at: "send" }>): void {
    if (this.#link === undefined || this.#isLookDue || !this.#sender.look(slab, at)) return;
    this.#sender.passAhead(this.journal.epoch, seq, fate);
  }

  // ── from the link ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A link is ready: everything unconfirmed is sent again, in order. */
  onReady(link: LaneLink): void {
    this.#link = link;
    this.#sender.onReady(link);
    this.#isLookDue = this.#progress.held.size > 0;
    this.#tryLookAgain();
    this.#drain.wake();
  }

  onDown(): void {
    this.#link = undefined;
    this.#isDirect = false;
    this.#sender.onDown();
    this.#backlog.startOver();
    this.#drain.goBack();
    this.#drain.wake();
  }

  /** The PONG of the oldest barrier: the hub has parsed and delivered everything sent before it. */
  onReceipt(): void {
    if (!this.#sender.onReceipt()) return;
    this.givingUp.onReceipt();
    this.#safety.onProgress(this.#committer.committedSeq);
    this.#safety.tellRoom();
    this.#tryLookAgain();
    this.#sender.askReceipt();
    this.#link?.flush();
    this.#drain.wake();
  }

  /** A stream has it: done, and safe. Also when it answers late, or for what it was sent over an earlier link. */
  onStored(seq: number): void {
    this.#onAnswered(this.#sender.onStored(seq));
  }

  /** It never will be stored: done with, and counted by whoever says so. */
  onRefused(seq: number): void {
    this.#onAnswered(this.#sender.onSettled(seq));
  }

  /** The hub says that it is not stored. It stays held until `lookAgain`, or another link. */
  onNotStored(seq: number): void {
    if (this.#sender.awaiting.giveUp(seq)) this.#onAwaitedLess();
  }

  /** What was sent for a stream to answer. */
  get awaiting(): Awaiting {
    return this.#sender.awaiting;
  }

  /** Room in the link: go on with the backlog. */
  onRoom(): void {
    this.#drain.wake();
  }

  #onAnswered(isNews: boolean): void {
    if (isNews) {
      this.#safety.onProgress(this.#committer.committedSeq);
      this.#safety.tellRoom();
    }
    this.#onAwaitedLess();
  }

  #onAwaitedLess(): void {
    const mayGoOn = this.#backlog.isWaiting && !this.#backlog.isStuck;
    if (mayGoOn || this.givingUp.isDue || this.#sender.awaiting.size === 0) this.#drain.wake();
  }

  // ── in doubt, held ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Since when something has been sent that the hub has not confirmed, monotonic; null: nothing has. */
  doubt(): { readonly sinceMs: Millis } | null {
    const { doubtSince: sinceMs } = this.#sender;
    return sinceMs === Number.POSITIVE_INFINITY ? null : { sinceMs };
  }

  /** Some of what an earlier life left is not done with: nobody knows what of it was sent. */
  get hasInherited(): boolean {
    return this.#progress.doneThrough < this.#inheritedThrough;
  }

  /** A stream holds these already: they are not sent again. To be told between two links. The set is the lane's from here on. */
  onFoundInStream(epoch: number, seqs: SeqSet): void {
    this.#progress.onFound(epoch, seqs);
  }

  /** Records that are in memory only, the oldest first, until `visit` returns false. */
  forEachStaged(visit: (slab: Buffer, at: number, seq: number) => boolean): void {
    this.#stage.forEachAfter(this.#committer.committedSeq, visit);
  }

  /** Somebody at the hub may listen to what is held, or nobody ever will: look through it again. */
  lookAgain(): void {
    if (this.#progress.held.size === 0 || this.#link === undefined) return;
    this.#isLookDue = true;
    this.#isDirect = false;
    this.#tryLookAgain();
    this.#drain.wake();
  }

  /** Everything has been passed, held messages too. */
  get hasCaughtUp(): boolean {
    return this.#isDirect;
  }

  /** Going back through the held: is that under way, and how long has it taken in all, waiting for the link not counted? */
  get look(): Look {
    return { isOn: this.#link !== undefined && (this.#isLookDue || this.#progress.isGoingBack), ms: this.#drain.backMs };
  }

  /** Goes back to the first held message, once nothing is under way: what was sent must not be sent twice over one link. */
  #tryLookAgain(): void {
    if (!this.#isLookDue || !this.#sender.isIdle) return;
    this.#isLookDue = false;
    this.#progress.goBack();
    this.#backlog.startOver();
    this.#drain.goBack();
  }

  // ── backlog ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onDrained(): void {
    this.#sender.askReceipt();
    this.#link?.flush();
  }

  #onCaughtUp(): void {
    this.#progress.onCaughtUp(this.#lastSeq);
    this.#isDirect = true;
    this.#onDrained();
    this.#host.onCaughtUp();
  }

  #onGivenUp(): void {
    this.#safety.onProgress(this.#committer.committedSeq);
    this.#drain.wake(); // there may be a place among the held again
  }

  // ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when the hub has confirmed everything and streams have answered, or after `budget`, or at once without a link. */
  async settle(budget: Millis): Promise<void> {
    const end = this.#clock.now() + budget;
    let isOver = false;
    using _timer = this.#clock.after(budget, () => {
      isOver = true;
      this.#drain.wake();
    });
    const isUnsettled = () => this.#progress.confirmedSeq < this.#lastSeq || this.#sender.awaiting.size > 0;
    while (!isOver && this.#clock.now() < end && this.#link !== undefined && isUnsettled()) await this.#drain.woken;
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
}
