// What one client publishes, on its way to the router: marks what it wants to be told is safe, answers what only this server can
// answer, and says no in the words of the protocol.
//
//   HPUB … `Petiole-Ack: safe`   kept by the outbox's rules as if it were QoS 1; its reply subject is taken off before routing
//                                (a message with one is a request, which is never kept) and answered here once the message is safe
//   PUB $SYS.REQ.USER.INFO       answered here
//   PUB $PETIOLE.retained.…      answered here (last-values.ts)
//   PUB $SYS.…  $LDS.…           not routed: they belong to servers

import type { User } from "#access/authenticator.ts";
import { permits } from "#access/permissions.ts";
import type { Batch } from "#core/batch.ts";
import {
  FLAG_DURABLE,
  FLAGS,
  HEADERS,
  HEADERS_END,
  payloadOf,
  REPLY,
  REPLY_END,
  replyOf,
  SPAN_WORDS,
  SUBJECT,
  SUBJECT_END,
  subjectOf,
} from "#core/batch.ts";
import type { Ticket } from "#core/sink.ts";
import { isValidSubject } from "#core/subject.ts";
import { isLastValueRequest } from "./last-values.ts";
import { SafeReplies } from "./safe-replies.ts";

/** Answers owed to one client; with more it is not read. */
export const OWED_MAX = 8192;

const USER_INFO = "$SYS.REQ.USER.INFO";
const SYSTEM = "$SYS.";
const LEAF_LOOPS = "$LDS.";
/** Shorter than every subject below `$SYS.` and `$LDS.`. */
const RESERVED_BYTES_MIN = 6;
const DOLLAR = 0x24;
const LF = 10;
const CR = 13;
const BLANK = 0x20;
const ACK_NAME = Buffer.from("petiole-ack:", "latin1");
const ACK_VALUE = Buffer.from("safe", "latin1");

/** What a publisher hears once its message is safe. */
export const SAFE_ANSWER = '{"safe":true}';
/** What it hears when there is no room: it is for the publisher to keep the message. */
const NO_ROOM_ANSWER =
  '{"safe":false,"error":"outbox_full","description":"the outbox is full; keep the message and publish it again later"}';

export interface PublisherEvents {
  publish(batch: Batch): Ticket;
  /** To whoever of this client's subscriptions hears `reply`. */
  answer(reply: string, payload: string): void;
  /** This request is heard by nobody. */
  noResponders(subject: string, reply: string): void;
  /** A message on `subject` was refused. */
  onRefused(subject: string): void;
  /** Who asks, as JSON. */
  userInfo(): string;
  /** The client may ask for last values so; `payload` is borrowed. */
  onLastValueRequest(subject: string, reply: string, payload: Buffer): void;
}

export class Publisher {
  messages = 0;
  refused = 0;
  readonly #user: User;
  readonly #events: PublisherEvents;
  readonly #safe = new SafeReplies();
  /** Of the batch under way: which messages asked, and where the answers go. */
  readonly #asking: number[] = [];
  readonly #replies: string[] = [];
  readonly #denied = new Set<string>();
  /** Of the batch under way: messages that found no room. */
  readonly #turnedAway = new Set<number>();

  constructor(user: User, events: PublisherEvents) {
    this.#user = user;
    this.#events = events;
  }

  /** Answers that wait for their messages to be safe. */
  get owed(): number {
    return this.#safe.size;
  }

