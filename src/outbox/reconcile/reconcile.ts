// Before messages that may be at the hub already are sent again: asks its streams what they hold.
//
//   records in doubt ─▶ their subjects ─▶ streams ─▶ INFO: is the doubt older than the duplicate window?
//                                                      no ─▶ nothing to do: the stream drops what comes twice
//                                                      yes ▶ scan ─▶ our message ids ─▶ lane.onFoundInStream(epoch, seqs)
//
// The outbox calls it on each new link while it holds the lanes back (reconciling.ts):
//
//     openOutbox(…, { reconcile: (lanes, signal) => reconciliation.reconcile(lanes, signal) }, …)
//
// It takes 25 s at most and never rejects for what a hub does. A link that ends meanwhile ends it, too, and the next one calls it anew.
// What such links spent on it is taken off the 25 s, and when those are over, one link goes without: or links that do not last would
// never carry a message. A hub whose JetStream leaves the very first requests without an answer for 12 s is not waited for again: it is
// asked in passing, over each link, whether it has one by now.
// Whatever came of it, the lanes may go on: what was not found is sent again under its id, which is at least once, and exactly once
// within the stream's window.
// It is asked, too, on a link that lives, about subjects whose stream says nothing (`lookFor`, for suspensions.ts).
// What no one can find out: a message that a consumer of a work queue has taken out already, one under a subject that the hub's account
// maps to another, and one in a stream of another account.
// Tests: test/unit/outbox/reconcile/reconcile.test.ts, test/integration/exactly-once.test.ts

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { type Calendar, plainCalendar } from "../calendar.ts";
import type { Lane } from "../lane.ts";
import type { LaneSet } from "../lane-set.ts";
import type { SeqSet } from "../seq-set.ts";
import { CLASSES } from "../urgency.ts";
import { HubMemory } from "./hub-memory.ts";
import { JetStreamApi } from "./reconcile-api.ts";
import { FoundIds } from "./reconcile-found.ts";
import { type StreamFacts, StreamFinder } from "./reconcile-streams.ts";
import { type DoubtfulRecords, DoubtfulSubjects, Oldest } from "./reconcile-subjects.ts";
import type { Asking } from "./reconciling.ts";
import { scanStream } from "./stream-scan.ts";

/** `unheard`: nobody at the hub listens to the subject, or its permissions do not let us ask or hear the answer. */
export type Asked = "answered" | "timeout" | "down" | "unheard";

/** Requests to the hub over the link at hand. Implemented by uplink/inbox.ts. */
export interface HubRequests {
  /**
   * One request. Each answer is shown to `onAnswer` until it returns true; the payload is borrowed for the call.
   * `timeout` runs from the request on. `down`: there is no link, or it ended.
   */
  ask(subject: string, payload: string, timeout: Millis, onAnswer: (headers: string, payload: Buffer) => boolean): Promise<Asked>;
}

/** A lane, as far as it matters here. */
export interface DoubtfulLane extends DoubtfulRecords {
  /** A stream holds these already. */
  onFoundInStream(epoch: number, seqs: SeqSet): void;
}

export interface Doubt {
  /** How long ago the first of what is in doubt was sent; null: nobody knows, after a start; no record was sent before it was made. */
  readonly elapsed: Millis | null;
  /** In the order of CLASSES; undefined: nothing of that class is in doubt. */
  readonly lanes: readonly (DoubtfulLane | undefined)[];
  /** Records of those others, which share the link. */
  readonly recordsBeside?: number;
  /** Some of it is sent again only once its stream stores again. */
  readonly isHeldUp?: boolean;
  /** What is in doubt is of these, and is looked for though it may be sent again in time. Absent: the records say. */
  readonly subjects?: readonly string[];
}

/** What streams were found to hold. */
export interface Found {
  /** All that could hold any of it were looked through. */
  readonly isWhole: boolean;
  readonly ids: readonly { readonly classIndex: number; readonly epoch: number; readonly seqs: SeqSet }[];
}

