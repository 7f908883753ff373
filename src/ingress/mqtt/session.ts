// One client, however many connections it takes: origin of what it publishes, sink of what it subscribed to.
//
//   ┌──────────────────────────── session ────────────────────────────┐        ┌───── conversation ─────┐
//   │ door (origin)  subscriptions (sink)  deliveries  received  will │ ◀────▶ │ one connection: acks,  │
//   │ file: the same on flash, if it outlives its connection          │        │ aliases, version, wire │
//   └─────────────────────────────────────────────────────────────────┘        └────────────────────────┘
//
//     talking ── connection lost ──▶ left ── expiry ──▶ ended        a session that is not kept goes from talking to ended
//        ▲                             │
//        └───── comes back (resume) ───┘
//
// Its records: session-records.ts. How it begins and ends: session-table.ts.

import type { User } from "#access/authenticator.ts";
import { type Permissions, permits } from "#access/permissions.ts";
import type { Clock } from "#base/clock.ts";
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
import type { AccountRouter, Door } from "#router/router.ts";
import { Absence } from "./absence.ts";
import type { Ages } from "./ages.ts";
import { Deliveries, type DeliveryLimits, HIGH_WATER_BYTES } from "./deliveries.ts";
import type { DeliveryWire } from "./delivery-wire.ts";
import type { Grant } from "./grant.ts";
import { expiryOf } from "./headers-to-properties.ts";
import type { Mark } from "./keeping.ts";
import type { Mail } from "./mail.ts";
import { type KeptMessage, keepMessage } from "./message.ts";
import { NO_IDS } from "./owed.ts";
import { ReceivedIds } from "./received-ids.ts";
import { ReplayDeliveries } from "./replay-deliveries.ts";
import { Replays } from "./replays.ts";
import type { RetainedStore } from "./retained.ts";
import type { SessionFile } from "./session-file.ts";
import type { SessionRecord, WillRecord } from "./session-records.ts";
import type { SessionUpstream } from "./session-upstream.ts";
import { type MqttSubscription, Subscriptions } from "./subscriptions.ts";
import { SysInterest } from "./sys-interest.ts";
import type { SysTopics } from "./sys-topics.ts";
import type { Talk } from "./talk.ts";
import { displayTopic, subjectToTopic } from "./topic.ts";
import { batchOfWill, messageOfWill, type Will } from "./will.ts";

/** QoS 2 packet identifiers of a 3.x client that are not released; a 5.0 client is told its limit. */
export const RECEIVED_MAX = 8192;

export interface SessionFacts {
  readonly clientId: string;
  readonly user: User;
  readonly account: AccountRouter;
  /** Kept through connections and power cuts. */
  readonly file: SessionFile | null;
}

/** How it was left. */
export type Left = Pick<SessionRecord, "expirySeconds" | "leftAt" | "boot">;

export interface SessionDeps {
  readonly clock: Clock;
  readonly ages: Ages;
  readonly mail: Mail;
  /** Where deliveries are worked out. */
  readonly grant: Grant;
  readonly limits: DeliveryLimits;
  readonly upstream: SessionUpstream;
  readonly retained: RetainedStore | null;
  /** What the broker tells of itself. */
  readonly sys: SysTopics;
  /** QoS of a message that states none (`mqtt.from_nats`). */
  unstatedQos(subject: string): 0 | 1 | 2;
  /** Something the owner should know, said at most once in a while for each `about`. */
  tell(session: Session, about: string, message: string, facts: Readonly<Record<string, unknown>>): void;
  onEnded(session: Session): void;
}

export class Session implements Origin, Sink {
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
  #isEnded = false;

