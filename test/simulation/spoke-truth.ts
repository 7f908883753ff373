// What really happened in a world: every message that left a client, what was acknowledged, what reached the hub, what its streams
// stored; and what must hold of all that, whatever befell the spoke. Nothing here knows how the spoke works.
//
//   sent ──▶ acknowledged?        no acknowledged message is missing, unless its loss is accounted for
//        └─▶ arrived? stored?     in order, once into a stream, one id one message, no byte changed

import assert from "node:assert/strict";
import type { Clock, Millis } from "#base/clock.ts";
import type { Rule } from "./spoke-settings.ts";

/** One transmission: a client that sends a message again makes another one of it. */
export interface Sent {
  readonly number: number;
  readonly subject: string;
  readonly rule: Rule;
  /** The rule, or its publisher, wants it kept. */
  readonly isKept: boolean;
  readonly payload: string;
  /** By the world's clock. */
  readonly sentAt: Millis;
  isAcknowledged: boolean;
  /** `Nats-Msg-Id`; null: arrived without. */
  id: string | null | undefined;
  arrivals: number;
  /** How often it stands in streams. */
  stored: number;
  /** The hub got it without being asked for its stream's word, though its rule is `auto`, and the hub had not said what its streams take. */
  isUnproven: boolean;
}

/** A breach of a promise. */
export class Breach extends Error {
  override readonly name = "Breach";
}

const NOISE = Array.from({ length: 4096 }, (_, i) => String.fromCharCode(33 + ((i * 7919) % 89))).join("");

