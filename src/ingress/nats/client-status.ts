// What the monitor tells of one NATS client and of its subscriptions.

import type { Millis, WallMillis } from "#base/clock.ts";
import { displaySubject } from "#core/subject.ts";
import type { TlsFacts } from "#doors/tls-facts.ts";
import type { NatsConnection } from "./connection.ts";

const USER_CHARS_MAX = 256;

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
  readonly isWebSocket: boolean;
  readonly tls: TlsFacts | null;
}

/** A connection that has ended. Who was not let in has the user it named, and no account. */
export interface NatsClosedStatus extends NatsClientStatus {
  readonly stopped: WallMillis;
  /** In nats-server's words. */
  readonly reason: string;
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
  return connection.session === undefined ? undefined : statusOf(connection, now);
}

export function closedStatusOf(
  connection: NatsConnection,
  { reason, now, wall }: { readonly reason: string; readonly now: Millis; readonly wall: WallMillis },
): NatsClosedStatus {
  return { ...statusOf(connection, now), stopped: wall, reason };
}

/** One that did not get as far as to be greeted. */
export function lostStatusOf(
  { number, address, port, since }: { number: number; address: string; port: number; since: WallMillis },
  reason: string,
  wall: WallMillis,
): NatsClosedStatus {
  const figures = { pendingBytes: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, subscriptions: 0 };
  const nothing = { idle: wall - since, rtt: null, name: "", library: "", user: "", account: "", isWebSocket: false, tls: null };
  return { number, address, port, since, ...figures, ...nothing, stopped: wall, reason };
}

function statusOf(connection: NatsConnection, now: Millis): NatsClientStatus {
  const { session, request } = connection;
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
    subscriptions: session?.subscriptions.size ?? 0,
    name: request?.name ?? "",
    library: request?.library ?? "",
    user: session?.user.name ?? shown(request?.user),
    account: connection.account ?? "",
    isWebSocket: connection.greeting.way === "websocket",
    tls: connection.greeting.tls,
  };
}

/** A stranger may call itself anything. */
function shown(name: string | null | undefined): string {
  return (name ?? "").slice(0, USER_CHARS_MAX);
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
