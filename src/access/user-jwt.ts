// User JWTs for local NATS clients: who signed it, whom it names, what it allows. Everything a JWT can say is either kept to, or the
// JWT is refused: what we do not understand might be what protects somebody.
//
//   <header>.<claims>.<signature>     signed by an account's key, or by one of its signing keys, that trusted_keys names
//
// Not read, because they stand in the account's own JWT, which we do not have: the templates of scoped signing keys. Its revocations are
// written into the settings.

import { BlockList, isIP } from "node:net";
import type { WallMillis } from "#base/clock.ts";
import { isClockBelievable } from "#base/wall-clock.ts";
import { isPublicNkey, verifyNkey } from "./nkey-text.ts";
import {
  type GroupFilter,
  type PermissionList,
  type Permissions,
  permissionListOf,
  type ResponsePermission,
  tryGroupFilter,
} from "./permissions.ts";

const RESPONSES_EXPIRE_MS = 120_000;
const NANOSECONDS_PER_MS = 1_000_000;

type Record = Readonly<{ [key: string]: unknown }>;

export interface JwtPresented {
  readonly jwt: string;
  readonly signature: string | null;
  readonly nonce: string | null;
  readonly address: string;
  readonly isWebSocket: boolean;
}

export interface JwtUser {
  /** Public key of the user: `U…` */
  readonly name: string;
  readonly account: string;
  readonly permissions: Permissions;
  readonly limits: JwtLimits;
}

/** What a connection must keep to. */
export interface JwtLimits {
  readonly expires: WallMillis | null;
  /** Infinite: no more than everybody's. */
  readonly payloadMax: number;
  readonly subscriptionsMax: number;
}

/** JWTs of a user (`*`: of all) that were issued up to this moment are not taken any more; null: none that was issued so far or will be. */
export interface Revocation {
  readonly user: string;
  readonly until: WallMillis | null;
}

/** A public key that signs JWTs for users of an account. */
export interface TrustedKey {
  readonly key: string;
  readonly account: string;
  readonly revocations: readonly Revocation[];
}

export type JwtVerdict = { readonly ok: true; readonly user: JwtUser } | { readonly ok: false; readonly words: string };

/** `trusted`: by public key. */
export function checkUserJwt(shown: JwtPresented, trusted: ReadonlyMap<string, TrustedKey>, wall: WallMillis): JwtVerdict {
  const [header = "", body = "", signature = "", ...more] = shown.jwt.split(".");
  const claims = tryObject(body);
  if (more.length > 0 || claims === undefined || tryObject(header)?.["alg"] !== "ed25519-nkey") return no("is none of version 2");
  const issuer = textOf(claims["iss"]);
  const trust = trusted.get(issuer);
  if (trust === undefined) return no("was issued by a key that no account's trusted_keys names");
  if (!verifyNkey(issuer, Buffer.from(`${header}.${body}`), Buffer.from(signature, "base64url")))
    return no("has a wrong signature");
  const nats = objectOf(claims["nats"]);
  const name = textOf(claims["sub"]);
  if (nats["type"] !== "user" || !isPublicNkey(name, "U")) return no("is not a user's");
  if (isRevoked(trust.revocations, name, claims["iat"])) return no("was revoked");
  const why = timeFault(claims, wall) ?? placeFault(nats, shown) ?? proofFault(nats, name, shown);
  if (why !== undefined) return no(why);
  if (typeof nats["subs"] !== "number") return no("was issued by a scoped signing key, whose template we do not know");
  const permissions = permissionsOf(nats);
  if (permissions === undefined)
    return no("has permissions that we cannot keep to (no valid subjects, or queue groups of a publisher)");
  const limits = {
    expires: instantOf(claims["exp"]),
    payloadMax: limitOf(nats["payload"]),
    subscriptionsMax: limitOf(nats["subs"]),
  };
  return { ok: true, user: { name, account: trust.account, permissions, limits } };
}

function no(what: string): JwtVerdict {
  return { ok: false, words: `its JWT ${what}` };
}

/** One that does not say when it was issued is as old as can be. */
function isRevoked(revocations: readonly Revocation[], name: string, issued: unknown): boolean {
  const issuedAt = instantOf(issued) ?? 0;
  return revocations.some(({ user, until }) => (user === name || user === "*") && (until === null || issuedAt <= until));
}