export interface ReconcileReport {
  /**
   * `nothing`: there is nothing in doubt that a stream could hold. `in_time`: the streams' duplicate windows still cover it. `done`: all
   * was looked through. `partial`: some was. `impossible`: the hub could not be asked. `down`: the link ended.
   */
  readonly result: "nothing" | "in_time" | "done" | "partial" | "impossible" | "down";
  /** For people: what was not done, and why; "" where nothing is missing. */
  readonly text: string;
  /** Streams looked through, messages seen there, ids of ours among them. */
  readonly streams: number;
  readonly scanned: number;
  readonly found: number;
  /** There is more than is looked at: asking again would tell no more. */
  readonly isCut: boolean;
  /** How old the doubt is, at most, that was left to streams still in time; null: none was. */
  readonly leftAge: Millis | null;
  readonly took: Millis;
  readonly wall: WallMillis;
}

export interface ReconcileEnv {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Absent: the clock is taken at its word. */
  readonly time?: Calendar;
  /** Names the hub at the other end. Absent: there is but one. */
  readonly hub?: () => string;
}

/** All of it, at most; less than the lanes wait for it, so that what was found by then counts. */
export const RECONCILE_MS_MAX: Millis = 25_000;
/** Less is not worth holding the lanes back for: the link goes without. */
const BUDGET_MS_MIN: Millis = 2_000;
/**
 * Messages looked at in all streams together: the oldest since the doubt began, for those are in doubt. After a start, when nobody knows
 * that moment, the newest: what was sent before a life ended is the last that streams have of us.
 */
export const SCANNED_MAX = 200_000;
/**
 * A doubt younger than this share of the window is left to the stream, if the backlog is small: what is sent again must arrive within the
 * window, and a long drain may stand before it.
 */
const WINDOW_SHARE = 0.5;
/** And so much of the window must be left: what is sent again may first wait 15 s for the hub's word of its streams. */
const WINDOW_LEFT_MS_MIN: Millis = 30_000;
const QUICK_RECORDS = 10_000;
/** Subjects named in one scan, and scans of one stream; with more subjects all of the stream is looked through. */
const FILTERS_MAX = 64;
const GROUPS_MAX = 16;
const TOKEN_LENGTH = 16;

export class Reconciliation {
  /** The last one that had anything to do; null before the first. */
  last: ReconcileReport | null = null;
  readonly #requests: HubRequests;
  readonly #env: ReconcileEnv;
  readonly #device: string;
  /** What earlier lives left has been looked for. */
  #isStartOver = false;
  /** Time for the next pass: what those spent is taken off whose link fell. */
  #budget: Millis = RECONCILE_MS_MAX;
  /** Hubs whose JetStream did not answer, and one that did. */
  readonly #hubs = new HubMemory();

  /** `device`: what our message ids begin with. */
  constructor(requests: HubRequests, device: string, env: ReconcileEnv) {
    this.#requests = requests;
    this.#device = device;
    this.#env = env;
  }

