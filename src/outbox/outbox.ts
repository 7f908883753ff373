// The outbox of one remote: decides, by the owner's rules and by what the hub listens to, what is kept, what goes straight to
// the link and what is dropped and counted.
//
//   router ─ take ─▶ rule ─┬─ kept ──▶ lane of its class (stage → link or journal)   safe when committed or confirmed
//                          ├─ live ──▶ link                                    at most once
//                          └─ neither: counted in `losses`
//
// Tests: test/unit/outbox/, test/simulation/.

import { type Batch, sizeOf } from "#core/batch.ts";
import type { Origin, Plan, Taken, Ticket, Upstream } from "#core/sink.ts";
import { isOfSpoke, isPassing, isValidSubject } from "#core/subject.ts";
import { type Calendar, isExpired, plainCalendar } from "./calendar.ts";
import { Drops } from "./drops.ts";
import type { BacklogMessage, Fate } from "./fate.ts";
import type { Carrier } from "./hub-view.ts";
import { KeptWriter } from "./kept-writer.ts";
import { Lane } from "./lane.ts";
import type { LaneHost } from "./lane-host.ts";
import { LaneSet } from "./lane-set.ts";
import { lanesStatus } from "./lanes-status.ts";
import type { Losses, LossReason } from "./ledger/losses.ts";
import { LivePath } from "./live-path.ts";
import { openStore } from "./open-store.ts";
import type { OutboxOptions } from "./options.ts";
import type { OutboxDeps, OutboxEnv, OutboxListener } from "./outbox-deps.ts";
import { ParkedSubjects } from "./parked-subjects.ts";
import { PassedBy } from "./passed-by.ts";
import { DISCARD, isKept, Plans, type SubjectPlan, WAIT } from "./plans.ts";
import { Reconciling } from "./reconcile/reconciling.ts";
import { Retention } from "./retention.ts";
import { RuleBook } from "./rules.ts";
import { Captures } from "./streams/captures.ts";
import type { PubAck } from "./streams/pub-ack.ts";
import { StreamAnswers } from "./streams/stream-answers.ts";
import { UnprovenSubjects } from "./streams/unproven-subjects.ts";
import { tellUnsendable } from "./tell-unsendable.ts";
import { Thinner } from "./thinning-work.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

