// The figures of all parts of the bench in one form: what, ours, a peer's, which way is better, and what the design aims at.

import type { HostileReport } from "../bench/hostile-report.ts";
import type { IdleReport } from "../bench/idle.ts";
import type { InterestReport } from "../bench/interest.ts";
import type { OutboxBenchReport } from "../bench/outbox-report.ts";
import { type Report, TITLES } from "../bench/report.ts";
import type { StartReport } from "../bench/start.ts";
import type { MetricName } from "../bench/workloads.ts";
import type { Evidence } from "./evidence.ts";

export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: { readonly name: string; readonly value: number } | null;
  readonly better: "less" | "more";
  /** Of ours, or of ours to the peer's. */
  readonly target: { readonly text: string; readonly isMet: boolean } | null;
}

const LABELS: Readonly<Record<string, readonly [what: string, unit: string, better: "less" | "more"]>> = {
  rate: ["messages/s at the hub", "/s", "more"],
  cpu_us: ["CPU of the gateway a message", "µs", "less"],
  wire_bytes: ["bytes to the hub a message", "B", "less"],
  latency_p50_ms: ["latency p50", "ms", "less"],
  latency_p99_ms: ["latency p99", "ms", "less"],
  rss_mib: ["RSS", "MiB", "less"],
};

/** Empty for parts that have no such figures, and for what an older version left. */
export function figuresOf({ name, outcome }: Evidence): readonly Figure[] {
  const read = READERS[name];
  return read === undefined ? [] : read(outcome);
}

const READERS: Readonly<Record<string, (outcome: unknown) => Figure[]>> = {
  "bench-main": (outcome) => mainFigures(outcome as Report),
  "bench-start": (outcome) => startFigures(outcome as StartReport),
  "bench-idle": (outcome) => idleFigures(outcome as IdleReport),
  "bench-interest": (outcome) => interestFigures(outcome as InterestReport),
  "bench-hostile": (outcome) => hostileFigures(outcome as HostileReport),
  "bench-outbox": (outcome) => outboxFigures(outcome as OutboxBenchReport),
};

const OURS = "spoke";
/** What a PUBACK of theirs follows, in short; ours follows the hub's word or fdatasync. */
const DURABILITY: Readonly<Record<string, string>> = {
  "nats-server": ": acknowledges before its disk",
  "nats-server, sync always": ": acknowledges after its disk",
  "mosquitto, bridge": ": acknowledges from memory",
};
/** At 2,000 messages a second, in MiB. */
const RSS_MIB_MAX = 100;

function mainFigures({ ratios, workloads }: Report): Figure[] {
  const medianOf = (workload: string, system: string, metric: MetricName) =>
    workloads.find(({ name }) => name === workload)?.systems.find(({ name }) => name === system)?.metrics[metric]?.median;
  return ratios.flatMap(({ workload, metric, peer, target, median }) => {
    const ours = medianOf(workload, OURS, metric);
    const theirs = medianOf(workload, peer, metric);
    const label = LABELS[metric];
    if (ours === undefined || theirs === undefined || label === undefined) return [];
    const [what, unit, better] = label;
    const ratio = target === null ? null : { text: `ratio ${target}`, isMet: isWithin(median, target) };
    const isSize = metric === "rss_mib" && workload === "paced";
    const aim = isSize ? { text: `≤ ${RSS_MIB_MAX} MiB`, isMet: ours <= RSS_MIB_MAX } : ratio;
    const name = workload === "qos1" ? `${peer}${DURABILITY[peer] ?? ""}` : peer;
    return [{ what: `${TITLES[workload]}: ${what}`, unit, ours, peer: { name, value: theirs }, better, target: aim }];
  });
}

/** "≤ 0.8", "≥ 1.5" */
export function isWithin(value: number, target: string): boolean {
  const limit = Number(target.slice(1));
  return target.startsWith("≤") ? value <= limit : value >= limit;
}

function startFigures({ rows }: StartReport): Figure[] {
  const limits = new Map([
    [0, 300],
    [1_000_000, 2_000],
  ]);
  return rows
    .filter(({ system }) => system === "spoke")
    .flatMap((row) => {
      const peer = rows.find(({ system, records }) => system !== "spoke" && records === row.records);
      const queued = `start with ${row.records.toLocaleString("en")} queued`;
      const limit = limits.get(row.records);
      const of = (what: string, ours: typeof row.mqttMs, theirs: typeof row.mqttMs, limitMs?: number): Figure[] => {
        if (ours === undefined) return [];
        const target = limitMs === undefined ? null : { text: `≤ ${limitMs} ms`, isMet: ours.median <= limitMs };
        const value = theirs?.median;
        const against = value === undefined ? null : { name: "nats-server", value };
        return [{ what: `${queued}: ${what}`, unit: "ms", ours: ours.median, peer: against, better: "less", target }];
      };
      return [
        ...of("MQTT lets a device in", row.mqttMs, peer?.mqttMs, limit),
        ...of("the page answers", row.pageMs, undefined),
        ...of("first message at the hub", row.firstMs, peer?.firstMs),
      ];
    });
}

