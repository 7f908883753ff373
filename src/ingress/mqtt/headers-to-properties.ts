// A NATS header block and a reply subject → the properties of a PUBLISH to a client of 5.0. The way back of properties-to-headers.ts.
//
//   NATS/1.0 503 …␍␊          the first line, and headers that start with `Nats-`: nothing
//   Content-Type: text/x␍␊    its property
//   Nmqtt-…: …␍␊              the property it was made of; unknown ones: nothing
//   k: v␍␊                    a user property, in order
//
// What cannot be said in a property (bad UTF-8, U+0000, a bad number, bad base64, more than 65,535 bytes, a second content type) is left
// out, and the message goes out all the same. The bytes come from anybody: nothing is trusted but the span they lie in.

import { begin, LONG_MAX, writeBase64, writeDecoded, writeLong, writeString, writeWord } from "./property-encode.ts";
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  MESSAGE_EXPIRY_INTERVAL,
  PAYLOAD_FORMAT_INDICATOR,
  RESPONSE_TOPIC,
  USER_PROPERTY,
} from "./property-table.ts";
import { PROPERTIES_BYTES_MAX, USER_PROPERTIES_MAX } from "./property-values.ts";
import { textFault } from "./text.ts";
import { isNameable, subjectToTopic } from "./topic.ts";

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const HASH = 0x23;
const DIGIT_1 = 0x31;
const LOWER = 0x20;
const INITIAL_C = 0x63;
const INITIAL_N = 0x6e;

/** What a header becomes: a property's identifier, with this added where the value is percent-encoded. */
const ENCODED = 0x100;
const NOTHING = 0;

/** Upper bound of what `writeHeaderProperties` writes. A line of at least 4 bytes becomes at most 2 bytes more than it was. */
export function headerPropertiesBytesMax(headerBytes: number, replyBytes: number): number {
  return headerBytes + (headerBytes >> 1) + replyBytes + 8;
}

/** Writes the properties at `at` of `target`, without the section's length; returns the offset behind them. `expirySeconds` ≥ 0 goes before the header's. */
export function writeHeaderProperties(
  target: Buffer,
  at: number,
  headers: Buffer,
  start: number,
  end: number,
  reply: string,
  expirySeconds: number,
): number {
  const limit = at + PROPERTIES_BYTES_MAX;
  let written = 0; // a bit for each single property, by its identifier
  let users = 0;
  if (reply !== "") {
    const next = writeReply(target, at, reply);
    if (next !== at) written |= 1 << RESPONSE_TOPIC;
    at = next;
  }
  if (expirySeconds >= 0) {
    at = writeLong(target, at, MESSAGE_EXPIRY_INTERVAL, expirySeconds);
    written |= 1 << MESSAGE_EXPIRY_INTERVAL;
  }
  for (let line = lineEnd(headers, start, end) + 2; line < end; ) {
    const stop = lineEnd(headers, line, end);
    const colon = colonIn(headers, line, stop);
    const kind = colon > line ? kindOf(headers, line, colon) : NOTHING;
    const id = kind & 0xff;
    const isLeftOut = id === USER_PROPERTY ? users === USER_PROPERTIES_MAX : id === NOTHING || ((written >>> id) & 1) !== 0;
    const next = isLeftOut
      ? at
      : writeProperty(target, at, kind, headers, line, colon, valueStart(headers, colon + 1, stop), stop);
    if (next !== at && next <= limit) {
      if (id === USER_PROPERTY) users += 1;
      else written |= 1 << id;
      at = next;
    }
    line = stop + 2;
  }
  return at;
}

/** What `Nmqtt-Expiry` of a header block says; -1: nothing. */
export function expiryOf(headers: Buffer, start: number, end: number): number {
  for (let line = lineEnd(headers, start, end) + 2; line < end; ) {
    const stop = lineEnd(headers, line, end);
    const colon = colonIn(headers, line, stop);
    if (colon > line && kindOf(headers, line, colon) === MESSAGE_EXPIRY_INTERVAL) {
      const value = valueStart(headers, colon + 1, stop);
      const seconds = parseNumber(headers, value, valueEnd(headers, value, stop));
      if (seconds >= 0) return seconds;
    }
    line = stop + 2;
  }
  return -1;
}

