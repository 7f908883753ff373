// The figures of all rounds, as a document and as a table.

import { type Spread, spreadOf } from "./statistics.ts";
import type { WorkloadName } from "./systems.ts";
import type { MetricName, Metrics } from "./workloads.ts";

/** One run. */
export interface Sample {
  readonly workload: WorkloadName;
  readonly system: string;
  readonly round: number;
  readonly metrics: Metrics;
}

export interface Report {
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly load: Readonly<Record<string, string | number>>;
  readonly notes: readonly string[];
  readonly workloads: readonly WorkloadReport[];
  readonly ratios: readonly Ratio[];
}

export interface WorkloadReport {
  readonly name: WorkloadName;
  readonly title: string;
  readonly systems: readonly {
    readonly name: string;
    readonly durability: string;
    readonly metrics: Readonly<Partial<Record<MetricName, Spread>>>;
  }[];
}

/** Spoke to peer, round by round: what disturbs the machine for longer than a round disturbs both. */
export interface Ratio extends Spread {
  readonly workload: WorkloadName;
  readonly metric: MetricName;
  readonly peer: string;
  /** What the design aims at, such as "≤ 0.8". */
  readonly target: string | null;
}

export const TITLES: Readonly<Record<WorkloadName, string>> = {
  qos0: "MQTT QoS 0, saturated",
  qos1: "MQTT QoS 1, saturated",
  paced: "MQTT QoS 0, 2,000 messages/s in an open loop",
  gathered: "the same, the spoke gathers for 10 ms before it flushes",
};

interface Row {
  readonly metric: MetricName;
  readonly label: string;
  readonly digits: number;
  readonly workloads: readonly WorkloadName[];
  /** Where a ratio makes sense; with the design's target, if it has one. */
  readonly ratios?: Readonly<Partial<Record<WorkloadName, string | null>>>;
}

const ALL = ["qos0", "qos1", "paced", "gathered"] as const;
const PACED = ["paced", "gathered"] as const;

const ROWS: readonly Row[] = [
  { metric: "rate", label: "messages/s at the hub", digits: 0, workloads: ALL, ratios: { qos0: null, qos1: "≥ 1.5" } },
  {
    metric: "cpu_us",
    label: "CPU of the leaf, µs/message",
    digits: 2,
    workloads: ALL,
    ratios: { qos0: "≤ 0.8", qos1: null, paced: "≤ 0.5", gathered: null },
  },
  { metric: "cpu_percent", label: "CPU of the leaf, % of a core", digits: 1, workloads: ALL },
  { metric: "kernel_percent", label: "  of which in the kernel, %", digits: 0, workloads: ALL },
  { metric: "foreign_percent", label: "others on its core, %", digits: 1, workloads: ALL },
  {
    metric: "wire_bytes",
    label: "bytes to the hub/message",
    digits: 1,
    workloads: ALL,
    ratios: { qos0: null, qos1: null, paced: "≤ 0.9", gathered: "≤ 0.25" },
  },
  { metric: "wire_segments", label: "TCP segments/message", digits: 3, workloads: ALL },
  { metric: "latency_p50_ms", label: "latency p50, ms", digits: 3, workloads: PACED, ratios: { paced: "≤ 1.0", gathered: null } },
  { metric: "latency_p99_ms", label: "latency p99, ms", digits: 3, workloads: PACED, ratios: { paced: "≤ 1.0", gathered: null } },
  { metric: "late_p50_ms", label: "  load itself late, p50, ms", digits: 3, workloads: PACED },
  { metric: "late_p99_ms", label: "  load itself late, p99, ms", digits: 3, workloads: PACED },
  { metric: "rss_mib", label: "RSS at the end, MiB", digits: 1, workloads: ALL, ratios: { qos0: null, qos1: null, paced: null } },
  { metric: "disk_bytes", label: "bytes to flash/message", digits: 1, workloads: ALL },
  { metric: "lost", label: "sent and not arrived", digits: 0, workloads: ALL },
];

