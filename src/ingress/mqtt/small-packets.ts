// PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH and PINGREQ from a client, read without the library: the first four come by the thousand.
// Source: MQTT 3.1.1 §3.4–3.7, §3.12, §3.14; OASIS MQTT 5.0 §3.4–3.7, §3.12, §3.14, §3.15.

import { malformed, protocolError } from "./errors.ts";
import { FieldReader } from "./field-reader.ts";
import type { Framer } from "./framer.ts";
import { AUTH, DISCONNECT, PUBACK, PUBREC, packetName } from "./packet.ts";
import { AUTHENTICATION_METHOD, SESSION_EXPIRY_INTERVAL } from "./property-table.ts";
import { PropertyValues } from "./property-values.ts";
import { REASON } from "./reason-codes.ts";
import type { MqttVersion } from "./version.ts";

/** What an acknowledgement says; one object of the caller's, filled anew each time. */
export interface AckFields {
  packetId: number;
  reason: number;
}

export interface DisconnectRequest {
  readonly reason: number;
  /** null: the one of CONNECT stays. */
  readonly sessionExpirySeconds: number | null;
}

export interface AuthRequest {
  readonly reason: number;
  /** latin1 form. */
  readonly method: string;
}

/** Of PUBACK and PUBREC: what a receiver of a message may answer. */
const RECEIPTS: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.noMatchingSubscribers,
  REASON.unspecifiedError,
  REASON.implementationError,
  REASON.notAuthorized,
  REASON.topicNameInvalid,
  REASON.packetIdInUse,
  REASON.quotaExceeded,
  REASON.payloadFormatInvalid,
]);
/** Of PUBREL and PUBCOMP. */
const RELEASES: ReadonlySet<number> = new Set([REASON.success, REASON.packetIdNotFound]);
/** Of DISCONNECT, from a client (table 3-13). */
const GOODBYES: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.disconnectWithWill,
  REASON.unspecifiedError,
  REASON.malformedPacket,
  REASON.protocolError,
  REASON.implementationError,
  REASON.topicNameInvalid,
  REASON.receiveMaximumExceeded,
  REASON.topicAliasInvalid,
  REASON.packetTooLarge,
  REASON.messageRateTooHigh,
  REASON.quotaExceeded,
  REASON.administrativeAction,
  REASON.payloadFormatInvalid,
]);
/** Of AUTH, from a client. */
const AUTHS: ReadonlySet<number> = new Set([REASON.continueAuthentication, REASON.reAuthenticate]);

/** PUBACK, PUBREC, PUBREL or PUBCOMP; its flags have been checked. */
export function parseAck(packet: Framer, version: MqttVersion, into: AckFields): AckFields {
  const { bytes, start, end } = packet;
  if (end - start !== 2) return parseLongAck(packet, version, into);
  into.packetId = (bytes[start]! << 8) | bytes[start + 1]!;
  into.reason = REASON.success;
  if (into.packetId === 0) throw protocolError(`a ${packetName(packet.header >> 4)} has packet identifier 0`);
  return into;
}

/** 5.0: every part may be left out from the end (§3.14.2). */
export function parseDisconnect(packet: Framer, version: MqttVersion): DisconnectRequest {
  if (version !== 5) {
    checkEmpty(packet, "DISCONNECT");
    return { reason: REASON.success, sessionExpirySeconds: null };
  }
  const { reason, properties } = readReasoned(packet, GOODBYES);
  const expiry = properties.number(SESSION_EXPIRY_INTERVAL, -1);
  return { reason, sessionExpirySeconds: expiry < 0 ? null : expiry };
}

/** 5.0 only. */
export function parseAuth(packet: Framer): AuthRequest {
  const { reason, properties } = readReasoned(packet, AUTHS);
  const method = properties.text(AUTHENTICATION_METHOD);
  if (method === null) throw protocolError("an AUTH has no authentication method");
  return { reason, method };
}

/** Packets without a body: PINGREQ, DISCONNECT of 3.x. */
export function checkEmpty(packet: Framer, name: string): void {
  if (packet.start !== packet.end)
    throw malformed(`a ${name} has ${packet.end - packet.start} bytes of content, it must have none`);
}

function parseLongAck(packet: Framer, version: MqttVersion, into: AckFields): AckFields {
  const type = packet.header >> 4;
  const { bytes, start, end } = packet;
  if (version !== 5 || end - start < 2)
    throw malformed(`a ${packetName(type)} has ${end - start} bytes of content, it must have 2`);
  const fields = new FieldReader(bytes, start, end, packetName(type));
  into.packetId = fields.packetId();
  into.reason = checkReason(fields.byte("reason code"), type === PUBACK || type === PUBREC ? RECEIPTS : RELEASES, type);
  readTrailingProperties(fields, type);
  return into;
}

/** DISCONNECT and AUTH: nothing, a reason, or a reason and properties. */
function readReasoned(
  packet: Framer,
  reasons: ReadonlySet<number>,
): { readonly reason: number; readonly properties: PropertyValues } {
  const type = packet.header >> 4;
  const fields = new FieldReader(packet.bytes, packet.start, packet.end, packetName(type));
  const reason = checkReason(fields.isAtEnd ? REASON.success : fields.byte("reason code"), reasons, type);
  return { reason, properties: readTrailingProperties(fields, type) };
}

function readTrailingProperties(fields: FieldReader, type: number): PropertyValues {
  const properties = new PropertyValues();
  if (fields.isAtEnd) return properties;
  const { start, end } = fields.properties();
  fields.finish();
  properties.read(fields.bytes, start, end, type);
  return properties;
}

function checkReason(reason: number, allowed: ReadonlySet<number>, type: number): number {
  if (allowed.has(reason)) return reason;
  const sender = type === DISCONNECT || type === AUTH ? "a client's " : "a ";
  throw protocolError(`${sender}${packetName(type)} has no reason code 0x${reason.toString(16).padStart(2, "0")}`);
}
