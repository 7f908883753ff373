// What passes through this device, for somebody who looks on: so many messages a second as a person can follow, the rest counted.
//
//   router ─ deliver ─▶ copied, at most RATE_MAX a second ─▶ every PERIOD_MS as JSON to the reader     beyond that: counted
//
// It exists while somebody looks, and takes no part (router.lookOn): the hub is not asked for anything, so only what is wanted by
// somebody here comes down. Copies are made on the hot path, words are not.

import { isUtf8 } from "node:buffer";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { timestamp } from "#base/clock.ts";
import { type Batch, headersOf, payloadOf, replyOf, sizeOf, subjectOf } from "#core/batch.ts";
import type { Origin, Sink, Subscription } from "#core/sink.ts";
import { displaySubject, isReserved } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import type { LiveStream } from "./live-streams.ts";
import { Spacing } from "./spacing.ts";

/** Messages shown in a second. */
const RATE_MAX = 50;
const PERIOD_MS: Millis = 200;
/** Of one payload, and of one message's headers. */
const SHOWN_BYTES_MAX = 4096;

interface Seen {
  readonly wall: WallMillis;
  readonly account: string;
  readonly kind: Origin["kind"];
  readonly label: string;
  readonly subject: string;
  readonly reply: string;
  readonly size: number;
  readonly payloadBytes: number;
  readonly headers: Buffer;
  readonly payload: Buffer;
}

interface Onlooker extends Subscription {
  readonly account: string;
}

export interface MessageViewDeps {
  readonly clock: Clock;
  readonly topicOf: (subject: string) => string;
}

export class MessageView implements Sink, Disposable {
  readonly #stream: LiveStream;
  readonly #deps: MessageViewDeps;
  readonly #looks: readonly Disposable[];
  readonly #timer: Disposable;
  #seen: Seen[] = [];
  readonly #spacing: Spacing;

  /** `filter`: valid, latin1 form. A filter that begins with a wildcard does not show the system's own traffic. */
  constructor(accounts: Iterable<AccountRouter>, filter: string, stream: LiveStream, deps: MessageViewDeps) {
    this.#stream = stream;
    this.#deps = deps;
    const showsReserved = isReserved(filter);
    const mayReceive = (subject: string) => showsReserved || !isReserved(subject);
    const onlooker = (account: string): Onlooker => ({ filter, queue: null, sink: this, mayReceive, account });
    this.#looks = Array.from(accounts, (account) => account.lookOn(onlooker(account.name)));
    this.#spacing = new Spacing(RATE_MAX, deps.clock, (count) => stream.tell("skipped", { count }));
    this.#timer = deps.clock.every(PERIOD_MS, () => this.#tell());
  }

  deliver(batch: Batch, index: number, [onlooker]: readonly Onlooker[], { kind, label }: Origin): void {
    if (!this.#spacing.take()) return;
    const payload = payloadOf(batch, index);
    this.#seen.push({
      wall: this.#deps.clock.wall(),
      account: onlooker!.account,
      kind,
      label,
      subject: subjectOf(batch, index),
      reply: replyOf(batch, index),
      size: sizeOf(batch, index),
      payloadBytes: payload.length,
      headers: Buffer.from(headersOf(batch, index).subarray(0, SHOWN_BYTES_MAX)),
      payload: Buffer.from(payload.subarray(0, SHOWN_BYTES_MAX)),
    });
  }

  flush(): void {
    // at its own pace
  }

  [Symbol.dispose](): void {
    for (const look of this.#looks) look[Symbol.dispose]();
    this.#timer[Symbol.dispose]();
    this.#spacing[Symbol.dispose]();
    this.#seen = [];
  }

  #tell(): void {
    const seen = this.#seen;
    this.#seen = [];
    for (const each of seen) if (!this.#stream.tell("message", this.#shown(each))) this.#spacing.skip();
  }

  #shown({ wall, account, kind, label, subject, reply, size, payloadBytes, headers, payload }: Seen): object {
    return {
      at: timestamp(wall),
      account,
      subject: displaySubject(subject),
      topic: displaySubject(this.#deps.topicOf(subject)),
      reply: reply === "" ? null : displaySubject(reply),
      from: kind,
      origin: label,
      size,
      headers: headers.length === 0 ? null : headerFields(headers),
      payload_text: textOf(payload, payloadBytes > payload.length),
      payload_base64: payload.toString("base64"),
      truncated: payloadBytes > payload.length,
    };
  }
}

/** Of a header block, or the beginning of one. What stands in a line twice is one value, with a comma. */
export function headerFields(block: Buffer): Readonly<Record<string, string>> {
  const fields = new Map<string, string>();
  for (const line of block.toString("utf8").split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(fields);
}

/** null: it is not text. `isCut`: its last character may be torn. */
export function textOf(bytes: Buffer, isCut: boolean): string | null {
  for (let end = bytes.length; end >= 0 && end > bytes.length - (isCut ? 4 : 1); end--) {
    const whole = bytes.subarray(0, end);
    if (!isUtf8(whole)) continue;
    const text = whole.toString("utf8");
    return hasControls(text) ? null : text;
  }
  return null;
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) || code === 0x7f) return true;
  }
  return false;
}
