// PUBLISH to a client, of any version, written straight into the bytes that go out. The way in is publish.ts.
//
//   ┌ fixed header ┐┌ topic ┐┌ packet id ┐┌ 5.0: length, properties ┐┌ payload ┐
//                             QoS 1 and 2   made of reply and headers (headers-to-properties.ts), and of `options`
//
// The hot path: a message without headers and reply, or a client of 3.x, costs one pass over its subject and one copy of its payload.
// One message to many clients of a kind: fan-out.ts.

import type { Batch } from "#core/batch.ts";
import { HEADERS, HEADERS_END, PAYLOAD, PAYLOAD_END, REPLY, REPLY_END, SPAN_WORDS, SUBJECT, SUBJECT_END } from "#core/batch.ts";
import { headerPropertiesBytesMax, writeHeaderProperties } from "./headers-to-properties.ts";
import type { KeptMessage } from "./message.ts";
import { PUBLISH, writeFixedHeader, writeVarint } from "./packet.ts";
import { SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS } from "./property-table.ts";
import { subjectToTopic } from "./topic.ts";
import type { MqttVersion } from "./version.ts";

const DOT = 0x2e;
const SLASH = 0x2f;

/** Fixed header, topic length, packet identifier, length of the properties. */
const FRAME_BYTES = 5 + 2 + 2 + 4;
const SUBSCRIPTION_ID_BYTES = 5;
const ALIAS_BYTES = 3;
const EXPIRY_BYTES = 5;

/** How a message goes to one client. One object of the client's, changed from message to message. */
export interface PublishOptions {
  version: MqttVersion;
  qos: 0 | 1 | 2;
  /** Not looked at when `qos` is 0. */
  packetId: number;
  isDuplicate: boolean;
  retain: boolean;
  /** What follows is for 5.0. Identifiers of the subscriptions that matched; usually none. */
  subscriptionIds: readonly number[];
  /** Seconds left; -1: as the message's header says. */
  expirySeconds: number;
  /** 0: none. */
  topicAlias: number;
  /** The client knows the alias: the topic is left out. */
  isTopicKnown: boolean;
}

export function plainPublishOptions(version: MqttVersion): PublishOptions {
  return {
    version,
    qos: 0,
    packetId: 0,
    isDuplicate: false,
    retain: false,
    subscriptionIds: [],
    expirySeconds: -1,
    topicAlias: 0,
    isTopicKnown: false,
  };
}

/** Upper bound of the bytes `writePublish` needs for this message. */
export function publishBytesMax(batch: Batch, index: number, options: PublishOptions): number {
  const at = index * SPAN_WORDS;
  const { spans } = batch;
  const bytes = FRAME_BYTES + spans[at + SUBJECT_END]! - spans[at + SUBJECT]! + spans[at + PAYLOAD_END]! - spans[at + PAYLOAD]!;
  if (options.version !== 5) return bytes;
  const headerBytes = spans[at + HEADERS_END]! - spans[at + HEADERS]!;
  return bytes + propertiesBytesMax(headerBytes, spans[at + REPLY_END]! - spans[at + REPLY]!, options);
}

/** Upper bound of the bytes `writeKeptPublish` needs for this message. */
export function keptPublishBytesMax(message: KeptMessage, options: PublishOptions): number {
  const bytes = FRAME_BYTES + message.subject.length + message.payload.length;
  return options.version === 5 ? bytes + propertiesBytesMax(message.headers.length, message.reply.length, options) : bytes;
}

/** Writes message `index` as a PUBLISH at `at`; returns the offset behind it. */
export function writePublish(target: Buffer, at: number, batch: Batch, index: number, options: PublishOptions): number {
  const { bytes, spans } = batch;
  const span = index * SPAN_WORDS;
  const subject = spans[span + SUBJECT]!;
  const subjectEnd = spans[span + SUBJECT_END]!;
  const payload = spans[span + PAYLOAD]!;
  const payloadEnd = spans[span + PAYLOAD_END]!;
  const isNew = options.version === 5;
  const start = at;
  let i = subject;
  if (!isNew || !(hasHeadersOrReply(spans, span) || hasOwnProperties(options))) {
    at = writeFront(target, at, subjectEnd - subject, (isNew ? 1 : 0) + payloadEnd - payload, options);
    for (; i < subjectEnd; i++) {
      const byte = bytes[i]!;
      if (byte === SLASH) break; // not an ordinary topic: begin again
      target[at++] = byte === DOT ? SLASH : byte;
    }
  }
  if (i !== subjectEnd) at = writeRareFront(target, start, batch, span, options);
  else {
    if (options.qos !== 0) {
      target[at++] = options.packetId >> 8;
      target[at++] = options.packetId & 255;
    }
    if (isNew) target[at++] = 0;
  }
  bytes.copy(target, at, payload, payloadEnd);
  return at + payloadEnd - payload;
}

/** Writes a kept message as a PUBLISH at `at`; returns the offset behind it. */
export function writeKeptPublish(target: Buffer, at: number, message: KeptMessage, options: PublishOptions): number {
  const { payload, headers, reply } = message;
  const topic = options.isTopicKnown ? "" : subjectToTopic(message.subject);
  const isPlain = options.version !== 5 || (headers.length === 0 && reply === "" && !hasOwnProperties(options));
  const start = at + FRAME_BYTES + topic.length;
  const end = isPlain ? start : writeProperties(target, start, headers, 0, headers.length, reply, options);
  at = writeFront(target, at, topic.length, sectionBytes(start, end, options) + payload.length, options);
  at = writeMiddle(target, at + target.latin1Write(topic, at), start, end, options);
  target.set(payload, at);
  return at + payload.length;
}

