// The message a client leaves for the case that it vanishes.

import { ProtocolError } from "#base/errors.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { WillRequest } from "./connect-packet.ts";
import { MQTT_TOPIC_REFUSED, malformed } from "./errors.ts";
import type { KeptMessage } from "./message.ts";
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

/** As a batch of one, to be published as if by the client. */
export function batchOfWill({ subject, payload, qos, retain, headers, reply }: Will): BatchBuilder {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject, payload, headers, reply, flags: flagsFor(qos, qos > 0, retain) });
  return batch;
}

/** As it is retained. */
export function messageOfWill({ subject, payload, qos, headers, reply }: Will, deadlineWall: number): KeptMessage {
  return { subject, payload, headers, reply, qos, isRetained: true, deadlineWall };
}
