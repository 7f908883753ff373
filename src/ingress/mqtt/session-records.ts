// What a kept session has in the store, record by record. Numbers in keys are base 36: a session's own number, then the entry's.
//
//   session/7        client id, user, account, expiry, when it was left          JSON
//   filter/7/2       one topic filter with its options                           JSON
//   will/7           the will of a client that is there, or whose delay runs     JSON
//   received/7/9c    a QoS 2 packet identifier that is not released yet          one byte
//   out/7/a1         one message owed to the session: identifier, QoS, how far   bytes, below
//   message/5        the message itself, once for all sessions that owe it       bytes, below
//
//   out      │version│qos 0–1, retain 2, released 3, sent 4, shared 5│packet id 16│message 64 (double)│n│subscription id 32 …│
//   message  │version│qos 0–1, retained 2│deadline 64 (double)│subject 16+…│reply 16+…│headers 32+…│payload …│
//            │2      │qos 0–1, retained 2│left 64 (double)│stamp 64 (double)│boot 16+…│subject 16+…│ …                one that expires
//
// `left` was left to it at `stamp`, a stamp of `boot` (ages.ts): a calendar that is put right by years makes nothing old. Earlier versions
// of this program wrote a deadline of the calendar, 0: never; it is still read.
//
// Every record begins with its version (JSON: `v`). A record that cannot be read is passed over and told; the rest lives.

import type { KeptMessage } from "./message.ts";
import type { FilterRequest } from "./subscribe-packets.ts";
import type { Will } from "./will.ts";

const VERSION = 1;
/** Of a message that expires. */
const LEASED = 2;
const RETAIN = 4;
const RELEASED = 8;
const SENT = 16;
const SHARED = 32;
const OUT_BYTES = 13;
/** A message begins with version, flags and deadline, or with version, flags, what was left to it and since when. */
const DEADLINE_END = 10;
const STAMP_END = 18;
/** Lengths of subject, reply and headers. */
const LENGTHS_BYTES = 8;
const NONE: readonly number[] = Object.freeze([]);
const SLASH = 0x2f;
/** As many as the largest safe number has in base 36. */
const ID_CHARACTERS_MAX = 11;

export interface SessionRecord {
  readonly clientId: string;
  readonly user: string;
  readonly account: string;
  /** Infinity: never. */
  readonly expirySeconds: number;
  /** When its last connection ended, a stamp of `boot` (ages.ts); 0 while there is one. */
  readonly leftAt: number;
  readonly boot: string;
}

export type FilterRecord = Pick<FilterRequest, "filter" | "qos" | "noLocal" | "retainAsPublished"> & {
  readonly subscriptionId: number;
};

export interface OutRecord {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** It may have been sent: it comes again as DUP [MQTT-3.3.1-1]. */
  readonly isSent: boolean;
  /** PUBREC came: only PUBREL and PUBCOMP are left of it, and no message. */
  readonly isReleased: boolean;
  /** It came by a shared subscription. */
  readonly isShared: boolean;
  /** Its number; of a released one, which has none, the number of its release. */
  readonly message: number;
  readonly subscriptionIds: readonly number[];
}

/** How long a message is wanted, over restarts. */
export interface Lease {
  /** At `stamp`, a stamp of `boot` (ages.ts). */
  readonly leftMs: number;
  readonly stamp: number;
  readonly boot: string;
}

/** Stands for a moment: the one when the connection is lost. */
export const UNTIL_LOST = 0;

export interface WillRecord {
  readonly will: Will;
  /** When it is to be heard; UNTIL_LOST: its delay has not begun, its client is there. */
  readonly dueWall: number;
}

export function keyOf(kind: "session" | "will" | "message", id: number): string {
  return `${kind}/${id.toString(36)}`;
}

export function keyUnder(kind: "filter" | "received" | "out", session: number, id: number): string {
  return `${kind}/${session.toString(36)}/${id.toString(36)}`;
}

/**
 * The numbers in a key, in `ids`; undefined if it is none of ours. Asked for each record at the start, some hundred thousand times: whoever
 * does so hands in the same array again and again.
 */
