// Retained messages on their way to a session that has just subscribed: each a delivery of its own, RETAIN 1, and no publisher waits for it.

import { type DeliveryLimits, HIGH_WATER_BYTES } from "./delivery-deps.ts";
import type { Mail } from "./mail.ts";
import type { KeptMessage } from "./message.ts";
import { NO_IDS } from "./owed.ts";
import type { ReplaySink } from "./replays.ts";
import type { Session } from "./session.ts";
import type { MqttSubscription } from "./subscriptions.ts";

export interface ReplayDeps {
  readonly mail: Mail;
  readonly limits: DeliveryLimits;
}

export class ReplayDeliveries implements ReplaySink {
  readonly #session: Session;
  readonly #mail: Mail;
  readonly #limits: DeliveryLimits;

  constructor(session: Session, { mail, limits }: ReplayDeps) {
    this.#session = session;
    this.#mail = mail;
    this.#limits = limits;
  }

  /** What has no place in the window waits here, unless it only waits for the store: QoS 2 to a kept session goes out a commit at a time. */
  hasRoom({ options }: MqttSubscription): boolean {
    const { wire, deliveries } = this.#session;
    if (wire === null || wire.pendingBytes > HIGH_WATER_BYTES) return false;
    if (options.qos === 0 || deliveries.hasPlace) return true;
    const { queued, inflight, queuedBytes } = deliveries;
    const { maxQueuedMessages, maxQueuedBytes } = this.#limits;
    const isCrowded = queued >= maxQueuedMessages || queuedBytes > maxQueuedBytes / 2 || !this.#mail.hasRoom;
    return queued + inflight < wire.window && !isCrowded;
  }

  deliver(message: KeptMessage, { options }: MqttSubscription): void {
    const qos = Math.min(options.qos, message.qos) as 0 | 1 | 2;
    const ids = options.subscriptionId === 0 ? NO_IDS : [options.subscriptionId];
    this.#session.deliveries.deliverLetter(this.#mail.wrap(message), qos, true, ids); // [MQTT-3.3.1-8], 5.0 §3.3.1.3
    this.#mail.settle();
  }
}
