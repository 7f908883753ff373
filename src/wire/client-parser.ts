// What a NATS client says, cut into batches of messages and single operations.
//
//   chunk ──▶ ├─ PUB a.b 5␍␊hello␍␊ ─┼─ PUB a.c _INBOX.1 2␍␊hi␍␊ ─┼─ SUB cmd.> 1␍␊ ─┼─ PUB a.b 5␍␊he~    kept until the rest comes
//             └────────────── one batch ───────────────────────────┘ └─ operation ─┘
//
// An element that a chunk cuts in two is completed in an own slab, and only it: what follows is read where it lies. The
// listener can stop the parser in the middle of a chunk (`pause`), as while somebody's password is being checked.
// Knows no socket. A breach throws a ProtocolError; what came before it was handed over; the parser is dead from then on.
// Tests: test/wire/nats/client-parser.test.ts (whole, byte by byte, at every split).

import { ProtocolError } from "#base/errors.ts";
import { flagsFor, HEADERS, HEADERS_END, QOS_UNSTATED, REPLY, REPLY_END } from "#core/batch.ts";
import type { BatchBuilder } from "#core/batch-builder.ts";
import { SUBJECT_BYTES_MAX } from "#core/subject.ts";
import { WIRE_BAD_ARGUMENTS, WIRE_BAD_ENDING, WIRE_LINE_TOO_LONG, WIRE_TOO_LARGE, WIRE_UNKNOWN_OPERATION } from "./errors.ts";
import { parseCount, quote } from "./scan.ts";

/** Longest control line we take from a client, in bytes, line end not counted. nats-server's default for max_control_line. */
export const CLIENT_LINE_BYTES_MAX = 4096;

/** PUB has three arguments at most, HPUB four; one more is room to see that there are too many. */
const ARGUMENTS_MAX = 5;
/** An own slab above this is let go as soon as it is empty. */
const SLAB_BYTES_KEPT = 16_384;
/** The shortest header block. None at all is fine: nats.js sends HPUB with 0 when somebody hands it empty headers. */
const HEADER_BYTES_MIN = 12;

const LF = 10;
const CR = 13;
const BLANK = 0x20;
const TAB = 9;
const DOT = 0x2e;
const MESSAGE_FLAGS = flagsFor(QOS_UNSTATED, false, false);
const NONE: Buffer = Buffer.alloc(0);

/** Who listens. Everything arrives in the order it was said. Strings are in latin1 form, JSON text excepted. */
export interface ClientHandler {
  /** Borrowed. Flags and reply spans are the listener's to change. `hasHeaders`: at least one message has some. */
  onBatch(batch: BatchBuilder, hasHeaders: boolean): void;
  /** A message was left out: no message can be published on this subject, or with this reply subject. */
  onInvalidSubject(subject: string): void;
  /** `filter` is not checked. */
  onSubscribe(filter: string, queue: string | null, sid: string): void;
  /** `max` 0: at once; otherwise once so many messages have been delivered in all. */
  onUnsubscribe(sid: string, max: number): void;
  onConnect(json: string): void;
  /** Something other than CONNECT came first. Pause, and it is read again after `admit`; or throw. */
  onTooEarly(firstByte: number): void;
  onPing(): void;
  onPong(): void;
}

export class ClientParser {
  /** Header block and payload of one message, at most. */
  payloadBytesMax: number;
  /** Messages handed over together; 1 for a client that wants a +OK for each. */
  batchMax = Number.POSITIVE_INFINITY;
  readonly #handler: ClientHandler;
  readonly #batch: BatchBuilder;
  readonly #args = new Int32Array(ARGUMENTS_MAX * 2);
  #argCount = 0;
  #isAdmitted = false;
  #isPaused = false;
  #isClosed = false;
  #hasHeaders = false;
  /** One element that is not whole yet; after a pause, all that was not read. */
  #rest = NONE;
  #restBytes = 0;
  /** Bytes the element in `#rest` takes; 0: unknown, its line has not ended. */
  #wanted = 0;
  /** Bytes used so far; and what to add to an index into the bytes at hand to count from the first byte of all. */
  #offset = 0;
  #indexToOffset = 0;

  /** `batch` may be shared: it is used only within one call. */
  constructor(handler: ClientHandler, batch: BatchBuilder, payloadBytesMax: number) {
    this.#handler = handler;
    this.#batch = batch;
    this.payloadBytesMax = payloadBytesMax;
  }

  /** From now on everything may come, not CONNECT alone. */
  admit(): void {
    this.#isAdmitted = true;
  }

