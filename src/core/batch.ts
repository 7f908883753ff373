// Messages moved together: the bytes once, positions beside them.
//
//   bytes   …│plant.7.temp│…│NATS/1.0␍␊k: v␍␊␍␊│21.5│…            one slab, usually the chunk a socket gave us
//   spans    │subject,end│reply,end│headers,end│payload,end│groups,end│flags│routed,end│      SPAN_WORDS words per message
//
// A batch is borrowed: valid until the call that lent it returns. Whoever keeps bytes copies them.

/** Words per message in `spans`. Offsets are into `bytes`; an absent part has start == end. */
export const SPAN_WORDS = 13;
/** What receivers are shown. */
export const SUBJECT = 0;
export const SUBJECT_END = 1;
export const REPLY = 2;
export const REPLY_END = 3;
/** A whole header block, from `NATS/1.0` through the empty line. */
export const HEADERS = 4;
export const HEADERS_END = 5;
export const PAYLOAD = 6;
export const PAYLOAD_END = 7;
/** Queue groups a hub has picked us for: names separated by single spaces. Only on batches from a hub. */
export const GROUPS = 8;
export const GROUPS_END = 9;
export const FLAGS = 10;
/**
 * The subject by which a message finds its way: the same bytes as SUBJECT, but for what a stream delivers. There this is the consumer's
 * deliver subject, and SUBJECT the one the message was stored under (spec/leafnode-protocol.md §15.3). Only the router looks here.
 */
export const ROUTED = 11;
export const ROUTED_END = 12;

/** The publisher wants to be told when the message is safe (QoS ≥ 1, or a NATS publish with `Petiole-Ack: safe`). */
export const FLAG_DURABLE = 1;
/** MQTT retain flag of the publish. */
export const FLAG_RETAIN = 2;
/** Bits 2–3: the publish's MQTT QoS; 3 = not from MQTT, no QoS stated. */
export const FLAG_QOS_SHIFT = 2;
export const QOS_UNSTATED = 3;

/** Messages in one batch at most; a larger chunk makes several batches. */
export const BATCH_MAX = 4096;

export interface Batch {
  readonly bytes: Buffer;
  readonly spans: Uint32Array;
  /** 0 … BATCH_MAX */
  readonly count: number;
}

export function flagsFor(qos: 0 | 1 | 2 | 3, durable: boolean, retain: boolean): number {
  return (durable ? FLAG_DURABLE : 0) | (retain ? FLAG_RETAIN : 0) | (qos << FLAG_QOS_SHIFT);
}

export function qosOf(flags: number): 0 | 1 | 2 | 3 {
  return ((flags >> FLAG_QOS_SHIFT) & 3) as 0 | 1 | 2 | 3;
}

export function subjectOf(batch: Batch, index: number): string {
  const at = index * SPAN_WORDS;
  return batch.bytes.latin1Slice(batch.spans[at + SUBJECT]!, batch.spans[at + SUBJECT_END]!);
}

/** The subject that interest and permissions are asked for. */
export function routedSubjectOf(batch: Batch, index: number): string {
  const at = index * SPAN_WORDS;
  return batch.bytes.latin1Slice(batch.spans[at + ROUTED]!, batch.spans[at + ROUTED_END]!);
}

export function isRequest(batch: Batch, index: number): boolean {
  const at = index * SPAN_WORDS + REPLY;
  return batch.spans[at] !== batch.spans[at + 1];
}

/** The reply subject; "" when there is none. */
export function replyOf(batch: Batch, index: number): string {
  const at = index * SPAN_WORDS;
  return batch.bytes.latin1Slice(batch.spans[at + REPLY]!, batch.spans[at + REPLY_END]!);
}

/** A view, borrowed like the batch. */
export function headersOf(batch: Batch, index: number): Buffer {
  const at = index * SPAN_WORDS;
  return batch.bytes.subarray(batch.spans[at + HEADERS]!, batch.spans[at + HEADERS_END]!);
}

/** A view, borrowed like the batch. */
export function payloadOf(batch: Batch, index: number): Buffer {
  const at = index * SPAN_WORDS;
  return batch.bytes.subarray(batch.spans[at + PAYLOAD]!, batch.spans[at + PAYLOAD_END]!);
}

export function flagsOf(batch: Batch, index: number): number {
  return batch.spans[index * SPAN_WORDS + FLAGS]!;
}

/** Bytes of payload and headers of one message. */
export function sizeOf(batch: Batch, index: number): number {
  const at = index * SPAN_WORDS;
  return (
    batch.spans[at + PAYLOAD_END]! - batch.spans[at + PAYLOAD]! + batch.spans[at + HEADERS_END]! - batch.spans[at + HEADERS]!
  );
}
