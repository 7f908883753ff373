// Why a connection ended, in the words in which nats-server's monitor says it (`reason` in /connz?state=closed).

import {
  AUTHORIZATION_VIOLATION,
  INVALID_CLIENT_PROTOCOL,
  LINE_TOO_LONG,
  NO_RESPONDERS_NEEDS_HEADERS,
  PAYLOAD_TOO_LARGE,
  TOO_MANY_CONNECTIONS,
} from "#wire/client-lines.ts";
import type { Ending } from "./life.ts";

/** Reasons that no ending tells by itself. */
export const REASONS = { stalled: "Slow Consumer (Write Deadline)", tls: "TLS Handshake Failure" } as const;

const BY_ERROR: Readonly<Record<string, string>> = {
  [AUTHORIZATION_VIOLATION]: "Authentication Failure",
  [TOO_MANY_CONNECTIONS]: "Maximum Connections Exceeded",
  [INVALID_CLIENT_PROTOCOL]: "Bad Client Protocol Version",
  [NO_RESPONDERS_NEEDS_HEADERS]: "No Responders Requires Headers",
  [LINE_TOO_LONG]: "Maximum Control Line Exceeded",
  [PAYLOAD_TOO_LARGE]: "Maximum Message Payload Exceeded",
};

const BY_ENDING: Readonly<Record<Ending, string>> = {
  closed: "Client Closed",
  gone: "Read Error",
  refused: "Protocol Violation",
  breach: "Protocol Violation",
  expired: "Authentication Expired",
  revoked: "Credentials Revoked",
  silent: "Authentication Timeout",
  stale: "Stale Connection",
  slow: "Slow Consumer (Pending Bytes)",
  shutdown: "Server Shutdown",
};

/** `errText`: what the client was told in -ERR. */
export function closeReason(ending: Ending, errText: string | undefined): string {
  return BY_ERROR[errText ?? ""] ?? BY_ENDING[ending];
}
