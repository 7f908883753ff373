// JetStream's API by plain requests, asked again while a cluster is electing, and never beyond a deadline.

import type { Clock, Millis } from "#base/clock.ts";
import { isNoResponders } from "../streams/pub-ack.ts";
import type { HubRequests } from "./reconcile.ts";

export type ApiAnswer =
  | { readonly is: "ok"; readonly body: Readonly<Record<string, unknown>> }
  /** `errCode` 0: no answer of JetStream's at all. */
  | { readonly is: "failed"; readonly errCode: number; readonly text: string };

/** One try. An API that elects a leader is silent; asking again is how one gets through. */
const TRY_MS: Millis = 4_000;
const AGAIN_MS: Millis = 500;
const TRIES_MAX = 8;
/** For the first word of a hub that was never heard. Servers that lost the leader of their JetStream have a new one within 9 s. */
const FIRST_WORD_MS: Millis = 12_000;
/** Requests of one pass under way at once: most of the time goes by on the way there and back. */
const AT_ONCE = 6;
/** A page of names of a thousand streams has less. */
const BODY_BYTES_MAX = 1024 * 1024;
const TEXT_CHARS_MAX = 200;
/** Temporarily unavailable; cannot handle the request now; insufficient resources, as a cluster that is finding together says. */
const SETTLING: ReadonlySet<number> = new Set([10005, 10008, 10009, 10023]);

export class JetStreamApi {
  readonly #requests: HubRequests;
  readonly #clock: Clock;
  readonly #deadline: Millis;
  /** Without a word from a hub that was never heard, nothing is asked after this. */
  readonly #silentAt: Millis;
  /** This hub's JetStream has answered before: if it is silent now, it is electing. */
  readonly #isKnown: boolean;
  readonly #signal: AbortSignal | undefined;
  #isDown = false;
  /** JetStream has answered something, whatever it was. */
  hasHeard = false;
  /** A hub that was never heard left its first requests without an answer: none is asked after that. */
  isSilent = false;

  constructor(
    requests: HubRequests,
    clock: Clock,
    { deadline, isKnown }: { readonly deadline: Millis; readonly isKnown: boolean },
    signal?: AbortSignal,
  ) {
    this.#requests = requests;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#silentAt = clock.now() + FIRST_WORD_MS;
    this.#isKnown = isKnown;
    this.#signal = signal;
  }

  /** The link ended: nothing that is asked from now on can be answered. */
  get isDown(): boolean {
    return this.#isDown || this.#signal?.aborted === true;
  }

  /** Time left for all of it. */
  get left(): Millis {
    return Math.max(0, this.#deadline - this.#clock.now());
  }

  now(): Millis {
    return this.#clock.now();
  }

  /** `what` without `$JS.API.`; it may be asked more than once. */
  async call(what: string, body: object | null): Promise<ApiAnswer> {
    let answer = failed(0, "there is no time left to ask");
    for (let tries = 0; tries < TRIES_MAX && this.#patience > 0 && !this.isDown; tries++) {
      if (tries > 0) await this.#pause();
      answer = await this.#try(what, body);
      if (answer.is === "ok" || !(answer.errCode === SILENCE || SETTLING.has(answer.errCode))) break;
      this.isSilent = this.#isStrange && this.#clock.now() >= this.#silentAt;
    }
    return answer.is === "failed" && answer.errCode === SILENCE ? failed(0, answer.text) : answer;
  }

  /** All of these, a few at a time. */
  async forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const rest = items.values();
    const inTurn = async () => {
      for (const item of rest) await work(item);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, inTurn));
  }

  /** One request with any number of answers: each is shown until `onAnswer` returns true. "" when it did, else why not. */
  async stream(what: string, body: object, onAnswer: (headers: string, payload: Buffer) => boolean): Promise<string> {
    if (this.isDown) return DOWN;
    const asked = await this.#requests.ask(`$JS.API.${what}`, JSON.stringify(body), this.left, onAnswer);
    if (asked === "down") this.#isDown = true;
    return asked === "answered" ? "" : wordsFor(asked);
  }

  /** Nobody knows whether there is a JetStream. */
  get #isStrange(): boolean {
    return !this.hasHeard && !this.#isKnown;
  }

  /** Time left for the next answer. */
  get #patience(): Millis {
    return this.#isStrange ? Math.min(this.left, Math.max(0, this.#silentAt - this.#clock.now())) : this.left;
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(Math.min(AGAIN_MS, this.#patience), resolve);
    await promise;
  }

  async #try(what: string, body: object | null): Promise<ApiAnswer> {
    let answer: ApiAnswer = failed(0, "the hub's JetStream gave an answer that makes no sense");
    const take = (headers: string, payload: Buffer) => {
      if (isNoResponders(headers)) answer = failed(0, wordsFor("unheard"));
      else answer = read(payload) ?? answer;
      return true;
    };
    const payload = body === null ? "" : JSON.stringify(body);
    const asked = await this.#requests.ask(`$JS.API.${what}`, payload, Math.min(TRY_MS, this.#patience), take);
    if (asked === "answered") {
      this.hasHeard = true;
      return answer;
    }
    if (asked === "down") this.#isDown = true;
    return failed(asked === "timeout" ? SILENCE : 0, wordsFor(asked));
  }
}

const SILENCE = -1;
const DOWN = "the link ended";

function wordsFor(asked: "timeout" | "down" | "unheard"): string {
  if (asked === "down") return DOWN;
  if (asked === "timeout") return "the hub's JetStream did not answer in time";
  return "the hub has no JetStream for this account, or its permissions keep $JS.API.> or our inbox from us";
}

function read(payload: Buffer): ApiAnswer | undefined {
  if (payload.length > BODY_BYTES_MAX) return undefined;
  const body = tryRecord(payload);
  if (body === undefined) return undefined;
  const error = asRecord(body["error"]);
  if (error === undefined) return { is: "ok", body };
  const { err_code: errCode, description } = error;
  const text = typeof description === "string" ? description.slice(0, TEXT_CHARS_MAX).replaceAll(/\p{Cc}/gu, " ") : "refused";
  return failed(typeof errCode === "number" && errCode > 0 ? errCode : 0, text);
}

function tryRecord(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    return asRecord(JSON.parse(payload.toString("utf8")));
  } catch {
    return undefined; // not JSON: not JetStream
  }
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function failed(errCode: number, text: string): ApiAnswer {
  return { is: "failed", errCode, text };
}
