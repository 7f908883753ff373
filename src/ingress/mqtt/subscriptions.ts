// The topic filters of one session, as subscriptions of its account. A filter that ends in "/#" is two of them; `$share/group/filter`
// is a member of a queue group, so MQTT and NATS members share one group.

import { isUtf8 } from "node:buffer";
import type { Permissions } from "#access/permissions.ts";
import { permits } from "#access/permissions.ts";
import type { Sink, Subscription } from "#core/sink.ts";
import { filterCovers, filtersOverlap, subjectMatches } from "#core/subject.ts";
import { malformed } from "./errors.ts";
import type { Mark } from "./keeping.ts";
import { REASON } from "./reason-codes.ts";
import type { SessionFile } from "./session-file.ts";
import type { FilterRecord } from "./session-records.ts";
import type { SessionUpstream } from "./session-upstream.ts";
import type { Member, SharedGroups } from "./shared-groups.ts";
import type { Interest } from "./sys-interest.ts";
import { displayTopic, filterReasonOf, isHiddenFrom, isNameable, mapSubscription } from "./topic.ts";

/** Topic filters of one session at a time. */
export const FILTERS_MAX = 1000;

export interface SubscriptionEvents {
  /** A filter was refused. */
  onRefused(topicFilter: string, words: string): void;
  /** A subject matches, but no PUBLISH may carry it as a topic. */
  onUnnameable(subject: string): void;
}

/** The session whose subscriptions these are, as they need it. */
export interface Subscriber extends Sink, Member {
  readonly permissions: Permissions;
}

export interface SubscriptionDeps {
  /** The account, and the broker itself for $SYS. */
  readonly interest: Interest;
  readonly subscriber: Subscriber;
  readonly upstream: SessionUpstream;
  readonly groups: SharedGroups;
  /** null: the session is not kept. */
  readonly file: SessionFile | null;
  readonly events: SubscriptionEvents;
}

/** What a SUBSCRIBE asks for one filter. */
export type FilterOptions = FilterRecord;

export interface Answer {
  /** The QoS granted, or why not. */
  readonly reason: number;
  readonly isNew: boolean;
  readonly isShared: boolean;
  readonly subscriptions: readonly MqttSubscription[];
  /** Not before it is safe may the client be told. */
  readonly mark: Mark;
}

interface Entry {
  /** On flash. */
  readonly id: number;
  readonly subscriptions: readonly MqttSubscription[];
  readonly isShared: boolean;
}

export class MqttSubscription implements Subscription {
  readonly filter: string;
  readonly queue: string | null;
  readonly sink: Sink;
  /** Replaced when the same filter is subscribed again. */
  options: FilterOptions;
  readonly #subscriber: Subscriber;
  readonly #events: SubscriptionEvents;

  constructor(filter: string, queue: string | null, options: FilterOptions, subscriber: Subscriber, events: SubscriptionEvents) {
    this.filter = filter;
    this.queue = queue;
    this.options = options;
    this.sink = subscriber;
    this.#subscriber = subscriber;
    this.#events = events;
  }

  /** Among the members of a group those go first whose client is there. */
  get isReady(): boolean {
    return this.#subscriber.isConnected;
  }

