// Names of the MQTT control packets, and which of them a client may send with which flags.

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;

const NAMES = [
  "reserved packet 0",
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "reserved packet 15",
] as const;

export function packetName(type: number): string {
  return NAMES[type & 15]!;
}

/** The flags nibble a packet must carry [MQTT-2.2.2-1]; PUBLISH has flags of its own. */
export function requiredFlags(type: number): number {
  return type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
}

/** CONNACK return codes of MQTT 3.1.1, table 3.1. */
export const CONNACK_ACCEPTED = 0;
export const CONNACK_UNACCEPTABLE_VERSION = 1;
export const CONNACK_IDENTIFIER_REJECTED = 2;
export const CONNACK_SERVER_UNAVAILABLE = 3;
export const CONNACK_BAD_CREDENTIALS = 4;
export const CONNACK_NOT_AUTHORIZED = 5;

/** SUBACK return code: this filter was refused. */
export const SUBACK_FAILURE = 0x80;

/** The most QoS a subscription is granted; QoS 2 comes with persistent sessions. */
export const QOS_MAX = 1;

/** Writes first byte and remaining length; returns the offset behind them. */
export function writeFixedHeader(target: Buffer, at: number, first: number, remaining: number): number {
  target[at++] = first;
  let rest = remaining;
  while (rest > 127) {
    target[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
