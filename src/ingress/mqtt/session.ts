// One client, however many connections it takes: origin of what it publishes, sink of what it subscribed to.
//
//   ┌──────────────────────────── session ────────────────────────────┐        ┌───── conversation ─────┐
//   │ door (origin)  subscriptions (sink)  deliveries  received  will │ ◀────▶ │ one connection: acks,  │
//   │ file: the same on flash, if it outlives its connection          │        │ aliases, version, wire │
//   └─────────────────────────────────────────────────────────────────┘        └────────────────────────┘
//
//     talking ── connection lost ──▶ left ── expiry ──▶ ended        a session that is not kept goes from talking to ended
//        └◀──── comes back (resume) ───┘
// Records: session-records.ts. How it begins and ends: session-table.ts.

import type { User } from "#access/authenticator.ts";
import { type Permissions, permits } from "#access/permissions.ts";
import {
  type Batch,
  FLAG_RETAIN,
  flagsOf,
  HEADERS,
  HEADERS_END,
  QOS_UNSTATED,
  qosOf,
  SPAN_WORDS,
  subjectOf,
} from "#core/batch.ts";
import type { Origin, Sink, Subscription, Ticket } from "#core/sink.ts";
import { copiedSubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import { Absence } from "./absence.ts";
import { Deliveries } from "./deliveries.ts";
import { HIGH_WATER_BYTES } from "./delivery-deps.ts";
import type { DeliveryWire } from "./delivery-wire.ts";
import { expiryOf } from "./headers-to-properties.ts";
import type { Mark } from "./keeping.ts";
import type { Letter } from "./mail.ts";
import { type KeptMessage, keepMessage } from "./message.ts";
import { NO_IDS, type Owed, type Share } from "./owed.ts";
import { ReceivedIds } from "./received-ids.ts";
import { ReplayDeliveries } from "./replay-deliveries.ts";
import { Replays } from "./replays.ts";
import type { Left, SessionDeps, SessionFacts } from "./session-deps.ts";
import type { SessionFile } from "./session-file.ts";
import { UNTIL_LOST, type WillRecord } from "./session-records.ts";
import type { Member } from "./shared-groups.ts";
import { type MqttSubscription, Subscriptions } from "./subscriptions.ts";
import { SysInterest } from "./sys-interest.ts";
import type { Talk } from "./talk.ts";
import { displayTopic, subjectToTopic } from "./topic.ts";
import { publishWill, type Will } from "./will.ts";

/** QoS 2 packet identifiers of a 3.x client that are not released; a 5.0 client is told its limit. */
export const RECEIVED_MAX = 8192;

export class Session implements Origin, Sink, Member {
  readonly kind = "mqtt";
  readonly clientId: string;
  readonly account: AccountRouter;
  readonly file: SessionFile | null;
  readonly deliveries: Deliveries;
  readonly subscriptions: Subscriptions;
  readonly received: ReceivedIds;
  /** Of the newest connection: 5.0 clients are told when nobody hears them. */
  onUnheard: ((batch: Batch, index: number) => void) | undefined;
  reachesUpstreamsOnly = false;
  /** Subjects that matched and that no topic can carry. */
  unnameable = 0;
  /** What the figures of ended connections have counted of `deliveries.dropped`. */
  tallied = 0;
  user: User;
  expirySeconds = 0;
  isEnded = false;
  /** It ended by its age. */
  isExpired = false;
  /** Tickets up to it are safe, and the last one that was given. */
  watermark: Ticket = 0;
  lastTicket: Ticket = 0;
  readonly #deps: SessionDeps;
  readonly #door: Door;
  readonly #replays: Replays;
  #talk: Talk | null = null;
  #will: Will | null = null;
  /** Of a kept session, from its first connection's end on. */
  #absence: Absence | undefined;
  #isPaused = false;

  constructor({ clientId, user, account, file }: SessionFacts, deps: SessionDeps) {
    this.clientId = clientId;
    this.user = user;
    this.account = account;
    this.file = file;
    this.#deps = deps;
    this.#door = account.open(this);
    this.received = new ReceivedIds(file);
    const { mail, limits, upstream } = deps;
    const onDropping = (qos: 0 | 1 | 2) => this.#tellDropping(qos);
    this.deliveries = new Deliveries({ mail, limits, file, onDropping, onSafe: () => this.pump() });
    const interest = new SysInterest(account, deps.sys, (message, { options }) => this.#tellSys(message, options.subscriptionId));
    this.#replays = new Replays(interest.retained(deps.retained), new ReplayDeliveries(this, deps));
    this.subscriptions = new Subscriptions({
      interest,
      subscriber: this,
      upstream,
      groups: deps.groups,
      file,
      events: {
        onRefused: (topicFilter, words) =>
          this.tell("filter-refused", "subscription refused", { filter: displayTopic(topicFilter), because: words }),
        onUnnameable: (subject) => {
          this.unnameable += 1;
          const because = "no MQTT topic can carry this subject";
          this.tell("unnameable", "messages are not delivered", { subject: displayTopic(subject), because });
        },
      },
    });
  }

  get label(): string {
    return `mqtt ${this.clientId.slice(0, 200)}`;
  }

  get permissions(): Permissions {
    return this.user.permissions;
  }

  get isConnected(): boolean {
    return this.#talk !== null;
  }

  get wire(): DeliveryWire | null {
    return this.#talk?.wire ?? null;
  }

  tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#deps.tell(this, about, message, facts);
  }

  /** The same user as the settings have it now. */
  changeUser(user: User): void {
    if (this.user === user) return;
    this.user = user;
    this.#door.forgetPermissions();
  }

  /** A connection was let in: what was timed for the absence of one is off. What it must wait for before CONNACK is returned. */
  claim(user: User, expirySeconds: number, will: Will | null): Mark {
    this.changeUser(user);
    this.expirySeconds = expirySeconds;
    this.#absence?.end();
    this.#will = will;
    const { file } = this;
    const isKept = will !== null && expirySeconds > 0;
    const willMark = isKept ? file?.saveWill({ will, dueWall: UNTIL_LOST }) : file?.removeWill();
    return Math.max(this.save(0, "soon"), willMark ?? 0);
  }

  /** The connection has had its CONNACK. */
  attach(talk: Talk, isTold: boolean): void {
    this.#talk = talk;
    this.onUnheard = isTold ? (batch, index) => talk.unheard(batch, index) : undefined;
    talk.onSafe(this.watermark);
    if (this.#isPaused) talk.pause();
    this.deliveries.attach(talk.wire);
    this.#replays.pump();
  }

  /** Its connection is over; `hasWill`: in a way that lets the will be heard. In the middle of a routing pass, perhaps. */
  detach(hasWill: boolean): void {
    if (this.isEnded) return;
    this.#talk = null;
    this.onUnheard = undefined;
    this.deliveries.detach();
    const will = hasWill ? this.#will : null;
    this.#will = null;
    if (this.file === null || this.expirySeconds === 0) {
      this.end(will);
      return;
    }
    this.save(this.#deps.ages.stamp(), "lazy");
    if (will === null || will.delaySeconds === 0) this.file.removeWill(); // it is not to be heard, or is heard now
    this.#away().begin(this.expirySeconds, will);
    queueMicrotask(() => {
      if (!this.isConnected && !this.isEnded) this.#handOver(this.deliveries.shared());
    });
  }

  /** For good: nothing is owed, kept or heard any more but its will. */
  end(will: Will | null = null): Mark {
    if (this.isEnded) return 0;
    this.isEnded = true;
    this.#talk = null;
    const waiting = this.#absence?.leave() ?? null;
    const last = will ?? waiting;
    const ids = [...this.subscriptions.ids()];
    this.#forgetInterest();
    this.deliveries.detach();
    const shared = this.deliveries.shared();
    this.deliveries.clear(shared);
    const mark = this.file?.end(ids, this.received.all()) ?? 0;
    this.#deps.onEnded(this);
    queueMicrotask(() => {
      this.#handOver(shared);
      if (last !== null) this.#publishWill(last);
      this.#door.close();
    });
    return mark;
  }

  /** What another member of a group had and did not acknowledge. The caller flushes, and not from inside a routing pass. */
  adopt(letter: Letter, qos: 0 | 1 | 2, share: Share): boolean {
    const { options } = share as MqttSubscription; // its own, as it was told to the group
    const granted = Math.min(qos, options.qos) as 0 | 1 | 2;
    const isLost = granted === 0 && !this.isConnected; // as it would be here
    if (isLost || this.isEnded || !share.mayReceive(letter.message.subject)) return false;
    const ids = options.subscriptionId === 0 ? NO_IDS : [options.subscriptionId];
    this.deliveries.deliverLetter(letter, granted, false, ids, share);
    return true;
  }

  /** The broker closes: a kept session stays on flash as it is. */
  suspend(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (this.#talk !== null) this.file?.removeWill(); // it is us who leave
    this.#talk = null;
    this.#absence?.leave();
    this.#forgetInterest();
    this.deliveries.detach();
    this.#deps.onEnded(this);
    this.#door.close();
  }

  /** Nothing is sent to it any more; a session that is not kept gets nothing either. */
  quiet(): void {
    this.deliveries.detach();
    if (this.file === null) this.#forgetInterest();
  }

  /** After a restart. Where it is not known how long it was left, that counts from now. A will waits until `dueWall`. */
  restore({ expirySeconds, leftAt, boot }: Left, due: WillRecord | undefined): void {
    this.expirySeconds = expirySeconds;
    const { ages } = this.#deps;
    const awayMs = leftAt === 0 ? undefined : ages.ageOf(leftAt, boot);
    if (awayMs === undefined) this.save(ages.stamp(), "lazy");
    this.#away().begin(Math.max(0, expirySeconds - (awayMs ?? 0) / 1000), null);
    if (due !== undefined) this.#away().restore(due, expirySeconds);
  }

  /** `leftAt`: 0 while there is a connection. */
  save(leftAt: number, urgency: "soon" | "lazy"): Mark {
    const { clientId, user, account, expirySeconds } = this;
    const record = { clientId, user: user.name, account: account.name, expirySeconds, leftAt, boot: this.#deps.ages.bootId };
    return this.file?.saveSession(record, urgency) ?? 0;
  }

  publish(batch: Batch): Ticket {
    const ticket = this.#door.publish(batch);
    if (ticket > 0) this.lastTicket = ticket;
    return ticket;
  }

  /** A message from before a restart, which only outboxes may have missed. */
  publishAgain(batch: Batch): Ticket {
    this.reachesUpstreamsOnly = true;
    const ticket = this.publish(batch);
    this.reachesUpstreamsOnly = false;
    return ticket;
  }

  /** Copies of what was published just now, for a hub that speaks MQTT; who hears its originals was told. */
  publishCopies(batch: Batch): Ticket {
    const { onUnheard } = this;
    this.onUnheard = this.#deps.copyWatch?.begin(batch);
    const ticket = this.publishAgain(batch);
    this.onUnheard = onUnheard;
    return ticket;
  }

  mayPublish(subject: string): boolean {
    return permits(this.user.permissions.publish, copiedSubject(subject) || subject); // topics below $MQTT are nobody's
  }

  onDenied(subject: string): void {
    if (this.#talk !== null) this.#talk.deny(subject);
    else this.tell("will-denied", "will not published", { topic: displayTopic(subjectToTopic(subject)) });
  }

  /** In MQTT 3.1.1 a message that is dropped is acknowledged [MQTT-3.3.5-2]; one that is refused ends the connection. */
  onNoRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void {
    this.#talk?.noRoom(batch, index, taken);
  }

  onSafe(watermark: Ticket): void {
    this.watermark = watermark;
    this.#talk?.onSafe(watermark);
  }

  pause(): void {
    this.#isPaused = true;
    this.#talk?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#talk?.resume();
  }

  /** Keeps message `index` as the retained one of its topic. */
  retain(batch: Batch, index: number): Mark | "full" {
    const { retained, clock } = this.#deps;
    if (retained === null) return 0;
    this.#deps.onRetainedSent(subjectOf(batch, index));
    const at = index * SPAN_WORDS;
    const seconds = expiryOf(batch.bytes, batch.spans[at + HEADERS]!, batch.spans[at + HEADERS_END]!);
    return retained.put(keepMessage(batch, index, 0, seconds < 0 ? 0 : clock.wall() + seconds * 1000), this.user.name);
  }

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void {
    if (this.isEnded) return;
    const own = subscriptions as readonly MqttSubscription[]; // a sink is only handed its own
    const { grant } = this.#deps;
    grant.work(own, (origin as unknown) === this);
    if (grant.qos < 0) return;
    const flags = flagsOf(batch, index);
    const stated = qosOf(flags);
    const unstated = stated === QOS_UNSTATED ? this.#deps.unstatedQos(batch, index, origin) : 0;
    const qos = Math.min(grant.qos, stated === QOS_UNSTATED ? unstated : stated) as 0 | 1 | 2; // [MQTT-3.8.4-6]
    this.deliveries.deliver(
      batch,
      index,
      qos,
      grant.isAsPublished && (flags & FLAG_RETAIN) !== 0,
      grant.ids,
      unstated,
      own[0]!.queue === null ? null : own[0]!,
    );
  }

  flush(): void {
    this.#deps.mail.settle();
    this.#talk?.flush();
  }

  /** Retained messages under a filter that was subscribed to just now. */
  replay(subscription: MqttSubscription): void {
    const { filter } = subscription.options;
    if (this.subscriptions.of(filter).includes(subscription)) this.#replays.add(subscription); // else it is over: SUBACK has waited
  }

  unsubscribe(topicFilter: string): Mark | undefined {
    for (const subscription of this.subscriptions.of(topicFilter)) this.#replays.remove(subscription);
    return this.subscriptions.remove(topicFilter);
  }

  /** Sends what waits and has a place now. The caller flushes. */
  pump(): void {
    this.deliveries.pump();
    if (this.#replays.size > 0 && this.#talk !== null) this.#replays.pump();
  }

  /** QoS 0, and nothing to whoever is away or behind. */
  #tellSys(message: KeptMessage, id: number): void {
    if (this.#talk === null || this.#talk.wire.pendingBytes > HIGH_WATER_BYTES) return;
    this.deliveries.deliverLetter(this.#deps.mail.wrap(message), 0, false, id === 0 ? NO_IDS : [id]);
    this.flush();
  }

  #handOver(owed: readonly Owed[]): void {
    this.#deps.groups.handOver(this, { owed, settle: (one) => this.deliveries.settle(one) }, this.isEnded);
  }

  #forgetInterest(): void {
    this.subscriptions.clear();
    this.#replays.clear();
  }

  #away(): Absence {
    return (this.#absence ??= new Absence(this.#deps.clock, this.file!, {
      onExpired: () => {
        this.isExpired = true;
        this.end();
      },
      onWill: (will) => this.#publishWill(will),
    }));
  }

  #publishWill(will: Will): void {
    if (permits(this.user.permissions.publish, will.subject)) publishWill(will, this, this.#deps);
    else this.tell("will-denied", "will not published", { topic: displayTopic(subjectToTopic(will.subject)) });
  }

  #tellDropping(qos: 0 | 1 | 2): void {
    const facts = { qos, messages_dropped_so_far: this.deliveries.dropped };
    const words = this.isConnected
      ? "client reads too slowly, messages for it are dropped"
      : "the queue of a client that is away is full, messages for it are dropped";
    this.tell("dropping", words, facts);
  }
}
