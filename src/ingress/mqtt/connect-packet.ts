// CONNECT of all three versions, read strictly and from the bytes as they lie: a thousand devices that come at once cost a few
// strings each. Having mqtt-packet read it took another 20 KiB each, which nobody needed a moment later.
//
//   │ name │ level │ flags │ keep alive │ properties (5.0) │ client id │ will: properties (5.0), topic, message │ user │ password │
//
// The will's properties become a header block at once.
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

/** Session expiry that means: never. */
export const NEVER_EXPIRES = 0xffffffff;
const RECEIVE_MAXIMUM_DEFAULT = 65_535;

const RESERVED_FLAG = 0x01;
const CLEAN_FLAG = 0x02;
const WILL_FLAG = 0x04;
const WILL_QOS = 0x18;
const WILL_RETAIN = 0x20;
const PASSWORD_FLAG = 0x40;
const USER_FLAG = 0x80;
const NO_WILL_PROPERTIES = { headers: Buffer.alloc(0), reply: "", delaySeconds: 0 };

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
  if (level === 5 && packet.isLengthPadded)
    throw malformed("the remaining length of a CONNECT is written in more bytes than it needs");
  return readRequest(fields, level as MqttVersion);
}

/** Everything behind the protocol level. */
function readRequest(fields: FieldReader, version: MqttVersion): ConnectRequest {
  const flags = fields.byte("connect flags");
  checkFlags(flags, version);
  const keepAliveSeconds = fields.word("keep alive");
  const properties = version === 5 ? readProperties(fields) : null;
  const clientId = fields.name("client identifier");
  const will = (flags & WILL_FLAG) === 0 ? null : readWill(fields, flags, version);
  const { user, password } = readLogin(fields, flags, version);
  fields.finish();
  const isClean = (flags & CLEAN_FLAG) !== 0;
  const number = (id: number, absent: number) => (properties === null ? absent : properties.number(id, absent));
  return {
    version,
    clientId,
    isClean,
    keepAliveSeconds,
    user,
    password,
    will,
    sessionExpirySeconds: number(SESSION_EXPIRY_INTERVAL, version === 5 || isClean ? 0 : NEVER_EXPIRES),
    receiveMaximum: number(RECEIVE_MAXIMUM, RECEIVE_MAXIMUM_DEFAULT),
    maximumPacketBytes: number(MAXIMUM_PACKET_SIZE, Number.POSITIVE_INFINITY),
    topicAliasMaximum: number(TOPIC_ALIAS_MAXIMUM, 0),
    wantsResponseInformation: number(REQUEST_RESPONSE_INFORMATION, 0) === 1,
    wantsProblemInformation: number(REQUEST_PROBLEM_INFORMATION, 1) === 1,
    authenticationMethod: properties === null ? null : properties.text(AUTHENTICATION_METHOD),
  };
}

function checkFlags(flags: number, version: MqttVersion): void {
  if ((flags & RESERVED_FLAG) !== 0) throw malformed("the reserved flag of a CONNECT is set"); // [MQTT-3.1.2-3, MQTT5-3.1.2-3]
  if (willQosOf(flags) === 3) throw malformed("a CONNECT asks for a will at QoS 3"); // [MQTT-3.1.2-14, MQTT5-3.1.2-12]
  if ((flags & WILL_FLAG) === 0 && (flags & (WILL_QOS | WILL_RETAIN)) !== 0)
    throw malformed("a CONNECT has will flags without a will"); // [MQTT-3.1.2-11, MQTT5-3.1.2-11]
  if ((flags & PASSWORD_FLAG) !== 0 && (flags & USER_FLAG) === 0 && version !== 5)
    throw malformed("a CONNECT has a password without a user name"); // [MQTT-3.1.2-22]
}

/** In 3.1 the packet's length goes before its flags: a user name or password that is announced and missing is none. */
function readLogin(fields: FieldReader, flags: number, version: MqttVersion): Pick<ConnectRequest, "user" | "password"> {
  const isThere = (flag: number) => (flags & flag) !== 0 && !(version === 3 && fields.isAtEnd);
  const user = isThere(USER_FLAG) ? fields.name("user name") : null;
  const password = isThere(PASSWORD_FLAG) ? ownCopy(fields.binary("password")) : null;
  return { user, password };
}

function readProperties(fields: FieldReader): PropertyValues {
  const properties = new PropertyValues();
  const { start, end } = fields.properties();
  properties.read(fields.bytes, start, end, CONNECT);
  if (properties.has(AUTHENTICATION_DATA) && !properties.has(AUTHENTICATION_METHOD))
    throw protocolError("a CONNECT has authentication data without an authentication method");
  return properties;
}

/** The topic's content is looked at by whoever maps it. */
function readWill(fields: FieldReader, flags: number, version: MqttVersion): WillRequest {
  const { headers, reply, delaySeconds } = version === 5 ? readWillProperties(fields) : NO_WILL_PROPERTIES;
  const topic = fields.text("will topic");
  const payload = ownCopy(fields.binary("will message"));
  return {
    topic,
    payload,
    qos: willQosOf(flags) as 0 | 1 | 2,
    retain: (flags & WILL_RETAIN) !== 0,
    delaySeconds,
    headers,
    reply,
  };
}

function readWillProperties(fields: FieldReader): Pick<WillRequest, "headers" | "reply" | "delaySeconds"> {
  const properties = new PublishProperties();
  const writer = new HeaderWriter();
  const { start, end } = fields.properties("will properties");
  readPublishProperties(fields.bytes, start, end, properties, WILL);
  writer.write(properties);
  return { headers: ownCopy(writer.block), reply: writer.reply, delaySeconds: properties.delaySeconds };
}

function willQosOf(flags: number): number {
  return (flags & WILL_QOS) >> 3;
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
