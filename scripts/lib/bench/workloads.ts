// What is measured: a given number of messages sent and seen to arrive, and what the leaf's process used for them. Counts and
// not times are given, so nothing is in flight at either end of the account.

import type { Arrived, Sent, Site } from "./bench-site.ts";
import { PACED_RATE, PUBLISHERS } from "./options.ts";
import type { ProcessFigures } from "./process-figures.ts";

/** Figures of one run; null where the machine does not tell. */
export type Metrics = Readonly<Record<MetricName, number | null>>;
export type MetricName =
  | "rate"
  | "cpu_us"
  | "cpu_percent"
  | "kernel_percent"
  | "foreign_percent"
  | "wire_bytes"
  | "wire_segments"
  | "latency_p50_ms"
  | "latency_p99_ms"
  | "late_p50_ms"
  | "late_p99_ms"
  | "rss_mib"
  | "disk_bytes"
  | "lost";

/** Silence at the hub after which a run is over, whatever is missing. */
const QUIET_MS = 3_000;
/** Silence after the last expected message, in which doubles would show. */
const SETTLE_MS = 100;

export interface Load {
  readonly qos: 0 | 1;
  readonly count: number;
  readonly inflight: number;
}

/** As fast as the leaf takes them. */
export async function runSaturated(site: Site, load: Load): Promise<Metrics> {
  return await measure(site, false, load.count, () => site.load.request<Sent>("flood", load));
}

/** An open loop at QoS 0. */
export async function runPaced(site: Site, seconds: number): Promise<Metrics> {
  const count = evenly(seconds * PACED_RATE);
  return await measure(site, true, count, () => site.load.request<Sent>("pace", { rate: PACED_RATE, count }));
}

/** A count that every publisher has the same share of. */
export function evenly(count: number): number {
  return Math.max(1, Math.round(count / PUBLISHERS)) * PUBLISHERS;
}

async function measure(site: Site, stamps: boolean, count: number, send: () => Promise<Sent>): Promise<Metrics> {
  await site.subscriber.request("reset", { stamps });
  const before = await site.figures();
  const beforeMs = performance.now();
  const [sent, seen] = await Promise.all([send(), site.subscriber.request<Arrived>("wait", { count, quietMs: QUIET_MS })]);
  const last = await site.subscriber.request<Arrived>("wait", { count: count + 1, quietMs: SETTLE_MS });
  const after = await site.figures();
  return metricsOf({ sent, seen, arrived: last.arrived, count, before, after, spanMs: performance.now() - beforeMs });
}

export interface Run {
  readonly sent: Sent;
  readonly seen: Arrived;
  /** After the settling, doubles included. */
  readonly arrived: number;
  readonly count: number;
  readonly before: ProcessFigures;
  readonly after: ProcessFigures;
  /** Between the two readings of the figures. */
  readonly spanMs: number;
}

export function metricsOf({ sent, seen, arrived, count, before, after, spanMs }: Run): Metrics {
  const elapsedMs = (Math.max(seen.lastAt, sent.doneAt) - sent.startedAt) / 1e6;
  const cpuMs = after.cpuMs - before.cpuMs;
  const busyMs = difference(after.coreBusyMs, before.coreBusyMs);
  const isOneConnection = before.wire?.localPort === after.wire?.localPort;
  const each = (value: number | null) => (value === null ? null : value / arrived);
  return {
    rate: (arrived / (seen.lastAt - sent.startedAt)) * 1e9,
    cpu_us: each(cpuMs * 1000),
    cpu_percent: (cpuMs / elapsedMs) * 100,
    kernel_percent: cpuMs === 0 ? null : ((after.kernelMs - before.kernelMs) / cpuMs) * 100,
    foreign_percent: busyMs === null ? null : (Math.max(0, busyMs - cpuMs) / spanMs) * 100,
    wire_bytes: isOneConnection ? each(difference(after.wire?.bytes, before.wire?.bytes)) : null,
    wire_segments: isOneConnection ? each(difference(after.wire?.segments, before.wire?.segments)) : null,
    latency_p50_ms: seen.latencyMs?.p50 ?? null,
    latency_p99_ms: seen.latencyMs?.p99 ?? null,
    late_p50_ms: sent.lateMs?.p50 ?? null,
    late_p99_ms: sent.lateMs?.p99 ?? null,
    rss_mib: after.rssBytes / 1024 / 1024,
    disk_bytes: each(difference(after.diskBytes, before.diskBytes)),
    lost: count - arrived,
  };
}

function difference(after: number | null | undefined, before: number | null | undefined): number | null {
  return after == null || before == null ? null : after - before;
}
