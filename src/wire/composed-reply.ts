// Replies of JetStream deliveries, as a hub composes them for a leaf: the ack subject, `@`, the subject the message was stored under.
//
//   $JS.ACK.ORD.p.1.1.1.1790000000000000000.0@orders.1
//   └────────────── real reply ─────────────┘ └ shown ┘
//
// Source: spec/leafnode-protocol.md §15.3: cut at the first `@` behind at least eight dots. What is on the right came from a peer:
// unless it is a subject a message can have, nothing is cut.

import { SUBJECT_BYTES_MAX } from "#core/subject.ts";

const ACK_PREFIX = Buffer.from("$JS.ACK.", "latin1");
const DOTS_MIN = 8;
const AT = 0x40;
const DOT = 0x2e;
const STAR = 0x2a;
const GREATER = 0x3e;

/** Where the `@` stands at which the reply `bytes[start … end)` is to be cut; -1: it is not composed. */
export function composedAt(bytes: Buffer, start: number, end: number): number {
  if (end - start < ACK_PREFIX.length) return -1;
  for (let i = 0; i < ACK_PREFIX.length; i++) if (bytes[start + i] !== ACK_PREFIX[i]) return -1;
  let dots = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === DOT) dots += 1;
    else if (byte === AT && dots >= DOTS_MIN) return isSubject(bytes, i + 1, end) ? i : -1;
  }
  return -1;
}

/** `isValidSubject` of core/subject.ts, on bytes: no string per delivery. */
function isSubject(bytes: Buffer, start: number, end: number): boolean {
  if (start === end || end - start > SUBJECT_BYTES_MAX) return false;
  let token = start;
  for (let i = start; i <= end; i++) {
    const byte = i === end ? DOT : bytes[i]!;
    if (byte <= 0x20 || byte === 0x7f) return false;
    if (byte !== DOT) continue;
    if (i === token) return false;
    if (i === token + 1 && (bytes[token] === STAR || bytes[token] === GREATER)) return false;
    token = i + 1;
  }
  return true;
}
