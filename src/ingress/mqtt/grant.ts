// What the subscriptions of one session that match a message come to: one copy, at the highest QoS, with all their identifiers
// [MQTT5-3.3.4-2, MQTT5-3.3.4-3]. One object for all sessions, worked out anew for each message of each.

import { NO_IDS } from "./owed.ts";
import type { MqttSubscription } from "./subscriptions.ts";

export class Grant {
  /** -1: none of them wants it. */
  qos: 0 | 1 | 2 | -1 = -1;
  /** RETAIN goes on as it came. */
  isAsPublished = false;
  /** Borrowed until the next message. */
  ids: readonly number[] = NO_IDS;
  readonly #ids: number[] = [];

  /** `isOwn`: the session itself published it. */
  work(subscriptions: readonly MqttSubscription[], isOwn: boolean): void {
    this.qos = -1;
    this.isAsPublished = false;
    this.ids = NO_IDS;
    for (let i = 0; i < subscriptions.length; i++) {
      const { options } = subscriptions[i]!;
      if (options.noLocal && isOwn) continue; // [MQTT5-3.8.3-3]
      if (options.qos > this.qos) this.qos = options.qos;
      if (options.retainAsPublished) this.isAsPublished = true;
      if (options.subscriptionId !== 0) this.#add(options.subscriptionId);
    }
  }

  #add(id: number): void {
    if (this.ids === NO_IDS) this.#ids.length = 0;
    this.ids = this.#ids;
    this.#ids.push(id); // one that two filters have stands there twice (5.0 §3.3.4)
  }
}
