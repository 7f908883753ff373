// What a hub says on a leaf connection, cut into batches of messages and single control lines.
//
//   chunk ──▶ ├─ LMSG a.b 5␍␊hello␍␊ ─┼─ LMSG a.c 2␍␊hi␍␊ ─┼─ LS+ cmd.>␍␊ ─┼─ LMSG a.b 5␍␊he~      kept until the rest comes
//             └────────── one batch ──────────────────────┘ └── control ──┘
//
// Grammar: spec/leafnode-protocol.md §9. Knows no socket. A breach throws a ProtocolError; the parser is dead from then on.
// Tests: test/wire/leaf-parser.test.ts (whole, byte by byte, at every split).

import { ProtocolError } from "#base/errors.ts";
import type { Batch } from "#core/batch.ts";
import { flagsFor, GROUPS, HEADERS, HEADERS_END, QOS_UNSTATED, REPLY, REPLY_END, SUBJECT, SUBJECT_END } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { composedAt } from "./composed-reply.ts";
import { WIRE_BAD_ARGUMENTS, WIRE_BAD_ENDING, WIRE_LINE_TOO_LONG, WIRE_TOO_LARGE, WIRE_UNKNOWN_OPERATION } from "./errors.ts";
import { parseCount, quote } from "./scan.ts";

/**
 * Longest line we take from a hub, in bytes, line end included.
 * Source: nats-server since 2.11.17 bounds leaf lines to 16 × max_control_line; INFO and CONNECT included.
 */
export const LEAF_LINE_BYTES_MAX = 65_536;

/** Header block and payload of one message at most, in bytes: the largest max_payload nats-server allows is 64 MiB; ours is a small box. */
export const LEAF_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

/** Arguments of one line at most: a message names one queue group per argument. */
const ARGUMENTS_MAX = 1024;

/** Who listens to the parser. The batch is borrowed. Control lines arrive in order with the batches. */
export interface LeafHandler {
  onBatch(batch: Batch): void;
  /** `queue` is null and `weight` 1 for plain interest. */
  onInterest(filter: string, queue: string | null, weight: number): void;
  onInterestGone(filter: string, queue: string | null): void;
  onPing(): void;
  onPong(): void;
  /** The JSON text of an INFO line. */
  onInfo(json: string): void;
  /** The text of an -ERR line, without quotes. */
  onError(text: string): void;
}

const LF = 10;
const CR = 13;
const MESSAGE_FLAGS = flagsFor(QOS_UNSTATED, false, false);

export class LeafParser {
  readonly #handler: LeafHandler;
  readonly #batch = new BatchBuilder();
  /** Start and end of each argument of the line at hand. */
  readonly #args = new Int32Array(ARGUMENTS_MAX * 2);
  /** What was left of earlier chunks; doubles, never shrinks below what one message needs. */
  #rest: Buffer = Buffer.alloc(0);
  #restBytes = 0;
  /** Bytes that must be there before parsing can go on; spares rescanning a large payload with every chunk. */
  #wanted = 0;
  #offset = 0;

  constructor(handler: LeafHandler) {
    this.#handler = handler;
  }

