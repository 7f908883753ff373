// What the monitor tells of one MQTT client and of its subscriptions, beyond its figures.

import type { Millis } from "#base/clock.ts";
import type { Client } from "./broker.ts";
import { clientStatus, type MqttClientStatus } from "./mqtt-status.ts";

export interface MqttConnectionStatus extends MqttClientStatus {
  readonly number: number;
  readonly port: number;
  readonly account: string;
  /** Time without a byte in either direction. */
  readonly idle: Millis;
  readonly pendingBytes: number;
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
    account: client.session!.accountName, // it has one, or it would have no status
    idle: Math.max(0, now - client.lastActive),
    pendingBytes: client.pendingBytes,
  };
}

export function* subscriptionStatusOf({ number, session }: Client): Iterable<MqttSubscriptionStatus> {
  if (session === undefined) return;
  for (const { filter } of session.subscriptions.all()) yield { number, account: session.accountName, filter };
}
