// Which streams take which subjects, and how long each of them knows an id.
//
//   subjects ─▶ by first token: STREAM.NAMES { subject: "sensors.>" } ─▶ STREAM.INFO of each ─▶ whose subjects cover which of ours
//
// The streams of one account never overlap, so each subject has one at most.

import { type Millis, parseTimestamp, type WallMillis } from "#base/clock.ts";
import { displaySubject, filterCovers, isValidFilter, toSubject } from "#core/subject.ts";
import { type ApiAnswer, asRecord, type JetStreamApi } from "./reconcile-api.ts";
import { Oldest } from "./reconcile-subjects.ts";
import { addStreamNames, filtersFor } from "./stream-names.ts";

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

/** Streams looked at; an account with more of them under our tokens is not looked through. */
const STREAMS_MAX = 64;
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
    this.trouble = await addStreamNames(this.#api, filtersFor(subjects.keys()), names, STREAMS_MAX);
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

/** Of a stream's configuration, latin1 form; what is none is left out. */
export function filtersOf(subjects: unknown): readonly string[] {
  if (!Array.isArray(subjects)) return [];
  return subjects.flatMap((each) => (typeof each === "string" && isValidFilter(toSubject(each)) ? [toSubject(each)] : []));
}
