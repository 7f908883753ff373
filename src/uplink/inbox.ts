// Where the hub answers the spoke itself: streams that say "stored", and requests of our own.
//
//   _INBOX.<token>.2.17      PubAck for the message with seq 17 of the lane of class 2     ──▶ onAnswer
//   _INBOX.<token>.r.5       an answer to request 5                                        ──▶ whoever asked
//
// The token is random and lives as long as the process, since an answer may come late, over the next link, and a seq may be given again
// in the next life. What comes here is taken out of the hub's batches before they are routed, so nobody here sees an answer; nobody
// here can make one either: a message of ours comes back from no hub, and the token is told to none but the hub.
// Tests: test/unit/uplink/inbox.test.ts, test/integration/stored.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import {
  type Batch,
  HEADERS,
  HEADERS_END,
  PAYLOAD,
  PAYLOAD_END,
  payloadOf,
  ROUTED,
  ROUTED_END,
  SPAN_WORDS,
} from "#core/batch.ts";
import { toSubject } from "#core/subject.ts";
import type { HubView } from "#outbox/hub-view.ts";
import type { Asked, HubRequests } from "#outbox/reconcile/reconcile.ts";
import { type PubAck, parsePubAck, tryStored } from "#outbox/streams/pub-ack.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";

const TOKEN_LENGTH = 22;
/** Requests under way at once; one more is refused, as if nobody listened. */
export const REQUESTS_MAX = 32;
const API_PREFIX = "$JS.API.";
/** Of a seq: 2^53 has sixteen. */
const DIGITS_MAX = 16;

const DOT = 0x2e;
const ZERO = 0x30;
const LETTER_R = 0x72;

/** What the inbox needs of a link. */
export interface InboxCarrier {
  readonly out: WireWriter;
  readonly inbox: string | null;
  flushSoon(): void;
}

export interface InboxDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly view: Pick<HubView, "listening" | "groups" | "mayExport">;
  /** The link, if there is one that may be written to. */
  carrier(): InboxCarrier | undefined;
  onAnswer(classIndex: number, seq: number, answer: PubAck): void;
  /** Does the hub announce an API of JetStream? A listener on `>` is none. */
  hasJetStream(): boolean;
}

interface Request {
  readonly onAnswer: (headers: string, payload: Buffer) => boolean;
  readonly settle: (asked: Asked) => void;
}