function idleFigures({ rows }: IdleReport): Figure[] {
  const [ours, ...others] = rows;
  if (ours === undefined) return [];
  const peers = others.filter(({ system }) => !system.startsWith("spoke"));
  const of = (
    what: string,
    unit: string,
    key: "cpuPercent" | "wakeupsPerSecond" | "bytesUpPerHour" | "flashBytesPerHour" | "rssMib",
    limit: number,
    text: string,
  ) =>
    peers.flatMap((peer): Figure[] => {
      const [own, theirs] = [ours[key], peer[key]];
      if (own === null || theirs === null) return [];
      const target = { text, isMet: own <= limit };
      return [{ what: `idle: ${what}`, unit, ours: own, peer: { name: peer.system, value: theirs }, better: "less", target }];
    });
  return [
    ...of("CPU", "%", "cpuPercent", 1, "< 1 %"),
    ...of("wake-ups a second", "", "wakeupsPerSecond", 20, "< 20"),
    ...of("bytes to the hub an hour", "B", "bytesUpPerHour", 60_000 / 24, "< 60 KB a day"),
    ...of("bytes to flash an hour", "B", "flashBytesPerHour", 0, "0"),
    ...of("RSS", "MiB", "rssMib", 80, "≤ 80 MiB"),
  ];
}

function interestFigures({ rows, subjects, wantedSubjects }: InterestReport): Figure[] {
  const [ours, ...peers] = rows;
  return peers.flatMap((peer): Figure[] => {
    if (ours?.bytesPerWanted == null || peer.bytesPerWanted === null) return [];
    const what = `${subjects} subjects, ${wantedSubjects} wanted: bytes to the hub a wanted message`;
    const against = { name: peer.system, value: peer.bytesPerWanted };
    return [{ what, unit: "B", ours: ours.bytesPerWanted, peer: against, better: "less", target: null }];
  });
}

function hostileFigures({ rows }: HostileReport): Figure[] {
  return rows
    .filter(({ system }) => system === "spoke")
    .flatMap((row): Figure[] => {
      const peer = rows.find(({ system, attack }) => system !== "spoke" && attack === row.attack);
      const against = (value: number | null | undefined) => (value == null ? null : { name: "nats-server", value });
      const head = `attacked by ${row.title}`;
      const figures: Figure[] = [];
      if (row.p99Ms !== null) {
        const target = { text: "< 100 ms", isMet: row.p99Ms < 100 && row.fault === "" };
        const peerP99 = against(peer?.p99Ms);
        figures.push({ what: `${head}: PUBACK p99`, unit: "ms", ours: row.p99Ms, peer: peerP99, better: "less", target });
      }
      const target = { text: "≤ 256 MiB", isMet: row.peakMib <= 256 };
      const peerPeak = against(peer?.peakMib);
      figures.push({ what: `${head}: peak of RSS`, unit: "MiB", ours: row.peakMib, peer: peerPeak, better: "less", target });
      return figures;
    });
}

function outboxFigures({ acks, backlog, flash }: OutboxBenchReport): Figure[] {
  const figures: Figure[] = [];
  // Never across the line: what is on flash when it is acknowledged is compared with what is.
  for (const row of acks.filter(({ system }) => system.startsWith("spoke"))) {
    const isOnFlash = row.system.includes("link down");
    const like = acks.filter(({ system, publishers }) => system.startsWith("nats-server") && publishers === row.publishers);
    const peer = like.find(({ system }) => system.includes("sync always") === isOnFlash);
    if (row.rate === undefined) continue;
    const name = `nats-server, acknowledges ${isOnFlash ? "after" : "before"} its disk`;
    const against = peer?.rate === undefined ? null : { name, value: peer.rate.median };
    const what = `QoS 1 acknowledged, ${row.publishers} devices, ${row.system}`;
    figures.push({ what, unit: "/s", ours: row.rate.median, peer: against, better: "more", target: null });
  }
  if (backlog?.toStream !== undefined) {
    const ours = backlog.toStream.median;
    const peer = backlog.mirrored === undefined ? null : { name: "nats-server, mirror", value: backlog.mirrored.median };
    figures.push({ what: "drain into a stream at the hub", unit: "/s", ours, peer, better: "more", target: null });
  }
  if (backlog?.toSubscriber !== undefined) {
    const ours = backlog.toSubscriber.median;
    const target = { text: "≥ 200,000/s", isMet: ours >= 200_000 };
    figures.push({ what: "drain to a subscriber", unit: "/s", ours, peer: null, better: "more", target });
  }
  for (const row of flash.filter(({ system }) => system === "spoke")) {
    const what = `link down, ${row.payload}: bytes to files a byte of payload`;
    const peer = flash.find(({ system, payload }) => system === "nats-server" && payload === row.payload);
    const against = peer === undefined ? null : { name: "nats-server", value: peer.files };
    const target = { text: "≤ 1.15", isMet: row.files <= 1.15 };
    figures.push({ what, unit: "", ours: row.files, peer: against, better: "less", target });
  }
  return figures;
}

/** What others on the machine change while it is measured; bytes and memory they do not. */
export function isOfTime({ unit }: Figure): boolean {
  return unit === "ms" || unit === "µs" || unit === "/s" || unit === "%";
}

/** True when the peer is better by more than rounding. */
export function isLost({ ours, peer, better }: Figure): boolean {
  if (peer === null) return false;
  return better === "less" ? ours > peer.value * 1.005 : ours < peer.value * 0.995;
}
