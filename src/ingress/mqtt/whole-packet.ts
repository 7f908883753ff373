// Has mqtt-packet read one whole packet whose layout was found sound, and lets the parser go with it: it keeps nothing, and is
// never fed a piece. Why it is not enough by itself: README.md, "The codec".

import * as mqttPacket from "mqtt-packet";
import { malformed } from "./errors.ts";
import type { Framer } from "./framer.ts";
import type { MqttVersion } from "./version.ts";

export function readWhole(packet: Framer, name: string, version: MqttVersion): mqttPacket.Packet {
  let read: mqttPacket.Packet | undefined;
  let fault: unknown;
  const parser = mqttPacket.parser({ protocolVersion: version });
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

/** The latin1 form of a string of the library's. */
export function toLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
