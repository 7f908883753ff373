// Which figures of which part of the bench are drawn.

import type { HostileReport } from "./hostile-report.ts";
import type { IdleReport } from "./idle.ts";
import type { InterestReport } from "./interest.ts";
import type { Report } from "./report.ts";
import type { SiteMetric, SitesReport } from "./sites-report.ts";
import type { StartReport } from "./start.ts";
import { type Bar, type BarChart, type BarGroup, barChart } from "./svg-bars.ts";
import { lineText, type ThinMetric, type ThinReport } from "./thin-report.ts";
import type { MetricName } from "./workloads.ts";

export interface Plot {
  /** Without its ending. */
  readonly name: string;
  readonly svg: string;
}

/** Empty for parts of which nothing is drawn. */
export function plotsOf(part: string, report: unknown, note: string): Plot[] {
  const charts = CHARTS[part];
  if (charts === undefined) return [];
  return Object.entries(charts(report))
    .filter(([, { groups }]) => groups.length > 0)
    .map(([name, chart]) => ({ name: `${part}-${name}`, svg: barChart({ ...chart, note }) }));
}

type Charts = Readonly<Record<string, Omit<BarChart, "note">>>;

const CHARTS: Readonly<Record<string, (report: unknown) => Charts>> = {
  main: (report) => mainCharts(report as Report),
  start: (report) => startCharts(report as StartReport),
  idle: (report) => idleCharts(report as IdleReport),
  interest: (report) => interestCharts(report as InterestReport),
  hostile: (report) => hostileCharts(report as HostileReport),
  site: (report) => siteCharts(report as SitesReport),
  thin: (report) => thinCharts(report as ThinReport),
};

const isOurs = (system: string) => system.startsWith("spoke");

function mainCharts({ workloads }: Report): Charts {
  const of = (metric: MetricName, names: readonly string[]): BarGroup[] =>
    workloads
      .filter(({ name }) => names.includes(name))
      .map(({ title, systems }) => ({
        title,
        bars: systems.flatMap(({ name, metrics }) => {
          const value = metrics[metric]?.median;
          return value === undefined ? [] : [{ label: name, value, isOurs: isOurs(name) }];
        }),
      }))
      .map(({ title, bars }) => ({ title, bars: bars.sort((a, b) => Number(b.isOurs) - Number(a.isOurs)) }))
      .filter(({ bars }) => bars.length > 0);
  const all = ["qos0", "qos1", "paced", "gathered"];
  return {
    cpu: { title: "CPU of the gateway for each message", unit: "µs", groups: of("cpu_us", all) },
    wire: { title: "Bytes to the hub for each message of 120 bytes", unit: "B", groups: of("wire_bytes", ["paced", "gathered"]) },
    latency: {
      title: "From device to hub, 99 of 100 messages within",
      unit: "ms",
      groups: of("latency_p99_ms", ["paced"]),
      digits: 2,
    },
  };
}

function startCharts({ rows }: StartReport): Charts {
  const queued = [...new Set(rows.map(({ records }) => records))];
  const groups = queued.map((records) => ({
    title: `${records.toLocaleString("en")} messages queued`,
    bars: rows
      .filter((row) => row.records === records && row.mqttMs !== undefined)
      .map(({ system, mqttMs }) => ({ label: system, value: mqttMs!.median, isOurs: isOurs(system) })),
  }));
  return { mqtt: { title: "From launch until a device is let in", unit: "ms", groups, digits: 0 } };
}

function idleCharts({ rows }: IdleReport): Charts {
  const bars = (value: (row: IdleReport["rows"][number]) => number | null) =>
    rows.flatMap((row) => {
      const known = value(row);
      return known === null ? [] : [{ label: row.system, value: known, isOurs: isOurs(row.system) }];
    });
  const groups = [
    { title: "resident memory, MiB", bars: bars(({ rssMib }) => rssMib) },
    { title: "of that its own (anonymous), MiB", bars: bars(({ anonymousMib }) => anonymousMib) },
    { title: "wake-ups a second", bars: bars(({ wakeupsPerSecond }) => wakeupsPerSecond) },
    { title: "processor, % of a core", bars: bars(({ cpuPercent }) => cpuPercent) },
  ];
  return { cost: { title: "A gateway with nothing to do", unit: "", groups, digits: 2 } };
}

function interestCharts({ rows, subjects, wantedSubjects }: InterestReport): Charts {
  const bars = rows.flatMap(({ system, bytesPerWanted }) =>
    bytesPerWanted === null ? [] : [{ label: system, value: bytesPerWanted, isOurs: isOurs(system) }],
  );
  const title = `${subjects} subjects published, ${wantedSubjects} wanted`;
  return { bytes: { title: "Bytes to the hub for each message it wanted", unit: "B", groups: [{ title, bars }], digits: 0 } };
}

function hostileCharts({ rows }: HostileReport): Charts {
  const attacks = [...new Set(rows.map(({ title }) => title))];
  const groups = attacks.map((attack) => ({
    title: attack,
    bars: rows
      .filter(({ title, p99Ms }) => title === attack && p99Ms !== null)
      .map(({ system, p99Ms }) => ({ label: system, value: p99Ms!, isOurs: isOurs(system) })),
  }));
  return { p99: { title: "A good device's PUBACK while others attack, 99 of 100 within", unit: "ms", groups } };
}

function siteCharts({ rows }: SitesReport): Charts {
  const sites = [
    ["typical", "typical site: 91 readings a second"],
    ["big", "big site: 1,000 readings a second"],
  ] as const;
  const of = (metric: SiteMetric): BarGroup[] =>
    sites
      .map(([name, title]) => ({
        title,
        bars: barsOf(
          rows.filter(({ site }) => site === name),
          metric,
        ),
      }))
      .filter(({ bars }) => bars.length > 0);
  return {
    cpu: { title: "Processor of the gateway", unit: "%", groups: of("cpuPercent") },
    rss: { title: "Resident memory of the gateway", unit: "MiB", groups: of("rssMib") },
    latency: { title: "From due to the hub's subscriber, 99 of 100 readings within", unit: "ms", groups: of("p99Ms"), digits: 2 },
    ack: { title: "From due to the PUBACK, 99 of 100 readings within", unit: "ms", groups: of("ackP99Ms"), digits: 2 },
  };
}

function thinCharts({ rows, shape }: ThinReport): Charts {
  const group = (title: string, metric: ThinMetric) => ({ title, bars: barsOf(rows, metric) });
  return {
    alarms: {
      title: `Alarms over ${lineText(shape)}; twice as much offered`,
      unit: "ms",
      groups: [group("half of the alarms within", "alarmP50Ms"), group("99 of 100 within", "alarmP99Ms")],
      digits: 0,
    },
  };
}

function barsOf<Metric extends string>(
  rows: readonly { readonly system: string; readonly metrics: Readonly<Partial<Record<Metric, { readonly median: number }>>> }[],
  metric: Metric,
): Bar[] {
  return rows.flatMap(({ system, metrics }) => {
    const value = metrics[metric]?.median;
    return value === undefined ? [] : [{ label: system, value, isOurs: isOurs(system) }];
  });
}