export function idsOf(key: string, ids: number[] = []): readonly number[] | undefined {
  ids.length = 0;
  let start = key.indexOf("/") + 1;
  if (start === 0) return undefined;
  let id = 0;
  for (let at = start; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code === SLASH) {
      if (at === start) return undefined;
      ids.push(id);
      id = 0;
      start = at + 1;
      continue;
    }
    const digit = digitOf(code);
    if (digit < 0 || at - start === ID_CHARACTERS_MAX) return undefined;
    id = id * 36 + digit;
    if (id > Number.MAX_SAFE_INTEGER) return undefined;
  }
  if (start === key.length) return undefined;
  ids.push(id);
  return ids;
}

/** In base 36; -1: it is none. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x7a ? code - 0x61 + 10 : -1;
}

export function encodeSession(record: SessionRecord): Buffer {
  return toJson({ ...record, expirySeconds: record.expirySeconds === Number.POSITIVE_INFINITY ? null : record.expirySeconds });
}

export function decodeSession(value: Buffer): SessionRecord | undefined {
  const { clientId, user, account, expirySeconds, leftAt, boot } = fromJson(value);
  if (typeof clientId !== "string" || typeof user !== "string" || typeof account !== "string") return undefined;
  if (expirySeconds !== null && !isCount(expirySeconds)) return undefined;
  if (!isCount(leftAt) || typeof boot !== "string") return undefined;
  return { clientId, user, account, expirySeconds: expirySeconds ?? Number.POSITIVE_INFINITY, leftAt, boot };
}

export function encodeFilter({ filter, qos, noLocal, retainAsPublished, subscriptionId }: FilterRecord): Buffer {
  return toJson({ filter, qos, noLocal, retainAsPublished, subscriptionId });
}

export function decodeFilter(value: Buffer): FilterRecord | undefined {
  const { filter, qos, noLocal, retainAsPublished, subscriptionId } = fromJson(value);
  if (typeof filter !== "string" || (qos !== 0 && qos !== 1 && qos !== 2) || !isCount(subscriptionId)) return undefined;
  return { filter, qos, noLocal: noLocal === true, retainAsPublished: retainAsPublished === true, subscriptionId };
}

export function encodeWill({ will, dueWall }: WillRecord): Buffer {
  const { payload, headers } = will;
  return toJson({ ...will, payload: payload.toString("base64"), headers: headers.toString("base64"), dueWall });
}

export function decodeWill(value: Buffer): WillRecord | undefined {
  const { subject, payload, qos, retain, headers, reply, delaySeconds, dueWall } = fromJson(value);
  if (typeof subject !== "string" || typeof payload !== "string" || typeof headers !== "string") return undefined;
  if ((qos !== 0 && qos !== 1 && qos !== 2) || typeof reply !== "string" || !isCount(delaySeconds) || !isCount(dueWall)) {
    return undefined;
  }
  const bytes = { payload: Buffer.from(payload, "base64"), headers: Buffer.from(headers, "base64") };
  return { will: { subject, ...bytes, qos, retain: retain === true, reply, delaySeconds }, dueWall };
}

export function encodeReceived(): Buffer {
  return Buffer.from([VERSION]);
}

export function encodeOut({ packetId, qos, retain, isSent, isReleased, isShared, message, subscriptionIds }: OutRecord): Buffer {
  const value = Buffer.allocUnsafeSlow(OUT_BYTES + subscriptionIds.length * 4);
  value[0] = VERSION;
  value[1] = qos | (retain ? RETAIN : 0) | (isReleased ? RELEASED : 0) | (isSent ? SENT : 0) | (isShared ? SHARED : 0);
  value.writeUInt16BE(packetId, 2);
  value.writeDoubleBE(message, 4);
  value[12] = subscriptionIds.length;
  for (let i = 0; i < subscriptionIds.length; i++) value.writeUInt32BE(subscriptionIds[i]!, OUT_BYTES + i * 4);
  return value;
}

export function decodeOut(value: Buffer): OutRecord | undefined {
  if (value.length < OUT_BYTES || value[0] !== VERSION || value.length !== OUT_BYTES + value[12]! * 4) return undefined;
  const qos = value[1]! & 3;
  const packetId = value.readUInt16BE(2);
  if ((qos !== 1 && qos !== 2) || packetId === 0) return undefined;
  const count = value[12]!;
  const flags = value[1]!;
  return {
    packetId,
    qos,
    retain: (flags & RETAIN) !== 0,
    isSent: (flags & SENT) !== 0,
    isReleased: (flags & RELEASED) !== 0,
    isShared: (flags & SHARED) !== 0,
    message: value.readDoubleBE(4),
    subscriptionIds: count === 0 ? NONE : Array.from({ length: count }, (_, i) => value.readUInt32BE(OUT_BYTES + i * 4)),
  };
}

/** `lease`: null for one that does not expire. */
export function encodeMessage({ subject, payload, headers, reply, qos, isRetained }: KeptMessage, lease: Lease | null): Buffer {
  const start = lease === null ? DEADLINE_END : STAMP_END + 2 + lease.boot.length;
  const value = Buffer.allocUnsafeSlow(start + LENGTHS_BYTES + subject.length + reply.length + headers.length + payload.length);
  value[0] = lease === null ? VERSION : LEASED;
  value[1] = qos | (isRetained ? RETAIN : 0);
  value.writeDoubleBE(lease?.leftMs ?? 0, 2);
  if (lease !== null) writeText(value, value.writeDoubleBE(lease.stamp, DEADLINE_END), lease.boot);
  let at = writeText(value, start, subject);
  at = writeText(value, at, reply);
  at = value.writeUInt32BE(headers.length, at);
  at += headers.copy(value, at);
  payload.copy(value, at);
  return value;
}

