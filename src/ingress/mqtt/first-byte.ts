// Breaches that are plain from a packet's first byte: the wrong packet, or no MQTT at all.

import { ProtocolError } from "#base/errors.ts";
import { MQTT_UNEXPECTED_PACKET, malformed } from "./errors.ts";
import type { Framer } from "./framer.ts";
import type { Life } from "./life.ts";
import { CONNECT, packetName, requiredFlags } from "./packet.ts";

/** Throws when what a stranger begins with cannot become a CONNECT: it is not waited for. */
export function checkFirstByte(first: number | undefined, life: Life): void {
  if (first === undefined || first === CONNECT << 4) return;
  if (first === 0x16) throw malformed("its first byte is that of TLS, and this port speaks plain MQTT");
  if (first >= 0x41 && first <= 0x5a) throw malformed("its first byte is a letter: HTTP or another text protocol, not MQTT");
  if (first >> 4 !== CONNECT) throw unexpected(first >> 4, life);
}

export function unexpected(type: number, life: Life): ProtocolError {
  const when = life.at === "awaiting-connect" ? "before CONNECT" : "to a broker, or not now";
  return new ProtocolError(MQTT_UNEXPECTED_PACKET, `a client does not send ${packetName(type)} ${when}`);
}

/** MQTT 3.1 has DUP on SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again; later versions, and the codec, have not. */
export function forgetDup(packet: Framer): void {
  if ((packet.header & 8) === 0 || requiredFlags(packet.header >> 4) !== 2) return;
  packet.header &= ~8;
  packet.bytes[packet.packetStart] = packet.header;
}
