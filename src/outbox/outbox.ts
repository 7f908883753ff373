// The outbox of one remote: decides, by the owner's rules and by what the hub listens to, what is kept, what goes straight to
// the link and what is dropped and counted.
//
//   router ─ take ─▶ rule ─┬─ kept ──▶ lane of its class (stage → link or journal)   safe when committed or confirmed
//                          ├─ live ──▶ link                                    at most once
//                          └─ neither: counted in `losses`
//
// Tests: test/unit/outbox/, test/simulation/.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { type Batch, sizeOf } from "#core/batch.ts";
import type { Origin, Plan, Taken, Ticket, Upstream } from "#core/sink.ts";
import { displaySubject, isOfSpoke, isReserved, isValidSubject } from "#core/subject.ts";
import type { Packer } from "#journal/packer.ts";
import { type Calendar, isExpired, plainCalendar } from "./calendar.ts";
import { Drops } from "./drops.ts";
import type { BacklogMessage, Fate } from "./fate.ts";
import type { Carrier, HubView } from "./hub-view.ts";
import { KeptWriter } from "./kept-writer.ts";
import { Lane, type LaneHost } from "./lane.ts";
import { LaneSet } from "./lane-set.ts";
import { LivePath } from "./live-path.ts";
import type { Losses, LossReason } from "./losses.ts";
import type { JournalsPlace } from "./open-journals.ts";
import { openStore } from "./open-store.ts";
import type { OutboxOptions } from "./options.ts";
import { ParkedSubjects } from "./parked-subjects.ts";
import { PassedBy } from "./passed-by.ts";
import { DISCARD, isKept, Plans, type SubjectPlan, WAIT } from "./plans.ts";
import type { PubAck } from "./pub-ack.ts";
import { type LookFor, type Reconcile, Reconciling } from "./reconciling.ts";
import { Retention } from "./retention.ts";
import { RuleBook } from "./rules.ts";
import { StreamAnswers } from "./stream-answers.ts";
import { Thinner } from "./thinning-work.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

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
  /** Absent: the clock is taken at its word. */
  readonly time?: Calendar;
  /** Makes smaller what goes to flash. */
  readonly packer?: Packer;
}

export interface OutboxDeps extends JournalsPlace {
  /** Id of the data directory, part of every `Nats-Msg-Id`. */
  readonly device: string;
  readonly hub: HubView;
  /** Origin of what this remote's hub sends down. */
  readonly origin: Origin;
  /** Queue groups with local members, for messages that come from the backlog. */
  servedGroups(subject: string): readonly string[];
  /** Tells the lanes what streams at the hub hold already of what is in doubt. Absent: all of that is sent again. */
  readonly reconcile?: Reconcile;
  /** The same on a link that lives, for streams that do not answer. */
  readonly lookFor?: LookFor;
}

export async function openOutbox(options: OutboxOptions, deps: OutboxDeps, env: OutboxEnv, signal: AbortSignal): Promise<Outbox> {
  await using scope = new AsyncDisposableStack();
  const calendar = env.time ?? plainCalendar(env.clock);
  const storeEnv = calendar.bootId === null ? env : { ...env, bootId: calendar.bootId };
  const { journals, losses } = await openStore(options, deps, scope, storeEnv, signal);
  const makeLane = (urgency: UrgencyClass, host: LaneHost) =>
    new Lane(journals.get(urgency)!, new KeptWriter(deps.device, urgency, calendar), options, host, env);
  const outbox = new Outbox(options, deps, env, makeLane, losses);
  scope.move(); // the lanes own them now
  return outbox;
}

export class Outbox implements Upstream, AsyncDisposable {
  readonly origin: Origin;
  readonly losses: Losses;
  readonly lanes: LaneSet;
  readonly #options: OutboxOptions;
  readonly #deps: OutboxDeps;
  readonly #env: OutboxEnv;
  readonly #calendar: Calendar;
  readonly #plans: Plans;
  readonly #live: LivePath;
  readonly #retention: Retention;
  readonly #streams: StreamAnswers;
  readonly #reconciling: Reconciling;
  readonly #drops: Drops;
  readonly #passedBy: PassedBy;
  readonly #parked = new ParkedSubjects();
  #listener: OutboxListener | undefined;
  #carrier: Carrier | undefined;
  #toldSafe: Ticket = 0;
  #lastTicket: Ticket = 0;
  #stamp = 0;

