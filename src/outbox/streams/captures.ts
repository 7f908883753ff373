// Which subjects a stream at the hub stores: that is where a kept message of a rule with `confirm: auto` waits for its PubAck.
//
//                       new link, or new interest in it
//   subject's first token ─▶ unknown ── asked ──┬─ a stream takes the subject, and answers ─▶ stored     waits for the PubAck
//                              its messages wait ├─ no stream does, or a mute one ──────────▶ free       waits for the barrier
//                                                └─ nobody tells ─▶ as it was known last, else free; asked again
//
// Why: a hub drops messages without a word when more come for a stream than it stores (max_buffered_msgs), and loses those that wait when
// it ends; the barrier proves no more than that it parsed them. Only who asks for a PubAck is told.
//
// Streams come and go, so the hub is asked again: once a minute, when its interest changes, and when a stream refuses a message or says
// nothing. Messages wait for the answer with a new link and new interest only; where interest changes all the time, ever more rarely.
// Tests: test/unit/outbox/streams/captures.test.ts, test/integration/outbox-auto.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { InterestTrie } from "#core/interest.ts";
import { displaySubject, filtersOverlap } from "#core/subject.ts";

/** How often the hub is asked again. */
export const REFRESH_MS: Millis = 60_000;
/** The same where it told nothing; doubled until it is as long as that. */
const RETRY_MS: Millis = 10_000;
/** Between two questions that something gave rise to, where the last answer was no news; doubled, up to REFRESH_MS, while it is not. */
export const SPACING_MS: Millis = 5_000;
/** First tokens told apart; with more, all streams are asked for. */
const FILTERS_MAX = 32;
/** Every so many questions all streams are asked for their subjects again. */
const THOROUGH_EVERY = 10;
const ALL = ">";

export interface StreamOfHub {
  readonly name: string;
  /** What it takes, latin1 form. */
  readonly filters: readonly string[];
  /** It acknowledges nothing (no_ack). */
  readonly isMute: boolean;
}

export interface Listing {
  /** False: the hub did not tell. */
  readonly isTold: boolean;
  readonly streams: readonly StreamOfHub[];
  /** What is not known, and why, in words; "" for nothing. */
  readonly trouble: string;
}

/** Who asks the hub. Implemented by stream-directory.ts. */
export interface StreamDesk {
  /** There is a JetStream to be asked, and its answers reach us. */
  readonly mayAsk: boolean;
  /** An answer is worth waiting for. */
  readonly willAnswer: boolean;
  /** The streams that take something of these, in plain text. `isThorough`: with nothing remembered. Never rejects. */
  list(filters: readonly string[], isThorough: boolean, signal: AbortSignal): Promise<Listing>;
}

export type Capture = "stored" | "free" | "unknown";

export interface CapturesHost {
  /** What was unknown is known. `isNews`: a subject may be taken by a stream that was not, or not any more. */
  onTold(isNews: boolean): void;
}

export class Captures implements Disposable {
  readonly #desk: StreamDesk | undefined;
  readonly #clock: Clock;
  readonly #host: CapturesHost;
  /** As told last, over whatever link. */
  #streams: readonly StreamOfHub[] = [];
  /** The same by what they take: with subjects by the hundred thousand this is asked for each message. */
  #taking = new InterestTrie<StreamOfHub>();
  #key = "[]";
  #trouble = "";
  /** Over this link: told, and to be asked for. */
  readonly #told = new Set<string>();
  readonly #wanted = new Set<string>();
  /** Of what is being asked for: something changed since, so that the answer may be older than that. */
  #stale = new Set<string>();
  #isUp = false;
  /** The hub's JetStream could be asked when we looked last. */
  #couldAsk = false;
  #asking: AbortController | undefined;
  #timer: Disposable | undefined;
  #asked = 0;
  #askedAt: Millis = Number.NEGATIVE_INFINITY;
  #spacing: Millis = 0;
  #retry: Millis = RETRY_MS;
  /** Something may have changed since the question that is under way, or was the last. */
  #isDoubtful = false;

  constructor(desk: StreamDesk | undefined, host: CapturesHost, clock: Clock) {
    this.#desk = desk;
    this.#host = host;
    this.#clock = clock;
  }