export class Inbox implements HubRequests {
  /** Without the dot that follows. */
  readonly prefix: string;
  readonly #head: Buffer;
  readonly #deps: InboxDeps;
  readonly #requests = new Map<number, Request>();
  #lastRequest = 0;
  /** Spans of what is left of a batch; grows to the largest. */
  #spans = new Uint32Array(64 * SPAN_WORDS);

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.prefix = `_INBOX.${randomToken(deps.entropy, TOKEN_LENGTH)}`;
    this.#head = Buffer.from(`${this.prefix}.`, "latin1");
  }

  /** What to announce to the hub. */
  get filter(): string {
    return `${this.prefix}.>`;
  }

  /** Takes our own out of a batch from the hub. Returns what is for others, in order: mostly the batch itself. Borrowed like it. */
  sift(batch: Batch): Batch {
    let at = 0;
    while (at < batch.count && !this.#isOurs(batch, at)) at += 1;
    if (at === batch.count) return batch;
    return this.#siftFrom(batch, at);
  }

  /** The link is over: no answer to what was asked over it can be counted on. */
  onDown(): void {
    for (const request of this.#requests.values()) request.settle("down");
  }

  async ask(
    subject: string,
    payload: string,
    timeout: Millis,
    onAnswer: (headers: string, payload: Buffer) => boolean,
  ): Promise<Asked> {
    const carrier = this.#deps.carrier();
    if (carrier === undefined) return "down";
    const latin1 = toSubject(subject);
    const { view } = this.#deps;
    const isThere = !latin1.startsWith(API_PREFIX) || this.#deps.hasJetStream();
    const isHeard = isThere && carrier.inbox !== null && view.mayExport(latin1) && view.listening(latin1, []) === "now";
    if (!isHeard || this.#requests.size >= REQUESTS_MAX) return "unheard";
    const { promise, resolve } = Promise.withResolvers<Asked>();
    this.#lastRequest += 1;
    const number = this.#lastRequest;
    this.#requests.set(number, { onAnswer, settle: resolve });
    using _timer = this.#deps.clock.after(timeout, () => resolve("timeout"));
    write(carrier.out, addressOf(latin1, `${this.prefix}.r.${number}`, view.groups(latin1, [])), payload);
    carrier.flushSoon();
    try {
      return await promise;
    } finally {
      this.#requests.delete(number);
    }
  }

  // ── from the hub ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** By the subject it was routed by: what a stream delivers carries the stream's subject in the other place. */
  #isOurs({ bytes, spans }: Batch, index: number): boolean {
    const start = spans[index * SPAN_WORDS + ROUTED]!;
    const head = this.#head;
    if (spans[index * SPAN_WORDS + ROUTED_END]! - start <= head.length || bytes[start] !== head[0]) return false;
    for (let i = head.length - 1; i > 0; i--) if (bytes[start + i] !== head[i]) return false; // cheaper than a call for so few
    return true;
  }

  #siftFrom(batch: Batch, first: number): Batch {
    const { bytes, spans, count } = batch;
    if (this.#spans.length < count * SPAN_WORDS) this.#spans = new Uint32Array(count * SPAN_WORDS);
    const left = this.#spans;
    left.set(spans.subarray(0, first * SPAN_WORDS));
    let kept = first;
    for (let i = first; i < count; i++) {
      if (this.#isOurs(batch, i)) this.#take(batch, i);
      else left.set(spans.subarray(i * SPAN_WORDS, (i + 1) * SPAN_WORDS), SPAN_WORDS * kept++);
    }
    return { bytes, spans: left, count: kept };
  }

  #take(batch: Batch, index: number): void {
    const { bytes, spans } = batch;
    const at = index * SPAN_WORDS;
    const end = spans[at + ROUTED_END]!;
    let from = spans[at + ROUTED]! + this.#head.length;
    const isRequest = bytes[from] === LETTER_R;
    let dot = from + 1; // the index of a class has one digit, mostly
    while (dot < end && bytes[dot] !== DOT) dot += 1;
    if (dot >= end || (isRequest && dot !== from + 1)) return;
    const classIndex = isRequest ? 0 : count(bytes, from, dot);
    from = dot + 1;
    const number = count(bytes, from, end);
    if (classIndex < 0 || number < 0) return; // a subject that we gave to nobody
    const hasHeaders = spans[at + HEADERS] !== spans[at + HEADERS_END];
    const stored = isRequest || hasHeaders ? undefined : tryStored(bytes, spans[at + PAYLOAD]!, spans[at + PAYLOAD_END]!);
    if (stored !== undefined) {
      this.#deps.onAnswer(classIndex, number, stored);
      return;
    }
    const headers = hasHeaders ? bytes.latin1Slice(spans[at + HEADERS]!, spans[at + HEADERS_END]!) : "";
    const payload = payloadOf(batch, index);
    if (!isRequest) this.#deps.onAnswer(classIndex, number, parsePubAck(headers, payload));
    else {
      const request = this.#requests.get(number);
      if (request?.onAnswer(headers, payload) !== true) return;
      this.#requests.delete(number); // the rest of the batch is too late
      request.settle("answered");
    }
  }
}

function write(out: WireWriter, address: string, payload: string): void {
  const bytes = Buffer.from(payload, "utf8");
  out.text(`LMSG ${address}${bytes.length}\r\n`);
  out.copy(bytes, 0, bytes.length);
  out.crlf();
}

/** The decimal number in `bytes[from, end)`; -1 if it is none that we would have written. */
function count(bytes: Buffer, from: number, end: number): number {
  if (end <= from || end - from > DIGITS_MAX) return -1;
  let value = 0;
  for (let at = from; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : -1;
}
