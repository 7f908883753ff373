// The properties of MQTT 5.0 (§2.2.2.2, table 2-4): identifier, type, and the packets a client may send them in.

import { AUTH, CONNECT, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";

export const PAYLOAD_FORMAT_INDICATOR = 0x01;
export const MESSAGE_EXPIRY_INTERVAL = 0x02;
export const CONTENT_TYPE = 0x03;
export const RESPONSE_TOPIC = 0x08;
export const CORRELATION_DATA = 0x09;
export const SUBSCRIPTION_IDENTIFIER = 0x0b;
export const SESSION_EXPIRY_INTERVAL = 0x11;
export const ASSIGNED_CLIENT_IDENTIFIER = 0x12;
export const SERVER_KEEP_ALIVE = 0x13;
export const AUTHENTICATION_METHOD = 0x15;
export const AUTHENTICATION_DATA = 0x16;
export const REQUEST_PROBLEM_INFORMATION = 0x17;
export const WILL_DELAY_INTERVAL = 0x18;
export const REQUEST_RESPONSE_INFORMATION = 0x19;
export const RESPONSE_INFORMATION = 0x1a;
export const SERVER_REFERENCE = 0x1c;
export const REASON_STRING = 0x1f;
export const RECEIVE_MAXIMUM = 0x21;
export const TOPIC_ALIAS_MAXIMUM = 0x22;
export const TOPIC_ALIAS = 0x23;
export const MAXIMUM_QOS = 0x24;
export const RETAIN_AVAILABLE = 0x25;
export const USER_PROPERTY = 0x26;
export const MAXIMUM_PACKET_SIZE = 0x27;
export const WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28;
export const SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29;
export const SHARED_SUBSCRIPTION_AVAILABLE = 0x2a;

/** One more than the highest identifier. */
export const PROPERTY_IDS = 0x2b;

/** Where the will's properties in a CONNECT stand in the table: they are a set of their own. */
export const WILL = 0;

export const TYPE = { none: 0, byte: 1, word: 2, long: 3, varint: 4, text: 5, binary: 6, pair: 7 } as const;

interface Row {
  readonly id: number;
  readonly type: number;
  readonly name: string;
  readonly places: readonly number[];
}

const MESSAGE = [PUBLISH, WILL];
const ACKS = [PUBACK, PUBREC, PUBREL, PUBCOMP];
const EVERYWHERE = [CONNECT, WILL, PUBLISH, ...ACKS, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH];

const ROWS: readonly Row[] = [
  { id: PAYLOAD_FORMAT_INDICATOR, type: TYPE.byte, name: "payload format indicator", places: MESSAGE },
  { id: MESSAGE_EXPIRY_INTERVAL, type: TYPE.long, name: "message expiry interval", places: MESSAGE },
  { id: CONTENT_TYPE, type: TYPE.text, name: "content type", places: MESSAGE },
  { id: RESPONSE_TOPIC, type: TYPE.text, name: "response topic", places: MESSAGE },
  { id: CORRELATION_DATA, type: TYPE.binary, name: "correlation data", places: MESSAGE },
  { id: SUBSCRIPTION_IDENTIFIER, type: TYPE.varint, name: "subscription identifier", places: [SUBSCRIBE] },
  { id: SESSION_EXPIRY_INTERVAL, type: TYPE.long, name: "session expiry interval", places: [CONNECT, DISCONNECT] },
  { id: AUTHENTICATION_METHOD, type: TYPE.text, name: "authentication method", places: [CONNECT, AUTH] },
  { id: AUTHENTICATION_DATA, type: TYPE.binary, name: "authentication data", places: [CONNECT, AUTH] },
  { id: REQUEST_PROBLEM_INFORMATION, type: TYPE.byte, name: "request problem information", places: [CONNECT] },
  { id: WILL_DELAY_INTERVAL, type: TYPE.long, name: "will delay interval", places: [WILL] },
  { id: REQUEST_RESPONSE_INFORMATION, type: TYPE.byte, name: "request response information", places: [CONNECT] },
  { id: REASON_STRING, type: TYPE.text, name: "reason string", places: [...ACKS, DISCONNECT, AUTH] },
  { id: RECEIVE_MAXIMUM, type: TYPE.word, name: "receive maximum", places: [CONNECT] },
  { id: TOPIC_ALIAS_MAXIMUM, type: TYPE.word, name: "topic alias maximum", places: [CONNECT] },
  { id: TOPIC_ALIAS, type: TYPE.word, name: "topic alias", places: [PUBLISH] },
  { id: USER_PROPERTY, type: TYPE.pair, name: "user property", places: EVERYWHERE },
  { id: MAXIMUM_PACKET_SIZE, type: TYPE.long, name: "maximum packet size", places: [CONNECT] },
];

/** Type by identifier; `TYPE.none`: no client ever sends it. */
export const PROPERTY_TYPE = Uint8Array.from({ length: 256 }, (_, id) => ROWS.find((row) => row.id === id)?.type ?? TYPE.none);

/** By identifier the packets it may stand in, as bits: bit n is packet type n, bit 0 the will. */
export const PROPERTY_PLACES = Uint16Array.from({ length: 256 }, (_, id) =>
  (ROWS.find((row) => row.id === id)?.places ?? []).reduce((bits, place) => bits | (1 << place), 0),
);

export function propertyName(id: number): string {
  return ROWS.find((row) => row.id === id)?.name ?? `property 0x${id.toString(16).padStart(2, "0")}`;
}