  constructor({ clientId, user, account, file }: SessionFacts, deps: SessionDeps) {
    this.clientId = clientId;
    this.user = user;
    this.account = account;
    this.file = file;
    this.#deps = deps;
    this.#door = account.open(this);
    this.received = new ReceivedIds(file);
    const { mail, limits, upstream } = deps;
    this.deliveries = new Deliveries({ mail, limits, file, onDropping: (qos) => this.#tellDropping(qos) });
    const interest = new SysInterest(account, deps.sys, (message, { options }) => this.#tellSys(message, options.subscriptionId));
    this.#replays = new Replays(interest.retained(deps.retained), new ReplayDeliveries(this, mail));
    this.subscriptions = new Subscriptions({
      interest,
      subscriber: this,
      upstream,
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

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get wire(): DeliveryWire | null {
    return this.#talk?.wire ?? null;
  }

  tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#deps.tell(this, about, message, facts);
  }

  /** A connection was let in: what was timed for the absence of one is off. What it must wait for before CONNACK is returned. */
  claim(user: User, expirySeconds: number, will: Will | null): Mark {
    this.user = user;
    this.expirySeconds = expirySeconds;
    this.#absence?.end();
    this.#will = will;
    return this.save(0, "soon");
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
    if (this.#isEnded) return;
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
    this.#away().begin(this.expirySeconds, will);
  }

  /** For good: nothing is owed, kept or heard any more but its will. */
  end(will: Will | null = null): Mark {
    if (this.#isEnded) return 0;
    this.#isEnded = true;
    this.#talk = null;
    const waiting = this.#absence?.leave() ?? null;
    const last = will ?? waiting;
    const ids = [...this.subscriptions.ids()];
    this.#forgetInterest();
    this.deliveries.clear();
    const mark = this.file?.end(ids, this.received.all()) ?? 0;
    this.#deps.onEnded(this);
    queueMicrotask(() => {
      if (last !== null) this.#publishWill(last);
      this.#door.close();
    });
    return mark;
  }

  /** The broker closes: a kept session stays on flash as it is. */
  suspend(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
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
    const { clock, ages } = this.#deps;
    const awayMs = leftAt === 0 ? undefined : ages.ageOf(leftAt, boot);
    if (awayMs === undefined) this.save(ages.stamp(), "lazy");
    this.#away().begin(Math.max(0, expirySeconds - (awayMs ?? 0) / 1000), null);
    if (due === undefined) return;
    const dueMs = Math.min(due.dueWall - clock.wall(), due.will.delaySeconds * 1000); // the calendar may have gone back
    this.#away().await(due.will, Math.max(0, dueMs));
  }

  /** `leftAt`: 0 while there is a connection. */
  save(leftAt: number, urgency: "soon" | "lazy"): Mark {
    const { clientId, user, account, expirySeconds } = this;
    const boot = this.#deps.ages.bootId;
    const record = { clientId, user: user.name, account: account.name, expirySeconds, leftAt, boot };
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

  mayPublish(subject: string): boolean {
    return permits(this.user.permissions.publish, subject);
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
    const at = index * SPAN_WORDS;
    const seconds = expiryOf(batch.bytes, batch.spans[at + HEADERS]!, batch.spans[at + HEADERS_END]!);
    return retained.put(keepMessage(batch, index, 0, seconds < 0 ? 0 : clock.wall() + seconds * 1000), this.user.name);
  }

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void {
    if (this.#isEnded) return;
    const own = subscriptions as readonly MqttSubscription[]; // a sink is only handed its own
    const { grant } = this.#deps;
    grant.work(own, (origin as unknown) === this);
    if (grant.qos < 0) return;
    const flags = flagsOf(batch, index);
    const stated = qosOf(flags);
    const unstated = stated === QOS_UNSTATED ? this.#deps.unstatedQos(subjectOf(batch, index)) : 0;
    const qos = Math.min(grant.qos, stated === QOS_UNSTATED ? unstated : stated) as 0 | 1 | 2; // [MQTT-3.8.4-6]
    this.deliveries.deliver(batch, index, qos, grant.isAsPublished && (flags & FLAG_RETAIN) !== 0, grant.ids, unstated);
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

  #forgetInterest(): void {
    this.subscriptions.clear();
    this.#replays.clear();
  }

  #away(): Absence {
    this.#absence ??= new Absence(this.#deps.clock, this.file!, {
      onExpired: () => {
        this.isExpired = true;
        this.end();
      },
      onWill: (will) => this.#publishWill(will),
    });
    return this.#absence;
  }

  #publishWill(will: Will): void {
    const { clock, retained } = this.#deps;
    if (!permits(this.user.permissions.publish, will.subject)) {
      this.tell("will-denied", "will not published", { topic: displayTopic(subjectToTopic(will.subject)) });
      return;
    }
    this.publish(batchOfWill(will));
    if (!will.retain || retained === null) return;
    const seconds = expiryOf(will.headers, 0, will.headers.length);
    retained.put(messageOfWill(will, seconds < 0 ? 0 : clock.wall() + seconds * 1000), this.user.name);
  }

  #tellDropping(qos: 0 | 1 | 2): void {
    const facts = { qos, messages_dropped_so_far: this.deliveries.dropped };
    const words = this.isConnected
      ? "client reads too slowly, messages for it are dropped"
      : "the queue of a client that is away is full, messages for it are dropped";
    this.tell("dropping", words, facts);
  }
}
