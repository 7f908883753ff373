// What a user JWT says of itself, read for diagnosis only: the hub verifies it, we merely say why it will not like it.

import type { WallMillis } from "#base/clock.ts";
import { clockAdvice, instantText, isClockBelievable } from "#base/wall-clock.ts";

export interface UserClaims {
  /** Public key of the user: `U…`; of something else in a JWT that is not a user's. */
  readonly subject: string;
  readonly name: string;
  /** Public key of the account: its own key, or the one a signing key stands for. */
  readonly account: string;
  /** `user`, `account`, `operator`, `activation` … */
  readonly type: string;
  readonly expires: WallMillis | null;
  readonly notBefore: WallMillis | null;
  /** Needs no signature: whoever has the JWT may log in. */
  readonly isBearer: boolean;
  /** Upper case; empty: every type. */
  readonly connectionTypes: readonly string[];
}

const NAME_CHARS_MAX = 64;
/** nats-server knows eight. */
const TYPES_MAX = 16;

/** undefined: not a JWT. Cut off, mostly. */
export function tryDecodeClaims(jwt: string): UserClaims | undefined {
  const parts = jwt.split(".");
  if (parts.length !== 3 || parts.some((part) => !/^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const claims = tryJson(parts[1]!);
  const nats = recordOf(claims?.["nats"]);
  if (claims === undefined || typeof claims["sub"] !== "string") return undefined;
  const types = nats["allowed_connection_types"];
  return {
    subject: printable(claims["sub"]),
    name: printable(textOf(claims["name"])),
    account: printable(textOf(nats["issuer_account"]) || textOf(claims["iss"])),
    type: printable(textOf(nats["type"]) || textOf(claims["type"])),
    expires: instantOf(claims["exp"]),
    notBefore: instantOf(claims["nbf"]),
    isBearer: nats["bearer_token"] === true,
    connectionTypes: Array.isArray(types) ? types.slice(0, TYPES_MAX).map((type) => printable(String(type)).toUpperCase()) : [],
  };
}

/** What no hub will ever accept, as the end of a sentence ("the JWT …"); null: nothing of the kind. */
export function lastingFaultOf(claims: UserClaims, isWebSocket: boolean): string | null {
  if (claims.type !== "user" || !claims.subject.startsWith("U")) {
    const article = /^[aeiou]/i.test(claims.type) ? "an" : "a";
    const whose = claims.type === "" || claims.type === "user" ? "nobody's" : `${article} ${claims.type}'s`;
    return `is ${whose}; wanted a user's (nsc generate creds)`;
  }
  const wanted = isWebSocket ? "LEAFNODE_WS" : "LEAFNODE";
  if (claims.connectionTypes.length === 0 || claims.connectionTypes.includes(wanted)) return null;
  return `allows the connection types ${claims.connectionTypes.join(", ")}, and ${wanted} is not among them; get one that allows ${wanted}`;
}

/** What the calendar has against it. The hub's calendar decides, so this is said when the hub refuses, and not before. */
export function timeFaultOf(claims: UserClaims, wall: WallMillis): string | null {
  if (claims.expires !== null && claims.expires <= wall) {
    return `expired on ${instantText(claims.expires)}; get a new one and put it in the old one's place`;
  }
  if (claims.notBefore !== null && claims.notBefore > wall) {
    const advice = isClockBelievable(wall)
      ? `wait until then, or check this device's clock (${instantText(wall)})`
      : clockAdvice(wall);
    return `is not valid before ${instantText(claims.notBefore)}; ${advice}`;
  }
  return null;
}

function tryJson(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined; // not JSON: not a JWT
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** JWTs count seconds; 0 and nothing mean "no limit". */
function instantOf(value: unknown): WallMillis | null {
  return typeof value === "number" && value > 0 ? value * 1000 : null;
}

/** The file is an outsider's: nothing of it may forge a line of a log. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, NAME_CHARS_MAX);
}
