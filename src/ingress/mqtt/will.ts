// The message a client leaves for the case that it vanishes.

import { ProtocolError } from "#base/errors.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Door } from "#router/router.ts";
import type { WillRequest } from "./control-packets.ts";
import { MQTT_TOPIC_REFUSED, malformed } from "./errors.ts";
import { displayTopic, mapTopic } from "./topic.ts";

export interface Will {
  readonly subject: string;
  readonly payload: Buffer;
  /** QoS 2 is brought down to 1. */
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** Throws when the topic has no subject: better at CONNECT, while somebody looks, than when the device is gone. */
export function prepareWill(request: WillRequest): Will {
  const subject = mapTopic(request.topic);
  if (typeof subject !== "string") {
    const words = `will topic "${displayTopic(request.topic)}": ${subject.words}`;
    throw subject.isMalformed ? malformed(words) : new ProtocolError(MQTT_TOPIC_REFUSED, words);
  }
  return { subject, payload: request.payload, qos: request.qos === 0 ? 0 : 1, retain: request.retain };
}

/** Published as if by the client, under its permissions. */
export function publishWill(door: Door, will: Will): void {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject: will.subject, payload: will.payload, flags: flagsFor(will.qos, will.qos > 0, will.retain) });
  door.publish(batch);
}
