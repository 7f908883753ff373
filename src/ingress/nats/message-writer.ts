// MSG and HMSG on bytes, straight from the batch into the subscriber's slab. The hot path: no string, no object.
//
//   MSG <subject> <sid> [<reply>] <bytes>␍␊<payload>␍␊
//   HMSG <subject> <sid> [<reply>] <header bytes> <total bytes>␍␊<headers><payload>␍␊

import type { Batch } from "#core/batch.ts";
import { HEADERS, HEADERS_END, PAYLOAD, PAYLOAD_END, REPLY, REPLY_END, SPAN_WORDS, SUBJECT, SUBJECT_END } from "#core/batch.ts";
import type { Outbound } from "./outbound.ts";

const BLANK = 0x20;
/** Operation name, sizes, blanks and line ends. */
const LINE_BYTES_MAX = 48;
/** Bodies up to this size are copied together with their line. */
const INLINE_BYTES_MAX = 2048;
/** Fewer bytes than this are copied by hand: cheaper than a call. */
const BY_HAND_BYTES_MAX = 32;

/** `takesHeaders`: false for a client that does not know of them; it gets the payload alone. */
export function writeMessage(out: Outbound, batch: Batch, index: number, sid: Buffer, takesHeaders: boolean): void {
  const { bytes: source, spans } = batch;
  const span = index * SPAN_WORDS;
  const subject = spans[span + SUBJECT]!;
  const subjectEnd = spans[span + SUBJECT_END]!;
  const reply = spans[span + REPLY]!;
  const replyEnd = spans[span + REPLY_END]!;
  const headers = spans[span + HEADERS]!;
  const headersEnd = takesHeaders ? spans[span + HEADERS_END]! : headers;
  const payload = spans[span + PAYLOAD]!;
  const payloadEnd = spans[span + PAYLOAD_END]!;
  const total = headersEnd - headers + payloadEnd - payload;
  const isInline = total <= INLINE_BYTES_MAX;
  const lineBytes = subjectEnd - subject + replyEnd - reply + sid.length + LINE_BYTES_MAX;

  let at = out.reserve(isInline ? lineBytes + total : lineBytes);
  const target = out.bytes;
  if (headersEnd > headers) target[at++] = 0x48; // H
  target[at++] = 0x4d; // M
  target[at++] = 0x53; // S
  target[at++] = 0x47; // G
  target[at++] = BLANK;
  at = put(target, at, source, subject, subjectEnd);
  target[at++] = BLANK;
  at = put(target, at, sid, 0, sid.length);
  target[at++] = BLANK;
  if (replyEnd > reply) {
    at = put(target, at, source, reply, replyEnd);
    target[at++] = BLANK;
  }
  if (headersEnd > headers) {
    at = putNumber(target, at, headersEnd - headers);
    target[at++] = BLANK;
  }
  at = putNumber(target, at, total);
  target[at++] = 13;
  target[at++] = 10;
  if (isInline) {
    at = put(target, at, source, headers, headersEnd);
    at = put(target, at, source, payload, payloadEnd);
    target[at++] = 13;
    target[at++] = 10;
    out.commit(at);
    return;
  }
  out.commit(at);
  out.copy(source, headers, headersEnd);
  out.copy(source, payload, payloadEnd);
  out.text("\r\n");
}

function put(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  if (end - start > BY_HAND_BYTES_MAX) {
    source.copy(target, at, start, end);
    return at + end - start;
  }
  for (let from = start; from < end; from++) target[at++] = source[from]!;
  return at;
}

/** In decimal digits. */
function putNumber(target: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let left = value; left >= 10; left = (left / 10) | 0) digits += 1;
  const end = at + digits;
  let rest = value | 0;
  for (let to = end - 1; to >= at; to--) {
    const next = (rest / 10) | 0;
    target[to] = 0x30 + (rest - next * 10);
    rest = next;
  }
  return end;
}
