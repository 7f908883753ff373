// The figures of all parts of the bench in one form: see figure.ts. Readers of the other parts: more-figures.ts.

import type { HostileReport } from "../bench/hostile-report.ts";
import type { IdleReport } from "../bench/idle.ts";
import type { InterestReport } from "../bench/interest.ts";
import type { OutboxBenchReport } from "../bench/outbox-report.ts";
import { type Report, TITLES } from "../bench/report.ts";
import type { StartReport } from "../bench/start.ts";
import type { MetricName } from "../bench/workloads.ts";
import type { Evidence } from "./evidence.ts";
import { aim, type Figure, SAFE, withDurability } from "./figure.ts";
import { MORE_READERS } from "./more-figures.ts";

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
  const read = READERS[name] ?? MORE_READERS[name];
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

function mainFigures({ ratios, workloads }: Report): Figure[] {
  const medianOf = (workload: string, system: string, metric: MetricName) =>
    workloads.find(({ name }) => name === workload)?.systems.find(({ name }) => name === system)?.metrics[metric]?.median;
  return ratios.flatMap(({ workload, metric, peer, target, median }) => {
    const ours = medianOf(workload, OURS, metric);
    const theirs = medianOf(workload, peer, metric);
    const label = LABELS[metric];
    if (ours === undefined || theirs === undefined || label === undefined) return [];
    const [what, unit, better] = label;
    const ratio = target === null ? null : aim(median, target, `ratio ${target}`);
    const isSize = metric === "rss_mib" && workload === "paced";
    const isSafe = workload === "qos1";
    const figure: Figure = {
      workload: isSafe ? "W3" : "W4",
      what: `${TITLES[workload]}: ${what}`,
      unit,
      ours,
      peer: { name: isSafe ? withDurability(peer) : peer, value: theirs },
      better,
      target: isSize ? aim(ours, "≤ 100", "≤ 100 MiB") : ratio,
    };
    return [isSafe ? { ...figure, durability: SAFE } : figure];
  });
}

