// The properties of a PUBLISH or a will, by name. One object, filled anew for each packet; spans are offsets into the packet's bytes.

import { protocolError } from "./errors.ts";
import { PUBLISH } from "./packet.ts";
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  MESSAGE_EXPIRY_INTERVAL,
  PAYLOAD_FORMAT_INDICATOR,
  RESPONSE_TOPIC,
  TOPIC_ALIAS,
  WILL_DELAY_INTERVAL,
} from "./property-table.ts";
import { PropertyValues } from "./property-values.ts";

const PLUS = 0x2b;
const HASH = 0x23;

export class PublishProperties {
  readonly values = new PropertyValues();

  get hasPayloadFormat(): boolean {
    return this.values.has(PAYLOAD_FORMAT_INDICATOR);
  }

  /** 1: the payload is UTF-8; 0: nothing is said of it. */
  get payloadFormat(): number {
    return this.values.number(PAYLOAD_FORMAT_INDICATOR, 0);
  }

  /** -1: none. */
  get expirySeconds(): number {
    return this.values.number(MESSAGE_EXPIRY_INTERVAL, -1);
  }

  /** 0: none. */
  get topicAlias(): number {
    return this.values.number(TOPIC_ALIAS, 0);
  }

  /** Of a will. */
  get delaySeconds(): number {
    return this.values.number(WILL_DELAY_INTERVAL, 0);
  }

  get hasResponseTopic(): boolean {
    return this.values.has(RESPONSE_TOPIC);
  }

  get responseTopic(): number {
    return this.values.start(RESPONSE_TOPIC);
  }

  get responseTopicEnd(): number {
    return this.values.end(RESPONSE_TOPIC);
  }

  get hasCorrelation(): boolean {
    return this.values.has(CORRELATION_DATA);
  }

  get correlation(): number {
    return this.values.start(CORRELATION_DATA);
  }

  get correlationEnd(): number {
    return this.values.end(CORRELATION_DATA);
  }

  get hasContentType(): boolean {
    return this.values.has(CONTENT_TYPE);
  }

  get contentType(): number {
    return this.values.start(CONTENT_TYPE);
  }

  get contentTypeEnd(): number {
    return this.values.end(CONTENT_TYPE);
  }

  /** User properties in order: four offsets each in `values.users`. */
  get userCount(): number {
    return this.values.userCount;
  }
}

/** Reads and checks `bytes[start … end)`, what follows the property length. Throws with the reason to tell. */
export function readPublishProperties(
  bytes: Buffer,
  start: number,
  end: number,
  into: PublishProperties,
  place: number = PUBLISH,
): void {
  into.values.read(bytes, start, end, place);
  if (into.hasResponseTopic) checkResponseTopic(bytes, into.responseTopic, into.responseTopicEnd);
}

/** It names a topic: not empty, no wildcards [MQTT5-3.3.2-14, MQTT5-4.7.3-1]. */
function checkResponseTopic(bytes: Buffer, start: number, end: number): void {
  if (start === end) throw protocolError("the response topic of a PUBLISH is empty");
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === PLUS || byte === HASH) throw protocolError("the response topic of a PUBLISH contains a wildcard (+ or #)");
  }
}
