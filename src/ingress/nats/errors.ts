// What can go wrong between a NATS client and us. All but the first are breaches that end one connection; breaches of the grammar
// itself have their codes in wire/errors.ts.

import type { ProtocolError } from "#base/errors.ts";
import {
  AUTHORIZATION_VIOLATION,
  HEADERS_NOT_SUPPORTED,
  INVALID_CLIENT_PROTOCOL,
  LINE_TOO_LONG,
  NO_RESPONDERS_NEEDS_HEADERS,
  PARSER_ERROR,
  PAYLOAD_TOO_LARGE,
  UNKNOWN_OPERATION,
} from "#wire/client-lines.ts";
import { WIRE_LINE_TOO_LONG, WIRE_TOO_LARGE, WIRE_UNKNOWN_OPERATION } from "#wire/errors.ts";

/** The port could not be opened: taken, forbidden, or no such address. */
export const NATS_LISTEN_FAILED = "NATS_LISTEN_FAILED";
/** Something other than CONNECT came first. */
export const NATS_NOT_CONNECTED = "NATS_NOT_CONNECTED";
/** A CONNECT that is no JSON object, or whose fields have other types than the protocol says; or a second one. */
export const NATS_BAD_CONNECT = "NATS_BAD_CONNECT";
/** A CONNECT that asks for a protocol we do not know. */
export const NATS_UNKNOWN_PROTOCOL = "NATS_UNKNOWN_PROTOCOL";
/** A CONNECT that wants no-responders messages, which are made of headers, and takes no headers. */
export const NATS_NO_RESPONDERS = "NATS_NO_RESPONDERS";
/** HPUB from a client whose CONNECT said that it knows no headers. */
export const NATS_HEADERS_UNEXPECTED = "NATS_HEADERS_UNEXPECTED";

const ERR_TEXT: Readonly<Record<string, string>> = {
  [WIRE_UNKNOWN_OPERATION]: UNKNOWN_OPERATION,
  [WIRE_LINE_TOO_LONG]: LINE_TOO_LONG,
  [WIRE_TOO_LARGE]: PAYLOAD_TOO_LARGE,
  [NATS_NOT_CONNECTED]: AUTHORIZATION_VIOLATION,
  [NATS_UNKNOWN_PROTOCOL]: INVALID_CLIENT_PROTOCOL,
  [NATS_NO_RESPONDERS]: NO_RESPONDERS_NEEDS_HEADERS,
  [NATS_HEADERS_UNEXPECTED]: HEADERS_NOT_SUPPORTED,
};

/** What a client library expects to read in -ERR after this breach. */
export function errTextFor(breach: ProtocolError): string {
  return ERR_TEXT[breach.code] ?? PARSER_ERROR;
}
