// The figures of `scripts/bench site`: a typical site and a big one, as a document and as a table.

import { factsLine, type PartFacts, table } from "./part-facts.ts";
import { type Spread, spreadOf } from "./statistics.ts";

export type SiteName = "typical" | "big";

export const SITE_TITLES: Readonly<Record<SiteName, string>> = {
  typical: "typical site: 50 MQTT devices (QoS 1, 200 B, 1/s each), 4 serial ports (10 lines/s each), 2 NATS clients",
  big: "big site: 1,000 MQTT devices (QoS 1, 200 B, 1/s each)",
};

/** Of one run; null where the machine does not tell. */
export interface SiteRun {
  readonly cpuPercent: number;
  readonly rssMib: number;
  /** From the moment a reading was due until the hub's subscriber had it. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** From the same moment until its PUBACK. */
  readonly ackP50Ms: number | null;
  readonly ackP99Ms: number | null;
  /** The devices' own lateness. */
  readonly lateP99Ms: number;
  /** TCP payload with TLS. */
  readonly bytesUp: number | null;
  readonly flashBytesPerDay: number | null;
  readonly lost: number;
}

export type SiteMetric = keyof SiteRun;

interface Column {
  readonly metric: SiteMetric;
  readonly title: string;
  readonly digits: number;
}

const COLUMNS: readonly Column[] = [
  { metric: "cpuPercent", title: "CPU %", digits: 1 },
  { metric: "rssMib", title: "RSS MiB", digits: 1 },
  { metric: "p50Ms", title: "to the hub p50 ms", digits: 2 },
  { metric: "p99Ms", title: "p99", digits: 2 },
  { metric: "ackP50Ms", title: "PUBACK p50 ms", digits: 2 },
  { metric: "ackP99Ms", title: "p99", digits: 2 },
  { metric: "lateP99Ms", title: "load late p99", digits: 2 },
  { metric: "bytesUp", title: "bytes up/reading", digits: 0 },
  { metric: "flashBytesPerDay", title: "flash bytes/day", digits: 0 },
  { metric: "lost", title: "not arrived", digits: 0 },
];

export interface SiteRow {
  readonly site: SiteName;
  readonly system: string;
  /** What its PUBACK means. */
  readonly durability: string;
  readonly metrics: Readonly<Partial<Record<SiteMetric, Spread>>>;
}

export interface SitesReport extends PartFacts {
  readonly rounds: number;
  readonly seconds: Readonly<Record<SiteName, number>>;
  readonly notes: readonly string[];
  readonly rows: readonly SiteRow[];
}

export function siteRow(site: SiteName, system: string, durability: string, runs: readonly SiteRun[]): SiteRow {
  const metrics = Object.fromEntries(
    COLUMNS.flatMap(({ metric }) => {
      const spread = spreadOf(runs.map((run) => run[metric]));
      return spread === undefined ? [] : [[metric, spread] as const];
    }),
  );
  return { site, system, durability, metrics };
}

export function formatSites(report: SitesReport): string {
  const parts = [factsLine(report), ...report.notes, ""];
  for (const site of Object.keys(SITE_TITLES) as SiteName[]) {
    const rows = report.rows.filter((row) => row.site === site);
    if (rows.length === 0) continue;
    parts.push(
      `${SITE_TITLES[site]}; ${report.rounds} rounds of ${report.seconds[site]} s: median (least–most)`,
      table([["system", ...COLUMNS.map(({ title }) => title)], ...rows.map(cellsOf)]),
      ...rows.map(({ system, durability }) => `  ${system}: PUBACK ${durability}`),
      "",
    );
  }
  return `${parts.join("\n")}\n`;
}

function cellsOf({ system, metrics }: SiteRow): string[] {
  return [
    system,
    ...COLUMNS.map(({ metric, digits }) => {
      const spread = metrics[metric];
      if (spread === undefined) return "–";
      const show = (value: number) =>
        value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      const isOne = spread.min === spread.max;
      return isOne ? show(spread.median) : `${show(spread.median)} (${show(spread.min)}–${show(spread.max)})`;
    }),
  ];
}