  /** Publishes a borrowed batch. `hasHeaders`: some of it has. */
  take(batch: Batch, hasHeaders: boolean): void {
    const { bytes, spans, count } = batch;
    this.messages += count;
    for (let i = 0; i < count; i++) {
      const at = i * SPAN_WORDS;
      if (bytes[spans[at + SUBJECT]!] === DOLLAR && spans[at + SUBJECT_END]! - spans[at + SUBJECT]! >= RESERVED_BYTES_MIN)
        this.#lookAtReserved(batch, i);
      if (hasHeaders && asksForSafety(bytes, spans[at + HEADERS]!, spans[at + HEADERS_END]!)) this.#promise(batch, i);
    }
    const ticket = this.#events.publish(batch);
    if (this.#asking.length > 0) this.#note(batch, ticket);
    this.#denied.clear();
    this.#turnedAway.clear();
  }

  /** For the router: `$SYS.` and `$LDS.` are the servers' own. */
  mayPublish(subject: string): boolean {
    return !isServersOwn(subject) && permits(this.#user.permissions.publish, subject);
  }

  /** The router found, in the middle of `publish`, that this client must not publish on `subject`. */
  deny(subject: string): void {
    if (subject === USER_INFO || this.#isAnswered(subject)) return; // before it was routed
    this.refused += 1;
    if (subject.startsWith(SYSTEM)) return; // no fault of the client: a request has heard that there is nobody
    if (this.#asking.length > 0) this.#denied.add(subject);
    this.#events.onRefused(subject);
  }

  /** The router found, in the middle of `publish`, that there is no room for message `index`. Who did not ask is not told; the outbox counts. */
  noRoom(index: number): void {
    if (this.#asking.length > 0) this.#turnedAway.add(index);
  }

  onSafe(watermark: Ticket): void {
    this.#safe.release(watermark);
    for (let reply = this.#safe.take(); reply !== undefined; reply = this.#safe.take()) this.#events.answer(reply, SAFE_ANSWER);
  }

  clear(): void {
    this.#safe.clear();
  }

  #lookAtReserved(batch: Batch, index: number): void {
    const subject = subjectOf(batch, index);
    const reply = replyOf(batch, index);
    if (reply === "") return;
    if (this.#isAnswered(subject)) this.#events.onLastValueRequest(subject, reply, payloadOf(batch, index));
    if (!subject.startsWith(SYSTEM)) return;
    if (subject === USER_INFO) this.#events.answer(reply, this.#events.userInfo());
    else this.#events.noResponders(subject, reply);
  }

  #isAnswered(subject: string): boolean {
    return isLastValueRequest(subject) && permits(this.#user.permissions.publish, subject);
  }

  /** Only requests may have wildcard tokens in their subject, and what is kept is no request. */
  #promise(batch: Batch, index: number): void {
    if (!isValidSubject(subjectOf(batch, index))) return;
    const { spans } = batch;
    const at = index * SPAN_WORDS;
    spans[at + FLAGS] = spans[at + FLAGS]! | FLAG_DURABLE;
    if (spans[at + REPLY] === spans[at + REPLY_END]) return;
    this.#asking.push(index);
    this.#replies.push(replyOf(batch, index));
    spans[at + REPLY_END] = spans[at + REPLY]!;
  }

  /** A refused message is not answered: nothing was made safe. */
  #note(batch: Batch, ticket: Ticket): void {
    for (let i = 0; i < this.#asking.length; i++) {
      if (this.#denied.size > 0 && this.#denied.has(subjectOf(batch, this.#asking[i]!))) continue;
      const reply = this.#replies[i]!;
      if (this.#turnedAway.has(this.#asking[i]!)) this.#events.answer(reply, NO_ROOM_ANSWER);
      else if (this.#safe.add(ticket, reply)) this.#events.answer(reply, SAFE_ANSWER);
    }
    this.#asking.length = 0;
    this.#replies.length = 0;
  }
}

function isServersOwn(subject: string): boolean {
  return subject.startsWith(SYSTEM) || subject.startsWith(LEAF_LOOPS);
}

/** Is there a line `Petiole-Ack: safe` in the block? Upper and lower case are the same. */
function asksForSafety(bytes: Buffer, start: number, end: number): boolean {
  const last = end - ACK_NAME.length - ACK_VALUE.length;
  for (let i = start + 8; i < last; i++) {
    if (bytes[i] === LF && (bytes[i + 1]! | 0x20) === ACK_NAME[0] && isAckLine(bytes, i + 1)) return true;
  }
  return false;
}

/** The block ends in CRLF, so what is read beyond the line stays inside of it. */
function isAckLine(bytes: Buffer, at: number): boolean {
  if (!hasText(bytes, at, ACK_NAME)) return false;
  let value = at + ACK_NAME.length;
  while (bytes[value] === BLANK) value += 1;
  if (!hasText(bytes, value, ACK_VALUE)) return false;
  value += ACK_VALUE.length;
  while (bytes[value] === BLANK) value += 1;
  return bytes[value] === CR;
}

function hasText(bytes: Buffer, at: number, lowerCase: Buffer): boolean {
  for (let i = 0; i < lowerCase.length; i++) {
    const byte = bytes[at + i]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== lowerCase[i]) return false;
  }
  return true;
}