/** What a header of this name becomes. */
function kindOf(headers: Buffer, start: number, end: number): number {
  const initial = headers[start]! | LOWER;
  const length = end - start;
  if (length < 5 || length > 32 || (initial !== INITIAL_N && (initial !== INITIAL_C || length !== 12))) return USER_PROPERTY;
  const name = headers.latin1Slice(start, end).toLowerCase();
  switch (name) {
    case "content-type":
      return CONTENT_TYPE;
    case "nmqtt-content-type":
      return CONTENT_TYPE | ENCODED;
    case "nmqtt-response-topic":
      return RESPONSE_TOPIC | ENCODED;
    case "nmqtt-correlation-data":
      return CORRELATION_DATA;
    case "nmqtt-expiry":
      return MESSAGE_EXPIRY_INTERVAL;
    case "nmqtt-payload-format":
      return PAYLOAD_FORMAT_INDICATOR;
    case "nmqtt-user-property":
      return USER_PROPERTY | ENCODED;
    default:
      return name.startsWith("nats-") || name.startsWith("nmqtt-") ? NOTHING : USER_PROPERTY;
  }
}

/** Returns `at` when the value cannot be said. */
function writeProperty(
  target: Buffer,
  at: number,
  kind: number,
  headers: Buffer,
  name: number,
  nameEnd: number,
  value: number,
  lineEnd: number,
): number {
  const end = valueEnd(headers, value, lineEnd);
  switch (kind) {
    case USER_PROPERTY:
      return writeUser(target, at, headers, name, nameEnd, value, end);
    case USER_PROPERTY | ENCODED:
      return writeEncodedUser(target, at, headers, value, end);
    case CONTENT_TYPE:
      return orNothing(at, writeString(target, begin(target, at, CONTENT_TYPE), headers, value, end));
    case CONTENT_TYPE | ENCODED:
      return orNothing(at, writeDecoded(target, begin(target, at, CONTENT_TYPE), headers, value, end));
    case RESPONSE_TOPIC | ENCODED: {
      const next = writeDecoded(target, begin(target, at, RESPONSE_TOPIC), headers, value, end);
      return isTopic(target, at + 3, next) ? next : at;
    }
    case CORRELATION_DATA:
      return writeBase64(target, at, headers, value, end);
    case MESSAGE_EXPIRY_INTERVAL: {
      const seconds = parseNumber(headers, value, end);
      return seconds < 0 ? at : writeLong(target, at, MESSAGE_EXPIRY_INTERVAL, seconds);
    }
    default:
      if (end - value !== 1 || (headers[value]! | 1) !== DIGIT_1) return at; // 0 or 1
      target[begin(target, at, PAYLOAD_FORMAT_INDICATOR)] = headers[value]! & 1;
      return at + 2;
  }
}

function writeReply(target: Buffer, at: number, reply: string): number {
  const bytes = Buffer.from(reply, "latin1");
  if (!isNameable(reply, textFault(bytes, 0, bytes.length) === undefined)) return at;
  const topic = subjectToTopic(reply);
  target[at] = RESPONSE_TOPIC;
  writeWord(target, at + 1, topic.length);
  return at + 3 + target.latin1Write(topic, at + 3);
}

function writeUser(target: Buffer, at: number, from: Buffer, name: number, nameEnd: number, value: number, end: number): number {
  const middle = writeString(target, begin(target, at, USER_PROPERTY), from, name, nameEnd);
  return middle < 0 ? at : orNothing(at, writeString(target, middle, from, value, end));
}

/** `name=value`, both percent-encoded. */
function writeEncodedUser(target: Buffer, at: number, from: Buffer, start: number, end: number): number {
  let equals = start;
  while (equals < end && from[equals] !== EQUALS) equals++;
  if (equals === end) return at;
  const middle = writeDecoded(target, begin(target, at, USER_PROPERTY), from, start, equals);
  return middle < 0 ? at : orNothing(at, writeDecoded(target, middle, from, equals + 1, end));
}

function orNothing(at: number, next: number): number {
  return next < 0 ? at : next;
}

/** -1: no number of 32 bits. */
function parseNumber(from: Buffer, start: number, end: number): number {
  if (end === start || end - start > 10) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = from[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > LONG_MAX ? -1 : value;
}

/** Offset of the next CRLF, or `end`. */
function lineEnd(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at + 1 < end; at++) if (bytes[at] === CR && bytes[at + 1] === LF) return at;
  return end;
}

/** Offset of the colon of a line, or one before its start. */
function colonIn(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === COLON) return at;
  return start - 1;
}

/** Can these bytes name a topic? */
function isTopic(bytes: Buffer, start: number, end: number): boolean {
  if (start >= end) return false;
  for (let at = start; at < end; at++) if (bytes[at] === PLUS || bytes[at] === HASH) return false;
  return true;
}

function valueStart(bytes: Buffer, at: number, end: number): number {
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

function valueEnd(bytes: Buffer, start: number, end: number): number {
  while (end > start && isBlank(bytes[end - 1]!)) end--;
  return end;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
