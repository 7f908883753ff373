// The subscriptions of one client: by sid, with permissions, and with an end after so many messages (UNSUB <sid> <max>).

import type { Permissions } from "#access/permissions.ts";
import { denies, permitsFilter } from "#access/permissions.ts";
import type { Sink, Subscription } from "#core/sink.ts";
import { isValidFilter, subjectMatches } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";

/** Subscriptions of one client at a time. */
export const SUBSCRIPTIONS_MAX = 10_000;
/** Bytes of their filters: interest holds a node for each token. */
const FILTER_BYTES_MAX = 1_048_576;

export class NatsSubscription implements Subscription {
  readonly filter: string;
  readonly queue: string | null;
  readonly sink: Sink;
  readonly sid: string;
  /** As it stands on the wire. */
  readonly sidBytes: Buffer;
  /** Messages delivered. */
  delivered = 0;
  /** It ends with this message; 0: it does not. */
  max = 0;
  isOpen = true;
  readonly #permissions: Permissions;

  constructor(filter: string, queue: string | null, sid: string, sink: Sink, permissions: Permissions) {
    this.filter = filter;
    this.queue = queue;
    this.sid = sid;
    this.sidBytes = Buffer.from(sid, "latin1");
    this.sink = sink;
    this.#permissions = permissions;
  }

  /** One that has had its last message, or whose client is gone, is passed over until the router hears of it. */
  get isReady(): boolean {
    return this.isOpen;
  }

  mayReceive(subject: string): boolean {
    return !denies(this.#permissions.subscribe, subject, this.queue); // the whole filter was allowed
  }
}

/** `known`: this sid is in use, and what it stands for stays as it is. */
export type AddAnswer = "added" | "known" | "invalid" | "denied" | "too-many";

export class Subscriptions {
  readonly #account: AccountRouter;
  readonly #sink: Sink;
  readonly #permissions: Permissions;
  readonly #max: number;
  readonly #bySid = new Map<string, NatsSubscription>();
  #filterBytes = 0;
  #isWithdrawn = false;
  /** Those whose last message has been delivered. */
  readonly #finished: NatsSubscription[] = [];
  /** Which subscription heard the last reply: most likely the next one, too. */
  #lastForReply: NatsSubscription | undefined;

  constructor(account: AccountRouter, sink: Sink, permissions: Permissions, max = SUBSCRIPTIONS_MAX) {
    this.#max = Math.min(max, SUBSCRIPTIONS_MAX);
    this.#account = account;
    this.#sink = sink;
    this.#permissions = permissions;
  }

  get size(): number {
    return this.#bySid.size;
  }

  all(): Iterable<NatsSubscription> {
    return this.#bySid.values();
  }

  add(filter: string, queue: string | null, sid: string): AddAnswer {
    if (!isValidFilter(filter)) return "invalid";
    if (!permitsFilter(this.#permissions.subscribe, filter, queue)) return "denied";
    if (this.#bySid.has(sid)) return "known";
    if (this.size >= this.#max || this.#filterBytes + filter.length > FILTER_BYTES_MAX) return "too-many";
    const subscription = new NatsSubscription(filter, queue, sid, this.#sink, this.#permissions);
    this.#bySid.set(sid, subscription);
    this.#filterBytes += filter.length;
    this.#account.subscribe(subscription);
    return "added";
  }

  /** `max` 0: now; otherwise once so many messages have been delivered since it began. An unknown sid harms nobody. */
  end(sid: string, max: number): void {
    const subscription = this.#bySid.get(sid);
    if (subscription === undefined) return;
    if (max > subscription.delivered) subscription.max = max;
    else this.#remove(subscription);
  }

  /** One of its messages has been written. After the last one it gets no more; `sweep` takes it out. */
  count(subscription: NatsSubscription): void {
    subscription.delivered += 1;
    if (subscription.delivered !== subscription.max) return;
    subscription.isOpen = false;
    this.#finished.push(subscription);
  }

  /** Takes out those that are finished. Not in the middle of a routing pass. */
  sweep(): void {
    while (this.#finished.length > 0) this.#remove(this.#finished.pop()!);
  }

  /** The subscription that hears `reply`, if any. */
  forReply(reply: string): NatsSubscription | undefined {
    const last = this.#lastForReply;
    if (last?.isOpen && subjectMatches(last.filter, reply)) return last;
    // The router's index, since one look at each of ten thousand takes milliseconds.
    for (const subscription of this.#isWithdrawn ? this.#bySid.values() : this.#account.askers(reply)) {
      if (!this.#isOwn(subscription) || !subscription.isOpen || !subjectMatches(subscription.filter, reply)) continue;
      this.#lastForReply = subscription;
      return subscription;
    }
    return undefined;
  }

  #isOwn(subscription: Subscription): subscription is NatsSubscription {
    return subscription.sink === this.#sink;
  }

  /** No more interest; who hears which reply is still known. */
  withdraw(): void {
    this.#isWithdrawn = true;
    for (const subscription of this.#bySid.values()) this.#account.unsubscribe(subscription);
  }

  /** Nothing is delivered to them any more; they are still there for the router until `clear`. */
  shut(): void {
    for (const subscription of this.#bySid.values()) subscription.isOpen = false;
  }

  clear(): void {
    for (const subscription of this.#bySid.values()) this.#remove(subscription);
    this.#finished.length = 0;
  }

  #remove(subscription: NatsSubscription): void {
    subscription.isOpen = false;
    if (this.#bySid.delete(subscription.sid)) this.#filterBytes -= subscription.filter.length;
    if (this.#lastForReply === subscription) this.#lastForReply = undefined;
    this.#account.unsubscribe(subscription);
  }
}
