// Who gets what, per account: one routing pass over a batch, sinks called directly, nothing allocated per message.
//
//                      ┌─▶ sinks of plain subscriptions (each once a message)
//   door ─ publish ─▶ route ─▶ one local member per queue group
//                      └─▶ upstreams (outbox of each remote), which may stage it: then the ticket waits for onSafe
//
// A route is computed once per subject and forgotten whenever interest or an upstream's knowledge changes.
// Tests: test/unit/router/.

import { assert } from "#base/assert.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Batch } from "#core/batch.ts";
import { GROUPS, GROUPS_END, isRequest, REPLY, ROUTED, routedSubjectOf, SPAN_WORDS } from "#core/batch.ts";
import { InterestTrie } from "#core/interest.ts";
import type { Origin, Sink, Subscription, Ticket, Upstream } from "#core/sink.ts";
import { isOfSpoke } from "#core/subject.ts";
import { type Interest, InterestCounts, type InterestListener } from "./interest-counts.ts";
import { OwnRoutes } from "./own-routes.ts";
import { computeRoute, type Route } from "./route.ts";
import { type RouteLimits, RouteTable } from "./route-table.ts";
import { UpstreamSlot } from "./upstream-slot.ts";

const DOLLAR = 0x24;
/** Remembered per account: at some hundred bytes a receiver. */
const ROUTES_MAX: RouteLimits = { routes: 8192, receivers: 131_072 };
/** Publish permissions remembered per door. */
const ALLOWED_MAX = 512;

export interface AccountStatus {
  readonly subscriptions: number;
  readonly inserts: number;
  readonly removes: number;
  /** Routes remembered, their local receivers together, and the most of one. */
  readonly routes: number;
  readonly receivers: number;
  readonly receiversMax: number;
}

/** The subject space of one account. Made by the composition root, one for each account in the settings. */
export class AccountRouter {
  readonly name: string;
  readonly #entropy: Entropy;
  readonly #interest = new InterestTrie<Subscription>();
  readonly #counts = new InterestCounts();
  readonly #upstreams: UpstreamSlot[] = [];
  readonly #waiting = new Set<Door>();
  readonly #paused = new Set<Door>();
  readonly #touched = new Set<Sink>();
  readonly #onlookers = new Set<Subscription>();
  readonly #routes = new RouteTable(ROUTES_MAX);
  #lastTicket: Ticket = 0;
  #inserts = 0;
  #removes = 0;

  constructor(name: string, entropy: Entropy) {
    this.name = name;
    this.#entropy = entropy;
  }

  /** Lets an origin in. It publishes through the door until it closes it. */
  open(origin: Origin): Door {
    return new Door(this, origin);
  }