  /** Nothing more is handed over until `resume`; may be called from inside a handler's method. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on with what was kept. Not from inside a handler's method. */
  resume(): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    if (this.#restBytes > 0) this.#parseRest();
  }

  /** Forgets everything and hears nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#isPaused = true;
    this.#rest = NONE;
    this.#restBytes = 0;
  }

  /** Takes the next chunk, which is not kept. */
  parse(chunk: Buffer): void {
    let from = 0;
    while (this.#restBytes > 0 && !this.#isPaused && from < chunk.length) {
      from = this.#complete(chunk, from);
    }
    if (this.#restBytes === 0 && !this.#isPaused) from = this.#parseAll(chunk, from, chunk.length);
    if (from < chunk.length && !this.#isClosed) this.#keep(chunk, from, chunk.length);
  }

  /** Adds what the kept element lacks, no more; returns where the next one begins. */
  #complete(chunk: Buffer, from: number): number {
    const lineFeed = this.#wanted > 0 ? -1 : chunk.indexOf(LF, from);
    const lacks = this.#wanted > 0 ? this.#wanted - this.#restBytes : lineFeed < 0 ? chunk.length - from : lineFeed + 1 - from;
    const to = Math.min(chunk.length, from + lacks);
    this.#keep(chunk, from, to);
    if (this.#wanted > 0 ? this.#restBytes === this.#wanted : lineFeed >= 0 || this.#restBytes > CLIENT_LINE_BYTES_MAX)
      this.#parseRest();
    return to;
  }

  #parseRest(): void {
    const used = this.#parseAll(this.#rest, 0, this.#restBytes);
    if (this.#isClosed) return;
    this.#rest.copyWithin(0, used, this.#restBytes);
    this.#restBytes -= used;
    if (this.#restBytes === 0 && this.#rest.length > SLAB_BYTES_KEPT) this.#rest = NONE;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const needed = this.#restBytes + to - from;
    if (needed > this.#rest.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(512, this.#wanted, needed > this.#wanted ? needed * 2 : 0));
      this.#rest.copy(wider, 0, 0, this.#restBytes);
      this.#rest = wider;
    }
    chunk.copy(this.#rest, this.#restBytes, from, to);
    this.#restBytes = needed;
  }

  /** Returns where the first element begins that was not handed over. */
  #parseAll(bytes: Buffer, from: number, end: number): number {
    let at = from;
    this.#wanted = 0;
    this.#indexToOffset = this.#offset - from;
    this.#batch.begin(bytes);
    try {
      while (at < end && !this.#isPaused) {
        const next = this.#parseOne(bytes, at, end);
        if (next < 0) break;
        at = next;
      }
    } finally {
      this.#flush(bytes); // before a breach is told, too
      this.#batch.begin(NONE); // it may be shared: nothing of ours stays in it
    }
    this.#offset += at - from;
    return at;
  }

  /** Returns where the next element begins, or -1 if this one is not whole or must wait. */
  #parseOne(bytes: Buffer, at: number, end: number): number {
    const first = bytes[at]! | 0x20;
    if (!this.#isAdmitted && first !== 0x63) {
      this.#handler.onTooEarly(bytes[at]!);
      return -1;
    }
    if (first === 0x70 && (bytes[at + 1]! | 0x20) === 0x75) return this.#publish(bytes, at, end, 3, false);
    if (first === 0x68) return this.#publish(bytes, at, end, 4, true);
    const lineFeed = this.#scan(bytes, at, at, end);
    if (lineFeed < 0) return -1;
    this.#flush(bytes);
    this.#operation(bytes, at, lineFeed, first);
    return lineFeed + 1;
  }

  #operation(bytes: Buffer, at: number, lineFeed: number, first: number): void {
    const handler = this.#handler;
    switch (first) {
      case 0x73: // s
        if (!this.#isOperation(bytes, "sub")) break;
        if (this.#argCount < 3 || this.#argCount > 4) throw this.#malformed(bytes, at, "SUB <subject> [<queue group>] <sid>");
        handler.onSubscribe(
          this.#arg(bytes, 1),
          this.#argCount === 4 ? this.#arg(bytes, 2) : null,
          this.#arg(bytes, this.#argCount - 1),
        );
        return;
      case 0x75: // u
        if (!this.#isOperation(bytes, "unsub")) break;
        handler.onUnsubscribe(this.#arg(bytes, 1), this.#unsubscribeMax(bytes, at));
        return;
      case 0x70: // p
        if (this.#isOperation(bytes, "ping")) handler.onPing();
        else if (this.#isOperation(bytes, "pong")) handler.onPong();
        else break;
        return;
      case 0x63: // c
        if (!this.#isOperation(bytes, "connect")) break;
        handler.onConnect(bytes.utf8Slice(this.#args[1]!, lineFeed).trim());
        return;
    }
    throw this.#unknown(bytes, at, lineFeed);
  }

  #unsubscribeMax(bytes: Buffer, at: number): number {
    const wanted = "UNSUB <sid> [<messages>]";
    if (this.#argCount === 2) return 0;
    if (this.#argCount !== 3) throw this.#malformed(bytes, at, wanted);
    const max = parseCount(bytes, this.#args[4]!, this.#args[5]!);
    if (max < 0) throw this.#malformed(bytes, at, wanted);
    return max;
  }

  /** PUB and HPUB. `word`: bytes of the operation's name. */
  #publish(bytes: Buffer, at: number, end: number, word: number, hasHeaders: boolean): number {
    const lineFeed = this.#scan(bytes, at, at, end);
    if (lineFeed < 0) return -1;
    const args = this.#args;
    if (!this.#isOperation(bytes, hasHeaders ? "hpub" : "pub")) throw this.#unknown(bytes, at, lineFeed);
    const count = this.#argCount;
    const sizes = hasHeaders ? 2 : 1;
    if (count < 2 + sizes || count > 3 + sizes) throw this.#malformed(bytes, at, PUBLISH_WANTED[word - 3]!);
    const total = parseCount(bytes, args[count * 2 - 2]!, args[count * 2 - 1]!);
    const headers = hasHeaders ? parseCount(bytes, args[count * 2 - 4]!, args[count * 2 - 3]!) : 0;
    if (total < 0 || headers < 0 || headers > total || (headers > 0 && headers < HEADER_BYTES_MIN))
      throw this.#malformed(bytes, at, "sizes in decimal digits, and no headers or at least 12 bytes of them within the total");
    if (total > this.payloadBytesMax)
      throw this.#breach(WIRE_TOO_LARGE, at, `message of ${total} bytes announced, limit is ${this.payloadBytesMax}`);
    const body = lineFeed + 1;
    const bodyEnd = body + total;
    if (bodyEnd + 2 > end) {
      this.#wanted = bodyEnd + 2 - at;
      return -1;
    }
    if (bytes[bodyEnd] !== CR || bytes[bodyEnd + 1] !== LF)
      throw this.#breach(WIRE_BAD_ENDING, at, `no CRLF behind the ${total} bytes announced`);
    if (headers > 0 && !isHeaderBlock(bytes, body, body + headers))
      throw this.#breach(WIRE_BAD_ARGUMENTS, at, `${headers} bytes of headers that do not run from NATS/1.0 to an empty line`);
    const hasReply = count === 3 + sizes;
    if (!isPublishable(bytes, args[2]!, args[3]!, hasReply)) this.#leaveOut(bytes, 1);
    else if (hasReply && !isPublishable(bytes, args[4]!, args[5]!, false)) this.#leaveOut(bytes, 2);
    else this.#place(bytes, body, headers, bodyEnd, hasReply);
    return bodyEnd + 2;
  }

  #place(bytes: Buffer, body: number, headers: number, bodyEnd: number, hasReply: boolean): void {
    const args = this.#args;
    const batch = this.#batch;
    const at = batch.place(args[2]!, args[3]!, body + headers, bodyEnd, MESSAGE_FLAGS);
    const { spans } = batch;
    spans[at + HEADERS] = body;
    spans[at + HEADERS_END] = body + headers;
    if (headers > 0) this.#hasHeaders = true;
    if (hasReply) {
      spans[at + REPLY] = args[4]!;
      spans[at + REPLY_END] = args[5]!;
    }
    if (batch.isFull || batch.count >= this.batchMax) this.#flush(bytes);
  }

  #leaveOut(bytes: Buffer, index: number): void {
    const subject = this.#arg(bytes, index);
    this.#flush(bytes);
    this.#handler.onInvalidSubject(subject);
  }

  #flush(bytes: Buffer): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    const hasHeaders = this.#hasHeaders;
    this.#hasHeaders = false;
    try {
      this.#handler.onBatch(batch, hasHeaders);
    } finally {
      batch.begin(bytes);
    }
  }

  /** Notes where the words of the line lie, at most ARGUMENTS_MAX of them; returns where its LF is, or -1 if it has none yet. */
  #scan(bytes: Buffer, at: number, from: number, end: number): number {
    const args = this.#args;
    const limit = Math.min(end, at + CLIENT_LINE_BYTES_MAX + 2);
    let count = 0;
    let start = -1;
    for (let i = from; i < limit; i++) {
      const byte = bytes[i]!;
      if (byte > BLANK) {
        if (start < 0) start = i;
        continue;
      }
      if (start >= 0) {
        if (count < ARGUMENTS_MAX) {
          args[count * 2] = start;
          args[count * 2 + 1] = i;
        }
        count += 1;
        start = -1;
      }
      if (byte === LF) {
        this.#argCount = count;
        return i;
      }
      if (byte !== BLANK && byte !== TAB && !(byte === CR && (i + 1 === limit || bytes[i + 1] === LF)))
        throw this.#breach(WIRE_BAD_ARGUMENTS, at, `control character ${byte} in a line`);
    }
    if (end - at >= CLIENT_LINE_BYTES_MAX + 2)
      throw this.#breach(WIRE_LINE_TOO_LONG, at, `line of more than ${CLIENT_LINE_BYTES_MAX} bytes`);
    return -1;
  }

  /** Is `word` (lower case) the first word of the line? */
  #isOperation(bytes: Buffer, word: string): boolean {
    const at = this.#args[0]!;
    if (this.#argCount === 0 || this.#args[1]! - at !== word.length) return false;
    for (let i = 0; i < word.length; i++) if ((bytes[at + i]! | 0x20) !== word.charCodeAt(i)) return false;
    return true;
  }

  #arg(bytes: Buffer, index: number): string {
    if (this.#argCount <= index) throw this.#malformed(bytes, this.#args[0]!, "more arguments");
    return bytes.latin1Slice(this.#args[index * 2]!, this.#args[index * 2 + 1]!);
  }

  #unknown(bytes: Buffer, at: number, lineFeed: number): ProtocolError {
    const isSecret = (bytes[at]! | 0x20) === 0x63; // perhaps a mistyped CONNECT with a password in it
    const found = isSecret ? "beginning with C" : quote(bytes, at, lineFeed);
    return this.#breach(WIRE_UNKNOWN_OPERATION, at, `unknown operation ${found}`);
  }

  #malformed(bytes: Buffer, at: number, wanted: string): ProtocolError {
    return this.#breach(WIRE_BAD_ARGUMENTS, at, `malformed line ${quote(bytes, at, bytes.indexOf(LF, at))}, wanted ${wanted}`);
  }

  #breach(code: string, at: number, found: string): ProtocolError {
    const offset = this.#indexToOffset + at;
    return new ProtocolError(code, `NATS line at byte ${offset}: ${found}`, { offset });
  }
}

const PUBLISH_WANTED = ["PUB <subject> [<reply>] <bytes>", "HPUB <subject> [<reply>] <header bytes> <total bytes>"] as const;

/**
 * Whether a message may be published on this subject: no empty token, and no wildcard token but in a request. JetStream's clients
 * ask for consumers on `$JS.API.CONSUMER.CREATE.<stream>.<name>.<filter>`, where the filter may be `orders.>`; there a wildcard
 * token is a token like any other. Bytes above 0x20 are given.
 */
function isPublishable(bytes: Buffer, start: number, end: number, isRequest: boolean): boolean {
  if (end - start > SUBJECT_BYTES_MAX) return false;
  let token = start;
  for (let i = start; i <= end; i++) {
    const byte = i === end ? DOT : bytes[i]!;
    if (byte === 0x7f) return false;
    if (byte !== DOT) continue;
    if (i === token) return false;
    if (i === token + 1 && !isRequest && (bytes[token] === 0x2a || bytes[token] === 0x3e)) return false;
    token = i + 1;
  }
  return true;
}

/** From `NATS/1.0` through an empty line. What stands between is the publisher's. */
function isHeaderBlock(bytes: Buffer, start: number, end: number): boolean {
  return (
    bytes[end - 1] === LF &&
    bytes[end - 2] === CR &&
    bytes[end - 3] === LF &&
    bytes[end - 4] === CR &&
    bytes[start] === 0x4e && // NATS/1.0
    bytes[start + 1] === 0x41 &&
    bytes[start + 2] === 0x54 &&
    bytes[start + 3] === 0x53 &&
    bytes[start + 4] === 0x2f &&
    bytes[start + 5] === 0x31 &&
    bytes[start + 6] === DOT &&
    bytes[start + 7] === 0x30
  );
}
