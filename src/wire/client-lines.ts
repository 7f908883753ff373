// The lines a server sends to NATS clients, whole messages excepted. The texts of -ERR are those that client libraries look for.
// Source: the client protocol reference of NATS, and nats-server `server/errors.go`.

/** What a server says of itself; also sent later, when something changes. */
export interface ServerInfo {
  readonly server_id: string;
  readonly server_name: string;
  /** The nats-server version whose features clients may use. */
  readonly version: string;
  readonly proto: 1;
  readonly host: string;
  readonly port: number;
  readonly headers: true;
  readonly auth_required: boolean;
  /** To be signed by whoever comes in with an nkey or a JWT. */
  readonly nonce?: string;
  readonly tls_required?: true;
  /** A client must show a certificate. */
  readonly tls_verify?: true;
  readonly max_payload: number;
  readonly client_id: number;
  readonly client_ip: string;
  /** Lame duck mode: this server is about to close. */
  readonly ldm?: true;
}

export const PING_LINE = "PING\r\n";
export const PONG_LINE = "PONG\r\n";
export const OK_LINE = "+OK\r\n";

/** After these the connection stays open … */
export const INVALID_PUBLISH_SUBJECT = "Invalid Publish Subject";
export const INVALID_SUBJECT = "Invalid Subject";
export const TOO_MANY_SUBSCRIPTIONS = "maximum subscriptions exceeded";
/** … and after these it is closed. */
export const UNKNOWN_OPERATION = "Unknown Protocol Operation";
export const PARSER_ERROR = "Parser Error";
export const LINE_TOO_LONG = "maximum control line exceeded";
export const PAYLOAD_TOO_LARGE = "Maximum Payload Violation";
export const AUTHORIZATION_VIOLATION = "Authorization Violation";
export const AUTHENTICATION_EXPIRED = "User Authentication Expired";
export const AUTHENTICATION_REVOKED = "User Authentication Revoked";
export const AUTHENTICATION_TIMEOUT = "Authentication Timeout";
export const INVALID_CLIENT_PROTOCOL = "invalid client protocol";
export const NO_RESPONDERS_NEEDS_HEADERS = "no responders requires headers support";
export const HEADERS_NOT_SUPPORTED = "message headers not supported";
export const TOO_MANY_CONNECTIONS = "maximum connections exceeded";
export const STALE_CONNECTION = "Stale Connection";
export const SLOW_CONSUMER = "Slow Consumer";

/** In latin1 form, as all text that goes out. */
export function infoLine(info: ServerInfo): string {
  return `INFO ${Buffer.from(JSON.stringify(info), "utf8").toString("latin1")} \r\n`;
}

export function errorLine(text: string): string {
  return `-ERR '${text}'\r\n`;
}

export function publishViolation(subject: string): string {
  return `Permissions Violation for Publish to "${subject}"`;
}

export function subscriptionViolation(filter: string, queue: string | null): string {
  return `Permissions Violation for Subscription to "${filter}"${queue === null ? "" : ` using queue "${queue}"`}`;
}

/** Tells a requestor that nobody listens to `subject` (spec/leafnode-protocol.md §11.5). nats-server names it since 2.12. */
export function noRespondersMessage(subject: string, reply: string, sid: string): string {
  const block = `NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`;
  return `HMSG ${reply} ${sid} ${block.length} ${block.length}\r\n${block}\r\n`;
}

/** A message that is made here: rare, and small. */
export function textMessage(subject: string, sid: string, payload: string): string {
  return `MSG ${subject} ${sid} ${payload.length}\r\n${payload}\r\n`;
}
