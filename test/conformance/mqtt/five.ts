// MQTT 5.0 packets as bytes, for tests. Properties: [identifier, bytes of its value].
//
//   connect5({ clientId: "a", expiry: 60 })            publish5("a", "x", { packetId: 1, properties: [u32(EXPIRY, 5)] })

import type { MqttDoor, RawClient } from "../../wire/mqtt/harness.ts";
import { hex, packet, text, word } from "../../wire/mqtt/harness.ts";

export type Property = Buffer;

export const SESSION_EXPIRY = 0x11;
export const MESSAGE_EXPIRY = 0x02;
export const WILL_DELAY = 0x18;

export function u8(id: number, value: number): Property {
  return Buffer.from([id, value]);
}

export function u16(id: number, value: number): Property {
  return Buffer.concat([Buffer.from([id]), word(value)]);
}

export function u32(id: number, value: number): Property {
  const bytes = Buffer.alloc(5, id);
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

export function string(id: number, value: string): Property {
  return Buffer.concat([Buffer.from([id]), text(value)]);
}

export function user(name: string, value: string): Property {
  return Buffer.concat([Buffer.from([0x26]), text(name), text(value)]);
}

export function section(properties: readonly Property[] = []): Buffer {
  const body = Buffer.concat(properties);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

export interface Connect5 {
  readonly clientId?: string;
  readonly isClean?: boolean;
  readonly keepAlive?: number;
  readonly expiry?: number;
  readonly properties?: readonly Property[];
  readonly user?: string;
  readonly password?: string;
  readonly will?: {
    readonly topic: string;
    readonly payload: string;
    readonly qos?: number;
    readonly retain?: boolean;
    readonly properties?: readonly Property[];
  };
}

export function connect5({
  clientId = "c",
  isClean = true,
  keepAlive = 0,
  expiry = 0,
  properties = [],
  ...rest
}: Connect5): Buffer {
  const { will, user: name, password } = rest;
  let flags = isClean ? 2 : 0;
  if (will !== undefined) flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0);
  if (name !== undefined) flags |= 128;
  if (password !== undefined) flags |= 64;
  const all = expiry === 0 ? properties : [u32(SESSION_EXPIRY, expiry), ...properties];
  const fields = [text("MQTT"), Buffer.from([5, flags, keepAlive >> 8, keepAlive & 255]), section(all), text(clientId)];
  if (will !== undefined) fields.push(section(will.properties), text(will.topic), text(will.payload));
  if (name !== undefined) fields.push(text(name));
  if (password !== undefined) fields.push(text(password));
  return packet(0x10, ...fields);
}

export interface Publish5 {
  readonly packetId?: number;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly properties?: readonly Property[];
}

export function publish5(topic: string, payload: string | Buffer = "", options: Publish5 = {}): Buffer {
  const { packetId = 0, qos = packetId === 0 ? 0 : 1, dup = false, retain = false, properties = [] } = options;
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(
    first,
    text(topic),
    qos === 0 ? Buffer.alloc(0) : word(packetId),
    section(properties),
    Buffer.from(payload as string),
  );
}

/** `options`: the whole byte: QoS, 4 no local, 8 retain as published, 16 and 32 retain handling. */
export function subscribe5(
  packetId: number,
  filters: readonly (readonly [string, number])[],
  properties: readonly Property[] = [],
): Buffer {
  const list = filters.flatMap(([filter, options]) => [text(filter), Buffer.from([options])]);
  return packet(0x82, word(packetId), section(properties), ...list);
}

export function unsubscribe5(packetId: number, ...filters: readonly string[]): Buffer {
  return packet(0xa2, word(packetId), section(), ...filters.map((filter) => text(filter)));
}

export function suback5(packetId: number, ...reasons: readonly number[]): Buffer {
  return packet(0x90, word(packetId), section(), Buffer.from(reasons));
}

export function unsuback5(packetId: number, ...reasons: readonly number[]): Buffer {
  return packet(0xb0, word(packetId), section(), Buffer.from(reasons));
}

/** PUBACK (0x40), PUBREC (0x50), PUBREL (0x62), PUBCOMP (0x70) with a reason and no properties. */
export function ack5(first: number, packetId: number, reason: number): Buffer {
  return packet(first, word(packetId), Buffer.from([reason]));
}

export function disconnect5(reason = 0, properties: readonly Property[] = []): Buffer {
  return packet(0xe0, Buffer.from([reason]), section(properties));
}

/** A whole packet as it comes: first byte and body. */
export async function next(client: RawClient): Promise<{ readonly first: number; readonly body: Buffer }> {
  const [first] = await client.take(1);
  let length = 0;
  let scale = 1;
  for (;;) {
    const [byte] = await client.take(1);
    length += (byte! & 127) * scale;
    if (byte! < 128) break;
    scale *= 128;
  }
  return { first: first!, body: await client.take(length) };
}

/** A 5.0 client that was let in; `isPresent`: its session was there. */
export async function comes5(door: MqttDoor, options: Connect5, isPresent = false): Promise<RawClient> {
  const client = await door.dial();
  client.send(connect5(options));
  const { first, body } = await next(client);
  if (first !== 0x20 || body[0] !== (isPresent ? 1 : 0) || body[1] !== 0) {
    throw new Error(`CONNACK ${first.toString(16)} ${body.toString("hex")}`);
  }
  return client;
}

export const PINGREQ = hex("c0 00");

/** A PUBLISH as it comes, taken apart. */
export interface Published {
  readonly first: number;
  readonly topic: string;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** Each with its identifier, in the order they stand in. */
  readonly properties: readonly Property[];
  readonly payload: string;
}

export async function nextPublish(client: RawClient): Promise<Published> {
  const { first, body } = await next(client);
  if (first >> 4 !== 3) throw new Error(`no PUBLISH but ${first.toString(16)} ${body.toString("hex")}`);
  const topicEnd = 2 + body.readUInt16BE(0);
  const hasId = (first & 6) !== 0;
  const { properties, end } = splitSection(body, topicEnd + (hasId ? 2 : 0));
  return {
    first,
    topic: body.toString("utf8", 2, topicEnd),
    packetId: hasId ? body.readUInt16BE(topicEnd) : 0,
    properties,
    payload: body.toString("utf8", end),
  };
}

export interface Connack5 {
  readonly flags: number;
  readonly reason: number;
  readonly properties: readonly Property[];
}

export async function nextConnack(client: RawClient): Promise<Connack5> {
  const { first, body } = await next(client);
  if (first !== 0x20) throw new Error(`no CONNACK but ${first.toString(16)} ${body.toString("hex")}`);
  return { flags: body[0]!, reason: body[1]!, properties: splitSection(body, 2).properties };
}

/** The next packet is a DISCONNECT with this reason, and nothing but the end comes after it. Its properties, split. */
export async function disconnects(client: RawClient, reason: number, about = ""): Promise<readonly Property[]> {
  const { first, body } = await next(client);
  const found = `${first.toString(16)} ${body.subarray(0, 1).toString("hex")}`;
  if (first !== 0xe0 || body[0] !== reason) throw new Error(`e0 ${reason.toString(16)} wanted, ${found} came ${about}`);
  await client.isClosed();
  return body.length > 1 ? splitSection(body, 1).properties : [];
}

export function splitSection(body: Buffer, at: number): { readonly properties: readonly Property[]; readonly end: number } {
  const { value: length, end: start } = readVarint(body, at);
  const end = start + length;
  const properties: Property[] = [];
  for (let from = start; from < end; ) {
    const to = propertyEnd(body, from);
    properties.push(body.subarray(from, to));
    from = to;
  }
  return { properties, end };
}

function propertyEnd(body: Buffer, at: number): number {
  const id = body[at]!;
  const textEnd = (from: number) => from + 2 + body.readUInt16BE(from);
  if ([0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a].includes(id)) return at + 2;
  if ([0x13, 0x21, 0x22, 0x23].includes(id)) return at + 3;
  if ([0x02, 0x11, 0x18, 0x27].includes(id)) return at + 5;
  if (id === 0x0b) return readVarint(body, at + 1).end;
  return id === 0x26 ? textEnd(textEnd(at + 1)) : textEnd(at + 1);
}

function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at };
  }
}
