// A stream at the hub, as far as one that publishes into it can see: stores, answers, drops doubles within a window. Now and then it is
// full, or silent, or answers so late that the link is another one.

import assert from "node:assert/strict";
import type { PubAck } from "#outbox/streams/pub-ack.ts";

/** As nats-server's default. */
const WINDOW_MS = 120_000;

export type Mood = "well" | "full" | "silent";

/** What the stream says of one message, on its way to whoever asked for it. */
export interface Answer {
  readonly inbox: string;
  readonly classIndex: number;
  readonly seq: number;
  readonly id: string;
  readonly ack: PubAck;
}

export class StreamModel {
  mood: Mood = "well";
  readonly stored = new Set<string>();
  /** Never to be stored, whatever its mood. */
  readonly refused = new Set<string>();
  /** Stored a second time: their doubles came after the window. */
  doubles = 0;
  answers = 0;
  refusals = 0;
  readonly #storedAt = new Map<string, number>();
  readonly #random: () => number;
  #seq = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Returns the answer, undefined if there will be none. */
  take(subject: string, id: string, payload: string, reply: string, now: number): Answer | undefined {
    const [, inbox, classIndex, seq] =
      /^(.+)\.(\d+)\.(\d+)$/.exec(reply) ?? assert.fail(`a reply subject of no known form: ${reply}`);
    assert.ok(id.endsWith(`-${seq}`), `${id} asks for its answer on ${reply}`);
    const ack = this.#decide(subject, id, payload, now);
    if (ack === undefined) return undefined;
    this.answers += 1;
    return { inbox: inbox!, classIndex: Number(classIndex), seq: Number(seq), id, ack };
  }

  #decide(subject: string, id: string, payload: string, now: number): PubAck | undefined {
    if (subject.endsWith(".huge")) {
      this.refused.add(payload);
      return this.#refuse("too_large", 10054, true);
    }
    if (this.mood === "full") return this.#refuse("no_space", 10077, false);
    if (this.mood === "silent" && this.#random() < 0.5) return undefined; // it never came so far
    const before = this.#storedAt.get(id);
    const isDuplicate = before !== undefined && now - before <= WINDOW_MS;
    if (!isDuplicate) {
      if (this.stored.has(payload)) this.doubles += 1;
      this.stored.add(payload);
      this.#storedAt.set(id, now);
      this.#seq += 1;
    }
    if (this.mood === "silent") return undefined;
    return { is: "stored", stream: "S", seq: this.#seq, isDuplicate };
  }

  #refuse(why: "no_space" | "too_large", errCode: number, isFinal: boolean): PubAck {
    this.refusals += 1;
    return { is: "refused", code: 503, errCode, text: "no", isFinal, why };
  }
}
