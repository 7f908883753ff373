// One packet from a client, through the framer and the parser that is meant for it, as a plain value; throws what they throw.

import { ProtocolError } from "#base/errors.ts";
import { parseConnect } from "#ingress/mqtt/connect-packet.ts";
import { MQTT_UNEXPECTED_PACKET, malformed } from "#ingress/mqtt/errors.ts";
import { Framer } from "#ingress/mqtt/framer.ts";
import {
  AUTH,
  CONNECT,
  DISCONNECT,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  packetName,
  requiredFlags,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "#ingress/mqtt/packet.ts";
import { HeaderWriter } from "#ingress/mqtt/properties-to-headers.ts";
import { mapSlowly, PublishParts } from "#ingress/mqtt/publish.ts";
import { checkEmpty, parseAck, parseAuth, parseDisconnect } from "#ingress/mqtt/small-packets.ts";
import { parseSubscribe, parseUnsubscribe } from "#ingress/mqtt/subscribe-packets.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";

export interface DecodedPublish {
  readonly packet: "PUBLISH";
  readonly topic: string;
  readonly qos: number;
  readonly isRetained: boolean;
  readonly isDuplicate: boolean;
  readonly packetId: number;
  readonly topicAlias: number;
  readonly payload: Buffer;
  /** latin1 form. */
  readonly headers: string;
  readonly reply: string;
}

/** What one packet says, by the parser for its type. `bytes` must be one whole packet. */
export function decode(bytes: Buffer, version: MqttVersion, packetBytesMax = 1_048_576): unknown {
  const framer = new Framer(packetBytesMax);
  framer.accept(Buffer.from(bytes));
  if (!framer.next()) throw new Error("not a whole packet");
  return decodeCurrent(framer, version);
}

/** The packet the framer stands at. */
export function decodeCurrent(framer: Framer, version: MqttVersion): unknown {
  const type = framer.header >> 4;
  if (type === PUBLISH) return decodePublish(framer, version);
  if ((framer.header & 15) !== requiredFlags(type)) throw malformed(`a ${packetName(type)} has the flags ${framer.header & 15}`);
  switch (type) {
    case CONNECT:
      return parseConnect(framer);
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return { ...parseAck(framer, version, { packetId: 0, reason: 0 }) };
    case SUBSCRIBE:
      return parseSubscribe(framer, version);
    case UNSUBSCRIBE:
      return parseUnsubscribe(framer, version);
    case PINGREQ:
      return checkEmpty(framer, "PINGREQ");
    case DISCONNECT:
      return parseDisconnect(framer, version);
    default:
      if (type === AUTH && version === 5) return parseAuth(framer);
      throw new ProtocolError(MQTT_UNEXPECTED_PACKET, `a client does not send ${packetName(type)}`);
  }
}

export function decodePublish(framer: Framer, version: MqttVersion): DecodedPublish {
  const parts = new PublishParts();
  parts.read(framer.bytes, framer.header, framer.start, framer.end, version);
  const topic = framer.bytes.latin1Slice(parts.topic, parts.topicEnd);
  if (topic !== "") {
    const subject = mapSlowly(framer.bytes, parts.topic, parts.topicEnd);
    if (typeof subject !== "string" && subject.isMalformed) throw malformed(subject.words);
  }
  const headers = new HeaderWriter();
  if (parts.hasProperties) headers.write(parts.properties);
  return {
    packet: "PUBLISH",
    topic,
    qos: parts.qos,
    isRetained: parts.isRetained,
    isDuplicate: parts.isDuplicate,
    packetId: parts.packetId,
    topicAlias: parts.topicAlias,
    payload: Buffer.from(framer.bytes.subarray(parts.payload, framer.end)),
    headers: headers.block.toString("latin1"),
    reply: headers.reply,
  };
}
