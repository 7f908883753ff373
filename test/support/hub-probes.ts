// What hub and spoke know of each other, asked from both sides: tests of subjects wait for it instead of for time.

import { type Msg, type NatsConnection, RequestError } from "@nats-io/transport-node";
import type { Rig } from "./uplink-rig.ts";

/** What a subscription at the hub has heard, but for probes, which are empty. */
export function record(nats: NatsConnection, filter: string, queue?: string): Msg[] {
  const heard: Msg[] = [];
  nats.subscribe(filter, {
    ...(queue === undefined ? {} : { queue }),
    callback: (_, message) => {
      if (message.data.length > 0) heard.push(message);
    },
  });
  return heard;
}

/** A local responder that echoes the payload, and the header block in a header of its own. */
export function answering(rig: Rig, filter: string, onRequest: (reply: string) => void): void {
  const client = rig.client();
  const deliver = client.deliver.bind(client);
  client.deliver = (batch, index) => {
    deliver(batch, index);
    const { reply, text, headers } = client.heard.at(-1)!;
    if (reply === "") return;
    onRequest(reply);
    const echo = `NATS/1.0\r\nEcho: ${headers.trimEnd().replaceAll("\r\n", "|")}||\r\n\r\n`;
    client.publish(reply, text, { headers: Buffer.from(echo, "latin1") });
  };
  client.subscribe(filter);
}

/** Does the spoke know that somebody at the hub wants `subject`? */
export function interestAt(rig: Rig, subject: string): boolean {
  return rig.uplink.outbox.hears(rig.uplink.outbox.plan(subject, []));
}

/** Resolves when the hub has taken all that the spoke has said so far, interest and messages. `_R_.` passes whatever the lists say. */
export async function taken(rig: Rig, nats: NatsConnection): Promise<void> {
  const marker = `_R_.taken.${process.hrtime.bigint()}`;
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = nats.subscribe(marker, { callback: () => resolve() });
  await nats.flush();
  rig.client().publish(marker);
  await promise;
  subscription.unsubscribe();
}

/** Resolves when the spoke knows all that this client of the hub has subscribed to so far. */
export async function announced(rig: Rig, nats: NatsConnection): Promise<void> {
  const marker = `announced.${process.hrtime.bigint()}`;
  nats.subscribe(marker);
  await nats.flush();
  await rig.until("the hub has announced its interest", () => interestAt(rig, marker));
}

/** Resolves once the hub has the spoke's interest in `subject`: an empty probe is not answered by "no responders". */
export async function interested(nats: NatsConnection, subject: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const isHeard = await nats.request(subject, "", { timeout: 20 }).then(
      () => true,
      (error: unknown) => !isUnheard(error),
    );
    if (isHeard) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the hub never heard of interest in ${subject}`);
}

export function isUnheard(error: unknown): boolean {
  return error instanceof RequestError && error.isNoResponders();
}

export async function requestUntilServed(nats: NatsConnection, subject: string, text: string): Promise<Msg> {
  for (let i = 0; ; i++) {
    try {
      return await nats.request(subject, text, { timeout: 1000 });
    } catch (error) {
      if (i === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