export class Truth {
  readonly sent: Sent[] = [];
  acknowledged = 0;
  /** Arrived at the hub again, under the same id. */
  doubles = 0;
  /** The spoke has said that it could not find out what streams hold, and that some may come twice. */
  mayStoreTwice = false;
  /** Was given up because of its age, and nobody could write that down. */
  isUnwritten: (sent: Sent) => boolean = () => false;
  /** Stored twice, as it said. */
  toldDoubles = 0;
  /** Arrived at the hub and was not kept: at most once. */
  live = 0;
  readonly #clock: Pick<Clock, "now">;
  /** Says what happens. */
  readonly trace: (line: () => string) => void;
  readonly #byId = new Map<string, Sent>();
  readonly #done: { readonly lane: string; readonly epoch: number; readonly seq: number }[] = [];
  readonly #epochs = new Map<string, number>();
  readonly #lastFirst = new Map<string, number>();
  readonly #lastLive = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">, trace: (line: () => string) => void = () => undefined) {
    this.#clock = clock;
    this.trace = trace;
  }

  /** A message leaves a client. */
  send(subject: string, rule: Rule, isKept: boolean, padBytes: number): Sent {
    const number = this.sent.length;
    const from = (number * 31) % 2048;
    const payload = `${number}:${NOISE.slice(from, from + padBytes)}`;
    const sent = {
      number,
      subject,
      rule,
      isKept,
      payload,
      sentAt: this.#clock.now(),
      isAcknowledged: false,
      id: undefined,
      arrivals: 0,
      stored: 0,
      isUnproven: false,
    };
    this.sent.push(sent);
    this.trace(() => `  sent ${number} on ${subject}${isKept ? "" : ", not to be kept"}`);
    return sent;
  }

  acknowledge(sent: Sent): void {
    check(!sent.isAcknowledged, () => `message ${sent.number} was acknowledged twice`);
    sent.isAcknowledged = true;
    this.trace(() => `  acknowledged ${sent.number}`);
    this.acknowledged += 1;
  }

  /** The hub's parser has it. */
  arrive(subject: string, id: string | undefined, payload: string): Sent {
    const sent = this.sent[Number.parseInt(payload, 10)];
    if (sent === undefined || sent.payload !== payload)
      throw new Breach(`the hub got what nobody sent: ${subject} ${payload.slice(0, 60)}`);
    check(sent.subject === subject, () => `message ${sent.number} went out on ${sent.subject} and came in on ${subject}`);
    this.trace(() => `  arrived ${sent.number} on ${subject} as ${id ?? "live"}${sent.arrivals > 0 ? ", again" : ""}`);
    if (id === undefined) this.#arriveLive(sent);
    else this.#arriveKept(sent, id);
    sent.arrivals += 1;
    return sent;
  }

  #arriveLive(sent: Sent): void {
    check(!sent.isKept, () => `message ${sent.number} is to be kept and came without an id`);
    check(sent.arrivals === 0, () => `message ${sent.number} was not kept and came twice`);
    sent.id = null;
    this.live += 1;
    this.#inOrder(this.#lastLive, sent);
  }

  #arriveKept(sent: Sent, id: string): void {
    check(sent.isKept, () => `message ${sent.number} is not to be kept and came with the id ${id}`);
    const known = this.#byId.get(id) ?? sent;
    check(known === sent, () => `id ${id} stands for message ${known.number} and for message ${sent.number}`);
    check((sent.id ?? id) === id, () => `message ${sent.number} has the ids ${sent.id} and ${id}`);
    this.#byId.set(id, sent);
    sent.id = id;
    const { lane, epoch } = partsOf(id);
    this.#epochs.set(lane, Math.max(epoch, this.epochOf(lane)));
    if (sent.arrivals > 0) {
      this.doubles += 1;
      this.#mayCome(id);
      return;
    }
    if (sent.rule.order === "strict" && !this.isUnwritten(sent)) this.#inOrder(this.#lastFirst, sent);
  }

  /** The spoke has written down that everything of the lane up to `seq`, as of its `epoch`, is done with. */
  writeDown(lane: string, epoch: number, seq: number): void {
    this.#done.push({ lane, epoch, seq });
  }

  /** Latest epoch seen in ids of the lane. */
  epochOf(lane: string): number {
    return this.#epochs.get(lane) ?? 0;
  }

  #mayCome(id: string): void {
    const { lane, epoch, seq } = partsOf(id);
    for (const done of this.#done) {
      if (done.lane !== lane || epoch > done.epoch || seq > done.seq) continue;
      throw new Breach(`${id} was sent again, and it was written down that everything up to ${done.seq} is done with`);
    }
  }

  #inOrder(last: Map<string, number>, sent: Sent): void {
    const before = last.get(sent.subject) ?? -1;
    check(sent.number > before, () => `on ${sent.subject} message ${sent.number} came after ${before}`);
    last.set(sent.subject, sent.number);
  }

  /** A stream has it now. */
  store(payload: string, stream: string): Sent {
    const sent = this.sent[Number.parseInt(payload, 10)]!;
    sent.stored += 1;
    this.trace(() => `  stored ${sent.number} in ${stream}`);
    if (sent.stored > 1) {
      if (this.mayStoreTwice) this.toldDoubles += 1;
      else this.storedTwice.push({ sent, stream });
    }
    return sent;
  }
  readonly storedTwice: { readonly sent: Sent; readonly stream: string }[] = [];

  /** Acknowledged, to be kept, and not where its rule wants it. */
  missing(): Sent[] {
    return this.sent.filter((sent) => {
      if (!sent.isAcknowledged || !sent.isKept || sent.rule.noInterest === "drop") return false;
      const { confirm, hasStream } = sent.rule;
      const mustBeStored = hasStream && (confirm === "stored" || (confirm === "auto" && !sent.isUnproven));
      return mustBeStored ? sent.stored === 0 : sent.arrivals === 0;
    });
  }
}

/** `<device>-<epoch>-<lane>-<seq>` */
function partsOf(id: string): { readonly lane: string; readonly epoch: number; readonly seq: number } {
  const [, epoch, lane, seq] = /^dev-(\d+)-(\w+)-(\d+)$/.exec(id) ?? [];
  check(lane !== undefined, () => `${id} is no id of ours`);
  return { lane, epoch: Number(epoch), seq: Number(seq) };
}

export function check(holds: boolean, words: () => string): asserts holds {
  if (!holds) throw new Breach(words());
}

export function never(value: never): never {
  assert.fail(`no such thing: ${String(value)}`);
}
