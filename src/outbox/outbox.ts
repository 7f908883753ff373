// The outbox of one remote: decides, by the owner's rules and by what the hub listens to, what is kept, what goes straight to
// the link and what is dropped and counted.
//
//   router ─ take ─▶ rule ─┬─ kept ──▶ lane of its class (stage → link or journal)   safe when committed or confirmed
//                          ├─ live ──▶ link                                    at most once
//                          └─ neither: counted in `losses`
//
// Tests: test/unit/outbox/, test/simulation/.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Batch } from "#core/batch.ts";
import {
  FLAG_DURABLE,
  flagsOf,
  HEADERS,
  HEADERS_END,
  PAYLOAD,
  PAYLOAD_END,
  REPLY,
  REPLY_END,
  replyOf,
  SPAN_WORDS,
  sizeOf,
} from "#core/batch.ts";
import type { Origin, Plan, Ticket, Upstream } from "#core/sink.ts";
import { displaySubject, isReserved, isValidSubject, subjectMatches } from "#core/subject.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { Carrier, HubView, Listening } from "./hub-view.ts";
import { KeptWriter } from "./kept-writer.ts";
import { type Fate, Lane, type LaneHost } from "./lane.ts";
import { LaneSet } from "./lane-set.ts";
import { Losses, type LossReason } from "./losses.ts";
import type { OutboxOptions, OutboxRule } from "./options.ts";
import { isExpired, Retention } from "./retention.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

/** How long a link that takes no more may hold up publishers before what is not kept is dropped instead. */
const STALL_MS: Millis = 1000;
/** A full outbox is cut into about this many segments, within the bounds below. */
const SEGMENTS_WANTED = 64;
const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
/** Plans of backlog subjects remembered. */
const PLANS_MAX = 8192;
/** What our own header lines add to a kept message, at most, in bytes. */
const OWN_HEADER_BYTES = 160;

/** The router's slot, as far as the outbox knows it. */
export interface OutboxListener {
  invalidate(subject?: string): void;
  onSafe(watermark: Ticket): void;
  onRoom(): void;
}

export interface OutboxEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
}

export interface OutboxDeps {
  /** Id of the data directory, part of every `Nats-Msg-Id`. */
  readonly device: string;
  readonly directory: string;
  readonly hub: HubView;
  /** Origin of what this remote's hub sends down. */
  readonly origin: Origin;
  /** Queue groups with local members, for messages that come from the backlog. */
  servedGroups(subject: string): readonly string[];
}

interface SubjectPlan {
  readonly rule: OutboxRule | undefined;
  readonly subject: string;
  readonly isReserved: boolean;
  readonly mayExport: boolean;
  readonly listening: Listening;
  readonly groups: readonly string[];
  readonly lane: Lane;
  /** `LMSG <subject> …` as it stands on the wire in front of the size, for a message with neither headers nor reply. */
  readonly line: string;
  /** What a kept message meets at the hub now. */
  readonly fate: Fate;
}

export async function openOutbox(options: OutboxOptions, deps: OutboxDeps, env: OutboxEnv, signal: AbortSignal): Promise<Outbox> {
  // The oldest give way a segment at a time: small ones where there is little room in all.
  const { totalBytes } = await env.disk.space(deps.directory);
  const share = Math.floor(Math.min(options.maxBytes, totalBytes) / SEGMENTS_WANTED);
  const segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, share));
  await using scope = new AsyncDisposableStack();
  const journals = new Map<UrgencyClass, Journal>();
  for (const urgency of CLASSES) {
    const journal = await openJournal({ directory: `${deps.directory}/${urgency}`, segmentBytes }, env, signal);
    journals.set(urgency, scope.use(journal));
  }
  const outbox = new Outbox(options, deps, env, (urgency, host) => {
    return new Lane(journals.get(urgency)!, new KeptWriter(deps.device, urgency), options, host, env);
  });
  scope.move(); // the lanes own them now
  return outbox;
}