  constructor(
    options: OutboxOptions,
    deps: OutboxDeps,
    env: OutboxEnv,
    makeLane: (urgency: UrgencyClass, host: LaneHost) => Lane,
    losses: Losses,
  ) {
    this.losses = losses;
    this.#options = options;
    this.#deps = deps;
    this.#env = env;
    this.origin = deps.origin;
    this.#calendar = env.time ?? plainCalendar(env.clock);
    const rules = new RuleBook(options);
    const parts = { rules, losses: this.losses, thinner: new Thinner(rules, this.losses, { ...env, calendar: this.#calendar }) };
    const retention = new Retention(options, parts, { ...env, calendar: this.#calendar, directory: deps.directory });
    this.#retention = retention;
    this.lanes = new LaneSet(CLASSES.map((urgency) => makeLane(urgency, this.#hostOf(urgency))));
    this.#reconciling = new Reconciling(this.lanes, deps.reconcile, env.clock);
    const wantsStreams = rules.all.some(({ confirm }) => confirm === "stored");
    const streams = {
      lanes: this.lanes,
      losses: this.losses,
      onChanged: (subject: string) => this.#forgetPlan(subject),
      ruleOf: (subject: string) => this.#plans.forBacklog(subject).rule?.index ?? null,
      isBehind: (subject: string) => !this.#plans.forBacklog(subject).lane.hasCaughtUp,
      laneOf: (subject: string) => this.#plans.forBacklog(subject).lane,
      lookFor: deps.lookFor,
      isDeaf: () => wantsStreams && this.#carrier?.inbox === null,
    };
    this.#streams = new StreamAnswers(streams, env);
    this.#plans = new Plans({
      rules,
      hub: deps.hub,
      servedGroups: (subject) => deps.servedGroups(subject),
      laneOf: (urgency) => this.lanes.lane(urgency),
      carrier: () => this.#carrier,
      isSuspended: (subject) => this.#streams.suspensions.has(subject),
    });
    this.#live = new LivePath({ hub: deps.hub, label: deps.origin.label, onRoom: () => this.#listener?.onRoom() }, env);
    this.#drops = new Drops(losses, options.commitInterval, env.clock, () => this.#tellSafe());
    this.#passedBy = new PassedBy(losses, () => this.lanes.onRoom());
    retention.start(this.lanes.all);
  }

  #hostOf(urgency: UrgencyClass): LaneHost {
    const outbox = this;
    return {
      get isWriting() {
        return outbox.#passedBy.isWriting;
      },
      fateOf: (subject, wireBytes, seq, stamp, epoch, boot = this.#calendar.bootId) =>
        this.#fateOfBacklog(urgency, { subject, wireBytes, seq, stamp, epoch, boot }),
      onSafe: () => this.#tellSafe(),
      onRoom: () => this.#listener?.onRoom(),
      onCaughtUp: () => this.lanes.onCaughtUp(urgency),
      onCommitted: () => this.#retention.keepWithinLimits(this.lanes.all),
      onDiskFull: () => this.#retention.makeRoom(this.lanes.all),
      onNotStored: (subject, seq) => this.#streams.onSilence(subject, seq),
      onUnreadable: (seq, epoch) => this.losses.add("corrupted", 1, { lane: urgency, fromSeq: seq, throughSeq: seq, epoch }),
    };
  }

  /** Names who is told. Once, before the first message. */
  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  get isFull(): boolean {
    return this.lanes.isFull || this.#live.isFull;
  }

  // ── from the router ─────────────────────────────────────────────────────────────────────────────────────────────────

  plan(subject: string, servedGroups: readonly string[]): Plan {
    this.#plans.forget(subject); // the router asks because something changed, local members of a queue group perhaps
    return this.#plans.make(subject, servedGroups);
  }

  take(batch: Batch, index: number, plan: Plan, ticket: Ticket): Taken {
    const known = plan as SubjectPlan; // made by our own `plan`, handed back by the router
    if (isKept(known, batch, index)) return this.#keep(batch, index, known, ticket);
    const obstacle = this.#live.send(batch, index, known, sizeOf(batch, index));
    if (obstacle === "too_large") this.#lose(obstacle, known);
    else if (obstacle !== null && !isOfSpoke(known.subject)) this.#countUnkept(obstacle, known); // word of a loss is none itself
    return "passed";
  }

  hears(plan: Plan): boolean {
    const { subject, mayExport, listening } = plan as SubjectPlan;
    if (this.#carrier === undefined) return false;
    const isAwaited = this.#deps.hub.answers?.isAwaited(subject) === true;
    return isAwaited || (mayExport && listening === "now");
  }

  flush(): void {
    this.#stamp = 0;
    this.lanes.flush();
    this.#live.flush();
    this.#carrier?.flush();
  }

  // ── from the link ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Live messages flow at once, the lanes when what is in doubt was looked for at the hub. */
  onReady(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#live.carrier = carrier;
    this.#streams.suspensions.onReady();
    this.onInterest();
    this.#reconciling.begin(carrier);
  }

  onDown(): void {
    this.#carrier = undefined;
    this.#live.carrier = undefined;
    this.#reconciling[Symbol.dispose]();
    this.#streams.suspensions.onDown();
    this.#live.endStall();
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
    this.#live.endStall();
    this.#listener?.onRoom();
  }

  /** What a stream says of a message that was sent with `<carrier.inbox>.<classIndex>.<seq>` as its reply. */
  onAnswer(classIndex: number, seq: number, answer: PubAck): void {
    this.#streams.onAnswer(classIndex, seq, answer);
  }

  /** The hub's interest in `filter` or, without one, its interest and permissions in general changed. */
  onInterest(filter?: string): void {
    const subject = filter !== undefined && isValidSubject(filter) ? filter : undefined;
    this.#listener?.invalidate(subject);
    if (filter !== undefined && isReserved(filter)) return; // never kept: an inbox that comes or goes is nothing to the lanes
    this.#plans.forget(subject);
    if (filter !== undefined && !this.#parked.concerns(filter)) return;
    this.#parked.clear();
    this.lanes.lookAgain();
  }

  // ── for status ──────────────────────────────────────────────────────────────────────────────────────────────────────

  status() {
    this.#tellDamage();
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
      liveSent: this.#live.sent,
      /** Bytes of the volume that are left to others; null while the disk was not asked. */
      freeReserve: this.#retention.freeReserve,
      /** Why nothing new is kept, in words; null while it is. */
      full: this.#retention.shut,
      /** Subjects whose stream does not store, the first few with the reason in words, and how many in all. */
      suspended: this.#streams.list(),
      suspendedSubjects: this.#streams.suspensions.size,
      lanes,
      losses: this.losses.list(),
      /** Why losses are counted in memory only, in words; null while they are written down. */
      ledgerFault: this.losses.fault,
    };
  }

  /** Commits what is staged and closes the journals. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#live[Symbol.dispose]();
    this.#streams.suspensions[Symbol.dispose]();
    this.#reconciling[Symbol.dispose]();
    await this.lanes[Symbol.asyncDispose]();
    this.#retention[Symbol.dispose]();
    this.#drops[Symbol.dispose]();
    this.#tellDamage();
    await this.losses[Symbol.asyncDispose]();
  }

  /** Damage shows at the start and while reading. */
  #tellDamage(): void {
    for (const [i, { journal }] of this.lanes.all.entries()) this.losses.addDamage(CLASSES[i]!, journal.damaged);
  }

  #tellSafe(): void {
    const watermark = Math.min(this.lanes.safeThrough, this.#drops.safeThrough, this.#lastTicket);
    if (watermark <= this.#toldSafe) return;
    this.#toldSafe = watermark;
    this.#listener?.onSafe(watermark);
  }

  // ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #keep(batch: Batch, index: number, plan: SubjectPlan, ticket: Ticket): Taken {
    const obstacle = this.#obstacleTo(plan, sizeOf(batch, index) + OWN_HEADER_BYTES);
    if (obstacle !== null) {
      this.#lose(obstacle, plan);
      return "passed";
    }
    if (this.#retention.shut !== null) return this.#turnAway(plan, ticket);
    if (this.#stamp === 0) this.#stamp = this.#calendar.stamp();
    if (plan.fate.at === "park") this.#parked.note(plan);
    if (plan.probe !== null) this.#streams.suspensions.onParked(plan.subject);
    plan.lane.stage(batch, index, ticket, this.#stamp, this.#inTurn(plan));
    this.#lastTicket = ticket;
    return "staged";
  }

  /** `when_full`: there is no room, and the oldest must not give way. */
  #turnAway(plan: SubjectPlan, ticket: Ticket): Taken {
    const isRefused = this.#options.whenFull === "refuse";
    this.#countUnkept(isRefused ? "refused" : "displaced", plan);
    if (isRefused) return "refused";
    this.#drops.note(ticket); // its publisher hears of it when it is written down
    this.#lastTicket = ticket;
    return "dropped";
  }

  /** Why a message is not kept, however much room there is. */
  #obstacleTo(plan: SubjectPlan, wireBytes: number): LossReason | null {
    if (!plan.mayExport) return "not_permitted";
    if (wireBytes > this.#deps.hub.payloadBytesMax) return "too_large";
    return plan.fate.at === "discard" ? "no_interest" : null;
  }

  #fateOfBacklog(lane: UrgencyClass, message: BacklogMessage): Fate {
    const { subject, wireBytes, seq, stamp, epoch, boot } = message;
    if (this.losses.isTold(lane, epoch, seq)) return DISCARD;
    const plan = this.#plans.forBacklog(subject);
    const isTooOld = isExpired(this.#calendar, stamp, boot, plan.rule?.maxAge ?? this.#options.maxAge);
    const reason = isTooOld ? "expired" : this.#obstacleTo(plan, wireBytes);
    if (reason !== null) {
      this.losses.add(reason, 1, { lane, fromSeq: seq, throughSeq: seq, epoch }, plan.rule?.index ?? null);
      this.#passedBy.note(subject);
      return DISCARD;
    }
    const isNext = plan.probe !== null || plan.fate.at === "send";
    if (isNext && this.#passedBy.delays(subject)) return WAIT;
    if (plan.probe !== null && this.#streams.suspensions.mayProbe(subject, seq)) return plan.probe;
    if (plan.fate.at === "park") this.#parked.note(plan);
    return plan.fate;
  }

  /** What is new must not reach the hub before it is on flash that an older one was given up; ahead of the backlog it may. */
  #inTurn({ fate, subject }: SubjectPlan): Fate {
    return fate.at === "send" && fate.order === "strict" && this.#passedBy.delays(subject) ? WAIT : fate;
  }

  /** Counted, and said in the log where it is a fault. */
  #lose(reason: LossReason, plan: SubjectPlan): void {
    if ((reason === "too_large" || reason === "not_permitted") && this.losses.count(reason) === 0) {
      const isLarge = reason === "too_large";
      this.#env.log.warn(
        isLarge
          ? "a message is larger than the hub takes and cannot be sent; make it smaller or raise max_payload at the hub"
          : "the hub's permissions or deny_exports forbid a subject; its messages stay local",
        { subject: displaySubject(plan.subject), limit: isLarge ? this.#deps.hub.payloadBytesMax : undefined },
      );
    }
    this.#countUnkept(reason, plan);
  }

  #countUnkept(reason: LossReason, plan: SubjectPlan): void {
    this.losses.add(reason, 1, null, plan.rule?.index ?? null);
  }

  #forgetPlan(subject: string): void {
    this.#plans.forget(subject);
    this.#listener?.invalidate(subject);
  }
}
