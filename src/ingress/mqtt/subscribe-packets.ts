// SUBSCRIBE and UNSUBSCRIBE of all versions: layout and rules are checked here, the values are then read by mqtt-packet.
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
/**
 * Filters in one packet. The library takes some 3 µs for each, so 256 KiB of the shortest ones would keep everybody else
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
  const properties = new PropertyValues();
  if (version === 5) readProperties(fields, properties, SUBSCRIBE);
  if (fields.isAtEnd) throw protocolError("a SUBSCRIBE has no topic filter"); // [MQTT-3.8.3-3, MQTT5-3.8.3-2]
  for (let count = 0; !fields.isAtEnd; count++) {
    checkCount(count, "SUBSCRIBE");
    const filter = fields.text("topic filter");
    const options = fields.byte("subscription options");
    if (version === 5) checkOptions(options, filter);
    else if (options > 2) throw malformed(`a SUBSCRIBE asks for QoS byte ${options}`); // [MQTT-3-8.3-4]
  }
  const read = readWhole(packet, "SUBSCRIBE", version);
  if (read.cmd !== "subscribe") throw malformed(`a SUBSCRIBE was read as ${read.cmd}`);
  const requests = read.subscriptions.map(({ topic, qos, nl, rap, rh }) => ({
    filter: toLatin1(topic),
    qos,
    noLocal: nl ?? false,
    retainAsPublished: rap ?? false,
    retainHandling: (rh ?? 0) as 0 | 1 | 2,
  }));
  return { packetId, requests, subscriptionId: properties.number(SUBSCRIPTION_IDENTIFIER, 0) };
}

export function parseUnsubscribe(packet: Framer, version: MqttVersion): UnsubscribeRequest {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "UNSUBSCRIBE");
  const packetId = fields.packetId();
  if (version === 5) readProperties(fields, new PropertyValues(), UNSUBSCRIBE);
  if (fields.isAtEnd) throw protocolError("an UNSUBSCRIBE has no topic filter"); // [MQTT-3.10.3-2, MQTT5-3.10.3-2]
  for (let count = 0; !fields.isAtEnd; count++) {
    checkCount(count, "UNSUBSCRIBE");
    fields.text("topic filter");
  }
  const read = readWhole(packet, "UNSUBSCRIBE", version);
  if (read.cmd !== "unsubscribe") throw malformed(`an UNSUBSCRIBE was read as ${read.cmd}`);
  return { packetId, filters: read.unsubscriptions.map(toLatin1) };
}

function readProperties(fields: FieldReader, into: PropertyValues, place: number): void {
  const { start, end } = fields.properties();
  into.read(fields.bytes, start, end, place);
}

function checkCount(count: number, name: string): void {
  if (count === FILTERS_PER_PACKET_MAX) throw limitExceeded(`a ${name} has more than ${FILTERS_PER_PACKET_MAX} topic filters`);
}

function checkOptions(options: number, filter: string): void {
  if ((options & 0xc0) !== 0) throw malformed("a SUBSCRIBE has reserved subscription options"); // [MQTT5-3.8.3-5]
  if ((options & 3) === 3) throw protocolError("a SUBSCRIBE asks for QoS 3");
  if ((options & 0x30) === 0x30) throw protocolError("a SUBSCRIBE asks for retain handling 3");
  if ((options & 4) !== 0 && filter.startsWith(SHARED_PREFIX))
    throw protocolError("a SUBSCRIBE wants a shared subscription with no local"); // [MQTT5-3.8.3-4]
}
