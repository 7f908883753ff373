// What the monitor tells of one NATS client and of its subscriptions.

import type { Millis, WallMillis } from "#base/clock.ts";
import { displaySubject } from "#core/subject.ts";
import type { NatsConnection } from "./connection.ts";

export interface NatsClientStatus {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly since: WallMillis;
  /** Time without a byte in either direction. */
  readonly idle: Millis;
  readonly rtt: Millis | null;
  readonly pendingBytes: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly subscriptions: number;
  /** What it says of itself; "" where it says nothing. */
  readonly name: string;
  readonly library: string;
  readonly user: string;
  readonly account: string;
}

export interface NatsSubscriptionStatus {
  readonly number: number;
  readonly account: string;
  /** Latin1 form. */
  readonly filter: string;
  readonly queue: string | null;
  readonly sid: string;
  readonly delivered: number;
  /** It ends with this message; 0: it does not. */
  readonly max: number;
}

/** Undefined before it is let in. */
export function clientStatusOf(connection: NatsConnection, now: Millis): NatsClientStatus | undefined {
  const { session } = connection;
  if (session === undefined) return undefined;
  return {
    number: connection.number,
    address: connection.address,
    port: connection.port,
    since: connection.sinceWall,
    idle: Math.max(0, now - connection.lastActive),
    rtt: connection.rtt,
    pendingBytes: connection.pendingBytes,
    messagesIn: connection.messagesIn,
    messagesOut: connection.messagesOut,
    bytesIn: connection.bytesIn,
    bytesOut: connection.bytesOut,
    subscriptions: session.subscriptions.size,
    name: session.request.name,
    library: session.request.library,
    user: session.user.name,
    account: session.user.account,
  };
}

export function* subscriptionStatusOf({ number, session }: NatsConnection): Iterable<NatsSubscriptionStatus> {
  if (session === undefined) return;
  const { account } = session.user;
  for (const { filter, queue, sid, delivered, max } of session.subscriptions.all())
    yield {
      number,
      account,
      filter,
      queue: queue === null ? null : displaySubject(queue),
      sid: displaySubject(sid),
      delivered,
      max,
    };
}