/** Where the packet identifier stands in a written PUBLISH of QoS 1 or 2 that begins at `at`. */
export function packetIdOffset(packet: Buffer, at: number): number {
  at += 1;
  while (packet[at]! > 127) at += 1;
  return at + 3 + ((packet[at + 1]! << 8) | packet[at + 2]!);
}

/** Everything before the payload, for a message with properties or a topic that is not just its subject with slashes for dots. */
function writeRareFront(target: Buffer, at: number, batch: Batch, span: number, options: PublishOptions): number {
  const { bytes, spans } = batch;
  const subject = spans[span + SUBJECT]!;
  const subjectEnd = spans[span + SUBJECT_END]!;
  const payloadBytes = spans[span + PAYLOAD_END]! - spans[span + PAYLOAD]!;
  const topic = hasSlash(bytes, subject, subjectEnd) ? subjectToTopic(bytes.latin1Slice(subject, subjectEnd)) : undefined;
  const topicBytes = options.isTopicKnown ? 0 : (topic?.length ?? subjectEnd - subject);
  const start = at + FRAME_BYTES + topicBytes;
  let end = start;
  if (options.version === 5) {
    const reply =
      spans[span + REPLY]! === spans[span + REPLY_END]! ? "" : bytes.latin1Slice(spans[span + REPLY]!, spans[span + REPLY_END]!);
    end = writeProperties(target, start, bytes, spans[span + HEADERS]!, spans[span + HEADERS_END]!, reply, options);
  }
  at = writeFront(target, at, topicBytes, sectionBytes(start, end, options) + payloadBytes, options);
  if (topicBytes > 0) at = writeTopic(target, at, topic, bytes, subject, subjectEnd);
  return writeMiddle(target, at, start, end, options);
}

/** Fixed header and topic length. `restBytes`: property section and payload. */
function writeFront(target: Buffer, at: number, topicBytes: number, restBytes: number, options: PublishOptions): number {
  const { qos } = options;
  const first = (PUBLISH << 4) | (options.isDuplicate ? 8 : 0) | (qos << 1) | (options.retain ? 1 : 0);
  at = writeFixedHeader(target, at, first, 2 + topicBytes + (qos === 0 ? 0 : 2) + restBytes);
  target[at++] = topicBytes >> 8;
  target[at++] = topicBytes & 255;
  return at;
}

/** `topic`: where it is not just the subject with slashes for dots. */
function writeTopic(
  target: Buffer,
  at: number,
  topic: string | undefined,
  bytes: Buffer,
  subject: number,
  subjectEnd: number,
): number {
  if (topic !== undefined) return at + target.latin1Write(topic, at);
  for (let i = subject; i < subjectEnd; i++) {
    const byte = bytes[i]!;
    target[at++] = byte === DOT ? SLASH : byte;
  }
  return at;
}

/** Packet identifier and, in 5.0, the properties, which wait at `start … end` of the same bytes, further back. */
function writeMiddle(target: Buffer, at: number, start: number, end: number, options: PublishOptions): number {
  if (options.qos !== 0) {
    target[at++] = options.packetId >> 8;
    target[at++] = options.packetId & 255;
  }
  if (options.version !== 5) return at;
  at = writeVarint(target, at, end - start);
  if (end > start) target.copyWithin(at, start, end);
  return at + end - start;
}

/** Written behind where they may come to lie at most, to be moved when all lengths are known. */
function writeProperties(
  target: Buffer,
  at: number,
  headers: Buffer,
  start: number,
  end: number,
  reply: string,
  options: PublishOptions,
): number {
  at = writeOwnProperties(target, at, options);
  return writeHeaderProperties(target, at, headers, start, end, reply, options.expirySeconds);
}

function writeOwnProperties(target: Buffer, at: number, options: PublishOptions): number {
  for (const id of options.subscriptionIds) {
    target[at++] = SUBSCRIPTION_IDENTIFIER;
    at = writeVarint(target, at, id);
  }
  if (options.topicAlias === 0) return at;
  target[at++] = TOPIC_ALIAS;
  target[at++] = options.topicAlias >> 8;
  target[at++] = options.topicAlias & 255;
  return at;
}

function propertiesBytesMax(headerBytes: number, replyBytes: number, options: PublishOptions): number {
  const own = ALIAS_BYTES + EXPIRY_BYTES + options.subscriptionIds.length * SUBSCRIPTION_ID_BYTES;
  return own + headerPropertiesBytesMax(headerBytes, replyBytes);
}

function hasOwnProperties(options: PublishOptions): boolean {
  return options.topicAlias !== 0 || options.expirySeconds >= 0 || options.subscriptionIds.length > 0;
}

/** Bytes of a property section with its length. */
function sectionBytes(start: number, end: number, options: PublishOptions): number {
  return options.version === 5 ? varintBytes(end - start) + end - start : 0;
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

function hasHeadersOrReply(spans: Uint32Array, span: number): boolean {
  return spans[span + HEADERS] !== spans[span + HEADERS_END] || spans[span + REPLY] !== spans[span + REPLY_END];
}

function hasSlash(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === SLASH) return true;
  return false;
}
