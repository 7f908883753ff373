// A message that somebody wrote by hand, as the page sends it: {subject, payload, encoding, headers, keep, account}.
//
// Checked here and not by a schema: a payload may be empty and hold any character, and header names are the sender's own.

import { isObject } from "#base/decode.ts";
import { isReserved, isValidSubject, toSubject } from "#core/subject.ts";
import { WEB_BODY, WEB_TOO_LARGE, WebRefusal } from "./errors.ts";
import type { OwnMessage } from "./live-desks.ts";
import { subjectFault } from "./subject-fault.ts";

/** By hand nobody writes more; limits.max_payload holds as well. */
const PAYLOAD_BYTES_MAX = 64 * 1024;
const HEADERS_MAX = 32;
const HEADER_BYTES_MAX = 4096;
/** A payload of control characters takes six bytes of JSON each. */
export const SEND_BODY_BYTES_MAX = 6 * PAYLOAD_BYTES_MAX + 16 * 1024;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** RFC 9110 token: what nats-server's clients make of a header's name. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const KEYS = ["subject", "payload", "encoding", "headers", "keep", "account"];

/** Throws WEB_BODY, WEB_TOO_LARGE. */
export function asOwnMessage(body: unknown, bytesMax: number): { readonly message: OwnMessage; readonly account: string | null } {
  if (!isObject(body)) throw refused("the body wants an object with subject and payload");
  const unknown = Object.keys(body).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw refused(`the body has a key that is not known here; there are ${KEYS.join(", ")}`);
  const { subject: written, payload: content, encoding = "text", headers = null, keep = false, account = null } = body;
  if (typeof written !== "string") throw refused('"subject" wants a text');
  if (typeof keep !== "boolean") throw refused('"keep" wants true or false');
  if (account !== null && typeof account !== "string") throw refused('"account" wants the name of an account');
  const subject = toSubject(written);
  if (!isValidSubject(subject)) throw refused(subjectFault(subject));
  if (isReserved(subject)) throw refused("subjects of the system ($…, _INBOX.…) are not for sending by hand");
  const payload = asPayload(content, encoding);
  const block = headers === null ? Buffer.alloc(0) : asHeaders(headers);
  const limit = Math.min(PAYLOAD_BYTES_MAX, bytesMax - block.length);
  if (payload.length > limit)
    throw new WebRefusal(413, WEB_TOO_LARGE, `the payload has ${payload.length} bytes, and ${Math.max(0, limit)} is the limit`);
  return { message: { subject, headers: block, payload, isKept: keep, reply: "" }, account };
}

function asPayload(content: unknown, encoding: unknown): Buffer {
  if (typeof content !== "string") throw refused('"payload" wants a text');
  if (encoding === "text") return Buffer.from(content, "utf8");
  if (encoding !== "base64") throw refused('"encoding" wants "text" or "base64"');
  if (!BASE64.test(content)) throw refused('"payload" is no base64');
  return Buffer.from(content, "base64");
}

function asHeaders(headers: unknown): Buffer {
  if (!isObject(headers)) throw refused('"headers" wants an object of texts');
  const entries = Object.entries(headers);
  if (entries.length === 0) return Buffer.alloc(0);
  if (entries.length > HEADERS_MAX) throw refused(`there are ${entries.length} headers, and ${HEADERS_MAX} is the limit`);
  const lines = entries.map(([name, value]) => {
    if (!HEADER_NAME.test(name)) throw refused("the name of a header is letters, digits and dashes");
    if (typeof value !== "string" || hasControls(value)) throw refused(`header ${name} wants a text of one line`);
    return `${name}: ${value}\r\n`;
  });
  const block = Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`, "utf8");
  if (block.length > HEADER_BYTES_MAX)
    throw refused(`the headers have ${block.length} bytes, and ${HEADER_BYTES_MAX} is the limit`);
  return block;
}

function hasControls(text: string): boolean {
  return [...text].some((character) => (character < " " && character !== "\t") || character === "\u007f");
}

function refused(words: string): WebRefusal {
  return new WebRefusal(400, WEB_BODY, words);
}
