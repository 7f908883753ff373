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
/** 5.0 only. */
export const AUTH = 15;

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
  "AUTH",
] as const;

export function packetName(type: number): string {
  return NAMES[type & 15]!;
}

/** The flags nibble a packet must carry [MQTT-2.2.2-1]; PUBLISH has flags of its own. */
export function requiredFlags(type: number): number {
  return type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
}

/** Writes first byte and remaining length; returns the offset behind them. */
export function writeFixedHeader(target: Buffer, at: number, first: number, remaining: number): number {
  target[at++] = first;
  return writeVarint(target, at, remaining);
}

/** A variable byte integer, 0 … 268,435,455; returns the offset behind it. */
export function writeVarint(target: Buffer, at: number, value: number): number {
  while (value > 127) {
    target[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  target[at++] = value;
  return at;
}