  mayReceive(subject: string): boolean {
    if (isHiddenFrom(this.filter, subject) || !permits(this.#subscriber.permissions.subscribe, subject)) return false;
    if (isNameable(subject, isUtf8(Buffer.from(subject, "latin1")))) return true;
    this.#events.onUnnameable(subject);
    return false;
  }
}

export class Subscriptions {
  readonly #deps: SubscriptionDeps;
  readonly #byTopicFilter = new Map<string, Entry>();
  #lastId = 0;

  constructor(deps: SubscriptionDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#byTopicFilter.size;
  }

  *all(): Iterable<MqttSubscription> {
    for (const { subscriptions } of this.#byTopicFilter.values()) yield* subscriptions;
  }

  of(topicFilter: string): readonly MqttSubscription[] {
    return this.#byTopicFilter.get(topicFilter)?.subscriptions ?? [];
  }

  /** The shared one by which a message on `subject` came, one of them if there are more; undefined: it is not there any more. */
  shareOf(subject: string): MqttSubscription | undefined {
    for (const one of this.all()) if (one.queue !== null && subjectMatches(one.filter, subject)) return one;
    return undefined;
  }

  /** Numbers under which the filters are kept. */
  *ids(): Iterable<number> {
    for (const { id } of this.#byTopicFilter.values()) yield id;
  }

  add(options: FilterOptions): Answer {
    const topicFilter = options.filter;
    const mapped = mapSubscription(topicFilter);
    if ("words" in mapped) {
      if (mapped.isMalformed) throw malformed(`topic filter "${displayTopic(topicFilter)}": ${mapped.words}`);
      return this.#refuse(topicFilter, filterReasonOf(mapped), mapped.words);
    }
    const { subjects, queue } = mapped;
    if (subjects.every((subject) => !mayOverlap(this.#deps.subscriber.permissions, subject))) {
      return this.#refuse(topicFilter, REASON.notAuthorized, "the user's permissions allow no subject under it");
    }
    const known = this.#byTopicFilter.get(topicFilter);
    if (known !== undefined) {
      for (const subscription of known.subscriptions) subscription.options = options; // the flow goes on [MQTT-3.8.4-3, MQTT5-3.8.4-3]
      return this.#granted(known, false, options);
    }
    if (this.size >= FILTERS_MAX) {
      return this.#refuse(topicFilter, REASON.quotaExceeded, `a client may have ${FILTERS_MAX} filters`);
    }
    if (this.#deps.file?.isFull === true) {
      return this.#refuse(topicFilter, REASON.quotaExceeded, "there is no room to keep it for the session");
    }
    this.#lastId += 1;
    return this.#granted(this.#insert(this.#lastId, options, subjects, queue === "" ? null : queue), true, options);
  }

  /** One that was granted in an earlier life. False: it cannot be one any more. */
  restore(id: number, options: FilterOptions): boolean {
    const mapped = mapSubscription(options.filter);
    if ("words" in mapped) return false;
    this.#lastId = Math.max(this.#lastId, id);
    this.#insert(id, options, mapped.subjects, mapped.queue === "" ? null : mapped.queue);
    return true;
  }

  /** The mark to wait for; undefined: there was no such filter. */
  remove(topicFilter: string): Mark | undefined {
    const entry = this.#byTopicFilter.get(topicFilter);
    if (entry === undefined) return undefined;
    this.#byTopicFilter.delete(topicFilter);
    this.#detach(entry);
    return this.#deps.file?.removeFilter(entry.id) ?? 0;
  }

  /** None any more, in memory: what is kept of them is not touched. */
  clear(): void {
    for (const entry of this.#byTopicFilter.values()) this.#detach(entry);
    this.#byTopicFilter.clear();
  }

  #insert(id: number, options: FilterOptions, subjects: readonly string[], group: string | null): Entry {
    const { events, file, groups, interest, subscriber, upstream } = this.#deps;
    const subscriptions = subjects.map((subject) => new MqttSubscription(subject, group, options, subscriber, events));
    const entry = { id, subscriptions, isShared: group !== null };
    this.#byTopicFilter.set(options.filter, entry);
    for (const subscription of subscriptions) {
      if (file !== null) upstream.add(subscription); // before the router works out routes that need it
      if (group !== null) groups.add(subscription, subscriber);
      interest.subscribe(subscription);
    }
    return entry;
  }

  #detach({ subscriptions }: Entry): void {
    const { file, groups, interest, subscriber, upstream } = this.#deps;
    for (const subscription of subscriptions) {
      groups.remove(subscription, subscriber);
      if (file !== null) upstream.remove(subscription);
      interest.unsubscribe(subscription);
    }
  }

  #granted({ id, subscriptions, isShared }: Entry, isNew: boolean, options: FilterOptions): Answer {
    const mark = this.#deps.file?.saveFilter(id, options) ?? 0;
    return { reason: options.qos, isNew, isShared, subscriptions, mark };
  }

  #refuse(topicFilter: string, reason: number, words: string): Answer {
    this.#deps.events.onRefused(topicFilter, words);
    return { reason, isNew: false, isShared: false, subscriptions: [], mark: 0 };
  }
}

/** Could any subject under `filter` be received? What lies only partly inside is decided message by message. */
function mayOverlap({ subscribe }: Permissions, filter: string): boolean {
  if (subscribe.deny.some((denied) => filterCovers(denied, filter))) return false;
  return subscribe.allow === null || subscribe.allow.some((allowed) => filtersOverlap(allowed, filter));
}