  subscribe(subscription: Subscription): void {
    if (!this.#interest.insert(subscription.filter, subscription)) return;
    this.#inserts += 1;
    this.#routes.forget(subscription.filter);
    this.#counts.add(subscription.filter, subscription.queue);
  }

  unsubscribe(subscription: Subscription): void {
    if (!this.#interest.remove(subscription.filter, subscription)) return;
    this.#removes += 1;
    this.#routes.forget(subscription.filter);
    this.#counts.remove(subscription.filter, subscription.queue);
  }

  /**
   * Shows what passes here without taking part, until disposed: no interest is announced, no request heard, and no ticket waits. Onlookers
   * stand in the routes they see, so nobody looking costs nothing.
   */
  lookOn(onlooker: Subscription): Disposable {
    this.#onlookers.add(onlooker);
    this.#routes.forget(onlooker.filter);
    const leave = () => this.#onlookers.delete(onlooker) && this.#routes.forget(onlooker.filter);
    return { [Symbol.dispose]: () => void leave() };
  }

  /** Names of the queue groups that have a local member for `subject`. */
  servedGroups(subject: string): readonly string[] {
    return [...(this.#routes.get(subject) ?? this.#findRoute(subject)).groups.keys()];
  }

  /** Everybody here who asked for `subject`, for people who ask. */
  askers(subject: string): readonly Subscription[] {
    return this.#interest.find(subject);
  }

  get subscriptions(): number {
    return this.#interest.size;
  }

  /** Who may receive what has changed. */
  forgetRoutes(): void {
    this.#routes.forget();
  }

  /** For the monitor. The fan-out is over the routes remembered now: local receivers per subject. */
  status(): AccountStatus {
    let receivers = 0;
    let receiversMax = 0;
    for (const { listeners, groups } of this.#routes.values()) {
      const fanout = listeners + groups.size;
      receivers += fanout;
      if (fanout > receiversMax) receiversMax = fanout;
    }
    const routes = this.#routes.size;
    return { subscriptions: this.subscriptions, inserts: this.#inserts, removes: this.#removes, routes, receivers, receiversMax };
  }

  /** Tells `listener` all local interest now and every change from now on, until disposed. */
  watchInterest(listener: InterestListener): Disposable {
    return this.#counts.watch(listener);
  }

  /** All local interest, as a new link must hear it. */
  localInterest(): Iterable<Interest> {
    return this.#counts.entries();
  }

  /** Adds the outbox of a remote. Dispose the slot to take it out again. */
  addUpstream(upstream: Upstream): UpstreamSlot {
    const slot: UpstreamSlot = new UpstreamSlot(upstream, {
      invalidate: (subject) => this.#routes.forget(subject),
      safe: () => this.#settle(),
      room: () => this.#resume(),
      remove: () => {
        this.#upstreams.splice(this.#upstreams.indexOf(slot), 1);
        this.#routes.forget();
        this.#settle();
        this.#resume();
      },
    });
    this.#upstreams.push(slot);
    this.#routes.forget();
    return slot;
  }

  /** For doors only: routes one borrowed batch. */
  route(batch: Batch, door: Door): Ticket {
    const ticket = this.#lastTicket + 1;
    const { origin } = door;
    let isStaged = false;
    let route: Route | undefined;
    for (let i = 0; i < batch.count; i++) {
      // A device says much about one thing: neighbours on one subject share the look-up.
      if (i === 0 || origin.mayRespond !== undefined || !hasSubjectOfPrevious(batch, i))
        route = this.#routeFor(routedSubjectOf(batch, i), door);
      else if (route === undefined) origin.onDenied(routedSubjectOf(batch, i));
      if (route === undefined) continue;
      if (origin.kind === "hub") {
        this.#deliverFromHub(batch, i, route, origin);
        continue;
      }
      if (origin.reachesUpstreamsOnly !== true) this.#deliver(batch, i, route, origin);
      if (this.#offer(batch, i, route, ticket, origin)) isStaged = true;
      else if (origin.onUnheard !== undefined || isRequest(batch, i)) tellIfUnheard(batch, i, route, origin);
    }
    if (isStaged) {
      this.#lastTicket = ticket;
      this.#waiting.add(door);
      door.lastTicket = ticket;
    }
    for (const sink of this.#touched) sink.flush();
    this.#touched.clear();
    if (origin.kind !== "hub") this.#flushUpstreams(door);
    return isStaged ? ticket : 0;
  }

  /** For doors only. */
  leave(door: Door): void {
    this.#waiting.delete(door);
    this.#paused.delete(door);
  }

  #deliver(batch: Batch, index: number, route: Route, origin: Origin): void {
    this.#deliverPlain(batch, index, route, origin);
    for (const members of route.groups.values()) this.#deliverToOne(batch, index, members, origin);
  }

  /** The hub has chosen among all members of a queue group anywhere: only the groups it names are served here. */
  #deliverFromHub(batch: Batch, index: number, route: Route, origin: Origin): void {
    this.#deliverPlain(batch, index, route, origin);
    const at = index * SPAN_WORDS;
    const start = batch.spans[at + GROUPS]!;
    const end = batch.spans[at + GROUPS_END]!;
    let isDelivered = route.listeners > 0;
    if (start !== end) {
      for (const name of batch.bytes.latin1Slice(start, end).split(" ")) {
        const members = route.groups.get(name);
        if (members === undefined) continue;
        this.#deliverToOne(batch, index, members, origin);
        isDelivered = true;
      }
    }
    // A plain listener who may not receive it is silent: others at the hub have heard it, too, and may answer.
    if (!isDelivered && wantsAnswer(batch, index) && (start !== end || !route.isAskedFor)) origin.onNoResponders?.(batch, index);
  }

  #deliverPlain(batch: Batch, index: number, route: Route, origin: Origin): void {
    for (const delivery of route.deliveries) {
      delivery.sink.deliver(batch, index, delivery.subscriptions, origin);
      this.#touched.add(delivery.sink);
    }
  }

  #deliverToOne(batch: Batch, index: number, members: readonly (readonly [Subscription])[], origin: Origin): void {
    const member = pickMember(members, this.#entropy.random());
    member[0].sink.deliver(batch, index, member, origin);
    this.#touched.add(member[0].sink);
  }

  #offer(batch: Batch, index: number, route: Route, ticket: Ticket, origin: Origin): boolean {
    let isStaged = false;
    for (const { slot, plan } of route.offers) {
      const taken = slot.upstream.take(batch, index, plan, ticket);
      if (taken === "passed") continue;
      if (taken !== "staged") origin.onNoRoom?.(batch, index, taken);
      if (taken === "refused") continue;
      slot.lastStaged = ticket;
      isStaged = true;
    }
    return isStaged;
  }

  #flushUpstreams(door: Door): void {
    for (const slot of this.#upstreams) {
      slot.upstream.flush();
      if (slot.upstream.isFull) this.#pause(door);
    }
  }

  #pause(door: Door): void {
    if (this.#paused.has(door)) return;
    this.#paused.add(door);
    door.origin.pause();
  }

  #resume(): void {
    if (this.#paused.size === 0 || this.#upstreams.some((slot) => slot.upstream.isFull)) return;
    const doors = [...this.#paused];
    this.#paused.clear();
    for (const door of doors) door.origin.resume();
  }

  /** Passes the lowest safe watermark of all upstreams on to the origins that wait. */
  #settle(): void {
    let watermark = this.#lastTicket;
    for (const slot of this.#upstreams) watermark = Math.min(watermark, slot.settledTicket(this.#lastTicket));
    for (const door of this.#waiting) {
      if (watermark >= door.lastTicket) this.#waiting.delete(door);
      door.origin.onSafe(watermark);
    }
  }

  /** undefined: the origin may not publish there, and was told. */
  #routeFor(subject: string, door: Door): Route | undefined {
    const { origin } = door;
    if (door.allows(subject) || (origin.mayRespond?.(subject) === true && mayPass(subject, origin))) {
      const route = this.#routes.get(subject) ?? this.#findRoute(subject);
      return origin.isDeafToItself === true ? this.#routePast(door, subject, route) : route;
    }
    origin.onDenied(subject);
    return undefined;
  }

  /** The route without what the origin itself subscribed to: a queue group of which it is the only member here is not served here. */
  #routePast(door: Door, subject: string, shared: Route): Route {
    const known = door.routes.get(subject, shared);
    if (known !== undefined) return known;
    const others = () => this.#interest.find(subject).filter(({ sink }) => !isItself(sink, door.origin));
    const own = leadsTo(shared, door.origin) ? computeRoute(subject, others(), this.#upstreams, this.#onlookers) : shared;
    door.routes.set(subject, shared, own);
    return own;
  }

  #findRoute(subject: string): Route {
    const route = computeRoute(subject, this.#interest.find(subject), this.#upstreams, this.#onlookers);
    this.#routes.set(subject, route);
    return route;
  }
}

/** Clients and ports have no say on what the spoke tells of itself, whatever their permissions. */
function mayPass(subject: string, origin: Origin): boolean {
  return !isOfSpoke(subject) || origin.kind === "host" || origin.kind === "hub";
}

/** A reply that begins with `$` is a stream's own: the delivery wants an ack, and "no responders", which is empty, would be one. */
function wantsAnswer(batch: Batch, index: number): boolean {
  return isRequest(batch, index) && batch.bytes[batch.spans[index * SPAN_WORDS + REPLY]!] !== DOLLAR;
}

function tellIfUnheard(batch: Batch, index: number, route: Route, origin: Origin): void {
  if (isHeard(route)) return;
  origin.onUnheard?.(batch, index);
  if (isRequest(batch, index)) origin.onNoResponders?.(batch, index);
}

/** Anybody of a queue group; one whose receiver is away only if all are. */
function pickMember(members: readonly (readonly [Subscription])[], random: number): readonly [Subscription] {
  const first = Math.floor(random * members.length);
  for (let i = 0; i < members.length; i++) {
    const member = members[(first + i) % members.length]!;
    if (member[0].isReady !== false) return member;
  }
  return members[first]!;
}

/** Does a message on this route reach anybody: a local subscriber, or a hub that listens now? */
function isHeard({ listeners, groups, offers }: Route): boolean {
  return listeners > 0 || groups.size > 0 || offers.some(({ slot, plan }) => slot.upstream.hears(plan));
}

function leadsTo({ deliveries, groups }: Route, origin: Origin): boolean {
  if (deliveries.some(({ sink }) => isItself(sink, origin))) return true;
  return [...groups.values()].some((members) => members.some(([{ sink }]) => isItself(sink, origin)));
}

function isItself(sink: Sink, origin: Origin): boolean {
  return (sink as unknown) === origin;
}

function hasSubjectOfPrevious(batch: Batch, index: number): boolean {
  const { bytes, spans } = batch;
  const at = index * SPAN_WORDS + ROUTED;
  let here = spans[at]!;
  const end = spans[at + 1]!;
  let there = spans[at - SPAN_WORDS]!;
  if (end - here !== spans[at + 1 - SPAN_WORDS]! - there) return false;
  while (here < end) if (bytes[here++] !== bytes[there++]) return false;
  return true;
}

/** An origin's way in. */
export class Door {
  readonly origin: Origin;
  /** Ticket of the last batch of ours that waits; the router's own note. */
  lastTicket: Ticket = 0;
  /** Of an origin that is deaf to itself; the router's own note. */
  readonly routes = new OwnRoutes();
  readonly #account: AccountRouter;
  readonly #allowed = new Map<string, boolean>();
  #isOpen = true;

  constructor(account: AccountRouter, origin: Origin) {
    this.#account = account;
    this.origin = origin;
  }

  /**
   * Routes a borrowed batch of messages with valid literal subjects. Returns the ticket that `origin.onSafe` will reach once
   * all of them are safe, or 0 if there is nothing to wait for. `onSafe` is never called from inside this call.
   */
  publish(batch: Batch): Ticket {
    assert(this.#isOpen, "publish through a closed door");
    return this.#account.route(batch, this);
  }

  /** For the router only: the origin's permission, remembered. */
  allows(subject: string): boolean {
    const known = this.#allowed.get(subject);
    if (known !== undefined) return known;
    if (this.#allowed.size >= ALLOWED_MAX) this.#allowed.clear();
    const answer = mayPass(subject, this.origin) && this.origin.mayPublish(subject);
    this.#allowed.set(subject, answer);
    return answer;
  }

  /** The origin's permissions are others now. */
  forgetPermissions(): void {
    this.#allowed.clear();
  }

  /** After this nothing is heard of the origin again: no onSafe, no resume. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#account.leave(this);
  }
}
