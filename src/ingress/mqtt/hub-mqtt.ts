// What the broker does because the hub speaks MQTT as well (`mqtt.hub_mqtt`): copies up, retained messages both ways, the QoS of what
// comes down. Without that setting: nothing of it.

import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { type Batch, headersOf, subjectOf } from "#core/batch.ts";
import type { Origin } from "#core/sink.ts";
import type { AccountRouter } from "#router/router.ts";
import { type CopyStatus, CopyWatch, type HubTaking } from "./copy-watch.ts";
import { fromNats, qosOfHub } from "./from-nats.ts";
import { HubCopies } from "./hub-copies.ts";
import { HubRetained } from "./hub-retained.ts";
import type { MqttOptions } from "./options.ts";
import type { RetainedShelf } from "./retained-shelf.ts";

export interface HubMqttDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly retained: RetainedShelf;
  /** What the hubs of an account make of a subject. */
  hubs(account: string, subject: string): readonly HubTaking[];
}

/** Of one account. */
export interface HubMqttStatus extends CopyStatus {
  /** Are the hub's retained messages followed, and if not, why; null: they do not travel. */
  readonly retained: { readonly isFollowing: boolean; readonly because: string | null } | null;
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
  readonly #watches = new Map<AccountRouter, CopyWatch>();

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
    const { clock, entropy, log, retained } = this.#deps;
    const hubsOf = ({ name }: AccountRouter) => ({ hubs: (subject: string) => this.#deps.hubs(name, subject) });
    for (const account of accounts) {
      const ways = { origin: this.#origin, goUp: this.#goUp, comeDown: this.#comeDown };
      const store = retained.of(account.name);
      this.#feeds.set(account, new HubRetained({ account, clock, entropy, log, store, ...ways, ...hubsOf(account) }));
    }
  }

  /** Who notices that copies are not taken; null: none are made. */
  watchOf(account: AccountRouter): CopyWatch | null {
    if (this.copies === null) return null;
    const { clock, log, hubs } = this.#deps;
    let watch = this.#watches.get(account);
    if (watch === undefined) {
      watch = new CopyWatch({ account: account.name, clock, log, hubs: (subject) => hubs(account.name, subject) });
      this.#watches.set(account, watch);
    }
    return watch;
  }

  /** By account, those that have had a session; null: hubs are not thought to speak MQTT. */
  status(): readonly HubMqttStatus[] | null {
    if (this.copies === null) return null;
    const accounts = new Set([...this.#watches.keys(), ...this.#feeds.keys()]);
    return [...accounts].map((account) => {
      const feed = this.#feeds.get(account);
      const retained = feed === undefined ? null : { isFollowing: feed.isFollowing, because: feed.trouble };
      return { ...this.watchOf(account)!.status(), retained };
    });
  }

  onRetainedSent(account: AccountRouter, subject: string): void {
    this.#feeds.get(account)?.onSent(subject);
  }

  [Symbol.dispose](): void {
    for (const feed of this.#feeds.values()) feed[Symbol.dispose]();
    for (const watch of this.#watches.values()) watch[Symbol.dispose]();
    this.#feeds.clear();
    this.#watches.clear();
  }
}
