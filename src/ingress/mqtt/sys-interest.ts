// What one session wants to hear: of $SYS/… the broker tells it itself, all the rest is interest of its account.
//
//   subscription ─┬─ $SYS.…      ─▶ sys-topics, which tells this session alone
//                 └─ all others  ─▶ router, and from there perhaps the hub

import type { AccountRouter } from "#router/router.ts";
import type { KeptMessage } from "./message.ts";
import type { ReplaySource } from "./replays.ts";
import type { MqttSubscription } from "./subscriptions.ts";
import type { SysTopics } from "./sys-topics.ts";

/** Where subscriptions go. */
export type Interest = Pick<AccountRouter, "subscribe" | "unsubscribe">;

export class SysInterest {
  readonly #interest: Interest;
  readonly #sys: SysTopics;
  readonly #onMessage: (message: KeptMessage, subscription: MqttSubscription) => void;
  /** Made with the first one. */
  #watches: Map<MqttSubscription, Disposable> | undefined;

  constructor(interest: Interest, sys: SysTopics, onMessage: (message: KeptMessage, subscription: MqttSubscription) => void) {
    this.#interest = interest;
    this.#sys = sys;
    this.#onMessage = onMessage;
  }

  subscribe(subscription: MqttSubscription): void {
    const { filter } = subscription;
    if (!this.#sys.isOurs(filter)) {
      this.#interest.subscribe(subscription);
      return;
    }
    const watch = this.#sys.watch(filter, (message) => {
      if (subscription.mayReceive(message.subject)) this.#onMessage(message, subscription);
    });
    this.#watches ??= new Map();
    this.#watches.set(subscription, watch);
  }

  unsubscribe(subscription: MqttSubscription): void {
    const watch = this.#watches?.get(subscription);
    if (watch === undefined) {
      this.#interest.unsubscribe(subscription);
      return;
    }
    this.#watches?.delete(subscription);
    watch[Symbol.dispose]();
  }

  /** What a new subscription is told first: of $SYS/… the figures of now, else what is retained. */
  retained(store: ReplaySource | null): ReplaySource {
    return { match: (filter) => (this.#sys.isOurs(filter) ? this.#sys.match(filter) : (store?.match(filter) ?? [])) };
  }
}
