// What a stream says of a message that was published with a reply subject: stored, refused, or nothing a stream would say.
//
//   {"stream":"SENSORS","seq":12}                              stored       {"…","duplicate":true}   stored, it was there already
//   {"error":{"code":503,"err_code":10077,"description":"…"}}   refused      NATS/1.0 503             nobody listened: no stream
//   anything else                                              garbage
//
// Refusals of nats-server 2.10.27 and 2.15.1, seen unless marked *:
//
//   no_space    10077 maximum messages | bytes | messages per subject exceeded, 10002*, 10023*, 10028*, 10047*
//   no_stream   10109 (sealed), 10008*, 10009*, 10039*, 10059*, 10076*, 10194*, and status 503 (which no hub sends to a leaf)
//   busy        10167: more messages wait for the stream than the hub's max_buffered_msgs (2.15; 2.10 lets any number wait)
//   too_large   10054 the stream's max_msg_size, 10097 more than 64 KiB of headers                           final
//   other       what the publisher's own headers ask for and the stream does not give: WANTED_BY_HEADERS     final
//               everything else, a code of tomorrow too, is tried again: holding a message can be undone
//
// `final`: the same message would be refused for ever. A stream with `no_ack` says nothing at all: that is a timeout.
// The payload comes from a peer: it is measured before it is parsed. Tests: test/unit/outbox/streams/pub-ack.test.ts

export type PubAck =
  /** Where, and under which number, is told for people only: not by `tryStored`. */
  | { readonly is: "stored"; readonly stream?: string; readonly seq?: number; readonly isDuplicate?: boolean }
  | {
      readonly is: "refused";
      readonly code: number;
      readonly errCode: number;
      readonly text: string;
      /** The same message will never be taken. */
      readonly isFinal: boolean;
      readonly why: "no_space" | "no_stream" | "busy" | "too_large" | "other";
    }
  /** Not the words of a stream: somebody else answered. Worth as much as no answer. */
  | { readonly is: "garbage" };

/** An honest answer has a few hundred bytes; a longer one is not even parsed. */
const ANSWER_BYTES_MAX = 16 * 1024;
/** Of the hub's own words, in characters: they go to the log. */
const TEXT_CHARS_MAX = 200;
const STREAM_CHARS_MAX = 255;

const NO_SPACE: ReadonlySet<number> = new Set([10002, 10023, 10028, 10047, 10077]);
const NO_STREAM: ReadonlySet<number> = new Set([10008, 10009, 10039, 10059, 10076, 10109, 10194]);
const BUSY = 10167;
const TOO_LARGE: ReadonlySet<number> = new Set([10054, 10097]);
/**
 * Expected stream, message id or sequence; roll-up; time to live; counters; atomic batches; schedules.
 * Source: nats-server `server/errors.json`; 10060, 10070, 10071, 10111, 10165, 10166, 10168, 10174, 10188 seen.
 */
const WANTED_BY_HEADERS: ReadonlySet<number> = new Set([
  10060, 10070, 10071, 10111, 10164, 10165, 10166, 10168, 10169, 10170, 10171, 10174, 10175, 10176, 10177, 10179, 10188, 10189,
  10190, 10191, 10192, 10193, 10203, 10205, 10206, 10207, 10208,
]);

const GARBAGE: PubAck = { is: "garbage" };

/** What nearly every answer says. Nobody asks which stream it was, or what number it gave. */
const STORED: PubAck = Object.freeze({ is: "stored" });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SEQ_DIGITS_MAX = 15;

/**
 * The answer in `bytes[start, end)`, if it has the very shape in which nats-server says "stored"; else undefined: read it as JSON. Once a
 * message: nothing is made here.
 *
 *     {"stream":"SENSORS", "domain":"hub", "seq":12}      with or without the domain; {…,"duplicate": true}
 */
