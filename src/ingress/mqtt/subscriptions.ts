// The topic filters of one client, as subscriptions of its account. A filter that ends in "/#" is two of them.

import { isUtf8 } from "node:buffer";
import type { Permissions } from "#access/permissions.ts";
import { permits } from "#access/permissions.ts";
import type { Sink, Subscription } from "#core/sink.ts";
import { filterCovers, filtersOverlap } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import { malformed } from "./errors.ts";
import { QOS_MAX, SUBACK_FAILURE } from "./packet.ts";
import { displayTopic, isHiddenFrom, isNameable, mapFilter } from "./topic.ts";

/** Topic filters of one client at a time. */
export const FILTERS_MAX = 1000;

export interface SubscriptionEvents {
  /** A filter was refused with SUBACK 0x80. */
  onRefused(topicFilter: string, words: string): void;
  /** A subject matches, but no PUBLISH may carry it as a topic. */
  onUnnameable(subject: string): void;
}

export class MqttSubscription implements Subscription {
  readonly filter: string;
  readonly queue = null;
  readonly sink: Sink;
  /** Replaced when the same filter is subscribed again. */
  qos: 0 | 1;
  readonly #permissions: Permissions;
  readonly #events: SubscriptionEvents;

  constructor(filter: string, qos: 0 | 1, sink: Sink, permissions: Permissions, events: SubscriptionEvents) {
    this.filter = filter;
    this.qos = qos;
    this.sink = sink;
    this.#permissions = permissions;
    this.#events = events;
  }

  mayReceive(subject: string): boolean {
    if (isHiddenFrom(this.filter, subject) || !permits(this.#permissions.subscribe, subject)) return false;
    if (isNameable(subject, isUtf8(Buffer.from(subject, "latin1")))) return true;
    this.#events.onUnnameable(subject);
    return false;
  }
}

export class Subscriptions {
  readonly #account: AccountRouter;
  readonly #sink: Sink;
  readonly #permissions: Permissions;
  readonly #events: SubscriptionEvents;
  readonly #byTopicFilter = new Map<string, readonly MqttSubscription[]>();

  constructor(account: AccountRouter, sink: Sink, permissions: Permissions, events: SubscriptionEvents) {
    this.#account = account;
    this.#sink = sink;
    this.#permissions = permissions;
    this.#events = events;
  }

  get size(): number {
    return this.#byTopicFilter.size;
  }

  *all(): Iterable<MqttSubscription> {
    for (const subscriptions of this.#byTopicFilter.values()) yield* subscriptions;
  }

  /** Returns the SUBACK return code. `topicFilter` in latin1 form. */
  add(topicFilter: string, wantedQos: number): number {
    const subjects = mapFilter(topicFilter);
    if ("words" in subjects) {
      if (subjects.isMalformed) throw malformed(`topic filter "${displayTopic(topicFilter)}": ${subjects.words}`);
      return this.#refuse(topicFilter, subjects.words);
    }
    if (subjects.every((subject) => !mayOverlap(this.#permissions, subject))) {
      return this.#refuse(topicFilter, "the user's permissions allow no subject under it");
    }
    const qos = Math.min(wantedQos, QOS_MAX) as 0 | 1;
    const known = this.#byTopicFilter.get(topicFilter);
    if (known !== undefined) {
      for (const subscription of known) subscription.qos = qos;
      return qos;
    }
    if (this.size >= FILTERS_MAX) return this.#refuse(topicFilter, `a client may have ${FILTERS_MAX} filters`);
    const added = subjects.map((subject) => new MqttSubscription(subject, qos, this.#sink, this.#permissions, this.#events));
    this.#byTopicFilter.set(topicFilter, added);
    for (const subscription of added) this.#account.subscribe(subscription);
    return qos;
  }

  remove(topicFilter: string): void {
    for (const subscription of this.#byTopicFilter.get(topicFilter) ?? []) this.#account.unsubscribe(subscription);
    this.#byTopicFilter.delete(topicFilter);
  }

  clear(): void {
    for (const topicFilter of [...this.#byTopicFilter.keys()]) this.remove(topicFilter);
  }

  #refuse(topicFilter: string, words: string): number {
    this.#events.onRefused(topicFilter, words);
    return SUBACK_FAILURE;
  }
}

/** Could any subject under `filter` be received? What lies only partly inside is decided message by message. */
function mayOverlap({ subscribe }: Permissions, filter: string): boolean {
  if (subscribe.deny.some((denied) => filterCovers(denied, filter))) return false;
  return subscribe.allow === null || subscribe.allow.some((allowed) => filtersOverlap(allowed, filter));
}
