// What the broker does because the hub speaks MQTT as well (`mqtt.hub_mqtt`): copies up, retained messages both ways, the QoS of what
// comes down. Without that setting: nothing of it.

import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Voice } from "#base/voice.ts";
import { type Batch, headersOf, subjectOf } from "#core/batch.ts";
import type { Origin } from "#core/sink.ts";
import type { AccountRouter } from "#router/router.ts";
import { fromNats, qosOfHub } from "./from-nats.ts";
import { HubCopies } from "./hub-copies.ts";
import { HubRetained } from "./hub-retained.ts";
import type { MqttOptions } from "./options.ts";
import type { RetainedShelf } from "./retained-shelf.ts";

export interface HubMqttDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly voice: Voice;
  readonly retained: RetainedShelf;
}

export class HubMqtt implements Disposable {
  /** null: hubs are not thought to speak MQTT. */
  readonly copies: HubCopies | null;
  /** QoS of a message whose flags state none. */
  readonly unstatedQos: (batch: Batch, index: number, origin: Origin) => 0 | 1 | 2;
  readonly #deps: HubMqttDeps;
  readonly #origin: string;
  readonly #goUp: boolean;
  readonly #comeDown: boolean;
  readonly #feeds = new Map<AccountRouter, HubRetained>();

  constructor(options: Pick<MqttOptions, "hubMqtt" | "fromNats">, deviceId: string, deps: HubMqttDeps) {
    const { hubMqtt } = options;
    const way = hubMqtt?.retained ?? "none";
    this.#deps = deps;
    this.#origin = `petiole-${deviceId}`;
    this.#goUp = way === "to_hub" || way === "both";
    this.#comeDown = way === "from_hub" || way === "both";
    this.copies = hubMqtt === null ? null : new HubCopies({ origin: this.#origin, retainedGoUp: this.#goUp });
    const byRule = fromNats(options.fromNats);
    this.unstatedQos = (batch, index, origin) => {
      const stated = hubMqtt !== null && origin.kind === "hub" ? qosOfHub(headersOf(batch, index)) : -1;
      return stated >= 0 ? (stated as 0 | 1 | 2) : byRule(subjectOf(batch, index));
    };
  }

  /** Begins to follow the hub's retained messages, for each account. */
  start(accounts: Iterable<AccountRouter>): void {
    if (!this.#goUp && !this.#comeDown) return;
    const { clock, entropy, voice, retained } = this.#deps;
    for (const account of accounts) {
      const onRefused = (words: string) =>
        voice.warn(`hub retained ${account.name}`, "retained messages do not travel: the hub does not let us follow its own", {
          account: account.name,
          hub_says: words,
        });
      const ways = { origin: this.#origin, goUp: this.#goUp, comeDown: this.#comeDown };
      const store = retained.of(account.name);
      this.#feeds.set(account, new HubRetained({ account, clock, entropy, store, onRefused, ...ways }));
    }
  }

  onRetainedSent(account: AccountRouter, subject: string): void {
    this.#feeds.get(account)?.onSent(subject);
  }

  [Symbol.dispose](): void {
    for (const feed of this.#feeds.values()) feed[Symbol.dispose]();
    this.#feeds.clear();
  }
}
