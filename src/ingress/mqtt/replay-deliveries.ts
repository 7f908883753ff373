// Retained messages on their way to a session that has just subscribed: each a delivery of its own, RETAIN 1, and no publisher waits for it.

import type { Mail } from "./mail.ts";
import type { KeptMessage } from "./message.ts";
import { NO_IDS } from "./owed.ts";
import type { ReplaySink } from "./replays.ts";
import type { Session } from "./session.ts";
import type { MqttSubscription } from "./subscriptions.ts";

export class ReplayDeliveries implements ReplaySink {
  readonly #session: Session;
  readonly #mail: Mail;

  constructor(session: Session, mail: Mail) {
    this.#session = session;
    this.#mail = mail;
  }

  get pendingBytes(): number {
    return this.#session.wire?.pendingBytes ?? Number.POSITIVE_INFINITY;
  }

  get queued(): number {
    return this.#session.deliveries.queued;
  }

  deliver(message: KeptMessage, { options }: MqttSubscription): void {
    const qos = Math.min(options.qos, message.qos) as 0 | 1 | 2;
    const ids = options.subscriptionId === 0 ? NO_IDS : [options.subscriptionId];
    this.#session.deliveries.deliverLetter(this.#mail.wrap(message), qos, true, ids); // [MQTT-3.3.1-8], 5.0 §3.3.1.3
    this.#mail.settle();
  }
}