function startFigures({ rows }: StartReport): Figure[] {
  const limits = new Map([
    [0, 300],
    [1_000_000, 2_000],
  ]);
  return rows
    .filter(({ system }) => system.startsWith(OURS))
    .flatMap((row) => {
      const peer = rows.find(({ system, records }) => !system.startsWith(OURS) && records === row.records);
      const queued = `${row.system.replace(/^spoke(, its )?/, "") || "start"} with ${row.records.toLocaleString("en")} queued`;
      const limit = row.system === OURS ? limits.get(row.records) : undefined;
      const of = (what: string, ours: typeof row.mqttMs, theirs: typeof row.mqttMs, limitMs?: number): Figure[] => {
        if (ours === undefined) return [];
        const target = limitMs === undefined ? null : aim(ours.median, `≤ ${limitMs}`, `≤ ${limitMs} ms`);
        const value = theirs?.median;
        const against = value === undefined ? null : { name: "nats-server", value };
        const head = { workload: "W10", what: `${queued}: ${what}`, unit: "ms" } as const;
        return [{ ...head, ours: ours.median, peer: against, better: "less", target }];
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
  const peers = others.filter(({ system }) => !system.startsWith(OURS));
  type Key = "cpuPercent" | "wakeupsPerSecond" | "bytesUpPerHour" | "flashBytesPerHour" | "rssMib";
  const of = (what: string, unit: string, key: Key, limit: string, text: string) =>
    peers.flatMap((peer): Figure[] => {
      const [own, theirs] = [ours[key], peer[key]];
      if (own === null || theirs === null) return [];
      const against = { name: peer.system, value: theirs };
      const target = aim(own, limit, text);
      return [{ workload: "W14", what: `idle: ${what}`, unit, ours: own, peer: against, better: "less", target }];
    });
  return [
    ...of("CPU", "%", "cpuPercent", "< 1", "< 1 %"),
    ...of("wake-ups a second", "", "wakeupsPerSecond", "< 20", "< 20"),
    ...of("bytes to the hub an hour", "B", "bytesUpPerHour", "< 2500", "< 60 KB a day"),
    ...of("bytes to flash an hour", "B", "flashBytesPerHour", "≤ 0", "0"),
    ...of("RSS", "MiB", "rssMib", "≤ 80", "≤ 80 MiB"),
  ];
}

function interestFigures({ rows, subjects, wantedSubjects }: InterestReport): Figure[] {
  const [ours, ...peers] = rows;
  return peers.flatMap((peer): Figure[] => {
    if (ours?.bytesPerWanted == null || peer.bytesPerWanted === null) return [];
    const what = `${subjects} subjects, ${wantedSubjects} wanted: bytes to the hub a wanted message`;
    const against = { name: peer.system, value: peer.bytesPerWanted };
    return [{ workload: "W15", what, unit: "B", ours: ours.bytesPerWanted, peer: against, better: "less", target: null }];
  });
}

function hostileFigures({ rows }: HostileReport): Figure[] {
  return rows
    .filter(({ system }) => system === OURS)
    .flatMap((row): Figure[] => {
      const peer = rows.find(({ system, attack }) => system !== OURS && attack === row.attack);
      const against = (value: number | null | undefined) => (value == null ? null : { name: "nats-server", value });
      const head = { workload: "W12", better: "less" } as const;
      const name = row.attack === "none" ? "not attacked" : `attacked by ${row.title} (${row.extent})`;
      const figures: Figure[] = [];
      if (row.p99Ms !== null) {
        const ended = { text: "< 100 ms", isMet: false, shortBy: Number.POSITIVE_INFINITY };
        const target = row.fault === "" ? aim(row.p99Ms, "< 100", "< 100 ms") : ended;
        const [what, peerP99] = [`${name}: a good device's PUBACK p99`, against(peer?.p99Ms)];
        figures.push({ ...head, what, unit: "ms", ours: row.p99Ms, durability: SAFE, peer: peerP99, target });
      }
      const target = aim(row.peakMib, "≤ 256", "≤ 256 MiB");
      figures.push({
        ...head,
        what: `${name}: peak of RSS`,
        unit: "MiB",
        ours: row.peakMib,
        peer: against(peer?.peakMib),
        target,
      });
      return figures;
    });
}

function outboxFigures({ acks, backlog, flash }: OutboxBenchReport): Figure[] {
  const figures: Figure[] = [];
  // Never across the line: what is on flash when it is acknowledged is compared with what is.
  for (const row of acks.filter(({ system }) => system.startsWith(OURS))) {
    const isOnFlash = row.system.includes("link down");
    const like = acks.filter(({ system, publishers }) => system.startsWith("nats-server") && publishers === row.publishers);
    const peer = like.find(({ system }) => system.includes("sync always") === isOnFlash);
    const name = `nats-server, acknowledges ${isOnFlash ? "after" : "before"} its disk`;
    const durability = isOnFlash ? "acknowledged after fdatasync" : SAFE;
    const devices = `${row.publishers} ${row.publishers === 1 ? "device" : "devices"}, ${row.system}`;
    const head = { workload: "W3", durability, target: null } as const;
    if (row.rate !== undefined) {
      const against = peer?.rate === undefined ? null : { name, value: peer.rate.median };
      const what = `QoS 1 acknowledged, ${devices}`;
      figures.push({ ...head, what, unit: "/s", ours: row.rate.median, peer: against, better: "more" });
    }
    if (row.p99 !== undefined) {
      const against = peer?.p99 === undefined ? null : { name, value: peer.p99.median };
      const what = `PUBACK p99, ${devices}`;
      figures.push({ ...head, what, unit: "ms", ours: row.p99.median, peer: against, better: "less" });
    }
  }
  const drain = { workload: "W6", unit: "/s", better: "more" } as const;
  if (backlog?.toStream !== undefined) {
    const ours = backlog.toStream.median;
    const peer = backlog.mirrored === undefined ? null : { name: "nats-server, mirror", value: backlog.mirrored.median };
    figures.push({ ...drain, what: "drain into a stream at the hub", ours, peer, target: null });
  }
  if (backlog?.toSubscriber !== undefined) {
    const ours = backlog.toSubscriber.median;
    figures.push({ ...drain, what: "drain to a subscriber", ours, peer: null, target: aim(ours, "≥ 200000", "≥ 200,000/s") });
  }
  for (const [word, spread, limit] of [
    ["p50", backlog?.liveP50, undefined],
    ["p99", backlog?.liveP99, ["≤ 2000", "≤ 2 s"]],
  ] as const) {
    if (spread === undefined) continue;
    const what = `a fresh alarm while a backlog drains: ${word}`;
    const target = limit === undefined ? null : aim(spread.median, ...limit);
    figures.push({ workload: "W6", what, unit: "ms", ours: spread.median, peer: null, better: "less", target });
  }
  for (const row of flash.filter(({ system }) => system === OURS)) {
    // With the link down both have it on their disk when they acknowledge.
    const peer = flash.find(({ system, payload }) => system === "nats-server, sync always" && payload === row.payload);
    for (const [what, key, limit] of [
      ["bytes to files a byte of payload", "files", "≤ 1.15"],
      ["bytes to the disk itself a byte of payload", "device", undefined],
    ] as const) {
      const against = peer === undefined ? null : { name: withDurability(peer.system), value: peer[key] };
      figures.push({
        workload: "W3",
        what: `link down, 500 messages/s of ${row.payload}: ${what}`,
        unit: "",
        ours: row[key],
        durability: "acknowledged after fdatasync",
        peer: against,
        better: "less",
        target: limit === undefined ? null : aim(row[key], limit),
      });
    }
  }
  return figures;
}