export interface ReportedSystem {
  readonly name: string;
  readonly workloads: readonly WorkloadName[];
  readonly puback: string;
}

export function workloadReports(samples: readonly Sample[], systems: readonly ReportedSystem[]): WorkloadReport[] {
  return ALL.map((name) => ({
    name,
    title: TITLES[name],
    systems: systems
      .filter((system) => system.workloads.includes(name))
      .map((system) => ({
        name: system.name,
        durability: name === "qos1" ? `PUBACK ${system.puback}` : "none asked for",
        metrics: spreads(
          samples.filter((sample) => sample.workload === name && sample.system === system.name),
          name,
        ),
      })),
  }));
}

function spreads(samples: readonly Sample[], workload: WorkloadName): Partial<Record<MetricName, Spread>> {
  const rows = ROWS.filter((row) => row.workloads.includes(workload));
  return Object.fromEntries(
    rows.flatMap(({ metric }) => {
      const spread = spreadOf(samples.map(({ metrics }) => metrics[metric]));
      return spread === undefined ? [] : [[metric, spread] as const];
    }),
  );
}

/** The first system to each of the others. */
export function ratiosOf(samples: readonly Sample[], systems: readonly ReportedSystem[]): Ratio[] {
  const [ours, ...peers] = systems;
  return ALL.flatMap((workload) =>
    peers
      .filter((peer) => peer.name !== ours!.name && peer.workloads.includes(workload))
      .flatMap((peer) =>
        ROWS.flatMap(({ metric, ratios }) => {
          const target = ratios?.[workload];
          if (target === undefined) return [];
          const of = (system: string) => samples.filter((each) => each.workload === workload && each.system === system);
          const theirs = new Map(of(peer.name).map(({ round, metrics }) => [round, metrics[metric]] as const));
          const each = of(ours!.name).map(({ round, metrics }) => quotient(metrics[metric], theirs.get(round)));
          const spread = spreadOf(each);
          if (spread === undefined) return [];
          const isAim = !peer.name.startsWith("mosquitto"); // the design measures itself against nats-server
          return [{ workload, metric, peer: peer.name, target: isAim ? target : null, ...spread }];
        }),
      ),
  );
}

function quotient(ours: number | null, theirs: number | null | undefined): number | null {
  return ours === null || theirs == null || theirs === 0 ? null : ours / theirs;
}

/** For people: median (least–most). */
export function formatReport(report: Report): string {
  const facts = (of: Readonly<Record<string, string | number>>) =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · ");
  const parts = [facts(report.versions), facts(report.machine), facts(report.load), ...report.notes, ""];
  for (const workload of report.workloads) parts.push(...formatWorkload(workload), "");
  parts.push("Ratios spoke / peer, per round: median (least–most), target of the design", ...formatRatios(report.ratios));
  return `${parts.join("\n")}\n`;
}

function formatWorkload({ name, title, systems }: WorkloadReport): string[] {
  const rows = ROWS.filter((row) => row.workloads.includes(name));
  const table = [
    [title, ...systems.map((system) => system.name)],
    ...rows.map(({ metric, label, digits }) => [
      `  ${label}`,
      ...systems.map(({ metrics }) => formatSpread(metrics[metric], digits)),
    ]),
  ];
  const lines = align(table);
  return name === "qos1" ? [...lines, ...systems.map((system) => `  ${system.name}: ${system.durability}`)] : lines;
}

function formatRatios(ratios: readonly Ratio[]): string[] {
  const label = (metric: MetricName) => ROWS.find((row) => row.metric === metric)!.label;
  return align(
    ratios.map(({ workload, metric, peer, target, ...spread }) => [
      `  ${TITLES[workload]}: ${label(metric)}`,
      peer,
      formatSpread(spread, 2),
      target === null ? "" : `target ${target}`,
    ]),
  );
}

function formatSpread(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return "not measured";
  const format = (value: number) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${format(spread.median)} (${format(spread.min)}–${format(spread.max)})`;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}