export function tryStored(bytes: Buffer, start: number, end: number): PubAck | undefined {
  let at = afterText(bytes, start, end, STREAM_OPENING);
  const name = at;
  at = afterString(bytes, at, end);
  if (at < 0 || at === name + 1 || at - name > STREAM_CHARS_MAX) return undefined;
  const domain = afterText(bytes, at, end, DOMAIN_OPENING);
  if (domain >= 0) at = afterString(bytes, domain, end);
  at = afterText(bytes, at, end, SEQ_OPENING);
  if (at < 0 || bytes[at] === 0x30) return undefined;
  const digits = at;
  while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at += 1;
  if (at === digits || at - digits > SEQ_DIGITS_MAX) return undefined;
  const duplicate = afterText(bytes, at, end, DUPLICATE);
  if (duplicate >= 0) at = duplicate;
  return at === end - 1 && bytes[at] === 0x7d ? STORED : undefined;
}

const STREAM_OPENING = Buffer.from('{"stream":"', "latin1");
const DOMAIN_OPENING = Buffer.from(',"domain":"', "latin1");
const SEQ_OPENING = Buffer.from(',"seq":', "latin1");
const DUPLICATE = Buffer.from(',"duplicate":true', "latin1");

/** Behind `text`, which may have a blank behind each comma and colon; -1: something else stands here. */
function afterText(bytes: Buffer, at: number, end: number, text: Buffer): number {
  if (at < 0) return -1;
  for (let i = 0; i < text.length; i++) {
    if (at >= end || bytes[at] !== text[i]) return -1;
    at += 1;
    if ((text[i] === 0x2c || text[i] === 0x3a) && at < end && bytes[at] === 0x20) at += 1;
  }
  return at;
}

/** Behind the quote that ends a string of plain characters; -1: there is none. */
function afterString(bytes: Buffer, from: number, end: number): number {
  if (from < 0) return -1;
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

/** `headers`: the whole header block, "" when there is none. Never throws. */
export function parsePubAck(headers: string, payload: Buffer): PubAck {
  if (isNoResponders(headers)) return refusal(503, 0, "no stream listens to this subject");
  const answer = tryObject(payload);
  if (answer === undefined) return GARBAGE;
  if (answer["error"] !== undefined) return refused(answer["error"]);
  const { stream, seq, duplicate } = answer;
  if (typeof stream !== "string" || stream === "" || stream.length > STREAM_CHARS_MAX) return GARBAGE;
  if (!isCount(seq) || seq < 1) return GARBAGE;
  return { is: "stored", stream, seq, isDuplicate: duplicate === true };
}

/** The answer of the server's own "nobody is there": a status line and nothing else. */
export function isNoResponders(headers: string): boolean {
  return /^NATS\/1\.\d 503(?![0-9])/.test(headers);
}

function refused(error: unknown): PubAck {
  if (typeof error !== "object" || error === null) return GARBAGE;
  const { code, err_code: errCode, description } = error as Readonly<Record<string, unknown>>;
  if (!isCount(code)) return GARBAGE;
  return refusal(code, isCount(errCode) ? errCode : 0, typeof description === "string" ? printable(description) : "");
}

function refusal(code: number, errCode: number, text: string): PubAck {
  const why = whyOf(code, errCode);
  return { is: "refused", code, errCode, text, isFinal: why === "too_large" || WANTED_BY_HEADERS.has(errCode), why };
}

function whyOf(code: number, errCode: number): Extract<PubAck, { is: "refused" }>["why"] {
  if (NO_SPACE.has(errCode)) return "no_space";
  if (errCode === BUSY) return "busy";
  if (TOO_LARGE.has(errCode)) return "too_large";
  return NO_STREAM.has(errCode) || (code === 503 && errCode === 0) ? "no_stream" : "other";
}

function tryObject(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  if (payload.length > ANSWER_BYTES_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(payload.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // not JSON: not a stream
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** It goes to the log, and it comes from a stranger. */
function printable(text: string): string {
  return text.slice(0, TEXT_CHARS_MAX).replaceAll(/\p{Cc}/gu, " ");
}
