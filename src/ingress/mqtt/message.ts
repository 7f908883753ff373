// A message that is kept: queued for a session, in flight, retained. Owned by whoever keeps it, so all its bytes are copies;
// one object serves all that keep the same message, so nobody changes it.

import { type Batch, FLAG_RETAIN, flagsOf, headersOf, payloadOf, QOS_UNSTATED, qosOf, replyOf, subjectOf } from "#core/batch.ts";

export interface KeptMessage {
  /** latin1 form, as everywhere inside the process. */
  readonly subject: string;
  readonly payload: Buffer;
  /** A NATS header block, from `NATS/1.0` through the empty line; empty when there are none. */
  readonly headers: Buffer;
  /** Reply subject; "" when there is none. */
  readonly reply: string;
  readonly qos: 0 | 1 | 2;
  readonly isRetained: boolean;
  /** Wall-clock milliseconds after which nobody wants it any more; 0: never. */
  readonly deadlineWall: number;
}

/** A copy of message `index`; a message that states no QoS is kept at `unstatedQos`. */
export function keepMessage(batch: Batch, index: number, unstatedQos: 0 | 1 | 2, deadlineWall: number): KeptMessage {
  const flags = flagsOf(batch, index);
  const stated = qosOf(flags);
  const payload = payloadOf(batch, index);
  const headers = headersOf(batch, index);
  const bytes = Buffer.allocUnsafeSlow(payload.length + headers.length); // one allocation, not a pooled one that pins its neighbours
  bytes.set(payload);
  bytes.set(headers, payload.length);
  return {
    subject: subjectOf(batch, index),
    payload: bytes.subarray(0, payload.length),
    headers: bytes.subarray(payload.length),
    reply: replyOf(batch, index),
    qos: stated === QOS_UNSTATED ? unstatedQos : stated,
    isRetained: (flags & FLAG_RETAIN) !== 0,
    deadlineWall,
  };
}

/** An estimate of the objects around a kept message. */
export const KEPT_OVERHEAD_BYTES = 160;

/** What a kept message counts for where bytes are bounded: its content, and what is around it. */
export function keptBytes(message: KeptMessage): number {
  return KEPT_OVERHEAD_BYTES + message.subject.length + message.reply.length + message.payload.length + message.headers.length;
}
