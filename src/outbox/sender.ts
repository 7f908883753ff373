// Puts a lane's messages on its link, and knows of each whether the hub has it.
//
//   confirm: accepted  ──▶ sent ──── PONG behind it ─────▶ done         in order: one number; out of turn: one by one (receipts.ts)
//   confirm: stored    ──▶ sent ──── held, awaited ─ answer ──▶ done    of a stream, with a reply subject of its own (awaiting.ts)
//
// Nothing is sent twice over one link, unless a stream left it without an answer for too long.
// Tests: test/unit/outbox/stored.test.ts, live-first.test.ts, test/simulation/

import type { Clock, Millis } from "#base/clock.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordTime } from "#journal/record.ts";
import { Awaiting } from "./awaiting.ts";
import type { Fate } from "./fate.ts";
import { KeptView } from "./kept-message.ts";
import type { KeptWriter, Manner } from "./kept-writer.ts";
import type { LaneLink } from "./lane-carrier.ts";
import type { Progress } from "./progress.ts";
import { Receipts } from "./receipts.ts";
import { SubjectCache } from "./subject-cache.ts";

/** Of what the drain wrote since the last receipt, fresh messages may send this much ahead of it where the link has no room, … */
const AHEAD_SHARE = 1 / 8;
/** … and this much in any case. */
const AHEAD_BYTES = 1024;

/** What a message that could not be sent has to wait for. */
export type Lack = "a place among the held" | "an answer of a stream" | "a line in the ledger" | "word of the hub's streams";

export class Sender {
  readonly awaiting: Awaiting;
  readonly #progress: Progress;
  readonly #writer: KeptWriter;
  readonly #clock: Clock;
  readonly #receipts = new Receipts();
  readonly #view = new KeptView(new SubjectCache());
  /** Of the message at hand. */
  #stamp = 0;
  readonly #manner: Manner = { groups: [], inbox: null, isHistorical: false, boot: null };
  #link: LaneLink | undefined;
  /** Bytes that may still be sent ahead though the link has no room. */
  #aheadBytes = 0;
  /** Bytes of backlog written since the last receipt. */
  #drainedBytes = 0;
  /** Sent for a PONG to confirm, less those that a lost link left open. */
  #sentMessages = 0;
  #accepted = 0;
  #stored = 0;
  /** Sent over a link that fell, not known to have arrived: through which seq, … */
  #doubtThrough = 0;
  /** … and since when. */
  #doubtSince: Millis = Number.POSITIVE_INFINITY;

  constructor(progress: Progress, writer: KeptWriter, clock: Clock, onTimeout: (subject: string, seq: number) => void) {
    this.#progress = progress;
    this.#writer = writer;
    this.#clock = clock;
    this.awaiting = new Awaiting(clock, onTimeout);
  }

  /** Messages that the hub has, and all the same to whom: parsed by it, or stored. */
  get delivered(): number {
    return this.#accepted + this.#stored;
  }

  /** No PONG is owed to us, and none is wanted for what was sent. */
  get isIdle(): boolean {
    return this.#receipts.isIdle && this.#progress.sentSeq <= this.#progress.confirmedSeq;
  }

  /** Was something up to `through` sent over this link of which nobody knows yet whether it arrived? */
  isUnderWay(through: number): boolean {
    if (this.#link === undefined) return false;
    const { confirmedSeq, sentSeq, ahead } = this.#progress;
    if (confirmedSeq < Math.min(sentSeq, through)) return true;
    return ahead.first <= through || this.awaiting.hasThrough(through);
  }

  /** When the oldest was sent of what the hub may have or not; Infinity: there is nothing of that kind. */
  get doubtSince(): Millis {
    const underWay = this.isIdle ? Number.POSITIVE_INFINITY : this.#receipts.since;
    return Math.min(this.#doubtSince, this.awaiting.since, underWay);
  }

  // ── the message at hand ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the record at `at` the message at hand, stamped in `boot`: this one, unless told. False: its layout is unknown. */
  look(slab: Buffer, at: number, boot = this.#writer.bootId): boolean {
    this.#manner.boot = boot;
    this.#stamp = recordTime(slab, at);
    return this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at));
  }

  get subject(): string {
    return this.#view.subjectText();
  }

  /** When it was captured, by the calendar of its boot. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Header block and payload as sent, at most. */
  wireBytes(epoch: number, seq: number): number {
    return this.#writer.sizeOf(this.#view, epoch, seq, this.#stamp, this.#manner.boot);
  }

