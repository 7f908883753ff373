// CONNECT of all three versions: its layout and rules are checked here, strictly; its plain values are then read by mqtt-packet.
// The will's properties become a header block at once: the library would lose the order of user properties.
// Source: MQTT 3.1.1 §3.1, OASIS MQTT 5.0 §3.1.

import { malformed, protocolError } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import type { Framer } from "./framer.ts";
import { CONNECT } from "./packet.ts";
import { HeaderWriter } from "./properties-to-headers.ts";
import {
  AUTHENTICATION_DATA,
  AUTHENTICATION_METHOD,
  MAXIMUM_PACKET_SIZE,
  RECEIVE_MAXIMUM,
  REQUEST_PROBLEM_INFORMATION,
  REQUEST_RESPONSE_INFORMATION,
  SESSION_EXPIRY_INTERVAL,
  TOPIC_ALIAS_MAXIMUM,
  WILL,
} from "./property-table.ts";
import { PropertyValues } from "./property-values.ts";
import { PublishProperties, readPublishProperties } from "./publish-properties.ts";
import { REASON } from "./reason-codes.ts";
import type { MqttVersion } from "./version.ts";
import { readWhole } from "./whole-packet.ts";

/** Session expiry that means: never. */
export const NEVER_EXPIRES = 0xffffffff;
const RECEIVE_MAXIMUM_DEFAULT = 65_535;
/** Where the connect flags stand in a CONNECT of 3.1: behind its protocol name and level. */
const FLAGS_OF_31 = 9;

export interface WillRequest {
  /** latin1 form. */
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly delaySeconds: number;
  /** NATS header block; empty when there are no properties. */
  readonly headers: Buffer;
  /** Reply subject made of the response topic; "" when there is none. */
  readonly reply: string;
}

export interface ConnectRequest {
  readonly version: MqttVersion;
  readonly clientId: string;
  /** Clean session; clean start in 5.0. */
  readonly isClean: boolean;
  readonly keepAliveSeconds: number;
  readonly user: string | null;
  readonly password: Buffer | null;
  readonly will: WillRequest | null;
  /** `NEVER_EXPIRES`: no end. In 3.x 0 for a clean session, else that. */
  readonly sessionExpirySeconds: number;
  /** Messages at QoS 1 and 2 the client takes unacknowledged. */
  readonly receiveMaximum: number;
  /** Longest packet the client takes; Infinity when it sets no limit. */
  readonly maximumPacketBytes: number;
  /** 0: no aliases to this client. */
  readonly topicAliasMaximum: number;
  readonly wantsResponseInformation: boolean;
  readonly wantsProblemInformation: boolean;
  /** latin1 form. */
  readonly authenticationMethod: string | null;
}

/** What a CONNECT asks for, or the protocol level that we do not speak [MQTT-3.1.2-2, MQTT5-3.1.2-2]. Throws on a breach. */
export function parseConnect(packet: Framer): ConnectRequest | { readonly unacceptable: number } {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "CONNECT");
  const name = fields.text("protocol name");
  if (name !== "MQTT" && name !== "MQIsdp") throw wrongName(name); // [MQTT-3.1.2-1, MQTT5-3.1.2-1]
  const level = fields.byte("protocol level");
  if (name === "MQIsdp" ? level !== 3 : level !== 4 && level !== 5) return { unacceptable: level };
  const version = level as MqttVersion;
  if (version === 5 && packet.isLengthPadded)
    throw malformed("the remaining length of a CONNECT is written in more bytes than it needs");
  const layout = checkLayout(fields, version);
  if (version === 3) packet.bytes[packet.start + FLAGS_OF_31] = layout.flags; // what the library is to look for
  const read = readWhole(packet, "CONNECT", version);
  if (read.cmd !== "connect") throw malformed(`a CONNECT was read as ${read.cmd}`);
  const { properties } = layout;
  const isClean = read.clean ?? true;
  const expiryBefore5 = isClean ? 0 : NEVER_EXPIRES;
  return {
    version,
    clientId: read.clientId,
    isClean,
    keepAliveSeconds: read.keepalive ?? 0,
    user: read.username ?? null,
    password: read.password === undefined ? null : ownCopy(read.password),
    will: layout.will,
    sessionExpirySeconds: version === 5 ? properties.number(SESSION_EXPIRY_INTERVAL, 0) : expiryBefore5,
    receiveMaximum: properties.number(RECEIVE_MAXIMUM, RECEIVE_MAXIMUM_DEFAULT),
    maximumPacketBytes: properties.number(MAXIMUM_PACKET_SIZE, Number.POSITIVE_INFINITY),
    topicAliasMaximum: properties.number(TOPIC_ALIAS_MAXIMUM, 0),
    wantsResponseInformation: properties.number(REQUEST_RESPONSE_INFORMATION, 0) === 1,
    wantsProblemInformation: properties.number(REQUEST_PROBLEM_INFORMATION, 1) === 1,
    authenticationMethod: properties.text(AUTHENTICATION_METHOD),
  };
}