export class Outbox implements Upstream, AsyncDisposable {
  readonly origin: Origin;
  readonly losses = new Losses();
  readonly lanes: LaneSet;
  readonly #options: OutboxOptions;
  readonly #deps: OutboxDeps;
  readonly #env: OutboxEnv;
  readonly #plans = new Map<string, SubjectPlan>();
  #listener: OutboxListener | undefined;
  #carrier: Carrier | undefined;
  #stall: Disposable | undefined;
  #isStalled = false;
  /** Something that is not kept was written since the last flush. */
  #hasLive = false;
  /** Something that is not kept was written to a link that has no room: its publishers must slow down. */
  #hasOverrun = false;
  #toldSafe: Ticket = 0;
  #lastTicket: Ticket = 0;
  #time: WallMillis = 0;
  #liveSent = 0;

  constructor(
    options: OutboxOptions,
    deps: OutboxDeps,
    env: OutboxEnv,
    makeLane: (urgency: UrgencyClass, host: LaneHost) => Lane,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#env = env;
    this.origin = deps.origin;
    const retention = new Retention(options, this.losses, { ...env, directory: deps.directory });
    const hostFor = (urgency: UrgencyClass): LaneHost => ({
      fateOf: (subject, wireBytes, seq, time) => this.#fateOfBacklog(urgency, subject, wireBytes, seq, time),
      onSafe: () => this.#tellSafe(),
      onRoom: () => this.#listener?.onRoom(),
      onCaughtUp: () => this.lanes.onCaughtUp(urgency),
      onCommitted: () => retention.keepWithinLimits(this.lanes.all),
      onDiskFull: () => retention.makeRoom(this.lanes.all),
      onUnreadable: (seq) => this.losses.add("unreadable", 1, { lane: urgency, fromSeq: seq, throughSeq: seq }),
    });
    this.lanes = new LaneSet(CLASSES.map((urgency) => makeLane(urgency, hostFor(urgency))));
  }

  /** Names who is told about safety and room. Once, before the first message. */
  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  get isFull(): boolean {
    return this.lanes.isFull || (this.#hasOverrun && !this.#isStalled);
  }

  // ── from the router ─────────────────────────────────────────────────────────────────────────────────────────────────

  plan(subject: string, servedGroups: readonly string[]): Plan {
    this.#plans.delete(subject); // the router asks because something changed, local members of a queue group perhaps
    return this.#plan(subject, servedGroups);
  }

  #plan(subject: string, servedGroups: readonly string[]): SubjectPlan {
    const { hub } = this.#deps;
    const rule = this.#options.rules.find((candidate) => candidate.subjects.some((filter) => subjectMatches(filter, subject)));
    const listening = hub.listening(subject, servedGroups);
    const groups = listening === "now" ? hub.groups(subject, servedGroups) : [];
    const mayExport = hub.mayExport(subject);
    return {
      rule,
      subject,
      isReserved: isReserved(subject),
      mayExport,
      listening,
      groups,
      lane: this.lanes.lane(rule?.class ?? "state"),
      line: `LMSG ${addressOf(subject, "", groups)}`,
      fate: fateFor(listening, groups, rule),
    };
  }

