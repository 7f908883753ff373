// What can go wrong between an MQTT client and us. All but the first are breaches or ends of one connection.

import { ProtocolError } from "#base/errors.ts";

/** The port could not be opened: taken, forbidden, or no such address. */
export const MQTT_LISTEN_FAILED = "MQTT_LISTEN_FAILED";
/** Bytes that are no MQTT packet, or a packet that breaks a rule of the standard. */
export const MQTT_MALFORMED = "MQTT_MALFORMED";
/** A packet announces more bytes than `max_packet` (or, before CONNECT, than a CONNECT may have). */
export const MQTT_PACKET_TOO_LARGE = "MQTT_PACKET_TOO_LARGE";
/** A packet that a client may not send, or not now. */
export const MQTT_UNEXPECTED_PACKET = "MQTT_UNEXPECTED_PACKET";
/** Legal MQTT that we do not speak yet. */
export const MQTT_UNSUPPORTED = "MQTT_UNSUPPORTED";
/** A QoS 1 PUBLISH under a topic that has no subject: it cannot be made safe, so it must not be acknowledged. */
export const MQTT_TOPIC_REFUSED = "MQTT_TOPIC_REFUSED";
/** A QoS 1 PUBLISH that the user's permissions forbid. */
export const MQTT_DENIED = "MQTT_DENIED";

export function malformed(words: string, cause?: unknown): ProtocolError {
  return new ProtocolError(MQTT_MALFORMED, words, cause === undefined ? {} : { cause });
}
