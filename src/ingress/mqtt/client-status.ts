// What the monitor tells of one MQTT client and of its subscriptions, beyond its figures.

import type { Millis, WallMillis } from "#base/clock.ts";
import type { TlsFacts } from "#doors/tls-facts.ts";
import type { Client } from "./broker.ts";
import type { MqttDoor } from "./door-facts.ts";
import type { Ending } from "./life.ts";
import { clientStatus, type MqttClientStatus } from "./mqtt-status.ts";
import type { Session } from "./session.ts";
import { versionName } from "./version.ts";

export interface MqttConnectionStatus extends MqttClientStatus {
  readonly number: number;
  readonly port: number;
  readonly account: string;
  /** Time without a byte in either direction. */
  readonly idle: Millis;
  readonly pendingBytes: number;
  readonly door: MqttDoor;
  readonly tls: TlsFacts | null;
}

/** A connection that has ended. */
export interface MqttClosedStatus extends MqttConnectionStatus {
  readonly stopped: WallMillis;
  /** In the words of nats-server's monitor. */
  readonly reason: string;
}

const REASONS: Readonly<Record<Ending, string>> = {
  disconnect: "Client Closed",
  "disconnect-with-will": "Client Closed",
  refused: "Authentication Failure",
  gone: "Client Closed",
  breach: "Protocol Violation",
  silent: "Stale Connection",
  stalled: "Slow Consumer (Write Deadline)",
  full: "Protocol Violation",
  "taken-over": "Duplicate Client ID",
  evicted: "Kicked",
  shutdown: "Server Shutdown",
};

/** A session, whether its client is there or not. */
export interface MqttSessionStatus {
  readonly clientId: string;
  readonly user: string;
  readonly account: string;
  /** It outlives its connection. */
  readonly isKept: boolean;
  readonly subscriptions: number;
  /** QoS 1 and 2 messages to it: sent and not acknowledged, and waiting; bytes of the latter. */
  readonly inflight: number;
  readonly queued: number;
  readonly queuedBytes: number;
  /** null: its client is away. */
  readonly connection: (MqttConnectionStatus & { readonly version: string }) | null;
}

export function sessionStatusOf(session: Session, client: Client | undefined, now: Millis): MqttSessionStatus {
  const status = client === undefined ? undefined : connectionStatusOf(client, now);
  const { deliveries } = session;
  return {
    clientId: session.clientId,
    user: session.user.name,
    account: session.account.name,
    isKept: session.file !== null,
    subscriptions: session.subscriptions.size,
    inflight: deliveries.inflight,
    queued: deliveries.queued,
    queuedBytes: deliveries.queuedBytes,
    connection: status === undefined ? null : { ...status, version: versionName(client!.conversation!.version) },
  };
}

export interface MqttSubscriptionStatus {
  readonly number: number;
  readonly account: string;
  /** Latin1 form. */
  readonly filter: string;
}

/** Undefined before it is let in. */
export function connectionStatusOf(client: Client, now: Millis): MqttConnectionStatus | undefined {
  const status = clientStatus(client);
  if (status === undefined) return undefined;
  return {
    ...status,
    number: client.number,
    port: client.port,
    account: client.conversation!.session.account.name, // it has one, or it would have no status
    idle: Math.max(0, now - client.lastActive),
    pendingBytes: client.pendingBytes,
    door: client.facts.door,
    tls: client.facts.tls,
  };
}

/** Undefined if it was not let in. */
export function closedStatusOf(client: Client, ending: Ending, now: Millis, wall: WallMillis): MqttClosedStatus | undefined {
  const status = connectionStatusOf(client, now);
  return status === undefined ? undefined : { ...status, stopped: wall, reason: REASONS[ending] };
}

export function* subscriptionStatusOf({ number, conversation }: Client): Iterable<MqttSubscriptionStatus> {
  if (conversation === undefined) return;
  const { account, subscriptions } = conversation.session;
  for (const { filter } of subscriptions.all()) yield { number, account: account.name, filter };
}
