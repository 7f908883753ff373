// Reads a CONNECT, and has the answers speak the version of whoever sent it; a 5.0 client is told also what is wrong with it
// [MQTT5-3.1.4-1]. 3.x has no return code for that: such a connection is just closed.

import { ProtocolError } from "#base/errors.ts";
import { type ConnectRequest, parseConnect } from "./connect-packet.ts";
import { reasonOf } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import type { Framer } from "./framer.ts";
import { CONNECT } from "./packet.ts";
import { MAXIMUM_PACKET_SIZE } from "./property-table.ts";
import { PropertyValues } from "./property-values.ts";
import type { Replies } from "./replies.ts";

/** Protocol name and level of 5.0. */
const FIVE = Buffer.from("\0\x04MQTT\x05", "latin1");
/** Before the properties of a CONNECT of 5.0: that, flags and keep-alive. */
const FRONT_BYTES = FIVE.length + 3;
/** CONNACK with a reason and nothing more. */
const SHORTEST_CONNACK_BYTES = 5;

/** Throws a ProtocolError when it is none. */
export function readConnect(packet: Framer, replies: Replies): ConnectRequest | { readonly unacceptable: number } {
  try {
    const request = parseConnect(packet);
    if (!("unacceptable" in request)) replies.speak(request.version, request.maximumPacketBytes, request.wantsProblemInformation);
    return request;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const { bytes, start, end } = packet;
    if (bytes.subarray(start, end).subarray(0, FIVE.length).equals(FIVE)) {
      replies.speak(5, packetBytesTaken(packet), true);
      replies.connack(reasonOf(error), { reasonString: error.message });
    }
    throw error;
  }
}

/** What a client takes whose CONNECT is no good, as far as that can be read [MQTT5-3.2.2-19]. */
function packetBytesTaken({ bytes, start, end }: Framer): number {
  try {
    const section = new FieldReader(bytes, start + FRONT_BYTES, end, "CONNECT").properties();
    const values = new PropertyValues();
    values.read(bytes, section.start, section.end, CONNECT);
    return values.number(MAXIMUM_PACKET_SIZE, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return SHORTEST_CONNACK_BYTES;
  }
}