  /** Takes the next chunk, which is not kept. After a ProtocolError the parser must not be used again. */
  parse(chunk: Buffer): void {
    if (this.#restBytes === 0) {
      const used = this.#parseAll(chunk, chunk.length);
      if (used < chunk.length) this.#keep(chunk, used);
      return;
    }
    this.#keep(chunk, 0);
    if (this.#restBytes < this.#wanted) return;
    const used = this.#parseAll(this.#rest, this.#restBytes);
    this.#rest.copyWithin(0, used, this.#restBytes);
    this.#restBytes -= used;
  }

  #keep(chunk: Buffer, from: number): void {
    const needed = this.#restBytes + chunk.length - from;
    if (needed > this.#rest.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(4096, this.#rest.length * 2, needed, this.#wanted));
      this.#rest.copy(wider, 0, 0, this.#restBytes);
      this.#rest = wider;
    }
    chunk.copy(this.#rest, this.#restBytes, from);
    this.#restBytes = needed;
  }

  /** Returns the bytes used; what follows them is an incomplete element. */
  #parseAll(bytes: Buffer, end: number): number {
    let at = 0;
    this.#wanted = 0;
    this.#batch.begin(bytes);
    while (at < end) {
      const next = this.#parseOne(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    this.#flush(bytes);
    this.#offset += at;
    return at;
  }

  /** Returns where the next element begins, or -1 if this one is not complete. */
  #parseOne(bytes: Buffer, at: number, end: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    if (lineFeed < 0 || lineFeed >= end) {
      if (end - at > LEAF_LINE_BYTES_MAX)
        throw this.#breach(WIRE_LINE_TOO_LONG, at, `line of more than ${end - at} bytes, limit is ${LEAF_LINE_BYTES_MAX}`);
      return -1;
    }
    if (lineFeed - at >= LEAF_LINE_BYTES_MAX)
      throw this.#breach(WIRE_LINE_TOO_LONG, at, `line of ${lineFeed - at} bytes, limit is ${LEAF_LINE_BYTES_MAX}`);
    const lineEnd = lineFeed > at && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    switch (bytes[at]! | 0x20) {
      case 0x6c: // l
        if (isWord(bytes, at, lineEnd, "lmsg")) return this.#message(bytes, at, lineEnd, lineFeed + 1, end, false);
        if (isWord(bytes, at, lineEnd, "ls+")) return this.#interest(bytes, at, lineEnd, lineFeed + 1);
        if (isWord(bytes, at, lineEnd, "ls-")) return this.#interestGone(bytes, at, lineEnd, lineFeed + 1);
        break;
      case 0x68: // h
        if (isWord(bytes, at, lineEnd, "hmsg")) return this.#message(bytes, at, lineEnd, lineFeed + 1, end, true);
        break;
      default:
        return this.#control(bytes, at, lineEnd, lineFeed + 1);
    }
    throw this.#unknown(bytes, at, lineEnd);
  }

  #control(bytes: Buffer, at: number, lineEnd: number, next: number): number {
    this.#flush(bytes);
    if (isWord(bytes, at, lineEnd, "ping")) this.#handler.onPing();
    else if (isWord(bytes, at, lineEnd, "pong")) this.#handler.onPong();
    else if (isWord(bytes, at, lineEnd, "info")) this.#handler.onInfo(bytes.utf8Slice(at + 4, lineEnd).trim());
    else if (isWord(bytes, at, lineEnd, "-err"))
      this.#handler.onError(
        bytes
          .utf8Slice(at + 4, lineEnd)
          .trim()
          .replaceAll(/^'|'$/g, ""),
      );
    else if (!isWord(bytes, at, lineEnd, "+ok")) throw this.#unknown(bytes, at, lineEnd);
    return next;
  }

  #interest(bytes: Buffer, at: number, lineEnd: number, next: number): number {
    const count = this.#split(bytes, at + 3, lineEnd);
    if (count !== 1 && count !== 3) throw this.#badArguments(bytes, at, lineEnd, "LS+ <subject> [<group> <weight>]");
    this.#flush(bytes);
    if (count === 1) this.#handler.onInterest(this.#arg(bytes, 0), null, 1);
    else {
      const weight = parseCount(bytes, this.#args[4]!, this.#args[5]!);
      if (weight < 0) throw this.#badArguments(bytes, at, lineEnd, "a weight of decimal digits");
      this.#handler.onInterest(this.#arg(bytes, 0), this.#arg(bytes, 1), weight);
    }
    return next;
  }

  #interestGone(bytes: Buffer, at: number, lineEnd: number, next: number): number {
    const count = this.#split(bytes, at + 3, lineEnd);
    if (count !== 1 && count !== 2) throw this.#badArguments(bytes, at, lineEnd, "LS- <subject> [<group>]");
    this.#flush(bytes);
    this.#handler.onInterestGone(this.#arg(bytes, 0), count === 2 ? this.#arg(bytes, 1) : null);
    return next;
  }

  #message(bytes: Buffer, at: number, lineEnd: number, body: number, end: number, hasHeaders: boolean): number {
    const args = this.#args;
    const count = this.#split(bytes, at + 4, lineEnd);
    const sizes = hasHeaders ? 2 : 1;
    if (count < 1 + sizes) throw this.#badArguments(bytes, at, lineEnd, "a subject and sizes");
    const total = parseCount(bytes, args[count * 2 - 2]!, args[count * 2 - 1]!);
    const headers = hasHeaders ? parseCount(bytes, args[count * 2 - 4]!, args[count * 2 - 3]!) : 0;
    if (total < 0 || headers < 0 || headers > total)
      throw this.#badArguments(bytes, at, lineEnd, "sizes of decimal digits, headers within the total");
    if (total > LEAF_MESSAGE_BYTES_MAX)
      throw this.#breach(WIRE_TOO_LARGE, at, `message of ${total} bytes announced, limit is ${LEAF_MESSAGE_BYTES_MAX}`);
    const bodyEnd = body + total;
    if (bodyEnd + 2 > end) {
      this.#wanted = bodyEnd + 2 - at;
      return -1;
    }
    if (bytes[bodyEnd] !== CR || bytes[bodyEnd + 1] !== LF)
      throw this.#breach(WIRE_BAD_ENDING, bodyEnd, "no CRLF behind the payload");
    const group = count - sizes; // arguments before the sizes: subject, then reply or a mark and groups
    if (group > 2 && !this.#isMark(bytes, 1)) throw this.#badArguments(bytes, at, lineEnd, "| or + before queue groups");

    if (this.#batch.isFull) this.#flush(bytes);
    const span = this.#batch.place(args[0]!, args[1]!, body + headers, bodyEnd, MESSAGE_FLAGS);
    const spans = this.#batch.spans;
    spans[span + HEADERS] = body;
    spans[span + HEADERS_END] = body + headers;
    if (group === 2) this.#setReply(bytes, span, 1);
    else if (group > 2) {
      const withReply = bytes[args[2]!] === 0x2b; // +
      if (withReply) this.#setReply(bytes, span, 2);
      const first = withReply ? 3 : 2;
      if (first >= group) throw this.#badArguments(bytes, at, lineEnd, "at least one queue group");
      this.#compact(bytes, first, group - 1);
      this.#setSpan(span + GROUPS, first, group - 1);
    }
    return bodyEnd + 2;
  }

  /** A reply that a stream's delivery composed is cut: its right part is the subject to show (spec §15.3). */
  #setReply(bytes: Buffer, span: number, index: number): void {
    this.#setSpan(span + REPLY, index, index);
    const { spans } = this.#batch;
    const start = spans[span + REPLY]!;
    if (bytes[start] !== 0x24) return; // $
    const end = spans[span + REPLY_END]!;
    const at = composedAt(bytes, start, end);
    if (at < 0) return;
    spans[span + REPLY_END] = at;
    spans[span + SUBJECT] = at + 1;
    spans[span + SUBJECT_END] = end;
  }

  /** Sets a start and end pair of the span to run from argument `first` through `last`. */
  #setSpan(word: number, first: number, last: number): void {
    this.#batch.spans[word] = this.#args[first * 2]!;
    this.#batch.spans[word + 1] = this.#args[last * 2 + 1]!; // an end stands behind its start, core/batch.ts
  }

  /** Queue group names must stand behind single spaces: moves them together in place where a peer wrote more. */
  #compact(bytes: Buffer, first: number, last: number): void {
    const args = this.#args;
    for (let i = first + 1; i <= last; i++) {
      const gap = args[i * 2 - 1]!;
      if (args[i * 2] !== gap + 1) {
        bytes.copyWithin(gap + 1, args[i * 2]!, args[i * 2 + 1]!);
        args[i * 2 + 1] = gap + 1 + args[i * 2 + 1]! - args[i * 2]!;
        args[i * 2] = gap + 1;
      }
      bytes[gap] = 0x20;
    }
  }

  #isMark(bytes: Buffer, index: number): boolean {
    const start = this.#args[index * 2]!;
    return this.#args[index * 2 + 1]! === start + 1 && (bytes[start] === 0x7c || bytes[start] === 0x2b);
  }

  /** Notes where the arguments of the line lie; returns how many there are. */
  #split(bytes: Buffer, from: number, to: number): number {
    const args = this.#args;
    let count = 0;
    let start = -1;
    for (let i = from; i <= to; i++) {
      const isBlank = i === to || bytes[i] === 0x20 || bytes[i] === 0x09;
      if (!isBlank) {
        if (start < 0) start = i;
      } else if (start >= 0) {
        if (count === ARGUMENTS_MAX)
          throw this.#breach(WIRE_BAD_ARGUMENTS, from, `more than ${ARGUMENTS_MAX} arguments in one line`);
        args[count * 2] = start;
        args[count * 2 + 1] = i;
        count += 1;
        start = -1;
      }
    }
    return count;
  }

  #arg(bytes: Buffer, index: number): string {
    return bytes.latin1Slice(this.#args[index * 2]!, this.#args[index * 2 + 1]!);
  }

  #flush(bytes: Buffer): void {
    if (this.#batch.count === 0) return;
    this.#handler.onBatch(this.#batch);
    this.#batch.begin(bytes);
  }

  #unknown(bytes: Buffer, at: number, lineEnd: number): ProtocolError {
    return this.#breach(WIRE_UNKNOWN_OPERATION, at, `unknown operation ${quote(bytes, at, lineEnd)}`);
  }

  #badArguments(bytes: Buffer, at: number, lineEnd: number, wanted: string): ProtocolError {
    return this.#breach(WIRE_BAD_ARGUMENTS, at, `malformed line ${quote(bytes, at, lineEnd)}, wanted ${wanted}`);
  }

  #breach(code: string, at: number, found: string): ProtocolError {
    return new ProtocolError(code, `leaf line at byte ${this.#offset + at}: ${found}`, { offset: this.#offset + at });
  }
}

/** Does the line start with `word` (lower case) followed by a blank or its end? */
function isWord(bytes: Buffer, at: number, lineEnd: number, word: string): boolean {
  const after = at + word.length;
  if (after > lineEnd) return false;
  for (let i = 0; i < word.length; i++) {
    const wanted = word.charCodeAt(i);
    const found = bytes[at + i]!;
    const isUpper = found >= 0x41 && found <= 0x5a; // of anything else, such as CR, the bit that tells case must not be set
    if ((isUpper ? found | 0x20 : found) !== wanted) return false;
  }
  return after === lineEnd || bytes[after] === 0x20 || bytes[after] === 0x09;
}