  take(batch: Batch, index: number, plan: Plan, ticket: Ticket): boolean {
    const known = plan as SubjectPlan; // made by our own `plan`, handed back by the router
    if (this.#isKept(known, batch, index)) return this.#keep(batch, index, known, ticket);
    this.#sendLive(batch, index, known);
    return false;
  }

  hears(plan: Plan): boolean {
    const { subject, mayExport, listening } = plan as SubjectPlan;
    if (this.#carrier === undefined) return false;
    const isAwaited = this.#deps.hub.answers?.isAwaited(subject) === true;
    return isAwaited || (mayExport && listening === "now");
  }

  flush(): void {
    this.#time = 0;
    this.lanes.flush();
    const carrier = this.#carrier;
    if (carrier === undefined) return;
    if (this.#hasLive && carrier.isCongested) this.#onOverrun();
    this.#hasLive = false;
    carrier.flush();
  }

  // ── from the link ───────────────────────────────────────────────────────────────────────────────────────────────────

  onReady(carrier: Carrier): void {
    this.#carrier = carrier;
    this.onInterest();
    this.lanes.onReady(carrier);
  }

  onDown(): void {
    this.#carrier = undefined;
    this.#endStall();
    this.lanes.onDown();
    this.onInterest();
    this.#listener?.onRoom();
  }

  onReceipt(): void {
    this.lanes.onReceipt();
  }

  /** The link has room again: first for what waits in the lanes. */
  onRoom(): void {
    this.lanes.onRoom();
    this.#endStall();
    this.#listener?.onRoom();
  }

  /** The hub's interest in `filter` or, without one, its interest and permissions in general changed. */
  onInterest(filter?: string): void {
    const subject = filter !== undefined && isValidSubject(filter) ? filter : undefined;
    this.#listener?.invalidate(subject);
    if (filter !== undefined && isReserved(filter)) return; // never kept: an inbox that comes or goes is nothing to the lanes
    if (subject === undefined) this.#plans.clear();
    else this.#plans.delete(subject);
    this.lanes.lookAgain();
  }

  // ── for status ──────────────────────────────────────────────────────────────────────────────────────────────────────

  status() {
    const lanes = this.lanes.all.map((lane, i) => ({ class: CLASSES[i]!, ...lane.status(), recovery: lane.journal.recovery }));
    const modes = lanes.map(({ mode }) => mode);
    const sum = (of: (lane: (typeof lanes)[number]) => number) => lanes.reduce((total, lane) => total + of(lane), 0);
    return {
      mode: modes.find((mode) => mode !== "direct") ?? ("direct" as const),
      depth: sum((lane) => lane.depth),
      flashBytes: sum((lane) => lane.flashBytes),
      stagedBytes: sum((lane) => lane.stagedBytes),
      held: sum((lane) => lane.held),
      delivered: sum((lane) => lane.delivered),
      commits: sum((lane) => lane.commits),
      fault: lanes.find((lane) => lane.fault !== null)?.fault ?? null,
      lanes,
      liveSent: this.#liveSent,
      losses: this.losses.list(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endStall();
    await this.lanes[Symbol.asyncDispose]();
  }

  #tellSafe(): void {
    const watermark = Math.min(this.lanes.safeThrough, this.#lastTicket);
    if (watermark <= this.#toldSafe) return;
    this.#toldSafe = watermark;
    this.#listener?.onSafe(watermark);
  }

  // ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #isKept(plan: SubjectPlan, batch: Batch, index: number): boolean {
    const keep = plan.rule?.keep ?? "never";
    if (keep === "never" || plan.isReserved) return false;
    const at = index * SPAN_WORDS;
    if (batch.spans[at + REPLY] !== batch.spans[at + REPLY_END]) return false; // a request: nobody waits for an answer from last week
    return keep === "always" || (flagsOf(batch, index) & FLAG_DURABLE) !== 0;
  }

  #keep(batch: Batch, index: number, plan: SubjectPlan, ticket: Ticket): boolean {
    if (!plan.mayExport) return this.#refuse("not_permitted", plan);
    if (sizeOf(batch, index) + OWN_HEADER_BYTES > this.#deps.hub.payloadBytesMax) return this.#refuse("too_large", plan);
    if (plan.fate.at === "discard") return this.#refuse("no_interest", plan);
    if (this.#time === 0) this.#time = this.#env.clock.wall();
    plan.lane.stage(batch, index, ticket, this.#time, plan.fate);
    this.#lastTicket = ticket;
    return true;
  }

  /** Nothing to wait for: the message will not be kept. Counted, and said in the log where it is a fault. */
  #refuse(reason: LossReason, plan: SubjectPlan): false {
    if (reason !== "no_interest" && this.losses.count(reason) === 0) {
      this.#env.log.warn(
        reason === "too_large"
          ? "a message is larger than the hub takes and cannot be sent; make it smaller or raise max_payload at the hub"
          : "the hub's permissions or deny_exports forbid a subject; its messages stay local",
        { subject: displaySubject(plan.subject), limit: reason === "too_large" ? this.#deps.hub.payloadBytesMax : undefined },
      );
    }
    this.losses.add(reason);
    return false;
  }

  #fateOfBacklog(lane: UrgencyClass, subject: string, wireBytes: number, seq: number, time: WallMillis): Fate {
    let plan = this.#plans.get(subject);
    if (plan === undefined) {
      if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
      plan = this.#plan(subject, this.#deps.servedGroups(subject));
      this.#plans.set(subject, plan);
    }
    const reason = this.#obstacleToBacklog(plan, wireBytes, time);
    if (reason === null) return plan.fate;
    this.losses.add(reason, 1, { lane, fromSeq: seq, throughSeq: seq });
    return DISCARD;
  }

  #obstacleToBacklog(plan: SubjectPlan, wireBytes: number, time: WallMillis): LossReason | null {
    if (isExpired(time, this.#env.clock.wall(), this.#options.maxAge)) return "expired";
    if (!plan.mayExport) return "not_permitted";
    if (wireBytes > this.#deps.hub.payloadBytesMax) return "too_large";
    return plan.fate.at === "discard" ? "no_interest" : null;
  }

  // ── live ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #sendLive(batch: Batch, index: number, plan: SubjectPlan): void {
    const total = sizeOf(batch, index);
    const obstacle = this.#obstacle(plan, total);
    if (obstacle === "too_large") this.#refuse("too_large", plan);
    else if (obstacle !== null) this.losses.add(obstacle);
    else {
      this.#writeLive(this.#carrier!, batch, index, plan, total);
      this.#hasLive = true;
    }
  }

  /** Not kept, and no room: publishers are paused for a moment, then what is not kept is dropped until there is room. */
  #onOverrun(): void {
    this.#hasOverrun = true;
    this.#stall ??= this.#env.clock.after(STALL_MS, () => {
      this.#isStalled = true;
      this.#env.log.warn("the link takes no more bytes: what is not kept is dropped until it does", { link: this.origin.label });
      this.#listener?.onRoom();
    });
  }

  /** Why a message that is not kept cannot go to the hub now. */
  #obstacle(plan: SubjectPlan, totalBytes: number): LossReason | null {
    const { answers } = this.#deps.hub;
    if (this.#carrier === undefined)
      return !plan.mayExport ? "not_permitted" : plan.listening === "never" ? "no_interest" : "link_down";
    if (!plan.mayExport && answers?.spend(plan.subject) !== true) return "not_permitted";
    if (plan.listening !== "now" && answers?.isAwaited(plan.subject) !== true) return "no_interest";
    if (this.#isStalled && this.#carrier.isCongested) return "link_slow";
    return totalBytes > this.#deps.hub.payloadBytesMax ? "too_large" : null;
  }

  #writeLive(carrier: Carrier, batch: Batch, index: number, plan: SubjectPlan, total: number): void {
    const { bytes, spans } = batch;
    const at = index * SPAN_WORDS;
    const headers = spans[at + HEADERS_END]! - spans[at + HEADERS]!;
    const { out } = carrier;
    const hasReply = spans[at + REPLY] !== spans[at + REPLY_END];
    if (headers === 0 && !hasReply) out.text(plan.line);
    else
      out.text(`${headers > 0 ? "HMSG" : "LMSG"} ${addressOf(plan.subject, hasReply ? replyOf(batch, index) : "", plan.groups)}`);
    if (headers > 0) {
      out.number(headers);
      out.byte(0x20);
    }
    out.number(total);
    out.crlf();
    if (headers > 0) out.copy(bytes, spans[at + HEADERS]!, spans[at + HEADERS_END]!);
    out.copy(bytes, spans[at + PAYLOAD]!, spans[at + PAYLOAD_END]!);
    out.crlf();
    this.#liveSent += 1;
  }

  #endStall(): void {
    this.#stall?.[Symbol.dispose]();
    this.#stall = undefined;
    this.#isStalled = false;
    this.#hasOverrun = false;
  }
}

const DISCARD: Fate = { at: "discard" };
const PARK: Fate = { at: "park" };

/** DESIGN §4.2 `no_interest`: hold or drop, but never drop while somebody listened a moment ago. */
function fateFor(listening: Listening, groups: readonly string[], rule: OutboxRule | undefined): Fate {
  if (listening === "now") return { at: "send", groups };
  if (listening === "never" && rule?.noInterest !== "hold") return DISCARD;
  return PARK;
}
