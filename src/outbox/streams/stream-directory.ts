// What streams at the hub take, told by the hub itself.
//
//   filters ─▶ STREAM.NAMES ─▶ names ─▶ STREAM.INFO of those that are new ─▶ whose subjects are which, and who answers
//
// A hub whose JetStream leaves the very first requests without an answer is not waited for again: it is asked in passing.
// What nobody can tell us: streams of another account or another JetStream domain, and subjects that the hub's account maps to others.
// Tests: test/unit/outbox/streams/captures.test.ts, test/integration/outbox-auto.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { HubMemory } from "../reconcile/hub-memory.ts";
import type { HubRequests } from "../reconcile/reconcile.ts";
import { asRecord, JetStreamApi } from "../reconcile/reconcile-api.ts";
import { filtersOf } from "../reconcile/reconcile-streams.ts";
import { addStreamNames } from "../reconcile/stream-names.ts";
import type { Listing, StreamDesk, StreamOfHub } from "./captures.ts";

/** All of it, at most: kept messages wait meanwhile, but over a hub that was silent before. */
const LISTING_MS_MAX: Millis = 15_000;
/** Streams listed at most; what others take is as if nobody did. */
export const LISTED_MAX = 128;
/** Of all of them together: what they take, in filters. What comes with more is not known. */
export const FILTERS_LISTED_MAX = 8192;
const STREAM_NOT_FOUND = 10059;

export interface StreamDirectoryEnv {
  readonly clock: Clock;
  /** Names the hub at the other end. Absent: there is but one. */
  readonly hub?: () => string;
  /** Does the hub announce an API of JetStream, and let us hear its answers? */
  readonly mayAsk: () => boolean;
}

export class StreamDirectory implements StreamDesk {
  readonly #requests: HubRequests;
  readonly #env: StreamDirectoryEnv;
  readonly #hubs = new HubMemory();
  /** Told before, by name: not asked for again. */
  readonly #known = new Map<string, StreamOfHub>();
  /** As listed last: of a stream that says nothing, while its cluster elects a leader, that counts which it said before. */
  #last: ReadonlyMap<string, StreamOfHub> = new Map();

  constructor(requests: HubRequests, env: StreamDirectoryEnv) {
    this.#requests = requests;
    this.#env = env;
  }

  get mayAsk(): boolean {
    return this.#env.mayAsk();
  }

  get willAnswer(): boolean {
    return this.mayAsk && !this.#hubs.isSilent(this.#hub);
  }

  async list(filters: readonly string[], isThorough: boolean, signal: AbortSignal): Promise<Listing> {
    const hub = this.#hub;
    if (isThorough) this.#known.clear();
    const limits = { deadline: this.#env.clock.now() + LISTING_MS_MAX, isKnown: this.#hubs.hasHeard(hub) };
    const api = new JetStreamApi(this.#requests, this.#env.clock, limits, signal);
    const names = new Set<string>();
    let trouble = await addStreamNames(api, filters, names, LISTED_MAX);
    this.#hubs.learn(hub, api);
    // Who never said a word, and whom nobody waits for any more, is no reason to go by what another hub said.
    if (trouble !== "" || api.isDown)
      return { isTold: api.isSilent && !api.isDown && !this.#hubs.hasHeard(hub), streams: [], trouble };
    const streams: StreamOfHub[] = [];
    const unsure: StreamOfHub[] = [];
    let filtersLeft = FILTERS_LISTED_MAX;
    await api.forEach([...names].slice(0, LISTED_MAX), async (name) => {
      const told = this.#known.get(name) ?? (await this.#ask(api, name));
      if (typeof told === "object") {
        filtersLeft -= told.filters.length;
        if (filtersLeft >= 0) streams.push(told);
        else trouble ||= `the streams take more than ${FILTERS_LISTED_MAX} filters`;
      }
      if (typeof told !== "string") return;
      trouble ||= told;
      const last = this.#last.get(name);
      if (last !== undefined) unsure.push(last);
    });
    if (api.isDown) return { isTold: false, streams: [], trouble };
    if (names.size > LISTED_MAX) trouble ||= `there are more than ${LISTED_MAX} streams`;
    this.#known.clear(); // who is gone need not be remembered
    for (const stream of streams) this.#known.set(stream.name, stream);
    const all = [...streams, ...unsure];
    this.#last = new Map(all.map((stream) => [stream.name, stream]));
    return { isTold: true, streams: all, trouble };
  }

  /** Undefined: it is gone by now. In words: what keeps us from knowing. */
  async #ask(api: JetStreamApi, name: string): Promise<StreamOfHub | string | undefined> {
    const answer = await api.call(`STREAM.INFO.${name}`, null);
    if (answer.is === "failed") return answer.errCode === STREAM_NOT_FOUND ? undefined : `stream ${name}: ${answer.text}`;
    const config = asRecord(answer.body["config"]) ?? {};
    return { name, filters: filtersOf(config["subjects"]), isMute: config["no_ack"] === true };
  }

  get #hub(): string {
    return this.#env.hub?.() ?? "";
  }
}