/** What our own header lines add to a kept message, at most, in bytes. */
const OWN_HEADER_BYTES = 160;

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
  #options: OutboxOptions;
  readonly #rules: RuleBook;
  readonly #deps: OutboxDeps;
  readonly #env: OutboxEnv;
  readonly #calendar: Calendar;
  readonly #plans: Plans;
  readonly #live: LivePath;
  readonly #retention: Retention;
  readonly #streams: StreamAnswers;
  readonly #captures: Captures;
  readonly #unproven = new UnprovenSubjects();
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
    this.#rules = rules;
    const parts = { rules, losses: this.losses, thinner: new Thinner(rules, this.losses, { ...env, calendar: this.#calendar }) };
    this.#retention = new Retention(options, parts, { ...env, calendar: this.#calendar, directory: deps.directory });
    this.lanes = new LaneSet(CLASSES.map((urgency) => makeLane(urgency, this.#hostOf(urgency))));
    this.#reconciling = new Reconciling(this.lanes, deps.reconcile, env.clock);
    const wantsStreams = () => rules.all.some(({ confirm }) => confirm === "stored");
    const streams = {
      lanes: this.lanes,
      losses: this.losses,
      onChanged: (subject: string) => this.#forgetPlan(subject),
      ruleOf: (subject: string) => this.#plans.forBacklog(subject).rule?.index ?? null,
      isBehind: (subject: string) => !this.#plans.forBacklog(subject).lane.hasCaughtUp,
      laneOf: (subject: string) => this.#plans.forBacklog(subject).lane,
      lookFor: deps.lookFor,
      leftSince: (lane: Lane) => this.#reconciling.leftSince(lane),
      isDeaf: () => wantsStreams() && this.#carrier?.inbox === null,
      wantsStream: (subject: string) => this.#plans.wantsStream(subject),
      onDoubt: () => this.#captures.onDoubt(),
      onLost: this.#onLost,
    };
    this.#captures = new Captures(deps.streamDesk, { onTold: (isNews) => this.#onStreamsTold(isNews) }, env.clock);
    this.#streams = new StreamAnswers(streams, env);
    this.#plans = new Plans({
      rules,
      hub: deps.hub,
      servedGroups: (subject) => deps.servedGroups(subject),
      laneOf: (urgency) => this.lanes.lane(urgency),
      carrier: () => this.#carrier,
      isSuspended: (subject) => this.#streams.suspensions.has(subject),
      captureOf: (subject) => this.#captures.of(subject),
      onUnproven: (subject) => this.#unproven.note(subject),
    });
    this.#live = new LivePath({ hub: deps.hub, label: deps.origin.label, onRoom: () => this.#listener?.onRoom() }, env);
    this.#drops = new Drops(losses, options.commitInterval, env.clock, () => this.#tellSafe());
    this.#passedBy = new PassedBy(losses, () => this.lanes.onRoom());
    this.#retention.start(this.lanes.all);
  }

  #hostOf(urgency: UrgencyClass): LaneHost {
    const outbox = this;
    return {
      get isWriting() {
        return outbox.#passedBy.isWriting;
      },
      get isAsking() {
        return outbox.#captures.isAsking;
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

  /**
   * Other rules and limits, from now on: for what is new, and for what waits. Nothing that is kept moves to another lane. How
   * often it commits and whether it encrypts is of the next start.
   */
  async change(options: OutboxOptions): Promise<void> {
    const { commitInterval, encryption } = this.#options;
    this.#options = { ...options, commitInterval, encryption };
    this.#rules.change(options);
    this.losses.changeRules(options.rules);
    this.onInterest(); // plans, routes, and what is held: all of it by the new rules
    await this.#retention.change(this.#options, this.lanes.all);
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
    else if (obstacle !== null && !known.isCopy && !isOfSpoke(known.subject)) this.#countUnkept(obstacle, known); // word of a loss is none itself
    return "passed";
  }

  hears(plan: Plan): boolean {
    const { subject, mayExport, listening } = plan as SubjectPlan;
    if (this.#carrier === undefined) return false;
    return this.#deps.hub.answers?.isAwaited(subject) === true || (mayExport && listening === "now");
  }

  flush(): void {
    this.#stamp = 0;
    this.lanes.flush();
    this.#live.flush();
    this.#carrier?.flush();
  }

  /** What would become of a message on `subject` now, for people who ask. */
  outlook = (subject: string, servedGroups: readonly string[]): SubjectPlan => this.#plans.make(subject, servedGroups);

  // ── from the link ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Live messages flow at once, the lanes when what is in doubt was looked for at the hub. */
  onReady(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#live.carrier = carrier;
    this.#streams.suspensions.onReady();
    this.#captures.onReady();
    this.onInterest();
    this.#reconciling.begin(carrier, this.#streams.suspensions.size > 0);
  }

  onDown(): void {
    this.#carrier = undefined;
    this.#live.carrier = undefined;
    this.#reconciling[Symbol.dispose]();
    this.#streams.suspensions.onDown();
    this.#captures.onDown();
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
    // Never kept: an inbox that comes or goes is nothing to the lanes.
    if (filter !== undefined && isPassing(filter)) return void (this.#captures.onApi() && this.#onStreamsTold(true));
    this.#plans.forget(subject);
    if (filter !== undefined && this.#captures.onInterest(filter)) this.#forgetPlans();
    if (filter !== undefined && !this.#parked.concerns(filter)) return;
    this.#parked.clear();
    this.lanes.lookAgain();
  }

  // ── for status ──────────────────────────────────────────────────────────────────────────────────────────────────────

  status() {
    this.#tellDamage();
    return {
      ...lanesStatus(this.lanes),
      liveSent: this.#live.sent,
      /** Bytes of the volume that are left to others; null while the disk was not asked. */
      freeReserve: this.#retention.freeReserve,
      /** Why nothing new is kept, in words; null while it is. */
      full: this.#retention.shut,
      /** Subjects whose stream does not store, the first few with the reason in words, and how many in all. */
      suspended: this.#streams.list(),
      suspendedSubjects: this.#streams.suspensions.size,
      /** What is known of the hub's streams, for rules that leave it to the hub. */
      streams: this.#captures.status(),
      /** Subjects that a stream takes while their rule says accepted, the first few. */
      unproven: this.#unproven.list(),
      losses: this.losses.list(),
      /** Why losses are counted in memory only, in words; null while they are written down. */
      ledgerFault: this.losses.fault,
    };
  }

  /** Commits what is staged and closes the journals. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#live[Symbol.dispose]();
    this.#streams.suspensions[Symbol.dispose]();
    this.#captures.onDown();
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
      if (obstacle !== "no_interest" || !plan.isCopy) this.#lose(obstacle, plan);
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
    if (reason === "no_interest" && plan.isCopy) return DISCARD; // nobody misses it
    if (reason !== null) {
      this.#onLost(this.lanes.lane(lane), seq);
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

  /** Lost before it was safe: its publisher hears of it when that is written down. */
  #onLost = (lane: Lane, seq: number): void => void (lane.isWaiting(seq) && this.#drops.note(lane.oldestWaiting));

  /** What is new must not reach the hub before it is on flash that an older one was given up; ahead of the backlog it may. */
  #inTurn({ fate, subject }: SubjectPlan): Fate {
    return fate.at === "send" && fate.order === "strict" && this.#passedBy.delays(subject) ? WAIT : fate;
  }

  /** Counted, and said in the log where it is a fault. */
  #lose(reason: LossReason, plan: SubjectPlan): void {
    if (this.losses.count(reason) === 0) tellUnsendable(this.#env.log, reason, plan.subject, this.#deps.hub.payloadBytesMax);
    this.#countUnkept(reason, plan);
  }

  #countUnkept(reason: LossReason, plan: SubjectPlan): void {
    this.losses.add(reason, 1, null, plan.rule?.index ?? null);
  }

  /** What waited for the hub's word goes on, and what waited for a stream that is gone goes without it, the oldest first. */
  #onStreamsTold(isNews: boolean): void {
    this.#forgetPlans();
    if (isNews) this.#streams.suspensions.openWhere((subject) => !this.#plans.wantsStream(subject));
    if (isNews) this.lanes.lookAgain();
    this.lanes.onRoom();
  }

  #forgetPlans(): void {
    this.#unproven.clear();
    this.#plans.forget();
    this.#listener?.invalidate();
  }

  #forgetPlan(subject: string): void {
    this.#plans.forget(subject);
    this.#listener?.invalidate(subject);
  }
}
