// The last ten minutes by five seconds, and the last day by minutes, in memory. Never written: a plot is not worth a block of flash.
//
//   counters every 5 s ─▶ rate since the last look ──▶ short track, 120 samples
//                     └─▶ every 12th: rate, mean or most of the minute ──▶ long track, 1,440 samples
//
// Memory: 1,560 samples of 4 bytes per series; six series per remote and five in all, so 37 KB per remote and 43 KB beside, for ever.

import type { HistorySamples, HistorySpan, Row } from "./history-report.ts";

/** What is looked at, as it stands. Counters only grow. */
export interface HistoryLook {
  /** Milliseconds of a clock that never jumps. */
  readonly now: number;
  readonly remotes: readonly RemoteLook[];
  readonly mqtt_in: number;
  readonly nats_in: number;
  readonly serial_in: number;
  readonly cpu_ms: number;
  readonly rss_bytes: number;
}

export interface RemoteLook {
  readonly name: string;
  readonly rtt_ms: number | null;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly plain_bytes_in: number;
  readonly plain_bytes_out: number;
  readonly depth: number;
}

export const LOOK_EVERY_MS = 5_000;
const SHORT_SAMPLES = 120;
const LONG_SAMPLES = 1_440;
const LOOKS_PER_MINUTE = 12;

const REMOTE_COUNTERS = ["bytes_in", "bytes_out", "plain_bytes_in", "plain_bytes_out"] as const;
const COUNTERS = ["mqtt_in", "nats_in", "serial_in"] as const;

export class History {
  readonly #short = new Track(SHORT_SAMPLES);
  readonly #long = new Track(LONG_SAMPLES);
  #last: HistoryLook | undefined;
  /** Those of the minute that is not over, its begin first. */
  #minute: HistoryLook[] = [];

  add(look: HistoryLook): void {
    if (this.#last !== undefined) this.#short.add(look.now, valuesBetween(this.#last, look, [look]));
    this.#last = look;
    this.#minute.push(look);
    if (this.#minute.length <= LOOKS_PER_MINUTE) return;
    this.#long.add(look.now, valuesBetween(this.#minute[0]!, look, this.#minute.slice(1)));
    this.#minute = [look];
  }

  /** Of these remotes; `wallOf`: milliseconds since 1970. */
  samples(span: HistorySpan, remotes: readonly string[], wallOf: (now: number) => number): HistorySamples {
    const track = span === "10m" ? this.#short : this.#long;
    const perRemote = (what: string) => Object.fromEntries(remotes.map((name) => [name, track.row(keyOf(name, what))]));
    return {
      at: track.times().map((now) => Math.round(wallOf(now) / 1000)),
      rtt_ms: perRemote("rtt_ms"),
      bytes_in: perRemote("bytes_in"),
      bytes_out: perRemote("bytes_out"),
      plain_bytes_in: perRemote("plain_bytes_in"),
      plain_bytes_out: perRemote("plain_bytes_out"),
      depth: perRemote("depth"),
      mqtt_in: track.row("mqtt_in"),
      nats_in: track.row("nats_in"),
      serial_in: track.row("serial_in"),
      cpu_percent: track.row("cpu_percent"),
      rss_bytes: track.row("rss_bytes"),
    };
  }

  stepSeconds(span: HistorySpan): number {
    return (span === "10m" ? LOOK_EVERY_MS : LOOK_EVERY_MS * LOOKS_PER_MINUTE) / 1000;
  }
}

function keyOf(remote: string, what: string): string {
  return `${what} ${remote}`;
}

/** `looks`: those whose gauges count. A counter that fell is one that began anew. */
function valuesBetween(from: HistoryLook, to: HistoryLook, looks: readonly HistoryLook[]): Map<string, number> {
  const seconds = Math.max(0.001, (to.now - from.now) / 1000);
  const rate = (before: number, after: number) => Math.max(0, after - before) / seconds;
  const values = new Map<string, number>();
  for (const counter of COUNTERS) values.set(counter, rate(from[counter], to[counter]));
  values.set("cpu_percent", rate(from.cpu_ms, to.cpu_ms) / 10);
  values.set("rss_bytes", to.rss_bytes);
  for (const remote of to.remotes) {
    const before = from.remotes.find(({ name }) => name === remote.name);
    const own = looks.flatMap(({ remotes }) => remotes.find(({ name }) => name === remote.name) ?? []);
    const rtts = own.flatMap(({ rtt_ms }) => rtt_ms ?? []);
    if (rtts.length > 0) values.set(keyOf(remote.name, "rtt_ms"), rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length);
    values.set(keyOf(remote.name, "depth"), Math.max(...own.map(({ depth }) => depth)));
    if (before === undefined) continue;
    for (const counter of REMOTE_COUNTERS) values.set(keyOf(remote.name, counter), rate(before[counter], remote[counter]));
  }
  return values;
}

/** The last so many samples of every series, all of the same length. */
class Track {
  readonly #capacity: number;
  readonly #times: Float64Array;
  /** Series that no sample has any more are forgotten. */
  readonly #series = new Map<string, Float32Array>();
  #next = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#times = new Float64Array(capacity);
  }

  add(now: number, values: ReadonlyMap<string, number>): void {
    const at = this.#next;
    this.#times[at] = now;
    for (const key of values.keys()) {
      if (!this.#series.has(key)) this.#series.set(key, new Float32Array(this.#capacity).fill(Number.NaN));
    }
    for (const [key, series] of this.#series) {
      series[at] = values.get(key) ?? Number.NaN;
      if (!values.has(key) && at === 0 && series.every(Number.isNaN)) this.#series.delete(key);
    }
    this.#next = (at + 1) % this.#capacity;
    this.#count = Math.min(this.#capacity, this.#count + 1);
  }

  times(): number[] {
    return this.#places().map((place) => this.#times[place]!);
  }

  row(key: string): Row {
    const series = this.#series.get(key);
    return this.#places().map((place) => {
      const value = series?.[place] ?? Number.NaN;
      return Number.isNaN(value) ? null : rounded(value);
    });
  }

  /** Oldest first. */
  #places(): number[] {
    return Array.from({ length: this.#count }, (_, i) => (this.#next - this.#count + i + this.#capacity) % this.#capacity);
  }
}

/** Three digits behind the point say more than a plot can show. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
