// Makes batches. Either point into bytes that are already there (`begin` + `place`), the cheap way for parsers,
// or copy messages into an own slab (`add`), for those made one by one: readings, wills, tests.

import type { Batch } from "./batch.ts";
import {
  BATCH_MAX,
  FLAGS,
  GROUPS,
  GROUPS_END,
  HEADERS,
  HEADERS_END,
  PAYLOAD,
  PAYLOAD_END,
  REPLY,
  REPLY_END,
  ROUTED,
  ROUTED_END,
  SPAN_WORDS,
  SUBJECT,
  SUBJECT_END,
} from "./batch.ts";

const EMPTY = Buffer.alloc(0);

export interface MessageParts {
  /** latin1 form, as everywhere inside the process. */
  readonly subject: string;
  readonly reply?: string;
  readonly headers?: Uint8Array;
  readonly payload: Uint8Array;
  readonly flags: number;
}

export class BatchBuilder implements Batch {
  bytes: Buffer = EMPTY;
  spans = new Uint32Array(64 * SPAN_WORDS);
  count = 0;
  #own = EMPTY;
  #used = 0;

  /** Starts an empty batch over `bytes`, which are not copied. */
  begin(bytes: Buffer): void {
    this.bytes = bytes;
    this.count = 0;
  }

  /** Starts an empty batch over the own slab, for `add`. */
  beginOwn(): void {
    this.bytes = this.#own;
    this.#used = 0;
    this.count = 0;
  }

  get isFull(): boolean {
    return this.count === BATCH_MAX;
  }

  /** Adds a message that lies in `bytes`; returns the index in `spans` of its first word, it is routed by its subject, has no reply, no headers and no groups. */
  place(subject: number, subjectEnd: number, payload: number, payloadEnd: number, flags: number): number {
    const at = this.count * SPAN_WORDS;
    if (at === this.spans.length) this.#widen();
    const spans = this.spans;
    spans[at + SUBJECT] = subject;
    spans[at + SUBJECT_END] = subjectEnd;
    spans[at + REPLY] = 0;
    spans[at + REPLY_END] = 0;
    spans[at + HEADERS] = 0;
    spans[at + HEADERS_END] = 0;
    spans[at + PAYLOAD] = payload;
    spans[at + PAYLOAD_END] = payloadEnd;
    spans[at + GROUPS] = 0;
    spans[at + GROUPS_END] = 0;
    spans[at + FLAGS] = flags;
    spans[at + ROUTED] = subject;
    spans[at + ROUTED_END] = subjectEnd;
    this.count += 1;
    return at;
  }

  /** Copies a message into the own slab. Only after `beginOwn`. */
  add(message: MessageParts): void {
    const subject = this.#copyText(message.subject);
    const reply = this.#copyText(message.reply ?? "");
    const headers = this.#copy(message.headers ?? EMPTY);
    const payload = this.#copy(message.payload);
    const at = this.place(subject, subject + message.subject.length, payload, payload + message.payload.length, message.flags);
    this.spans[at + REPLY] = reply;
    this.spans[at + REPLY_END] = reply + (message.reply?.length ?? 0);
    this.spans[at + HEADERS] = headers;
    this.spans[at + HEADERS_END] = headers + (message.headers?.length ?? 0);
  }

  #copyText(text: string): number {
    const at = this.#reserve(text.length);
    this.#own.latin1Write(text, at);
    return at;
  }

  #copy(bytes: Uint8Array): number {
    const at = this.#reserve(bytes.length);
    this.#own.set(bytes, at);
    return at;
  }

  #reserve(bytes: number): number {
    const at = this.#used;
    if (at + bytes > this.#own.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(4096, this.#own.length * 2, at + bytes));
      this.#own.copy(wider, 0, 0, at);
      this.#own = wider;
      this.bytes = wider;
    }
    this.#used = at + bytes;
    return at;
  }

  #widen(): void {
    const wider = new Uint32Array(this.spans.length * 2);
    wider.set(this.spans);
    this.spans = wider;
  }
}