function timeFault(claims: Record, wall: WallMillis): string | undefined {
  const expires = instantOf(claims["exp"]);
  const begins = instantOf(claims["nbf"]);
  if (expires === null && begins === null) return undefined;
  if (!isClockBelievable(wall)) return "is valid for a time only, and this device does not know the time yet";
  if (expires !== null && expires <= wall) return "has expired";
  return begins !== null && begins > wall ? "is not valid yet" : undefined;
}

function placeFault(nats: Record, { address, isWebSocket }: JwtPresented): string | undefined {
  const { allowed_connection_types: types, src, times } = nats;
  const type = isWebSocket ? "WEBSOCKET" : "STANDARD";
  if (isList(types) && types.length > 0 && !types.some((each) => String(each).toUpperCase() === type))
    return `allows the connection types ${types.join(", ").slice(0, 100)}, and this is ${type}`;
  if (isList(times) && times.length > 0) return "is limited to hours of the day, which is not supported here";
  const networks = isList(src) ? src : src === undefined || src === "" ? [] : String(src).split(",");
  return networks.length === 0 || isWithin(address, networks) ? undefined : "does not allow this address";
}

/** A bearer's JWT is proof enough; of others the seed must have signed what we asked. */
function proofFault(nats: Record, name: string, { signature, nonce }: JwtPresented): string | undefined {
  if (nats["bearer_token"] === true) return undefined;
  if (signature === null || nonce === null) return "comes without a signature";
  return verifyNkey(name, Buffer.from(nonce), Buffer.from(signature, "base64url")) ? undefined : "came with a wrong signature";
}

function isWithin(address: string, networks: readonly unknown[]): boolean {
  const allowed = new BlockList();
  for (const each of networks) {
    const [network = "", bits = ""] = String(each).trim().split("/");
    const family = isIP(network);
    const isRange = family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
    if (isRange) allowed.addSubnet(network, Number(bits), family === 4 ? "ipv4" : "ipv6");
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return isIP(plain) !== 0 && allowed.check(plain, isIP(plain) === 4 ? "ipv4" : "ipv6");
}

/** undefined: there is something in them that we cannot keep to. */
function permissionsOf(nats: Record): Permissions | undefined {
  const publish = listOf(nats["pub"]);
  const subscribe = listOf(nats["sub"]);
  if (publish === undefined || subscribe === undefined || hasGroups(publish)) return undefined;
  const responses = responsesOf(nats["resp"]);
  const nothingElse = responses !== null && publish.allow === null;
  return { publish: nothingElse ? { allow: [], deny: publish.deny } : publish, subscribe, responses };
}

function listOf(value: unknown): PermissionList | undefined {
  const { allow, deny } = objectOf(value);
  const [allowed, denied] = [filtersOf(allow), filtersOf(deny)];
  if (allowed === undefined || denied === undefined) return undefined;
  return permissionListOf(allowed.length === 0 ? null : allowed, denied);
}

function filtersOf(list: unknown): (string | GroupFilter)[] | undefined {
  if (!isList(list)) return [];
  const filters = list.flatMap((each) => tryGroupFilter(latin1Of(String(each))) ?? []);
  return filters.length === list.length ? filters : undefined;
}

/** Publishing knows no queue groups. */
function hasGroups({ allowGroups = [], denyGroups = [] }: PermissionList): boolean {
  return allowGroups.length + denyGroups.length > 0;
}

/** nats-server's defaults where it has 0. */
function responsesOf(value: unknown): ResponsePermission | null {
  if (typeof value !== "object" || value === null) return null;
  const { max, ttl } = objectOf(value);
  const [count, nanoseconds] = [numberOf(max), numberOf(ttl)];
  return {
    max: count < 0 ? Number.POSITIVE_INFINITY : Math.max(1, count),
    expires: nanoseconds < 0 ? Number.POSITIVE_INFINITY : nanoseconds / NANOSECONDS_PER_MS || RESPONSES_EXPIRE_MS,
  };
}

function latin1Of(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** -1, and nothing, mean no limit. */
function limitOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : Number.POSITIVE_INFINITY;
}

/** JWTs count seconds; 0 and nothing mean no limit. */
function instantOf(value: unknown): WallMillis | null {
  return typeof value === "number" && value > 0 ? value * 1000 : null;
}

function objectOf(value: unknown): Record {
  return typeof value === "object" && value !== null ? (value as Record) : {};
}

function tryObject(part: string): Record | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record) : undefined;
  } catch {
    return undefined; // no JSON: no JWT
  }
}
