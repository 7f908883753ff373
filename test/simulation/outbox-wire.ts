// The link between a simulated outbox and a hub that only counts: bytes there, PONGs back, a window, and an end at any byte.

import assert from "node:assert/strict";
import type { Millis } from "#base/clock.ts";
import { type Batch, headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import type { Outbox } from "#outbox/outbox.ts";
import { LeafParser } from "#wire/leaf-parser.ts";
import { WireWriter } from "#wire/wire-writer.ts";

/** One message as the hub parses it. */
export interface Arrival {
  readonly subject: string;
  /** Undefined: it was not kept. */
  readonly id: string | undefined;
  readonly isHistorical: boolean;
  /** Where a stream is to answer; "": nowhere. */
  readonly reply: string;
  readonly payload: string;
  /** Over that link the outbox could have been told that a stream takes it. */
  readonly isHeard: boolean;
}

export interface WireEvents {
  readonly random: () => number;
  onReceived(arrival: Arrival): void;
  now(): Millis;
  /** May this one, for a stream to store and sent so long ago over the same link, be sent again? */
  mayReturn(id: string, age: Millis): boolean;
  /** The outbox has done what it must not. Told, not thrown: the outbox would catch it. */
  onBreach(what: string): void;
}

/** Do the rules of the simulation want a stream's answer for it? */
export function isStored(subject: string): boolean {
  return /^(stream|both)\./.test(subject);
}

/** Do the rules leave it to the hub? */
export function isAuto(subject: string): boolean {
  return subject.startsWith("auto.");
}

/** The bytes between outbox and hub, and the PONGs back. */
export class Wire implements Carrier {
  readonly out = new WireWriter();
  readonly inbox: string | null;
  readonly #outbox: Outbox;
  /** Sees what is sent when it is sent. */
  readonly #departures: LeafParser;
  readonly #hub: LeafParser;
  readonly #events: WireEvents;
  readonly #random: () => number;
  readonly #flying: Buffer[] = [];
  /** Bytes that may be under way. */
  readonly #window: number;
  /** When each was sent last. */
  readonly #seen = new Map<string, Millis>();
  #underWay = 0;
  /** Somebody was told that there is no room: he must hear when there is. */
  #isFull = false;
  #pongs = 0;
  #isBroken = false;
  #isCutOff = false;

  constructor(outbox: Outbox, inbox: string | null, events: WireEvents) {
    this.#outbox = outbox;
    this.inbox = inbox;
    this.#events = events;
    this.#random = events.random;
    this.#window = events.random() < 0.25 ? Number.POSITIVE_INFINITY : 200 + Math.floor(events.random() * 4000);
    const unexpected = () => assert.fail("a spoke does not send this");
    const parserFor = (
      onMessage: (batch: Batch, index: number, headers: string, id: string | undefined) => void,
      onPing: () => void,
    ) =>
      new LeafParser({
        onBatch: (batch) => {
          for (let i = 0; i < batch.count; i++) {
            const headers = headersOf(batch, i).toString("latin1");
            onMessage(batch, i, headers, /^Nats-Msg-Id: (\S+)\r$/m.exec(headers)?.[1]);
          }
        },
        onPing,
        onPong: unexpected,
        onInterest: unexpected,
        onInterestGone: unexpected,
        onInfo: unexpected,
        onError: unexpected,
      });
    this.#departures = parserFor(
      (batch, i, _, id) => this.#seeOnce(subjectOf(batch, i), id),
      () => undefined,
    );
    this.#hub = parserFor(
      (batch, i, headers, id) => {
        const isHistorical = /^Petiole-Historical: 1\r$/m.test(headers);
        const payload = payloadOf(batch, i).toString();
        events.onReceived({
          subject: subjectOf(batch, i),
          id,
          isHistorical,
          reply: replyOf(batch, i),
          payload,
          isHeard: inbox !== null,
        });
      },
      () => {
        this.#pongs += 1;
      },
    );
  }

  /** Something is on its way, there or back. */
  get isBusy(): boolean {
    return this.#flying.length > 0 || this.#pongs > 0;
  }

  get room(): number {
    return Math.max(0, this.#window - this.#underWay - this.out.pendingBytes);
  }

  get isCongested(): boolean {
    if (this.room > 0) return false;
    this.#isFull = true;
    return true;
  }

  flush(): void {
    if (this.out.pendingBytes === 0) return;
    const bytes = this.out.take();
    if (this.#isCutOff) return;
    this.#departures.parse(Buffer.from(bytes));
    this.#flying.push(Buffer.from(bytes));
    this.#underWay += bytes.length;
    this.out.giveBack(bytes);
  }

  barrier(): void {
    this.out.text("PING\r\n");
  }

  /** Brings some of what flies to the hub, and some of its PONGs back, in order. */
  deliver(share: number): void {
    const chunks = Math.ceil(this.#flying.length * share);
    for (const chunk of this.#flying.splice(0, chunks)) {
      this.#hub.parse(chunk);
      this.#underWay -= chunk.length;
    }
    for (let pongs = Math.ceil(this.#pongs * (share === 1 ? 1 : this.#random())); pongs > 0 && !this.#isBroken; pongs--) {
      this.#pongs -= 1;
      this.#outbox.onReceipt();
    }
    if (!this.#isFull || this.#isBroken || this.#underWay > this.#window * 0.75) return;
    this.#isFull = false;
    this.#outbox.onRoom();
  }

  /** Nothing is sent twice over one link, unless a stream did not say in time that it has it. */
  #seeOnce(subject: string, id: string | undefined): void {
    if (id === undefined) return;
    const events = this.#events;
    const sentAt = this.#seen.get(id);
    const isRight =
      sentAt === undefined || ((isStored(subject) || isAuto(subject)) && events.mayReturn(id, events.now() - sentAt));
    if (!isRight) events.onBreach(`${id} on ${subject} was sent twice over one link`);
    this.#seen.set(id, events.now());
  }

  /** Nobody is there any more who could send: what flies, flies. */
  cutOff(): void {
    this.#isCutOff = true;
  }

  breakOff(share: number): void {
    this.#isBroken = true;
    const bytes = Buffer.concat(this.#flying.splice(0));
    this.#hub.parse(bytes.subarray(0, Math.floor(bytes.length * share)));
  }
}