  /**
   * For the outbox: what is in doubt, looked for and told to the lanes; undefined: nothing is. In the beginning of a life everything is
   * that earlier ones left on flash, until it was looked for, or has been sent again in time.
   */
  reconcile(lanes: LaneSet, signal: AbortSignal, isHeldUp = false): Asking | undefined {
    const inherits = (lane: Lane) => !this.#isStartOver && lane.hasInherited;
    const inDoubt = new Set(lanes.all.filter((lane) => inherits(lane) || lane.doubt() !== null));
    if (inDoubt.size === 0) return undefined;
    if (this.#hubs.isSilent(this.#hub())) {
      this.#goWithout("the hub's JetStream did not answer before", "debug");
      void this.#askInPassing(signal);
      return undefined;
    }
    if (this.#budget < BUDGET_MS_MIN) {
      this.#budget = RECONCILE_MS_MAX;
      this.#goWithout("the links to the hub fall before it has answered", "warn");
      return undefined;
    }
    const doubt = lanes.doubt();
    const elapsed = lanes.all.some(inherits) || doubt === null ? null : Math.max(0, this.#env.clock.now() - doubt.sinceMs);
    const task = {
      elapsed,
      lanes: lanes.all.map((lane) => (inDoubt.has(lane) ? lane : undefined)),
      isHeldUp,
      recordsBeside: lanes.all.reduce((sum, lane) => sum + (inDoubt.has(lane) ? 0 : lane.journal.records), 0),
    };
    const { clock } = this.#env;
    const over = this.run(task, signal).then(({ result, isCut, took, leftAge }) => {
      this.#budget = result === "down" ? this.#budget - took : RECONCILE_MS_MAX;
      // In time: only if it is sent again over this link. Impossible, partial: another hub may know, or this one later.
      if ((result === "done" && leftAge === null) || isCut || result === "nothing") this.#isStartOver = true;
      return leftAge === null ? null : clock.now() - leftAge;
    });
    return { lanes: inDoubt, over };
  }

  /** What streams hold of these subjects since then, though a link lives. The lanes are told by whoever asks. */
  lookFor(subjects: readonly string[], sinceMs: Millis, signal: AbortSignal): Promise<Found> | undefined {
    if (this.#hubs.isSilent(this.#hub())) return undefined;
    const ids: { classIndex: number; epoch: number; seqs: SeqSet }[] = [];
    const lanes = CLASSES.map((_, classIndex) => ({
      journal: { records: 0, lastSeq: 0, read: () => ({ next: () => Promise.resolve(undefined) }) },
      onFoundInStream: (epoch: number, seqs: SeqSet) => void ids.push({ classIndex, epoch, seqs }),
    }));
    const elapsed = Math.max(0, this.#env.clock.now() - sinceMs);
    return this.#search({ elapsed, lanes, subjects }, signal).then((report) => {
      this.#tell(report, "debug");
      return { isWhole: report.result === "done", ids };
    });
  }

  async run(doubt: Doubt, signal?: AbortSignal): Promise<ReconcileReport> {
    const report = await this.#search(doubt, signal);
    if (report.result === "nothing") return report;
    this.last = report;
    this.#tell(report, "info");
    return report;
  }

  async #search(doubt: Doubt, signal?: AbortSignal): Promise<ReconcileReport> {
    const { clock } = this.#env;
    const startedAt = clock.now();
    const hub = this.#hub();
    const limits = { deadline: startedAt + this.#budget, isKnown: this.#hubs.hasHeard(hub) };
    const api = new JetStreamApi(this.#requests, clock, limits, signal);
    const run = new Run(doubt, api, new FoundIds(this.#device), this.#env);
    const result = await run.result();
    this.#hubs.learn(hub, api);
    const { text, streams, scanned } = run;
    const found = run.found.size;
    const { isCut, leftAge } = run;
    return { result, text, streams, scanned, found, isCut, leftAge, took: clock.now() - startedAt, wall: clock.wall() };
  }

  /** Over this link all that is in doubt is sent again, and nobody was asked. */
  #goWithout(text: string, level: "debug" | "warn"): void {
    const wall = this.#env.clock.wall();
    this.last = { result: "impossible", text, streams: 0, scanned: 0, found: 0, isCut: false, leftAge: null, took: 0, wall };
    this.#tellTrouble(this.last, level);
  }

  #tell(report: ReconcileReport, level: "debug" | "info"): void {
    const { result } = report;
    if (result === "partial" || result === "impossible") this.#tellTrouble(report, "warn");
    else this.#env.log[level]("outbox: looked what the hub's streams hold already", contextOf(report));
  }

  #tellTrouble(report: ReconcileReport, level: "debug" | "warn"): void {
    const words = `outbox: what the hub's streams hold already could not be told; some may arrive twice: ${report.text}`;
    this.#env.log[level](words, contextOf(report));
  }

  #hub(): string {
    return this.#env.hub?.() ?? "";
  }

  /** Nobody waits for it: the next link has use for the answer. */
  async #askInPassing(signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    const hub = this.#hub();
    const api = new JetStreamApi(this.#requests, clock, { deadline: clock.now() + RECONCILE_MS_MAX, isKnown: false }, signal);
    await api.call("INFO", null);
    this.#hubs.learn(hub, api);
  }
}

/** One pass. */
class Run {
  text = "";
  streams = 0;
  scanned = 0;
  leftAge: Millis | null = null;
  readonly found: FoundIds;
  readonly #doubt: Doubt;
  readonly #api: JetStreamApi;
  readonly #env: ReconcileEnv;
  readonly #startedAt: Millis;
  readonly #allowance = { left: SCANNED_MAX };
  #oldestInTime: Millis = 0;

  constructor(doubt: Doubt, api: JetStreamApi, found: FoundIds, env: ReconcileEnv) {
    this.#startedAt = env.clock.now();
    this.#doubt = doubt;
    this.#api = api;
    this.#env = env;
    this.found = found;
  }

  /** No more may be looked at. */
  get isCut(): boolean {
    return this.#allowance.left === 0;
  }

