// What can go wrong between an MQTT client and us. All but the first are breaches or ends of one connection.
//
// A breach carries the reason code a 5.0 client is told in DISCONNECT or CONNACK; 3.x clients are just cut off.

import { ProtocolError } from "#base/errors.ts";
import { REASON } from "./reason-codes.ts";

/** The port could not be opened: taken, forbidden, or no such address. */
export const MQTT_LISTEN_FAILED = "MQTT_LISTEN_FAILED";
/** Bytes that are no MQTT packet, or a packet that breaks a rule of the standard. */
export const MQTT_MALFORMED = "MQTT_MALFORMED";
/** A packet that can be read, with content that the standard forbids: "protocol error" in 5.0's words. */
export const MQTT_PROTOCOL_ERROR = "MQTT_PROTOCOL_ERROR";
/** A packet announces more bytes than `max_packet` (or, before CONNECT, than a CONNECT may have). */
export const MQTT_PACKET_TOO_LARGE = "MQTT_PACKET_TOO_LARGE";
/** More properties, bytes of them, or topic filters than we take in one packet. */
export const MQTT_LIMIT_EXCEEDED = "MQTT_LIMIT_EXCEEDED";
/** A packet that a client may not send, or not now. */
export const MQTT_UNEXPECTED_PACKET = "MQTT_UNEXPECTED_PACKET";
/** Legal MQTT that we do not speak yet. */
export const MQTT_UNSUPPORTED = "MQTT_UNSUPPORTED";
/** A QoS 1 PUBLISH under a topic that has no subject: it cannot be made safe, so it must not be acknowledged. */
export const MQTT_TOPIC_REFUSED = "MQTT_TOPIC_REFUSED";
/** A QoS 1 PUBLISH that the user's permissions forbid. */
export const MQTT_DENIED = "MQTT_DENIED";

const REASON_OF_CODE: Readonly<Record<string, number>> = {
  [MQTT_MALFORMED]: REASON.malformedPacket,
  [MQTT_PROTOCOL_ERROR]: REASON.protocolError,
  [MQTT_PACKET_TOO_LARGE]: REASON.packetTooLarge,
  [MQTT_LIMIT_EXCEEDED]: REASON.quotaExceeded,
  [MQTT_UNEXPECTED_PACKET]: REASON.protocolError,
  [MQTT_UNSUPPORTED]: REASON.implementationError,
  [MQTT_TOPIC_REFUSED]: REASON.topicNameInvalid,
  [MQTT_DENIED]: REASON.notAuthorized,
};

/** A breach by an MQTT client whose code does not tell the whole reason. */
export class MqttBreach extends ProtocolError {
  readonly reason: number;

  constructor(code: string, words: string, reason: number) {
    super(code, words);
    this.reason = reason;
  }
}

/** The 5.0 reason code to give for whatever was thrown: 0x83 (implementation specific) for what is no breach by the client. */
export function reasonOf(error: unknown): number {
  if (error instanceof MqttBreach) return error.reason;
  if (error instanceof ProtocolError) return REASON_OF_CODE[error.code] ?? REASON.unspecifiedError;
  return REASON.implementationError;
}

/** The packet cannot be read as the standard says. */
export function malformed(words: string, cause?: unknown): ProtocolError {
  return new ProtocolError(MQTT_MALFORMED, words, cause === undefined ? {} : { cause });
}

/** The packet is legal and more than we take. */
export function limitExceeded(words: string): ProtocolError {
  return new ProtocolError(MQTT_LIMIT_EXCEEDED, words);
}

/** The packet can be read, and says what it must not say. */
export function protocolError(words: string, reason: number = REASON.protocolError): ProtocolError {
  return new MqttBreach(MQTT_PROTOCOL_ERROR, words, reason);
}
