// The packets that are rare: CONNECT, SUBSCRIBE, UNSUBSCRIBE. Their layout is checked here, strictly, and their values are then
// read by mqtt-packet, which is fed exactly one whole packet and thrown away after it. (PUBLISH and PUBACK: publish.ts.)
// Why the library is not enough by itself: README.md, "The codec".

import { isUtf8 } from "node:buffer";
import * as mqttPacket from "mqtt-packet";
import { ProtocolError } from "#base/errors.ts";
import { MQTT_UNSUPPORTED, malformed } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import type { Framer } from "./framer.ts";

export interface WillRequest {
  /** latin1 form. */
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

export interface ConnectRequest {
  readonly protocol: "3.1" | "3.1.1";
  readonly clientId: string;
  readonly isClean: boolean;
  readonly keepAliveSeconds: number;
  readonly user: string | null;
  readonly password: string | null;
  readonly will: WillRequest | null;
}

export interface FilterRequest {
  /** latin1 form. */
  readonly filter: string;
  readonly qos: number;
}

/** What a CONNECT asks for, or "unacceptable-version": to be answered with that return code [MQTT-3.1.2-2]. */
export function parseConnect(packet: Framer): ConnectRequest | "unacceptable-version" {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "CONNECT");
  const name = fields.text("protocol name");
  if (name !== "MQTT" && name !== "MQIsdp")
    throw malformed(`the protocol name of a CONNECT is ${JSON.stringify(name)}, not "MQTT"`);
  const level = fields.byte("protocol level");
  if (level !== (name === "MQTT" ? 4 : 3)) return "unacceptable-version";
  const willTopic = checkConnect(fields);
  const read = readWhole(packet, "CONNECT");
  if (read.cmd !== "connect") throw malformed(`a CONNECT was read as ${read.cmd}`);
  const { will } = read;
  return {
    protocol: level === 4 ? "3.1.1" : "3.1",
    clientId: read.clientId,
    isClean: read.clean ?? true,
    keepAliveSeconds: read.keepalive ?? 0,
    user: read.username ?? null,
    password: read.password?.toString("utf8") ?? null,
    will:
      will === undefined
        ? null
        : { topic: willTopic, payload: Buffer.from(will.payload), qos: will.qos ?? 0, retain: will.retain ?? false },
  };
}

export function parseSubscribe(packet: Framer): { readonly packetId: number; readonly requests: readonly FilterRequest[] } {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "SUBSCRIBE");
  const packetId = fields.packetId();
  if (fields.isAtEnd) throw malformed("a SUBSCRIBE has no topic filter"); // [MQTT-3.8.3-3]
  while (!fields.isAtEnd) {
    fields.text("topic filter");
    const qos = fields.byte("requested QoS");
    if (qos > 2) throw malformed(`a SUBSCRIBE asks for QoS byte ${qos}`); // [MQTT-3-8.3-4]
  }
  const read = readWhole(packet, "SUBSCRIBE");
  if (read.cmd !== "subscribe") throw malformed(`a SUBSCRIBE was read as ${read.cmd}`);
  return { packetId, requests: read.subscriptions.map(({ topic, qos }) => ({ filter: toLatin1(topic), qos })) };
}

export function parseUnsubscribe(packet: Framer): { readonly packetId: number; readonly filters: readonly string[] } {
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, "UNSUBSCRIBE");
  const packetId = fields.packetId();
  if (fields.isAtEnd) throw malformed("an UNSUBSCRIBE has no topic filter"); // [MQTT-3.10.3-2]
  while (!fields.isAtEnd) fields.text("topic filter");
  const read = readWhole(packet, "UNSUBSCRIBE");
  if (read.cmd !== "unsubscribe") throw malformed(`an UNSUBSCRIBE was read as ${read.cmd}`);
  return { packetId, filters: read.unsubscriptions.map(toLatin1) };
}

/** Packets without a body: PINGREQ, DISCONNECT. */
export function checkEmpty(packet: Framer, name: string): void {
  if (packet.start !== packet.end)
    throw malformed(`a ${name} has ${packet.end - packet.start} bytes of content, it must have none`);
}

/** Everything behind the protocol level; returns the will topic. */
function checkConnect(fields: FieldReader): string {
  const flags = fields.byte("connect flags");
  const hasWill = (flags & 0x04) !== 0;
  const willQos = (flags >> 3) & 3;
  const hasUser = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  if ((flags & 0x01) !== 0) throw malformed("the reserved flag of a CONNECT is set"); // [MQTT-3.1.2-3]
  if (willQos === 3) throw malformed("a CONNECT asks for a will at QoS 3"); // [MQTT-3.1.2-14]
  if (!hasWill && (flags & 0x38) !== 0) throw malformed("a CONNECT has will flags without a will"); // [MQTT-3.1.2-11]
  if (hasPassword && !hasUser) throw malformed("a CONNECT has a password without a user name"); // [MQTT-3.1.2-22]
  fields.word("keep alive");
  fields.text("client identifier");
  let willTopic = "";
  if (hasWill) {
    willTopic = fields.text("will topic");
    fields.binary("will message");
  }
  if (hasUser) fields.text("user name");
  if (hasPassword && !isUtf8(fields.binary("password"))) {
    throw new ProtocolError(MQTT_UNSUPPORTED, "the password of a CONNECT is not text in UTF-8");
  }
  fields.finish();
  return willTopic;
}

function readWhole(packet: Framer, name: string): mqttPacket.Packet {
  let read: mqttPacket.Packet | undefined;
  let fault: unknown;
  const parser = mqttPacket.parser();
  parser.on("packet", (parsed) => {
    read = parsed;
  });
  parser.on("error", (error) => {
    fault = error;
  });
  try {
    parser.parse(packet.bytes.subarray(packet.packetStart, packet.end));
  } catch (error) {
    fault = error;
  }
  if (fault !== undefined || read === undefined) throw malformed(`a ${name} cannot be read`, fault);
  return read;
}

function toLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