  async result(): Promise<ReconcileReport["result"]> {
    const { all, isWhole } = await this.#subjects();
    if (all.size === 0) return "nothing";
    const finder = new StreamFinder(this.#api);
    const streams = await finder.find(all);
    if (this.#api.isDown) return "down";
    if (streams.length === 0) {
      this.text = finder.trouble;
      return finder.trouble === "" ? "nothing" : "impossible";
    }
    this.text = finder.trouble;
    // Asking takes its time, too: a stream that was in time may not be any more.
    const rest = new Set(streams);
    for (let late = this.#late(rest); late.length > 0 && !this.#api.isDown; late = this.#late(rest)) {
      for (const stream of late) rest.delete(stream);
      await this.#api.forEach(late, (stream) => this.#look(stream, isWhole));
    }
    for (const { classIndex, epoch, seqs } of this.found.all()) this.#doubt.lanes[classIndex]?.onFoundInStream(epoch, seqs);
    if (this.#api.isDown) return "down";
    if (rest.size > 0) this.leftAge = this.#oldestInTime;
    if (rest.size === streams.length && isWhole && this.text === "") return "in_time";
    if (this.text === "") return "done";
    return this.streams > 0 ? "partial" : "impossible";
  }

  async #subjects(): Promise<{ readonly all: ReadonlyMap<string, Oldest>; readonly isWhole: boolean }> {
    const { subjects, elapsed } = this.#doubt;
    if (subjects === undefined) return await DoubtfulSubjects.of(this.#lanes, this.#env.time ?? plainCalendar(this.#env.clock));
    const oldest = Oldest.of(elapsed ?? 0);
    return { all: new Map(subjects.map((subject) => [subject, oldest])), isWhole: true };
  }

  get #lanes(): readonly DoubtfulLane[] {
    return this.#doubt.lanes.filter((lane) => lane !== undefined);
  }

  #late(streams: ReadonlySet<StreamFacts>): readonly StreamFacts[] {
    return [...streams].filter((stream) => !this.#isInTime(stream));
  }

  /** Will all that is in doubt reach the stream again while it still knows the ids? */
  #isInTime(stream: StreamFacts): boolean {
    if (this.#doubt.subjects !== undefined || this.#doubt.isHeldUp === true) return false;
    const records = this.#lanes.reduce((sum, { journal }) => sum + journal.records, this.#doubt.recordsBeside ?? 0);
    const elapsed =
      (this.#doubt.elapsed ?? stream.now - stream.oldest.sinceAt(stream.now)) + this.#env.clock.now() - this.#startedAt;
    const { window } = stream;
    if (elapsed > Math.min(window * WINDOW_SHARE, window - WINDOW_LEFT_MS_MIN) || records > QUICK_RECORDS) return false;
    this.#oldestInTime = Math.max(this.#oldestInTime, elapsed);
    return true;
  }

  async #look(stream: StreamFacts, isWhole: boolean): Promise<void> {
    const { subjects, now } = stream;
    const { elapsed } = this.#doubt;
    const since = (elapsed === null ? stream.oldest : Oldest.of(elapsed + this.#env.clock.now() - this.#startedAt)).sinceAt(now);
    // A stream that renames what it stores cannot be asked for it by the names we know.
    const isFiltered = isWhole && subjects !== null && subjects.length <= FILTERS_MAX * GROUPS_MAX;
    const groups = isFiltered ? chunks(subjects, FILTERS_MAX) : [[]];
    for (const filters of groups) {
      const task = {
        stream: stream.name,
        consumer: `petiole-${randomToken(this.#env.entropy, TOKEN_LENGTH)}`,
        filters,
        since: Math.max(0, since),
        now,
        allowance: this.#allowance,
        prefers: elapsed === null ? ("newest" as const) : ("oldest" as const),
      };
      const { scanned, trouble } = await scanStream(this.#api, task, (headers) => this.found.note(headers));
      this.scanned += scanned;
      if (trouble !== "") {
        this.text ||= `stream ${stream.name}: ${trouble}`;
        if (scanned > 0) this.streams += 1;
        return;
      }
    }
    this.streams += 1;
  }
}

function contextOf({ result, streams, scanned, found, took }: ReconcileReport) {
  return { result, streams, scanned, found, took_ms: Math.round(took) };
}

function chunks<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
