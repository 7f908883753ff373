// Which streams take which subjects, and how long each of them knows an id.
//
//   subjects ─▶ by first token: STREAM.NAMES { subject: "sensors.>" } ─▶ STREAM.INFO of each ─▶ whose subjects cover which of ours
//
// Asked by first token and not by subject: a backlog of ten thousand subjects is a few requests. The streams of one account never
// overlap, so each subject has one at most.

import { type Millis, parseTimestamp, type WallMillis } from "#base/clock.ts";
import { displaySubject, filterCovers, isValidFilter, toSubject } from "#core/subject.ts";
import { type ApiAnswer, asRecord, type JetStreamApi } from "./reconcile-api.ts";
import { Oldest } from "./reconcile-subjects.ts";

export interface StreamFacts {
  readonly name: string;
  /** How long the stream knows an id. */
  readonly window: Millis;
  /** The calendar of the hub as it answered. */
  readonly now: WallMillis;
  /** Those of ours that it takes; null: it stores them under other names. */
  readonly subjects: readonly string[] | null;
  /** Of what is in doubt and this stream takes. */
  readonly oldest: Oldest;
}

/** First tokens asked for one by one; with more, all streams are asked for at once. */
const TOKENS_MAX = 32;
/** Streams looked at; an account with more of them under our tokens is not looked through. */
const STREAMS_MAX = 64;
/** Pages of names for one filter. */
const PAGES_MAX = 4;
const NAME = /^[^\s.*>/\\\p{Cc}]{1,255}$/u;
const STREAM_NOT_FOUND = 10059;
const NANOS_PER_MILLI = 1e6;

export class StreamFinder {
  /** What kept some streams from being found, in words; "" for nothing. */
  trouble = "";
  readonly #api: JetStreamApi;

  constructor(api: JetStreamApi) {
    this.#api = api;
  }

  async find(subjects: ReadonlyMap<string, Oldest>): Promise<readonly StreamFacts[]> {
    const names = new Set<string>();
    await this.#api.forEach(filtersFor(subjects.keys()), (filter) => this.#addNames(filter, names));
    if (this.#api.isDown || this.trouble !== "") return [];
    if (names.size > STREAMS_MAX) {
      this.trouble = `more than ${STREAMS_MAX} streams may take what is in doubt`;
      return [];
    }
    const found: StreamFacts[] = [];
    await this.#api.forEach([...names], async (name) => {
      const facts = await this.#facts(name, subjects);
      if (facts !== undefined) found.push(facts);
    });
    return this.#api.isDown ? [] : found;
  }

  async #addNames(filter: string, names: Set<string>): Promise<void> {
    for (let page = 0, offset = 0; page < PAGES_MAX && this.trouble === ""; page++) {
      const answer = await this.#api.call("STREAM.NAMES", { subject: filter, offset });
      if (answer.is === "failed") {
        this.trouble ||= answer.text;
        return;
      }
      const { streams, total } = answer.body;
      const list = Array.isArray(streams) ? streams : [];
      for (const name of list) if (typeof name === "string" && NAME.test(name) && names.size <= STREAMS_MAX) names.add(name);
      offset += list.length;
      if (list.length === 0 || typeof total !== "number" || offset >= total) return;
    }
  }

  /** Undefined: it takes nothing of ours, or is gone, or says nothing of use. */
  async #facts(name: string, subjects: ReadonlyMap<string, Oldest>): Promise<StreamFacts | undefined> {
    const answer: ApiAnswer = await this.#api.call(`STREAM.INFO.${name}`, null);
    if (answer.is === "failed") {
      if (answer.errCode !== STREAM_NOT_FOUND) this.trouble ||= `stream ${name}: ${answer.text}`;
      return undefined;
    }
    const config = asRecord(answer.body["config"]) ?? {};
    const filters = filtersOf(config["subjects"]);
    const ours = [...subjects.keys()].filter((subject) => filters.some((filter) => filterCovers(filter, subject)));
    if (ours.length === 0) return undefined;
    const window = config["duplicate_window"];
    const now = typeof answer.body["ts"] === "string" ? parseTimestamp(answer.body["ts"]) : undefined;
    if (typeof window !== "number" || !(window >= 0) || now === undefined) {
      this.trouble ||= `stream ${name}: the hub does not tell its duplicate window or its time`;
      return undefined;
    }
    const isRenamed =
      config["subject_transform"] !== undefined || ours.some((subject) => toSubject(displaySubject(subject)) !== subject);
    const oldest = new Oldest();
    for (const subject of ours) oldest.add(subjects.get(subject)!);
    return { name, window: window / NANOS_PER_MILLI, now, subjects: isRenamed ? null : ours, oldest };
  }
}

/** As text, to be asked for. */
function filtersFor(subjects: Iterable<string>): readonly string[] {
  const filters = new Set<string>();
  for (const subject of subjects) {
    const dot = subject.indexOf(".");
    filters.add(displaySubject(dot < 0 ? subject : `${subject.slice(0, dot)}.>`));
    if (filters.size > TOKENS_MAX) return [">"];
  }
  return [...filters];
}

function filtersOf(subjects: unknown): readonly string[] {
  if (!Array.isArray(subjects)) return [];
  return subjects.flatMap((each) => (typeof each === "string" && isValidFilter(toSubject(each)) ? [toSubject(each)] : []));
}
