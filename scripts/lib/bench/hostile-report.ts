// The figures of `scripts/bench hostile`: what they are, which promises they break, and how they are shown.

import { factsLine, type PartFacts, table } from "./part-facts.ts";

export const P99_MS_MAX = 100;
export const RSS_MIB_MAX = 256;

export const MQTT_ATTACKS = ["none", "storm", "loris", "claims", "passwords"] as const;
export const ALL_ATTACKS = [...MQTT_ATTACKS, "serial", "bombs"] as const;
export type Attack = (typeof ALL_ATTACKS)[number];

export const TITLES: Readonly<Record<Attack, string>> = {
  none: "nobody",
  storm: "connects, 10,000/s offered",
  loris: "500 slow connections",
  claims: "lengths of 256 MB",
  passwords: "wrong passwords",
  serial: "noise on a serial port",
  bombs: "S2 bombs of a false hub",
};

export interface HostileRow {
  readonly system: string;
  readonly attack: Attack;
  readonly title: string;
  /** How much of it was really made, in words. */
  readonly extent: string;
  /** Attacks a second that were really made: connections that stood, bombs sent; of noise, KiB that the port took. */
  readonly perSecond: number;
  readonly sent: number;
  readonly acked: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** The device's own lateness: what of the times is the machine's and not the gateway's. */
  readonly lateP99Ms: number;
  readonly cpuPercent: number;
  readonly rssMib: number;
  readonly peakMib: number;
  /** Why it ended, or why the device was cut off; empty when neither. */
  readonly fault: string;
}

export interface HostileReport extends PartFacts {
  readonly seconds: number;
  readonly strangers: boolean;
  readonly rows: readonly HostileRow[];
  /** What the spoke promised and did not keep. */
  readonly broken: readonly string[];
}

export interface Made {
  /** Connections that stood, bombs sent, KiB of noise that the port took. */
  readonly made: number;
  /** Connections that were tried. */
  readonly dialled?: number;
}

export function extentOf(attack: Attack, { made, dialled }: Made, seconds: number): string {
  const rate = (count: number) => Math.round(count / seconds).toLocaleString("en");
  const each = rate(made);
  if (attack === "storm" && dialled !== undefined) return `${each}/s of ${rate(dialled)}/s dialled`;
  if (attack === "none") return "";
  if (attack === "loris") return `${made.toLocaleString("en")} at once`;
  if (attack === "bombs") return `${made.toLocaleString("en")} links bombed`;
  return attack === "serial" ? `${each} KiB/s` : `${each}/s`;
}

export function brokenPromises(rows: readonly HostileRow[]): string[] {
  return rows
    .filter(({ system }) => system === "spoke")
    .flatMap(({ title, fault, p99Ms, peakMib, sent, acked, lateP99Ms }) => {
      const broken: string[] = [];
      if (fault !== "") broken.push(`${title}: ${fault}`);
      if (acked < sent) broken.push(`${title}: ${sent - acked} of ${sent} messages were not acknowledged in time`);
      if (p99Ms !== null && p99Ms >= P99_MS_MAX)
        broken.push(
          `${title}: p99 ${p99Ms.toFixed(0)} ms, wanted below ${P99_MS_MAX} (the device itself was late by ${lateP99Ms.toFixed(0)})`,
        );
      if (peakMib > RSS_MIB_MAX) broken.push(`${title}: ${peakMib.toFixed(0)} MiB resident, wanted at most ${RSS_MIB_MAX}`);
      return broken;
    });
}

export function formatHostile(report: HostileReport): string {
  const show = (value: number | null, digits = 1) => (value === null || Number.isNaN(value) ? "–" : value.toFixed(digits));
  const rows = [
    [
      "system, attacked by",
      "made",
      "PUBACK p50 ms",
      "p99",
      "max",
      "device late p99",
      "CPU %",
      "RSS MiB",
      "peak",
      "acked",
      "fault",
    ],
    ...report.rows.map((row) => [
      `${row.system}: ${row.title}`,
      row.extent,
      show(row.p50Ms),
      show(row.p99Ms),
      show(row.maxMs),
      show(row.lateP99Ms),
      show(row.cpuPercent, 0),
      show(row.rssMib),
      show(row.peakMib),
      `${row.acked}/${row.sent}`,
      row.fault || "none",
    ]),
  ];
  const from = report.strangers
    ? "attackers have addresses of their own"
    : "attackers come from this machine itself, which it trusts more";
  const verdict = report.broken.length === 0 ? ["the spoke kept its promises"] : report.broken.map((each) => `✖ ${each}`);
  return `${factsLine(report)}\n${report.seconds} s each; ${from}\n\n${table(rows)}\n\n${verdict.join("\n")}\n`;
}
