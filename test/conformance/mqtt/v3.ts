// Clients of 3.1.1 with a session that is kept, for tests.
//
//   await subscribed(door, "sleeper", "a/#", 1);               was here, subscribed, said goodbye
//   await using sleeper = await comes(door, "sleeper", RESUMED);

import { turn } from "../../support/fake-clock.ts";
import {
  type ConnectOptions,
  connect,
  type MqttDoor,
  PASSWORD,
  type RawClient,
  suback,
  subscribe,
} from "../../wire/mqtt/harness.ts";

/** CONNACK, session present 0 and 1. */
export const KEPT = "20 02 00 00";
export const RESUMED = "20 02 01 00";

export type Visit = Omit<ConnectOptions, "clientId" | "isClean" | "password">;

/** A client with clean session 0 that got this CONNACK. */
export async function comes(door: MqttDoor, clientId: string, connack: string, visit: Visit = {}): Promise<RawClient> {
  const client = await door.dial();
  client.send(connect({ ...visit, clientId, isClean: false, ...(visit.user !== undefined && { password: PASSWORD }) }));
  await client.receives(connack);
  return client;
}

/** DISCONNECT, and nothing was sent that was not asked for. */
export async function leaves(client: RawClient): Promise<void> {
  client.send("e0 00");
  await client.isClosed();
}

/** Its connection breaks, and the broker has noticed. */
export async function breaks(door: MqttDoor, client: RawClient): Promise<void> {
  const before = door.ingress.sessions().connected;
  client.vanish();
  while (door.ingress.sessions().connected === before) await turn();
}

/** Has a kept session with these filters, and is away. */
export async function subscribed(door: MqttDoor, clientId: string, filter: string, qos: number): Promise<void> {
  await using client = await comes(door, clientId, KEPT);
  client.send(subscribe(1, [filter, qos]));
  await client.receives(suback(1, qos));
  await leaves(client);
}

/** Has a clean session with these filters. */
export async function listening(
  door: MqttDoor,
  clientId: string,
  ...filters: readonly (readonly [string, number])[]
): Promise<RawClient> {
  const client = await door.connected(clientId);
  client.send(subscribe(1, ...filters));
  await client.receives(suback(1, ...filters.map(([, qos]) => qos)));
  return client;
}
