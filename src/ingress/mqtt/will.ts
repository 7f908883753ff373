// The message a client leaves for the case that it vanishes.

import type { Clock } from "#base/clock.ts";
import { ProtocolError } from "#base/errors.ts";
import type { Batch } from "#core/batch.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Ticket } from "#core/sink.ts";
import type { WillRequest } from "./connect-packet.ts";
import { MQTT_TOPIC_REFUSED, malformed } from "./errors.ts";
import { expiryOf } from "./headers-to-properties.ts";
import type { HubCopies } from "./hub-copies.ts";
import type { RetainedStore } from "./retained.ts";
import { displayTopic, mapTopic } from "./topic.ts";

export interface Will {
  readonly subject: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** NATS header block; may be empty. */
  readonly headers: Buffer;
  /** "": none. */
  readonly reply: string;
  readonly delaySeconds: number;
}

/** Throws when the topic has no subject: better at CONNECT, while somebody looks, than when the device is gone. */
export function prepareWill(request: WillRequest): Will {
  const subject = mapTopic(request.topic);
  if (typeof subject !== "string") {
    const words = `will topic "${displayTopic(request.topic)}": ${subject.words}`;
    throw subject.isMalformed ? malformed(words) : new ProtocolError(MQTT_TOPIC_REFUSED, words);
  }
  const { payload, qos, retain, headers, reply, delaySeconds } = request;
  return { subject, payload, qos, retain, headers, reply, delaySeconds };
}

/** Whose will it is. */
export interface Testator {
  readonly user: { readonly name: string };
  publish(batch: Batch): Ticket;
  publishCopies(batch: Batch): Ticket;
}

export interface Executor {
  readonly clock: Clock;
  readonly retained: RetainedStore | null;
  readonly copies: HubCopies | null;
  onRetainedSent(subject: string): void;
}

/** As if its client had published it a moment ago; its QoS is stated for hubs that speak MQTT. */
export function publishWill(will: Will, testator: Testator, { clock, retained, copies, onRetainedSent }: Executor): void {
  const { subject, payload, qos, retain, headers, reply } = will;
  const batch = new BatchBuilder();
  batch.beginOwn();
  const stated = copies === null || qos === 0 ? headers : copies.stateQos(headers, qos);
  batch.add({ subject, payload, headers: stated, reply, flags: flagsFor(qos, qos > 0, retain) });
  testator.publish(batch);
  copies?.publish(
    batch,
    () => false,
    (made) => testator.publishCopies(made),
  );
  if (!retain || retained === null) return;
  onRetainedSent(subject);
  const seconds = expiryOf(headers, 0, headers.length);
  const deadlineWall = seconds < 0 ? 0 : clock.wall() + seconds * 1000;
  retained.put({ subject, payload, headers, reply, qos, isRetained: true, deadlineWall }, testator.user.name);
}