  /** Without a link: free. Cold: its answer is remembered in plans. */
  of(subject: string): Capture {
    const desk = this.#desk;
    if (!this.#isUp || desk?.mayAsk !== true) return "free";
    const filter = filterFor(subject);
    if (!this.#told.has(filter) && !this.#told.has(ALL)) {
      this.#want(filter);
      if (desk.willAnswer) return "unknown";
    }
    return this.#taking.find(subject).some(({ isMute }) => !isMute) ? "stored" : "free";
  }

  /** Messages may wait for an answer that is under way. */
  get isAsking(): boolean {
    return this.#wanted.size > 0;
  }

  status() {
    const isAsked = this.#isUp && this.#desk?.mayAsk === true;
    return {
      /** Streams known to take something of what is sent; without a link, those of the last one. */
      streams: isAsked || !this.#isUp ? this.#streams.map(({ name }) => name) : [],
      /** What of it is not known, and why, in words; "" where nothing is missing. */
      trouble: isAsked ? this.#trouble : "",
    };
  }

  onReady(): void {
    this.#isUp = true;
    this.#couldAsk = this.#desk?.mayAsk === true;
    this.#asked = 0; // another hub may have others under the same names, and this one other subjects
    this.#spacing = 0;
    this.#retry = RETRY_MS;
    this.#askedAt = Number.NEGATIVE_INFINITY;
    this.#trouble = "";
  }

  onDown(): void {
    this.#isUp = false;
    this[Symbol.dispose]();
    this.#told.clear();
    this.#wanted.clear();
    this.#stale.clear();
    this.#isDoubtful = false;
  }

  /** The hub's interest in what is its own changed. True: it has a JetStream since then, or none any more; what was answered is void. */
  onApi(): boolean {
    const couldAsk = this.#couldAsk;
    this.#couldAsk = this.#desk?.mayAsk === true;
    if (!this.#isUp || this.#couldAsk === couldAsk) return false;
    if (this.#couldAsk && !this.#isSpaced) this.#told.clear();
    else this.onDoubt();
    return true;
  }

  /** The hub's interest in `filter` (latin1 form) changed: a stream of it may be new, or gone. True: what it concerns is unknown now. */
  onInterest(filter: string): boolean {
    if (!this.#isUp || this.#desk?.mayAsk !== true) return false;
    const concerned = [...this.#told, ...this.#wanted].filter((each) => filtersOverlap(each, filter));
    if (concerned.length === 0) return false;
    this.#isDoubtful = true;
    if (this.#isSpaced) {
      this.#arm();
      return false;
    }
    for (const each of concerned) {
      this.#told.delete(each);
      this.#want(each);
      if (this.#asking !== undefined) this.#stale.add(each);
    }
    return true;
  }

  /** It is too early to ask again because of something that happened. */
  get #isSpaced(): boolean {
    return this.#clock.now() - this.#askedAt < this.#spacing;
  }

  /** A stream did not store a message, or did not say so. */
  onDoubt(): void {
    if (!this.#isUp || this.#isDoubtful || this.#desk?.mayAsk !== true) return;
    this.#isDoubtful = true;
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#asking?.abort();
    this.#asking = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #want(filter: string): void {
    if (this.#wanted.has(filter)) return;
    this.#wanted.add(filter);
    if (this.#wanted.size > 1 || this.#asking !== undefined) return;
    queueMicrotask(() => void this.#ask()); // more may be wanted with the same batch
  }

  async #ask(): Promise<void> {
    const desk = this.#desk;
    if (!this.#isUp || this.#asking !== undefined || desk === undefined) return;
    if (!desk.mayAsk) {
      this.#wanted.clear(); // its API is gone while we were about to ask
      this.#host.onTold(false);
      return;
    }
    const ending = new AbortController();
    this.#asking = ending;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const both = new Set([...this.#told, ...this.#wanted]);
    const filters = both.size > FILTERS_MAX ? new Set([ALL]) : both;
    const isDoubtful = this.#isDoubtful;
    this.#isDoubtful = false;
    const isThorough = isDoubtful || this.#asked % THOROUGH_EVERY === 0;
    this.#asked += 1;
    this.#askedAt = this.#clock.now();
    const listing = await desk.list([...filters].map(displaySubject), isThorough, ending.signal);
    if (this.#asking !== ending) return; // another link by now, or none
    this.#asking = undefined;
    this.#onListed(filters, isDoubtful, listing);
  }

  #onListed(filters: ReadonlySet<string>, isDoubtful: boolean, { isTold, streams, trouble }: Listing): void {
    const isAll = filters.has(ALL);
    const stale = this.#stale;
    this.#stale = new Set();
    const isAnswered = (filter: string) => (isAll ? stale.size === 0 : filters.has(filter) && !stale.has(filter));
    if (isAll && isAnswered(ALL)) this.#told.clear();
    for (const filter of filters) if (isAnswered(filter)) this.#told.add(filter);
    const unknown = this.#wanted.size;
    for (const filter of this.#wanted) if (isAnswered(filter)) this.#wanted.delete(filter);
    const isNoLongerUnknown = this.#wanted.size < unknown;
    this.#trouble = trouble;
    this.#retry = isTold && trouble === "" ? RETRY_MS : Math.min(REFRESH_MS, this.#retry * 2);
    const key = isTold ? keyOf(streams) : this.#key;
    const isNews = key !== this.#key;
    this.#pace(isDoubtful, isNews);
    if (isNews) {
      this.#key = key;
      this.#streams = streams;
      this.#taking = new InterestTrie();
      for (const stream of streams) for (const filter of stream.filters) this.#taking.insert(filter, stream);
    }
    if (isNews || isNoLongerUnknown) this.#host.onTold(isNews);
    if (this.#wanted.size > 0) void this.#ask();
    else this.#arm(isTold && trouble === "" ? REFRESH_MS : this.#retry);
  }

  #pace(isDoubtful: boolean, isNews: boolean): void {
    if (isNews) this.#spacing = 0;
    else if (isDoubtful) this.#spacing = Math.min(REFRESH_MS, Math.max(SPACING_MS, this.#spacing * 2));
    else this.#spacing = this.#spacing > SPACING_MS ? this.#spacing / 2 : 0;
  }

  /** Asks again after `wait`, or sooner where something may have changed. */
  #arm(wait: Millis = REFRESH_MS): void {
    if (this.#asking !== undefined) return;
    const soon = Math.max(0, this.#askedAt + this.#spacing - this.#clock.now());
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.after(this.#isDoubtful ? Math.min(wait, soon) : wait, () => {
      this.#timer = undefined;
      void this.#ask();
    });
  }
}

/** What is asked for to know of a subject: all that begins with its first token. */
function filterFor(subject: string): string {
  const dot = subject.indexOf(".");
  return dot < 0 ? subject : `${subject.slice(0, dot)}.>`;
}

function keyOf(streams: readonly StreamOfHub[]): string {
  const lines = streams.map(({ name, filters, isMute }) => JSON.stringify([name, isMute, ...filters]));
  return JSON.stringify(lines.sort());
}
