// The properties of a PUBLISH or will from a device → a NATS header block and a reply subject. The way back: headers-to-properties.ts.
//
//   response topic      reply subject; `Nmqtt-Response-Topic` where it has no subject, or one too long to stand beside another
//   content type        `Content-Type`
//   correlation data    `Nmqtt-Correlation-Data`, base64
//   message expiry      `Nmqtt-Expiry`, seconds
//   payload format      `Nmqtt-Payload-Format: 1`, or 0 where that is said
//   user property k v   `k: v`; `Nmqtt-User-Property: k=v`, percent-encoded, where k or v would not survive or would do harm
//
// No device writes a header line, or one of NATS's own headers, by what it puts into a property (`isSafeName`, `isSafeValue`). The order
// of user properties is kept [MQTT5-3.3.2-18]. Bounded by the limits of property-values.ts.

import { USER_WORDS } from "./property-values.ts";
import type { PublishProperties } from "./publish-properties.ts";
import { mapTopic } from "./topic.ts";

const SPACE = 0x20;
const DELETE = 0x7f;
const PERCENT = 0x25;
const EQUALS = 0x3d;
const HEX = Buffer.from("0123456789ABCDEF", "latin1");

/** 1: a token character of RFC 9110 §5.6.2, of which header names are made. */
const TOKEN = Uint8Array.from({ length: 256 }, (_, byte) => (/^[\w!#$%&'*+.^`|~-]$/.test(String.fromCharCode(byte)) ? 1 : 0));

/** Names, or beginnings of names, that mean something to NATS or to us. In lower case; a beginning ends in "-". */
const RESERVED = ["nats-", "nmqtt-", "petiole-", "status", "description", "content-type"] as const;
/** The first bytes of those, in lower case. */
const RESERVED_INITIALS = Uint8Array.from({ length: 256 }, (_, byte) =>
  RESERVED.some((name) => name.charCodeAt(0) === (byte | 0x20)) ? 1 : 0,
);

const FIRST_LINE = Buffer.from("NATS/1.0\r\n", "latin1");
const CONTENT_TYPE = Buffer.from("Content-Type: ", "latin1");
const ENCODED_CONTENT_TYPE = Buffer.from("Nmqtt-Content-Type: ", "latin1");
const RESPONSE_TOPIC = Buffer.from("Nmqtt-Response-Topic: ", "latin1");
const CORRELATION = Buffer.from("Nmqtt-Correlation-Data: ", "latin1");
const EXPIRY = Buffer.from("Nmqtt-Expiry: ", "latin1");
const PAYLOAD_FORMAT = Buffer.from("Nmqtt-Payload-Format: ", "latin1");
const USER_PROPERTY = Buffer.from("Nmqtt-User-Property: ", "latin1");

/** Longest reply subject. With the longest subject it stays within a control line of NATS, 4,096 bytes, and leaves room for more. */
export const REPLY_BYTES_MAX = 1024;
/** More than any line takes beside its encoded content. */
const LINE_BYTES = 48;
const SINGLE_LINES = 5;
const SLAB_BYTES_MIN = 1024;
const NONE = Buffer.alloc(0);

export class HeaderWriter {
  /** What the last `write` made; borrowed until the next one. Empty when there is nothing to say. */
  block: Buffer = NONE;
  /** Reply subject of the last `write`; "": none. */
  reply = "";
  #slab = NONE;
  #at = 0;

  /** As if nothing had been said. */
  clear(): void {
    this.block = NONE;
    this.reply = "";
  }

  write(properties: PublishProperties): void {
    this.clear();
    if (properties.values.isEmpty) return;
    this.#begin(properties);
    const start = this.#at;
    this.#writeSingles(properties);
    this.#writeUsers(properties);
    if (this.#at === start) return; // a response topic with a subject, or a topic alias
    this.#lineEnd();
    this.block = this.#slab.subarray(0, this.#at);
  }

  #begin(properties: PublishProperties): void {
    const { sectionBytes, userCount } = properties.values;
    const bytes = FIRST_LINE.length + 2 + 3 * sectionBytes + (userCount + SINGLE_LINES) * LINE_BYTES;
    if (bytes > this.#slab.length)
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes))));
    this.#at = 0;
    this.#copy(FIRST_LINE);
  }

  #writeSingles(properties: PublishProperties): void {
    const { bytes } = properties.values;
    if (properties.hasContentType) this.#writeContentType(bytes, properties.contentType, properties.contentTypeEnd);
    if (properties.hasResponseTopic) this.#writeResponseTopic(bytes, properties.responseTopic, properties.responseTopicEnd);
    if (properties.hasCorrelation) {
      this.#copy(CORRELATION);
      const text = bytes.toString("base64", properties.correlation, properties.correlationEnd);
      this.#at += this.#slab.latin1Write(text, this.#at);
      this.#lineEnd();
    }
    if (properties.expirySeconds >= 0) {
      this.#copy(EXPIRY);
      this.#at += this.#slab.latin1Write(String(properties.expirySeconds), this.#at);
      this.#lineEnd();
    }
    if (properties.hasPayloadFormat) {
      this.#copy(PAYLOAD_FORMAT);
      this.#slab[this.#at++] = 0x30 + properties.payloadFormat;
      this.#lineEnd();
    }
  }

  #writeContentType(bytes: Buffer, start: number, end: number): void {
    const isSafe = isSafeValue(bytes, start, end);
    this.#copy(isSafe ? CONTENT_TYPE : ENCODED_CONTENT_TYPE);
    if (isSafe) this.#copySpan(bytes, start, end);
    else this.#encode(bytes, start, end);
    this.#lineEnd();
  }

  #writeResponseTopic(bytes: Buffer, start: number, end: number): void {
    const subject = mapTopic(bytes.latin1Slice(start, end));
    if (typeof subject === "string" && subject.length <= REPLY_BYTES_MAX) {
      this.reply = subject;
      return;
    }
    this.#copy(RESPONSE_TOPIC);
    this.#encode(bytes, start, end);
    this.#lineEnd();
  }

  #writeUsers(properties: PublishProperties): void {
    const { bytes, users, userCount } = properties.values;
    for (let word = 0; word < userCount * USER_WORDS; word += USER_WORDS) {
      const name = users[word]!;
      const nameEnd = users[word + 1]!;
      const value = users[word + 2]!;
      const valueEnd = users[word + 3]!;
      if (isSafeName(bytes, name, nameEnd) && isSafeValue(bytes, value, valueEnd)) {
        this.#copySpan(bytes, name, nameEnd);
        this.#slab[this.#at++] = 0x3a;
        this.#slab[this.#at++] = SPACE;
        this.#copySpan(bytes, value, valueEnd);
      } else {
        this.#copy(USER_PROPERTY);
        this.#encode(bytes, name, nameEnd);
        this.#slab[this.#at++] = EQUALS;
        this.#encode(bytes, value, valueEnd);
      }
      this.#lineEnd();
    }
  }

  #copy(bytes: Buffer): void {
    this.#copySpan(bytes, 0, bytes.length);
  }

  #copySpan(bytes: Buffer, start: number, end: number): void {
    const slab = this.#slab;
    let at = this.#at;
    for (let i = start; i < end; i++) slab[at++] = bytes[i]!;
    this.#at = at;
  }

  /** Percent-encoding, of what could end a line, get lost at its edges, or be taken for a separator. */
  #encode(bytes: Buffer, start: number, end: number): void {
    const slab = this.#slab;
    let at = this.#at;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte > SPACE && byte !== DELETE && byte !== PERCENT && byte !== EQUALS) {
        slab[at++] = byte;
        continue;
      }
      slab[at++] = PERCENT;
      slab[at++] = HEX[byte >> 4]!;
      slab[at++] = HEX[byte & 15]!;
    }
    this.#at = at;
  }

  #lineEnd(): void {
    this.#slab[this.#at++] = 0x0d;
    this.#slab[this.#at++] = 0x0a;
  }
}

function isSafeName(bytes: Buffer, start: number, end: number): boolean {
  if (start === end) return false;
  for (let at = start; at < end; at++) if (TOKEN[bytes[at]!] === 0) return false;
  if (RESERVED_INITIALS[bytes[start]!] === 0) return true;
  const name = bytes.latin1Slice(start, end).toLowerCase();
  return !RESERVED.some((reserved) => (reserved.endsWith("-") ? name.startsWith(reserved) : name === reserved));
}

/** Comes back as it went: no control characters, no blank at either end. */
function isSafeValue(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < SPACE || byte === DELETE) return false;
  }
  return start === end || (bytes[start] !== SPACE && bytes[end - 1] !== SPACE);
}
