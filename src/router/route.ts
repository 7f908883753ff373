// What happens to messages on one subject, worked out once and remembered until interest changes.

import type { Plan, Sink, Subscription } from "#core/sink.ts";
import { subjectMatches } from "#core/subject.ts";
import type { UpstreamSlot } from "./upstream-slot.ts";

export interface Delivery {
  readonly sink: Sink;
  readonly subscriptions: readonly Subscription[];
}

export interface Offer {
  readonly slot: UpstreamSlot;
  readonly plan: Plan;
}

export interface Route {
  /** Plain subscriptions, gathered per sink, so that a sink sees each message once; behind them the onlookers. */
  readonly deliveries: readonly Delivery[];
  /** How many of these are no onlookers. */
  readonly listeners: number;
  /** Members per queue group, each ready to be handed to its sink. */
  readonly groups: ReadonlyMap<string, readonly (readonly [Subscription])[]>;
  readonly offers: readonly Offer[];
  /** Somebody here asked for the subject, allowed or not: a hub that sends it was told so. */
  readonly isAskedFor: boolean;
  /** Subscriptions that it holds, those of onlookers included. */
  readonly receivers: number;
}

/** Permission to receive is asked here, on the concrete subject, once. `onlookers`: all there are; they count for nothing but delivery. */
export function computeRoute(
  subject: string,
  matches: readonly Subscription[],
  upstreams: readonly UpstreamSlot[],
  onlookers: Iterable<Subscription>,
): Route {
  const bySink = new Map<Sink, Subscription[]>();
  const groups = new Map<string, [Subscription][]>();
  let receivers = 0;
  for (const subscription of matches) {
    if (!subscription.mayReceive(subject)) continue;
    receivers += 1;
    if (subscription.queue === null) append(bySink, subscription.sink, subscription);
    else append(groups, subscription.queue, [subscription]);
  }
  const offers: Offer[] = [];
  const served = [...groups.keys()];
  for (const slot of upstreams) {
    const plan = slot.upstream.plan(subject, served);
    if (plan !== null) offers.push({ slot, plan });
  }
  const deliveries: Delivery[] = [...bySink].map(([sink, subscriptions]) => ({ sink, subscriptions }));
  const listeners = deliveries.length;
  for (const onlooker of onlookers) {
    const sees = subjectMatches(onlooker.filter, subject) && onlooker.mayReceive(subject);
    if (sees) deliveries.push({ sink: onlooker.sink, subscriptions: [onlooker] });
  }
  receivers += deliveries.length - listeners;
  return { deliveries, listeners, groups, offers, isAskedFor: matches.length > 0, receivers };
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
