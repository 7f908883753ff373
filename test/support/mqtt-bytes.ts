// MQTT packets of all versions, made byte by byte, right and wrong ones alike: nothing here checks what it is given.

import type { MqttVersion } from "#ingress/mqtt/version.ts";

export type Part = Buffer | string;

/** First byte, remaining length, body. A string is a field with its length in front. */
export function packet(first: number, ...parts: readonly Part[]): Buffer {
  const body = Buffer.concat(parts.map(field));
  return Buffer.concat([Buffer.from([first]), varint(body.length), body]);
}

export function field(part: Part): Buffer {
  return typeof part === "string" ? sized(Buffer.from(part)) : part;
}

/** With two bytes of length in front. */
export function sized(bytes: Buffer): Buffer {
  return Buffer.concat([word(bytes.length), bytes]);
}

export function raw(...bytes: readonly number[]): Buffer {
  return Buffer.from(bytes);
}

export function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

/** A property section of 5.0: its length, then the properties. */
export function section(...properties: readonly Buffer[]): Buffer {
  const content = Buffer.concat(properties);
  return Buffer.concat([varint(content.length), content]);
}

export const property = {
  byte: (id: number, value: number) => raw(id, value),
  word: (id: number, value: number) => Buffer.concat([raw(id), word(value)]),
  long: (id: number, value: number) => Buffer.concat([raw(id), long(value)]),
  varint: (id: number, value: number) => Buffer.concat([raw(id), varint(value)]),
  text: (id: number, value: string | Buffer) => Buffer.concat([raw(id), sized(Buffer.from(value as string))]),
  user: (name: string | Buffer, value: string | Buffer) =>
    Buffer.concat([raw(0x26), sized(Buffer.from(name as string)), sized(Buffer.from(value as string))]),
} as const;

/** The property section where the version has one. */
export function sectionOf(version: MqttVersion, ...properties: readonly Buffer[]): Buffer {
  return version === 5 ? section(...properties) : Buffer.alloc(0);
}

export interface ConnectParts {
  readonly name?: Part;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  readonly properties?: readonly Buffer[];
  readonly clientId?: Part;
  /** What follows the client id, as it is. */
  readonly rest?: readonly Part[];
}

export function connectPacket(version: MqttVersion, parts: ConnectParts = {}): Buffer {
  const { name = version === 3 ? "MQIsdp" : "MQTT", level = version, flags = 2, keepAlive = 0, clientId = "c" } = parts;
  const { properties = [], rest = [] } = parts;
  return packet(0x10, name, raw(level, flags), word(keepAlive), sectionOf(version, ...properties), clientId, ...rest);
}

export interface PublishPacketParts {
  readonly topic?: Part;
  readonly qos?: number;
  readonly packetId?: number;
  readonly flags?: number;
  readonly properties?: readonly Buffer[];
  readonly payload?: Buffer;
}

export function publishPacket(version: MqttVersion, parts: PublishPacketParts = {}): Buffer {
  const { topic = "a/b", packetId = 1, qos = 0, flags = 0, properties = [], payload = Buffer.from("x") } = parts;
  const id = qos === 0 ? Buffer.alloc(0) : word(packetId);
  return packet(0x30 | (qos << 1) | flags, topic, id, sectionOf(version, ...properties), payload);
}
