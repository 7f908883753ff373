// Retained messages for those who have just subscribed, at the pace at which they read.
//
//   SUBSCRIBE ─▶ add(filter) ─▶ pump ─▶ … ─▶ deliveries      a walk stops where the client has no room, and goes on from where it was
//
// Walked lazily, so that a thousand filters over ten thousand retained messages cost their walks and no copies. One walk per filter: who
// subscribes again starts it anew.

import type { KeptMessage } from "./message.ts";
import type { MqttSubscription } from "./subscriptions.ts";

/** Retained messages, or what stands in for them. */
export interface ReplaySource {
  match(filter: string): Iterable<KeptMessage>;
}

export interface ReplaySink {
  /** Nothing more is taken while nobody reads, or while more of it would have to wait and might crowd out what does. */
  hasRoom(subscription: MqttSubscription): boolean;
  deliver(message: KeptMessage, subscription: MqttSubscription): void;
}

export class Replays {
  readonly #retained: ReplaySource;
  readonly #sink: ReplaySink;
  /** Oldest first; while there are any. */
  #walks: Map<MqttSubscription, Iterator<KeptMessage>> | undefined;

  constructor(retained: ReplaySource, sink: ReplaySink) {
    this.#retained = retained;
    this.#sink = sink;
  }

  get size(): number {
    return this.#walks === undefined ? 0 : this.#walks.size;
  }

  add(subscription: MqttSubscription): void {
    this.#walks ??= new Map();
    this.#walks.delete(subscription);
    this.#walks.set(subscription, this.#retained.match(subscription.filter)[Symbol.iterator]());
  }

  remove(subscription: MqttSubscription): void {
    this.#walks?.delete(subscription);
  }

  clear(): void {
    this.#walks?.clear();
    this.#walks = undefined;
  }

  pump(): void {
    const walks = this.#walks;
    if (walks === undefined) return;
    for (const [subscription, walk] of walks) {
      while (this.#sink.hasRoom(subscription)) {
        const { done, value } = walk.next();
        if (done === true) {
          walks.delete(subscription);
          break;
        }
        if (subscription.mayReceive(value.subject)) this.#sink.deliver(value, subscription);
      }
      if (walks.has(subscription)) return; // the client is behind
    }
    if (walks === this.#walks) this.#walks = undefined; // all are over
  }
}