/** The parts of the message point into `value`, which is the caller's to give away. Its deadline is said by `expiryOfRecord`. */
export function decodeMessage(value: Buffer): KeptMessage | undefined {
  if (!isMessage(value)) return undefined;
  const subject = startOf(value) + 2;
  const reply = subject + value.readUInt16BE(subject - 2) + 2;
  const headers = reply + value.readUInt16BE(reply - 2) + 4;
  const headersEnd = headers + value.readUInt32BE(headers - 4);
  return {
    subject: value.latin1Slice(subject, reply - 2),
    reply: value.latin1Slice(reply, headers - 4),
    headers: value.subarray(headers, headersEnd),
    payload: value.subarray(headersEnd),
    qos: (value[1]! & 3) as 0 | 1 | 2,
    isRetained: (value[1]! & RETAIN) !== 0,
    deadlineWall: 0,
  };
}

/** Can it be decoded? */
export function isMessage(value: Buffer): boolean {
  const { length } = value;
  if (length < DEADLINE_END + LENGTHS_BYTES || (value[1]! & 3) === 3) return false;
  if (value[0] !== VERSION && (value[0] !== LEASED || length < STAMP_END + 2)) return false;
  const subject = startOf(value) + 2;
  if (subject > length) return false;
  const reply = subject + value.readUInt16BE(subject - 2) + 2;
  if (reply > length) return false;
  const headers = reply + value.readUInt16BE(reply - 2) + 4;
  return headers <= length && headers + value.readUInt32BE(headers - 4) <= length;
}

/** When a message expires, by its record; null: never. */
export function expiryOfRecord(value: Buffer): Lease | { readonly deadlineWall: number } | null {
  const number = value.readDoubleBE(2);
  if (value[0] === VERSION) return number === 0 ? null : { deadlineWall: number };
  const boot = value.latin1Slice(STAMP_END + 2, STAMP_END + 2 + value.readUInt16BE(STAMP_END));
  return { leftMs: number, stamp: value.readDoubleBE(DEADLINE_END), boot };
}

/** Of a message's record: bytes of subject, reply, headers and payload together. */
export function contentBytesOf(value: Buffer): number {
  return value.length - startOf(value) - LENGTHS_BYTES;
}

/** Where the length of the subject stands. */
function startOf(value: Buffer): number {
  return value[0] === VERSION ? DEADLINE_END : STAMP_END + 2 + value.readUInt16BE(STAMP_END);
}

function writeText(target: Buffer, at: number, text: string): number {
  target.writeUInt16BE(text.length, at);
  return at + 2 + target.latin1Write(text, at + 2);
}

function toJson(record: object): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, ...record }));
}

/** Of another version, or no JSON: an empty record, which has none of the fields. */
function fromJson(value: Buffer): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(value.toString());
    return typeof record === "object" && record !== null && "v" in record && record.v === VERSION ? { ...record } : {};
  } catch {
    return {}; // rot that the checksum did not find: passed over like another version
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
