// Answers what the retained messages of MQTT clients are: the last values of an account, for clients that come late.
//
//   request $PETIOLE.retained.get.plant.7.temp      ──▶ the message, or status 404
//   request $PETIOLE.retained.list   "plant.>"      ──▶ one message for each subject under the filter, then status 204
//
// Who asks must be allowed to publish on the request's subject and to receive the subject of each message it is shown; no permission,
// no message, as if there were none. The answers go to the asker's own subscription that hears the reply subject, and nowhere else: a
// request cannot make us speak to others in our name. Neither is routed, announced to a hub, or answered for one.
//
// A list is written at the reader's pace: never more of it waits than `LIST_PENDING_BYTES`. Tests: test/unit/ingress/nats/last-values.test.ts,
// test/wire/nats/last-values.test.ts

import type { PermissionList } from "#access/permissions.ts";
import { permits } from "#access/permissions.ts";
import type { Millis } from "#base/clock.ts";
import { isValidFilter, isValidSubject } from "#core/subject.ts";

/** One message as it is shown. */
export interface LastValue {
  readonly subject: string;
  /** A whole header block. */
  readonly headers: Buffer;
  readonly payload: Buffer;
}

/** Whoever knows the last values of one account. */
export interface LastValues {
  get(subject: string): LastValue | undefined;
  /** Lazy, in no particular order. */
  match(filter: string): Iterable<LastValue>;
}

/** What a client asks through. */
export interface Asker {
  readonly subscribe: PermissionList;
  /** Bytes that wait for it to read. */
  readonly pendingBytes: number;
  /** To its own subscription that hears `reply`. False: it has none any more. */
  answer(reply: string, headers: Buffer, payload: Buffer): boolean;
  after(delay: Millis, action: () => void): Disposable;
}

const PREFIX = "$PETIOLE.retained.";
const GET = "$PETIOLE.retained.get.";
const LIST = "$PETIOLE.retained.list";

/** Lists that one client may have under way. */
const LISTS_MAX = 4;
/** A list goes on when less than this waits for its reader. */
const LIST_PENDING_BYTES = 256 * 1024;
/** Messages looked at in one go, shown or not. */
const LIST_STEP = 256;
const LIST_PAUSE_MS: Millis = 5;

const EMPTY = Buffer.alloc(0);
const NO_VALUE = status("404 No Message Found");
const BAD_REQUEST = status("400 Bad Request");
const TOO_MANY = status("429 Too Many Lists");
const END = status("204 No More Messages");

/** Is it a request for this part to answer? */
export function isLastValueRequest(subject: string): boolean {
  return subject.startsWith(PREFIX);
}

export class LastValueRequests implements Disposable {
  readonly #values: LastValues;
  readonly #asker: Asker;
  readonly #lists = new Set<{ readonly left: Iterator<LastValue>; readonly reply: string }>();
  #timer: Disposable | undefined;

  constructor(values: LastValues, asker: Asker) {
    this.#values = values;
    this.#asker = asker;
  }

  /** `subject` begins as `isLastValueRequest` says; the asker may publish on it. `payload` is borrowed. */
  take(subject: string, reply: string, payload: Buffer): void {
    if (subject.startsWith(GET)) this.#get(subject.slice(GET.length), reply);
    else if (subject === LIST) this.#list(filterOf(payload), reply);
    else this.#asker.answer(reply, BAD_REQUEST, EMPTY);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#lists.clear();
  }

  #get(subject: string, reply: string): void {
    if (!isValidSubject(subject)) {
      this.#asker.answer(reply, BAD_REQUEST, EMPTY);
      return;
    }
    const value = permits(this.#asker.subscribe, subject) ? this.#values.get(subject) : undefined;
    this.#asker.answer(reply, value?.headers ?? NO_VALUE, value?.payload ?? EMPTY);
  }

  #list(filter: string, reply: string): void {
    if (!isValidFilter(filter)) this.#asker.answer(reply, BAD_REQUEST, EMPTY);
    else if (this.#lists.size >= LISTS_MAX) this.#asker.answer(reply, TOO_MANY, EMPTY);
    else {
      this.#lists.add({ left: this.#values.match(filter)[Symbol.iterator](), reply });
      this.#timer ??= this.#asker.after(0, () => this.#goOn());
    }
  }

  /** Each list in turn, a step. */
  #goOn(): void {
    this.#timer = undefined;
    for (const list of this.#lists) if (!this.#step(list.left, list.reply)) this.#lists.delete(list);
    if (this.#lists.size > 0) this.#timer = this.#asker.after(LIST_PAUSE_MS, () => this.#goOn());
  }

  /** False: it is done, or nobody listens any more. */
  #step(left: Iterator<LastValue>, reply: string): boolean {
    const asker = this.#asker;
    for (let looked = 0; looked < LIST_STEP && asker.pendingBytes < LIST_PENDING_BYTES; looked++) {
      const { done, value } = left.next();
      if (done === true) {
        asker.answer(reply, END, EMPTY);
        return false;
      }
      if (permits(asker.subscribe, value.subject) && !asker.answer(reply, value.headers, value.payload)) return false;
    }
    return true;
  }
}

/** Blanks around it do not count; in latin1 form a byte 0xA0 is none, but the end of a letter perhaps. */
function filterOf(payload: Buffer): string {
  return (
    payload
      .latin1Slice(0, payload.length)
      .match(/[^ \t\r\n]+/g)
      ?.join(" ") ?? ">"
  );
}

function status(words: string): Buffer {
  return Buffer.from(`NATS/1.0 ${words}\r\n\r\n`, "latin1");
}
