// The figures of `scripts/bench thin`: what they are, and how they are shown.

import type { LineShape } from "./line-schedule.ts";
import { factsLine, type PartFacts, table } from "./part-facts.ts";
import { percentile, type Spread, spreadOf } from "./statistics.ts";

/** Of one run. */
export interface ThinRun {
  /** Alarms, from the moment they were due until the hub's subscriber had them; one that did not come counts as long as was waited. */
  readonly alarmP50Ms: number;
  readonly alarmP99Ms: number;
  readonly alarmsMissing: number;
  /** Until their PUBACK; null where none came. */
  readonly ackP99Ms: number | null;
  /** Of the line's bytes upwards, those that went over it. */
  readonly sharePercent: number;
  /** Payload that arrived, alarms and readings, of what the line carries. */
  readonly usefulPercent: number;
  /** Connections to the hub after the first. */
  readonly reconnects: number;
  /** Of local devices that the gateway ended. */
  readonly devicesEnded: number;
  readonly rssMib: number;
}

export type ThinMetric = keyof ThinRun;

const COLUMNS: readonly (readonly [metric: ThinMetric, title: string, digits: number])[] = [
  ["alarmP50Ms", "alarms p50 ms", 0],
  ["alarmP99Ms", "p99", 0],
  ["alarmsMissing", "missing", 0],
  ["ackP99Ms", "PUBACK p99 ms", 1],
  ["sharePercent", "line used %", 0],
  ["usefulPercent", "for payload %", 0],
  ["reconnects", "reconnects", 0],
  ["devicesEnded", "devices cut off", 0],
  ["rssMib", "RSS MiB", 1],
];

export interface ThinRow {
  readonly system: string;
  /** What its PUBACK means. */
  readonly durability: string;
  readonly metrics: Readonly<Partial<Record<ThinMetric, Spread>>>;
}

export interface ThinReport extends PartFacts {
  readonly shape: LineShape;
  readonly rounds: number;
  readonly seconds: number;
  readonly seed: number;
  readonly rows: readonly ThinRow[];
}

/** Milliseconds each took, those that never came with what was waited for them; in ascending order. */
export function tookMs(
  due: readonly number[],
  arrived: readonly number[],
  latencies: readonly number[],
  endNs: number,
): Float64Array {
  const took = new Map<number, number>();
  for (const [index, stamp] of arrived.entries()) if (!took.has(stamp)) took.set(stamp, latencies[index]!); // the first of doubles
  return Float64Array.from(due, (at) => (took.get(at) ?? endNs - at) / 1e6).sort();
}

export function alarmFigures(took: Float64Array): { readonly alarmP50Ms: number; readonly alarmP99Ms: number } {
  return { alarmP50Ms: percentile(took, 50), alarmP99Ms: percentile(took, 99) };
}

export function thinRow(system: string, durability: string, runs: readonly ThinRun[]): ThinRow {
  const metrics = Object.fromEntries(
    COLUMNS.flatMap(([metric]) => {
      const spread = spreadOf(runs.map((run) => run[metric]));
      return spread === undefined ? [] : [[metric, spread] as const];
    }),
  );
  return { system, durability, metrics };
}

export function lineText({ bitsPerSecond, delayMs, loss, bufferBytes }: LineShape): string {
  return `${bitsPerSecond / 1000} kbit/s, ${2 * delayMs} ms there and back, ${loss * 100} % of packets lost, a buffer of ${bufferBytes / 1024} KiB`;
}

export function formatThin(report: ThinReport): string {
  const titles = ["system", ...COLUMNS.map(([, title]) => title)];
  const cells = report.rows.map(({ system, metrics }) => [
    system,
    ...COLUMNS.map(([metric, , digits]) => {
      const spread = metrics[metric];
      if (spread === undefined) return "–";
      const show = (value: number) => value.toLocaleString("en", { maximumFractionDigits: digits });
      return spread.min === spread.max ? show(spread.median) : `${show(spread.median)} (${show(spread.min)}–${show(spread.max)})`;
    }),
  ]);
  return [
    factsLine(report),
    `a line each: ${lineText(report.shape)}; twice as much offered as it carries, for ${report.seconds} s; ${report.rounds} rounds (losses by seed ${report.seed})`,
    "",
    table([titles, ...cells]),
    ...report.rows.map(({ system, durability }) => `  ${system}: PUBACK ${durability}`),
    "",
  ].join("\n");
}
