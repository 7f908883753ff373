// What a client says of itself in CONNECT. Missing fields mean what they mean to nats-server: somebody who types by hand gets +OK.

import { ProtocolError } from "#base/errors.ts";
import { NATS_BAD_CONNECT, NATS_NO_RESPONDERS, NATS_UNKNOWN_PROTOCOL } from "./errors.ts";

/** Of the names a client gives itself, so much is remembered. */
const NAME_CHARS_MAX = 128;

export interface ConnectRequest {
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
  readonly nkey: string | null;
  readonly jwt: string | null;
  /** Of our nonce, by the nkey or the JWT's user. */
  readonly signature: string | null;
  /** +OK after every operation. */
  readonly isVerbose: boolean;
  /** It wants its own messages back, if it subscribes to them. */
  readonly wantsEcho: boolean;
  readonly takesHeaders: boolean;
  readonly wantsNoResponders: boolean;
  readonly name: string;
  /** Language and version of its library. */
  readonly library: string;
}

/** What is meant by a client that begins without a CONNECT. */
export const WITHOUT_CONNECT: ConnectRequest = parseConnect("{}");

export function parseConnect(json: string): ConnectRequest {
  const fields = objectOf(json);
  const flag = (key: string, fallback: boolean) => fieldOf(fields, key, "boolean", fallback);
  const text = (key: string) => fieldOf<string>(fields, key, "string", "");
  const textOrNull = (key: string) => (text(key) === "" ? null : text(key));
  const protocol = fieldOf<number>(fields, "protocol", "number", 0);
  if (protocol < 0 || protocol > 1)
    throw new ProtocolError(NATS_UNKNOWN_PROTOCOL, "CONNECT asks for a protocol other than 0 and 1");
  const takesHeaders = flag("headers", false);
  const wantsNoResponders = flag("no_responders", false);
  if (wantsNoResponders && !takesHeaders)
    throw new ProtocolError(NATS_NO_RESPONDERS, "CONNECT wants no_responders and not the headers they are made of");
  return {
    user: textOrNull("user"),
    password: textOrNull("pass"),
    token: textOrNull("auth_token"),
    nkey: textOrNull("nkey"),
    jwt: textOrNull("jwt"),
    signature: textOrNull("sig"),
    isVerbose: flag("verbose", true),
    wantsEcho: flag("echo", true),
    takesHeaders,
    wantsNoResponders,
    name: text("name").slice(0, NAME_CHARS_MAX),
    library: `${text("lang")} ${text("version")}`.trim().slice(0, NAME_CHARS_MAX),
  };
}

function objectOf(json: string): { readonly [key: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw badConnect("text that is no JSON"); // without the parser's words, which would quote a password
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw badConnect("JSON that is no object");
  return value as { readonly [key: string]: unknown };
}

function fieldOf<T>(fields: { readonly [key: string]: unknown }, key: string, type: string, fallback: T): T {
  const value = fields[key] ?? undefined;
  if (value === undefined) return fallback;
  if (typeof value !== type) throw badConnect(`"${key}" as ${Array.isArray(value) ? "a list" : typeof value}`);
  return value as T;
}

function badConnect(found: string): ProtocolError {
  return new ProtocolError(NATS_BAD_CONNECT, `CONNECT holds ${found}`);
}
