// A retained message as it lies in the store, and the same bytes as it waits in memory.
//
//   key     retained <account> <subject>
//   value   ├ version ┼ flags ┼ deadline ┼ retained at ┼ owner ┼ reply ┼ headers ┼ payload …
//             u8        u8      f64        f64           u16 +   u16 +   u32 +
//                       QoS     wall, 0: never           bytes   bytes   bytes
//
// Little-endian. In memory a record is a latin1 string, one character a byte: five buffers and their objects would take some 500 bytes a
// message beside its content, the string takes 16. Tests: test/unit/ingress/mqtt/retained.test.ts

import type { KeptMessage } from "./message.ts";

const VERSION = 1;
const DEADLINE = 2;
const RETAINED_AT = 10;
const FIXED_BYTES = 18;

/** What is known of a retained message beside the message. */
export interface RetainedFacts {
  /** The user it counts for; "" for who came without one. latin1 form. */
  readonly owner: string;
  /** When it was retained. */
  readonly retainedWall: number;
}

export function keyPrefix(account: string): string {
  return `retained ${Buffer.from(account, "utf8").toString("latin1")} `;
}

/** From the shared pool: it is soon written, and kept as a string. */
export function encodeRecord(message: KeptMessage, { owner, retainedWall }: RetainedFacts): Buffer {
  const { payload, headers, reply, qos, deadlineWall } = message;
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + 8 + owner.length + reply.length + headers.length + payload.length);
  bytes[0] = VERSION;
  bytes[1] = qos;
  bytes.writeDoubleLE(deadlineWall, DEADLINE);
  bytes.writeDoubleLE(retainedWall, RETAINED_AT);
  let at = bytes.writeUInt16LE(owner.length, FIXED_BYTES);
  at += bytes.latin1Write(owner, at);
  at = bytes.writeUInt16LE(reply.length, at);
  at += bytes.latin1Write(reply, at);
  at = bytes.writeUInt32LE(headers.length, at);
  bytes.set(headers, at);
  bytes.set(payload, at + headers.length);
  return bytes;
}

/** undefined: a later version's, or not as we write it. */
export function decodeRecord(subject: string, bytes: Buffer): (RetainedFacts & { readonly message: KeptMessage }) | undefined {
  if (bytes.length < FIXED_BYTES + 8 || bytes[0] !== VERSION) return undefined;
  const qos = bytes[1]!;
  if (qos > 2) return undefined;
  const ownerEnd = FIXED_BYTES + 2 + bytes.readUInt16LE(FIXED_BYTES);
  if (ownerEnd + 6 > bytes.length) return undefined;
  const replyEnd = ownerEnd + 2 + bytes.readUInt16LE(ownerEnd);
  if (replyEnd + 4 > bytes.length) return undefined;
  const headersEnd = replyEnd + 4 + bytes.readUInt32LE(replyEnd);
  if (headersEnd > bytes.length) return undefined;
  const message: KeptMessage = {
    subject,
    payload: bytes.subarray(headersEnd),
    headers: bytes.subarray(replyEnd + 4, headersEnd),
    reply: bytes.latin1Slice(ownerEnd + 2, replyEnd),
    qos: qos as 0 | 1 | 2,
    isRetained: true,
    deadlineWall: bytes.readDoubleLE(DEADLINE),
  };
  return { message, owner: bytes.latin1Slice(FIXED_BYTES + 2, ownerEnd), retainedWall: bytes.readDoubleLE(RETAINED_AT) };
}

/** The owner of a record in its string form, without reading the rest. */
export function ownerOf(record: string): string {
  const length = record.charCodeAt(FIXED_BYTES) | (record.charCodeAt(FIXED_BYTES + 1) << 8);
  return record.slice(FIXED_BYTES + 2, FIXED_BYTES + 2 + length);
}
