// One client from CONNACK to its end: origin of what it publishes, sink of what it subscribes to.
//
// With clean sessions it lives as long as its connection. Everything that has to outlive a connection once sessions are kept
// (subscriptions, what is in flight) is already here and not in connection.ts.

import type { User } from "#access/authenticator.ts";
import { permits } from "#access/permissions.ts";
import type { Batch } from "#core/batch.ts";
import { flagsOf, qosOf } from "#core/batch.ts";
import type { Origin, Sink, Subscription, Ticket } from "#core/sink.ts";
import type { Door } from "#router/router.ts";
import { AckQueue } from "./ack-queue.ts";
import type { Admitted } from "./admission.ts";
import type { MqttLimits } from "./broker.ts";
import { parseSubscribe, parseUnsubscribe } from "./control-packets.ts";
import { Deliveries } from "./deliveries.ts";
import type { Framer } from "./framer.ts";
import { Inbound, type Workbench } from "./inbound.ts";
import type { Outbound } from "./outbound.ts";
import { type MqttSubscription, Subscriptions } from "./subscriptions.ts";
import { displayTopic, subjectToTopic } from "./topic.ts";
import { publishWill, type Will } from "./will.ts";

/** PUBACKs owed to one client before we stop reading from it; 3.1.1 has no way to tell it a limit. */
const ACKS_MAX = 8192;

/** Why reading has to stop for a while. */
export type Hold = "router" | "acks";

export interface SessionHost {
  readonly outbound: Outbound;
  hold(reason: Hold): void;
  release(reason: Hold): void;
  /** Writes out what was gathered. */
  flush(): void;
  /** The last PUBACK that was owed has been sent. */
  onSettled(): void;
  /** A message was refused for lack of room, and the protocol has no word for it but the end. */
  onNoRoom(topic: string): void;
  /** Something the owner should know, said at most once in a while for each `about`. */
  tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void;
}

export class Session implements Origin, Sink {
  readonly kind = "mqtt";
  readonly clientId: string;
  readonly user: User;
  /** Name of the account it is in, which for a client without a user is not the user's. */
  readonly accountName: string;
  readonly inbound: Inbound;
  readonly deliveries: Deliveries;
  readonly subscriptions: Subscriptions;
  /** Subjects that matched and that no topic can carry. */
  unnameable = 0;
  readonly #host: SessionHost;
  readonly #door: Door;
  readonly #acks = new AckQueue();
  #will: Will | null;
  #isOpen = true;
  #hasToldRetain = false;

  constructor(
    { clientId, user, will, account }: Admitted,
    { bench, limits }: { readonly bench: Workbench; readonly limits: MqttLimits },
    host: SessionHost,
  ) {
    this.clientId = clientId;
    this.user = user;
    this.accountName = account.name;
    this.#will = will;
    this.#host = host;
    this.#door = account.open(this);
    this.deliveries = new Deliveries(host.outbound, limits.maxPending, (qos) => this.#tellDropping(qos));
    this.subscriptions = new Subscriptions(account, this, user.permissions, {
      onRefused: (topicFilter, words) =>
        host.tell("filter-refused", "subscription refused", { filter: displayTopic(topicFilter), because: words }),
      onUnnameable: (subject) => {
        this.unnameable += 1;
        const because = "no MQTT topic can carry this subject";
        host.tell("unnameable", "messages are not delivered", { subject: displayTopic(subject), because });
      },
    });
    this.inbound = new Inbound(bench, limits.maxPayload, this.#acks, {
      publish: (batch) => this.#door.publish(batch),
      onReady: (packetId) => host.outbound.puback(packetId),
      onDropped: (topic, words) =>
        host.tell("publish-dropped", "QoS 0 message dropped", { topic: displayTopic(topic), because: words }),
      onRetained: () => this.#tellRetained(),
      onNoRoom: (topic) => host.onNoRoom(topic),
    });
  }

  get label(): string {
    return `mqtt ${this.clientId.slice(0, 200)}`;
  }

  get owedAcks(): number {
    return this.#acks.size;
  }

  /** Publishes what was gathered and looks whether too many PUBACKs are owed. */
  flushInbound(): void {
    this.inbound.flush();
    if (this.#acks.size >= ACKS_MAX) this.#host.hold("acks");
  }

  subscribe(packet: Framer): void {
    const { packetId, requests } = parseSubscribe(packet);
    const codes = requests.map(({ filter, qos }) => this.subscriptions.add(filter, qos));
    this.#host.outbound.suback(packetId, codes);
  }

  unsubscribe(packet: Framer): void {
    const { packetId, filters } = parseUnsubscribe(packet);
    for (const filter of filters) this.subscriptions.remove(filter);
    this.#host.outbound.unsuback(packetId);
  }

  /** Nothing is delivered any more; PUBACKs that are owed still go out when their messages are safe. */
  quiet(): void {
    this.subscriptions.clear();
    this.deliveries.clear();
  }

  /** Ends it. The will, if it is to be heard, follows in a microtask: this may be called in the middle of a routing pass. */
  close(hasWill: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.quiet();
    this.#acks.clear();
    const will = hasWill ? this.#will : null;
    this.#will = null;
    queueMicrotask(() => {
      if (will !== null) publishWill(this.#door, will);
      this.#door.close();
    });
  }

  mayPublish(subject: string): boolean {
    return permits(this.user.permissions.publish, subject);
  }

  onDenied(subject: string): void {
    if (this.#isOpen) this.inbound.deny(subject);
    else this.#host.tell("will-denied", "will not published", { topic: displayTopic(subjectToTopic(subject)) });
  }

  /** In MQTT 3.1.1 a message that is dropped is acknowledged [MQTT-3.3.5-2]; one that is refused ends the connection. */
  onNoRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void {
    if (this.#isOpen) this.inbound.noRoom(batch, index, taken);
  }

  onSafe(watermark: Ticket): void {
    if (!this.#isOpen) return;
    this.#acks.release(watermark);
    for (let packetId = this.#acks.take(); packetId !== 0; packetId = this.#acks.take()) this.#host.outbound.puback(packetId);
    this.#host.flush();
    if (this.#acks.size < ACKS_MAX / 2) this.#host.release("acks");
    if (this.#acks.size === 0) this.#host.onSettled();
  }

  pause(): void {
    this.#host.hold("router");
  }

  resume(): void {
    this.#host.release("router");
  }

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[]): void {
    if (!this.#isOpen) return;
    const own = subscriptions as readonly MqttSubscription[]; // a sink is only handed its own
    let granted: 0 | 1 = 0;
    for (const subscription of own) if (subscription.qos > granted) granted = subscription.qos;
    // The lower of both QoS [MQTT-3.8.4-6]. From other doors none is stated: such a message goes out as the subscriber asked.
    this.deliveries.deliver(batch, index, qosOf(flagsOf(batch, index)) === 0 ? 0 : granted);
  }

  flush(): void {
    if (this.#isOpen) this.#host.flush();
  }

  #tellDropping(qos: 0 | 1): void {
    const facts = { qos, messages_dropped_so_far: this.deliveries.dropped };
    this.#host.tell("dropping", "client reads too slowly, messages for it are dropped", facts);
  }

  #tellRetained(): void {
    if (this.#hasToldRetain) return;
    this.#hasToldRetain = true;
    this.#host.tell("retain", "retained messages are delivered live and not stored yet", {});
  }
}
