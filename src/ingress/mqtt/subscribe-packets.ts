// SUBSCRIBE and UNSUBSCRIBE of all versions. Every client sends the first, so it is read here alone; layout and rules of the other, a rare
// one, are checked here, and its values are then read by mqtt-packet.
// Source: MQTT 3.1.1 §3.8, §3.10; OASIS MQTT 5.0 §3.8, §3.10.

import { limitExceeded, malformed, protocolError } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import type { Framer } from "./framer.ts";
import { SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";
import { SUBSCRIPTION_IDENTIFIER } from "./property-table.ts";
import { PropertyValues } from "./property-values.ts";
import type { MqttVersion } from "./version.ts";
import { readWhole, toLatin1 } from "./whole-packet.ts";

const SHARED_PREFIX = "$share/";
/** The options of a filter. 3.x has the QoS alone. */
const QOS = 0x03;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const RETAIN_HANDLING = 0x30;
const RESERVED = 0xc0;
/**
 * Filters in one packet. Each takes some microseconds, so 256 KiB of the shortest ones would keep everybody else
 * waiting for 0.2 s. A packet with more ends its connection (0x97).
 */
export const FILTERS_PER_PACKET_MAX = 4096;

export interface FilterRequest {
  /** latin1 form. */
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  /** The options of 5.0; all off for 3.x. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribeRequest {
  readonly packetId: number;
  readonly requests: readonly FilterRequest[];
  /** 0: none. */
  readonly subscriptionId: number;
}

export interface UnsubscribeRequest {
  readonly packetId: number;
  /** latin1 form. */
  readonly filters: readonly string[];
}

export function parseSubscribe(packet: Framer, version: MqttVersion): SubscribeRequest {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "SUBSCRIBE");
  const packetId = fields.packetId();
  const subscriptionId = version === 5 ? readProperties(fields, SUBSCRIBE).number(SUBSCRIPTION_IDENTIFIER, 0) : 0;
  if (fields.isAtEnd) throw protocolError("a SUBSCRIBE has no topic filter"); // [MQTT-3.8.3-3, MQTT5-3.8.3-2]
  const requests: FilterRequest[] = [];
  while (!fields.isAtEnd) {
    checkCount(requests.length, "SUBSCRIBE");
    const filter = fields.text("topic filter");
    const options = fields.byte("subscription options");
    if (version === 5) checkOptions(options, filter);
    else if (options > 2) throw malformed(`a SUBSCRIBE asks for QoS byte ${options}`); // [MQTT-3-8.3-4]
    requests.push({
      filter,
      qos: (options & QOS) as 0 | 1 | 2,
      noLocal: (options & NO_LOCAL) !== 0,
      retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
      retainHandling: ((options & RETAIN_HANDLING) >> 4) as 0 | 1 | 2,
    });
  }
  return { packetId, requests, subscriptionId };
}

export function parseUnsubscribe(packet: Framer, version: MqttVersion): UnsubscribeRequest {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "UNSUBSCRIBE");
  const packetId = fields.packetId();
  if (version === 5) readProperties(fields, UNSUBSCRIBE);
  if (fields.isAtEnd) throw protocolError("an UNSUBSCRIBE has no topic filter"); // [MQTT-3.10.3-2, MQTT5-3.10.3-2]
  for (let count = 0; !fields.isAtEnd; count++) {
    checkCount(count, "UNSUBSCRIBE");
    fields.text("topic filter");
  }
  const read = readWhole(packet, "UNSUBSCRIBE", version);
  if (read.cmd !== "unsubscribe") throw malformed(`an UNSUBSCRIBE was read as ${read.cmd}`);
  return { packetId, filters: read.unsubscriptions.map(toLatin1) };
}

function readProperties(fields: FieldReader, place: number): PropertyValues {
  const properties = new PropertyValues();
  const { start, end } = fields.properties();
  properties.read(fields.bytes, start, end, place);
  return properties;
}

function checkCount(count: number, name: string): void {
  if (count === FILTERS_PER_PACKET_MAX) throw limitExceeded(`a ${name} has more than ${FILTERS_PER_PACKET_MAX} topic filters`);
}

function checkOptions(options: number, filter: string): void {
  if ((options & RESERVED) !== 0) throw malformed("a SUBSCRIBE has reserved subscription options"); // [MQTT5-3.8.3-5]
  if ((options & QOS) === QOS) throw protocolError("a SUBSCRIBE asks for QoS 3");
  if ((options & RETAIN_HANDLING) === RETAIN_HANDLING) throw protocolError("a SUBSCRIBE asks for retain handling 3");
  if ((options & NO_LOCAL) !== 0 && filter.startsWith(SHARED_PREFIX))
    throw protocolError("a SUBSCRIBE wants a shared subscription with no local"); // [MQTT5-3.8.3-4]
}