  /** Sends the message at hand or holds it, as its fate is. Returns what it lacks if neither can be done now. */
  pass(epoch: number, seq: number, fate: Extract<Fate, { at: "send" | "park" }>, isBacklog: boolean): Lack | undefined {
    if (fate.at === "send" && fate.confirm === "accepted") {
      this.#write(epoch, seq, fate, null, isBacklog);
      this.#sentMessages += 1;
      if (this.#progress.held.size > 0 && this.#progress.held.has(seq)) this.#receipts.onSentApart(seq);
      return undefined;
    }
    const { held } = this.#progress;
    const inbox = fate.at === "send" ? this.#link!.inbox : null; // without one nobody would hear a stream answer
    if (held.isFull && !held.has(seq)) return "a place among the held";
    if (inbox !== null && this.awaiting.isFull) return "an answer of a stream";
    held.add(seq);
    if (fate.at === "park" || inbox === null) return undefined;
    this.#write(epoch, seq, fate, inbox, isBacklog);
    this.awaiting.add(seq, this.subject, epoch);
    return undefined;
  }

  /** Sends the message at hand though older ones wait; leaves it to the drain where there is no room for that. */
  passAhead(epoch: number, seq: number, fate: Extract<Fate, { at: "send" }>): void {
    const link = this.#link;
    if (link === undefined || this.#progress.isFullAhead) return;
    const isOnTop = link.isCongested;
    if (isOnTop && this.#aheadBytes <= 0) return;
    const before = link.out.pendingBytes;
    if (this.pass(epoch, seq, fate, false) !== undefined) return;
    if (isOnTop) this.#aheadBytes -= link.out.pendingBytes - before;
    if (fate.confirm === "stored") return;
    this.#progress.ahead.add(seq);
    this.#receipts.onSentApart(seq);
  }

  #write(epoch: number, seq: number, fate: Extract<Fate, { at: "send" }>, inbox: string | null, isBacklog: boolean): void {
    const link = this.#link!;
    const { out } = link;
    const before = out.pendingBytes;
    this.#manner.groups = fate.groups;
    this.#manner.inbox = inbox;
    this.#manner.isHistorical = isBacklog && fate.order === "live_first";
    this.#writer.write(out, this.#view, epoch, seq, this.#stamp, this.#manner);
    const bytes = out.pendingBytes - before;
    link.onWritten(bytes);
    if (isBacklog) this.#drainedBytes += bytes;
    if (this.#receipts.isFirst) this.#receipts.onSent(this.#clock.now());
  }

  // ── what the hub has ────────────────────────────────────────────────────────────────────────────────────────────────

  askReceipt(): void {
    const { sentSeq, confirmedSeq } = this.#progress;
    if (this.#link === undefined || !this.#receipts.isDue(sentSeq, confirmedSeq)) return;
    this.#link.barrier();
    this.#receipts.onAsked(sentSeq, this.#sentMessages, this.#clock.now());
  }

  /** The PONG of the oldest PING. False: none was under way. */
  onReceipt(): boolean {
    if (!this.#receipts.take()) return false;
    this.#accepted = this.#receipts.messages;
    this.#progress.confirm(this.#receipts.seq);
    for (let seq = this.#receipts.takeApart(); seq > 0; seq = this.#receipts.takeApart()) {
      this.#progress.ahead.remove(seq);
      this.#progress.finish(seq);
    }
    this.awaiting.settleThrough(this.#progress.doneThrough);
    if (this.#progress.passedSeq >= this.#doubtThrough) this.#doubtSince = Number.POSITIVE_INFINITY;
    this.#aheadBytes = Math.max(AHEAD_BYTES, this.#drainedBytes * AHEAD_SHARE);
    this.#drainedBytes = 0;
    return true;
  }

  /** A stream has it. False: that is no news, or not true. */
  onStored(seq: number): boolean {
    this.awaiting.onAnswered(seq);
    if (!this.#progress.finishHeld(seq)) return false;
    this.#stored += 1;
    return true;
  }

  /** It is not awaited any more, and need not be sent again. False: it was done with already, or never sent. */
  onSettled(seq: number): boolean {
    this.awaiting.settle(seq);
    return this.#progress.finishHeld(seq);
  }

  /** A stream was seen to have it. */
  onFound(seq: number): void {
    this.onUnwanted(seq);
    this.#stored += 1;
  }

  /** Nobody wants it sent any more, ever. */
  onUnwanted(seq: number): void {
    this.awaiting.settle(seq);
    this.#progress.finish(seq);
  }

  // ── the link ────────────────────────────────────────────────────────────────────────────────────────────────────────

  onReady(link: LaneLink): void {
    this.#link = link;
    this.#aheadBytes = AHEAD_BYTES;
    this.#drainedBytes = 0;
  }

  onDown(): void {
    if (!this.isIdle) {
      this.#doubtThrough = Math.max(this.#doubtThrough, this.#progress.sentSeq, this.#progress.ahead.last);
      this.#doubtSince = Math.min(this.#doubtSince, this.#receipts.since);
    }
    this.#link = undefined;
    this.#receipts.clear();
    this.awaiting.onDown();
    this.#progress.onDown();
    this.#sentMessages = this.#accepted;
  }
}
