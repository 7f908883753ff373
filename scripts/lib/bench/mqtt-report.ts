// The figures of `scripts/bench mqtt` for people: a row for each broker and workload, and what ours is to each peer.

import type { Qos } from "./mqtt-bench-client.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** One run; null: not measured. */
export interface MqttSample {
  readonly broker: string;
  readonly workload: string;
  readonly qos: Qos;
  readonly rate: number | null;
  readonly cpuUs: number | null;
  /** Of one processor. */
  readonly cpuShare: number | null;
  readonly lost: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Why it was not measured. */
  readonly fault: string | null;
}

export interface IdleRow {
  readonly broker: string;
  readonly aloneMiB: number;
  readonly crowdedMiB: number;
  readonly clientKiB: number;
}

export interface MqttReport {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  readonly rounds: number;
  readonly samples: readonly MqttSample[];
  readonly idle: readonly IdleRow[];
}

const OURS = "spoke";
type Key = "rate" | "cpuUs" | "cpuShare" | "lost" | "p50Ms" | "p99Ms";

export function formatMqttReport({ machine, versions, notes, rounds, samples, idle }: MqttReport): string {
  const facts = Object.entries({ ...machine, ...versions }).map(([name, value]) => `${name} ${value}`);
  const head = [
    "workload  QoS  broker              rate/s    CPU µs   of a core    p50 ms    p99 ms    lost   rate, CPU of ours",
  ];
  const lines = [facts.join(" · "), `${rounds} rounds, medians`, ...notes, "", ...head];
  const keys = new Set(samples.map(({ workload, qos }) => `${workload}|${qos}`));
  for (const key of keys) {
    const own = samples.filter(({ workload, qos }) => `${workload}|${qos}` === key);
    const ours = { rate: spread(own, OURS, "rate"), cpuUs: spread(own, OURS, "cpuUs") };
    for (const broker of new Set(own.map((sample) => sample.broker))) lines.push(row(own, broker, ours));
  }
  lines.push("", "idle clients, one subscription each   alone MiB   with 1,000   KiB a client");
  for (const { broker, aloneMiB, crowdedMiB, clientKiB } of idle)
    lines.push(
      `${broker.padEnd(36)} ${cell(aloneMiB.toFixed(1), 10)} ${cell(crowdedMiB.toFixed(1), 12)} ${cell(clientKiB.toFixed(1), 14)}`,
    );
  return `${lines.join("\n")}\n`;
}

function row(
  samples: readonly MqttSample[],
  broker: string,
  ours: { readonly rate: Spread | undefined; readonly cpuUs: Spread | undefined },
): string {
  const { workload, qos, fault } = samples.find((sample) => sample.broker === broker)!;
  const start = `${workload.padEnd(9)} ${String(qos).padStart(3)}  ${broker.padEnd(15)}`;
  const of = (key: Key) => spread(samples, broker, key);
  const rate = of("rate");
  if (rate === undefined) return `${start} failed: ${fault ?? "no figures"}`;
  const share = of("cpuShare");
  const ratios = broker === OURS ? "" : `${ratio(ours.rate, rate)} ${ratio(ours.cpuUs, of("cpuUs")).padStart(7)}`;
  return [
    start,
    cell(Math.round(rate.median).toLocaleString("en"), 10),
    cell(figure(of("cpuUs"), 2), 9),
    cell(share === undefined ? "–" : `${(share.median * 100).toFixed(0)} %`, 11),
    cell(figure(of("p50Ms"), 2), 9),
    cell(figure(of("p99Ms"), 2), 9),
    cell(figure(of("lost"), 0), 7),
    cell(ratios, 19),
  ].join(" ");
}

function spread(samples: readonly MqttSample[], broker: string, key: Key): Spread | undefined {
  return spreadOf(samples.filter((sample) => sample.broker === broker).map((sample) => sample[key]));
}

function ratio(ours: Spread | undefined, theirs: Spread | undefined): string {
  return ours === undefined || theirs === undefined ? "–" : `× ${(ours.median / theirs.median).toFixed(2)}`;
}

function figure(of: Spread | undefined, digits: number): string {
  return of === undefined ? "–" : of.median.toFixed(digits);
}

function cell(text: string, width: number): string {
  return text.padStart(width);
}