interface Layout {
  /** Connect flags, without those of fields that are not there. */
  readonly flags: number;
  readonly properties: PropertyValues;
  readonly will: WillRequest | null;
}

/** Everything behind the protocol level. */
function checkLayout(fields: FieldReader, version: MqttVersion): Layout {
  const flags = fields.byte("connect flags");
  const hasWill = (flags & 0x04) !== 0;
  const willQos = (flags >> 3) & 3;
  const hasUser = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  if ((flags & 0x01) !== 0) throw malformed("the reserved flag of a CONNECT is set"); // [MQTT-3.1.2-3, MQTT5-3.1.2-3]
  if (willQos === 3) throw malformed("a CONNECT asks for a will at QoS 3"); // [MQTT-3.1.2-14, MQTT5-3.1.2-12]
  if (!hasWill && (flags & 0x38) !== 0) throw malformed("a CONNECT has will flags without a will"); // [MQTT-3.1.2-11, MQTT5-3.1.2-11]
  if (hasPassword && !hasUser && version !== 5) throw malformed("a CONNECT has a password without a user name"); // [MQTT-3.1.2-22]
  fields.word("keep alive");
  const properties = new PropertyValues();
  if (version === 5) readConnectProperties(fields, properties);
  fields.text("client identifier");
  const will = hasWill ? readWill(fields, willQos as 0 | 1 | 2, (flags & 0x20) !== 0, version) : null;
  let present = flags;
  if (version === 3) present = readLogin31(fields, flags);
  else {
    if (hasUser) fields.text("user name");
    if (hasPassword) fields.binary("password");
  }
  fields.finish();
  return { flags: present, properties, will };
}

/** 3.1: the length goes before the flags; a user name or password that is announced and missing is none. Returns the flags that hold. */
function readLogin31(fields: FieldReader, flags: number): number {
  if ((flags & 0x80) === 0) return flags;
  if (fields.isAtEnd) return flags & ~0xc0;
  fields.text("user name");
  if ((flags & 0x40) === 0) return flags;
  if (fields.isAtEnd) return flags & ~0x40;
  fields.binary("password");
  return flags;
}

function readConnectProperties(fields: FieldReader, into: PropertyValues): void {
  const { start, end } = fields.properties();
  into.read(fields.bytes, start, end, CONNECT);
  if (into.has(AUTHENTICATION_DATA) && !into.has(AUTHENTICATION_METHOD))
    throw protocolError("a CONNECT has authentication data without an authentication method");
}

/** The topic's content is looked at by whoever maps it. */
function readWill(fields: FieldReader, qos: 0 | 1 | 2, retain: boolean, version: MqttVersion): WillRequest {
  const properties = new PublishProperties();
  const headers = new HeaderWriter();
  if (version === 5) {
    const { start, end } = fields.properties("will properties");
    readPublishProperties(fields.bytes, start, end, properties, WILL);
    headers.write(properties);
  }
  const topic = fields.text("will topic");
  const payload = ownCopy(fields.binary("will message"));
  const { delaySeconds } = properties;
  return { topic, payload, qos, retain, delaySeconds, headers: ownCopy(headers.block), reply: headers.reply };
}

/** Not out of Node's pool: what is kept as long as a client is connected would pin 8 KiB of it. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

function wrongName(name: string): Error {
  const words = `the protocol name of a CONNECT is ${JSON.stringify(name.slice(0, 40))}, not "MQTT"`;
  return protocolError(words, REASON.unsupportedVersion);
}
