// PUBLISH from a client, on bytes, for all versions; the way out is publish-writer.ts. The hot path: no string, no object, no copy for the ordinary packet.
// Why not the library: 0.9 M packets/s against 9 M/s (README.md, "The codec").

import { isUtf8 } from "node:buffer";
import { malformed, protocolError } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import { PublishProperties, readPublishProperties } from "./publish-properties.ts";
import { REASON } from "./reason-codes.ts";
import { mapTopic, type TopicFault } from "./topic.ts";
import type { MqttVersion } from "./version.ts";

const DOT = 0x2e;
const SLASH = 0x2f;
const DOLLAR = 0x24;

/** 1: a byte that is the same in topic and subject and needs no thought. Not: / . + # * > white space, control, beyond ASCII. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 0x20 && byte < 0x7f && !"/.+#*>".includes(String.fromCharCode(byte)) ? 1 : 0,
);

const NOT_UTF8: TopicFault = { isMalformed: true, words: "it is not well-formed UTF-8", reason: REASON.malformedPacket };

/** Where the parts of one PUBLISH lie; one object, filled anew for each packet. */
export class PublishParts {
  qos: 0 | 1 | 2 = 0;
  isRetained = false;
  isDuplicate = false;
  /** Empty (start and end the same) only with a topic alias. */
  topic = 0;
  topicEnd = 0;
  /** 0 at QoS 0. */
  packetId = 0;
  /** 0: none. */
  topicAlias = 0;
  payload = 0;
  /** Of 5.0; false: `properties` is that of some earlier packet. */
  hasProperties = false;
  readonly properties = new PublishProperties();
  /** Where the properties lie; 0 and 0 when there are none. */
  propertiesStart = 0;
  propertiesEnd = 0;

  /** Throws on a packet that breaks the standard. The topic's content is looked at by `mapInPlace` or `mapSlowly`. */
  read(bytes: Buffer, header: number, start: number, end: number, version: MqttVersion): void {
    const qos = (header >> 1) & 3;
    if (qos === 3) throw malformed("a PUBLISH has QoS 3"); // [MQTT-3.3.1-4, MQTT5-3.3.1-4]
    if (qos === 0 && (header & 8) !== 0) throw malformed("a PUBLISH at QoS 0 has the DUP flag"); // [MQTT-3.3.1-2, MQTT5-3.3.1-2]
    const topic = start + 2;
    const topicEnd = topic > end ? topic : topic + ((bytes[start]! << 8) | bytes[start + 1]!);
    const afterId = topicEnd + (qos === 0 ? 0 : 2);
    if (afterId > end) throw malformed(`a PUBLISH ends within its ${topicEnd > end ? "topic" : "packet identifier"}`);
    this.packetId = qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
    if (qos !== 0 && this.packetId === 0) throw protocolError("a PUBLISH has packet identifier 0"); // [MQTT-2.3.1-1, MQTT5-2.2.1-3]
    this.qos = qos as 0 | 1 | 2;
    this.isRetained = (header & 1) !== 0;
    this.isDuplicate = (header & 8) !== 0;
    this.topic = topic;
    this.topicEnd = topicEnd;
    this.payload = afterId;
    this.topicAlias = 0;
    this.hasProperties = false;
    this.propertiesStart = 0;
    this.propertiesEnd = 0;
    if (version === 5) {
      if (afterId < end && bytes[afterId] === 0) this.payload = afterId + 1;
      else this.#readProperties(bytes, afterId, end);
    }
    if (topic === topicEnd && this.topicAlias === 0) throw protocolError("a PUBLISH has an empty topic"); // [MQTT-4.7.3-1, MQTT5-4.7.3-1]
  }

  /** Does the payload break the promise that it is UTF-8? Then it is refused with reason 0x99 (5.0 §3.3.2.3.2). */
  isPayloadMisdeclared(bytes: Buffer, end: number): boolean {
    return this.hasProperties && this.properties.payloadFormat === 1 && !isUtf8(bytes.subarray(this.payload, end));
  }

  #readProperties(bytes: Buffer, at: number, end: number): void {
    let start = at + 1;
    let sectionEnd = start + bytes[at]!;
    if (at >= end || bytes[at]! > 127 || sectionEnd > end) {
      const section = new FieldReader(bytes, at, end, "PUBLISH").properties(); // throws, or the length has several bytes
      start = section.start;
      sectionEnd = section.end;
    }
    readPublishProperties(bytes, start, sectionEnd, this.properties);
    this.topicAlias = this.properties.topicAlias;
    this.hasProperties = true;
    this.propertiesStart = start;
    this.propertiesEnd = sectionEnd;
    this.payload = sectionEnd;
  }
}

/** Turns an ordinary topic into its subject where it lies. False: not ordinary, nothing was changed. */
export function mapInPlace(bytes: Buffer, start: number, end: number): boolean {
  let previous = SLASH; // so that a slash at the start counts as a double one
  let at = start;
  if (bytes[start] !== DOLLAR) {
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (PLAIN[byte] === 0) {
        if (byte !== SLASH || previous === SLASH) break;
        bytes[at] = DOT;
      }
      previous = byte;
    }
    if (at === end && previous !== SLASH) return true;
  }
  // A plain topic has no dot, so every dot before `at` is ours.
  for (let i = start; i < at; i++) if (bytes[i] === DOT) bytes[i] = SLASH;
  return false;
}

/** The subject of any topic, or why it has none. */
export function mapSlowly(bytes: Buffer, start: number, end: number): string | TopicFault {
  if (!isUtf8(bytes.subarray(start, end))) return NOT_UTF8;
  return mapTopic(bytes.latin1Slice(start, end));
}
