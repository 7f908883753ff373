// The figures of the bench's other parts: sites, the thin line, brokers, local NATS clients, serial ports, the codec.

import type { FloorReport } from "../bench/floor.ts";
import type { MqttReport, MqttSample } from "../bench/mqtt-report.ts";
import type { NatsReport } from "../bench/nats.ts";
import type { S2Report } from "../bench/s2.ts";
import type { SerialBenchReport } from "../bench/serial.ts";
import type { SiteMetric, SitesReport } from "../bench/sites-report.ts";
import { spreadOf } from "../bench/statistics.ts";
import type { ThinMetric, ThinReport } from "../bench/thin-report.ts";
import { aim, type Figure, SAFE, withDurability } from "./figure.ts";

export const MORE_READERS: Readonly<Record<string, (outcome: unknown) => Figure[]>> = {
  "bench-site": (outcome) => siteFigures(outcome as SitesReport),
  "bench-thin": (outcome) => thinFigures(outcome as ThinReport),
  "bench-mqtt": (outcome) => mqttFigures(outcome as MqttReport),
  "bench-nats": (outcome) => natsFigures(outcome as NatsReport),
  "bench-serial": (outcome) => serialFigures(outcome as SerialBenchReport),
  "bench-s2": (outcome) => s2Figures(outcome as S2Report),
  "bench-floor": (outcome) => floorFigures(outcome as FloorReport),
};

const OURS = "spoke";

interface Shown<Metric> {
  readonly metric: Metric;
  readonly what: string;
  readonly unit: string;
  /** In words of `aim`, and how it is shown. */
  readonly limit?: readonly [limit: string, text: string];
  readonly isAck?: boolean;
}

function siteFigures({ rows }: SitesReport): Figure[] {
  return (["typical", "big"] as const).flatMap((site) => {
    const isBig = site === "big";
    const shown: readonly Shown<SiteMetric>[] = [
      { metric: "cpuPercent", what: "CPU", unit: "%" },
      { metric: "rssMib", what: "RSS", unit: "MiB", limit: isBig ? ["≤ 160", "≤ 160 MiB"] : ["≤ 110", "≤ 110 MiB"] },
      { metric: "p50Ms", what: "from due to the hub p50", unit: "ms", limit: ["≤ 2", "≤ 2 ms"] },
      { metric: "p99Ms", what: "from due to the hub p99", unit: "ms", limit: ["≤ 15", "≤ 15 ms"] },
      { metric: "ackP50Ms", what: "from due to the PUBACK p50", unit: "ms", isAck: true },
      { metric: "ackP99Ms", what: "from due to the PUBACK p99", unit: "ms", isAck: true },
      { metric: "bytesUp", what: "bytes to the hub a reading of 200 bytes", unit: "B" },
      { metric: "flashBytesPerDay", what: "bytes to flash a day", unit: "B", limit: ["≤ 0", "0"], isAck: true },
      { metric: "lost", what: "readings that did not arrive", unit: "", limit: ["≤ 0", "0"] },
    ];
    return againstPeers(
      rows.filter((row) => row.site === site),
      shown,
      (what) => ({ workload: isBig ? "W2" : "W1", what: `${site} site: ${what}` }),
    );
  });
}

function thinFigures({ rows }: ThinReport): Figure[] {
  const shown: readonly Shown<ThinMetric>[] = [
    { metric: "alarmP50Ms", what: "alarms p50", unit: "ms" },
    { metric: "alarmP99Ms", what: "alarms p99", unit: "ms", limit: ["≤ 5000", "≤ 5 s"] },
    { metric: "alarmsMissing", what: "alarms that had not come seconds after the last", unit: "" },
    { metric: "ackP99Ms", what: "PUBACK p99", unit: "ms", isAck: true },
    { metric: "usefulPercent", what: "of the line for payload", unit: "% of the line" },
    { metric: "reconnects", what: "links lost", unit: "", limit: ["≤ 0", "0"] },
    { metric: "rssMib", what: "RSS", unit: "MiB" },
  ];
  return againstPeers(rows, shown, (what) => ({ workload: "W8", what: `thin link: ${what}` }));
}

interface Row<Metric extends string> {
  readonly system: string;
  readonly metrics: Readonly<Partial<Record<Metric, { readonly median: number }>>>;
}

/** Ours beside every peer that has such a figure. */
function againstPeers<Metric extends string>(
  rows: readonly Row<Metric>[],
  shown: readonly Shown<Metric>[],
  head: (what: string) => Pick<Figure, "workload" | "what">,
): Figure[] {
  const ours = rows.find(({ system }) => system === OURS);
  if (ours === undefined) return [];
  return shown.flatMap(({ metric, what, unit, limit, isAck }) => {
    const own = ours.metrics[metric]?.median;
    if (own === undefined) return [];
    const better = unit === "% of the line" ? "more" : "less";
    const target = limit === undefined ? null : aim(own, ...limit);
    const figure: Figure = { ...head(what), unit, ours: own, peer: null, better, target };
    const safe = isAck === true ? { ...figure, durability: SAFE } : figure;
    const peers = rows.flatMap(({ system, metrics }) => {
      const value = metrics[metric]?.median;
      if (system === OURS || value === undefined) return [];
      return [{ ...safe, peer: { name: isAck === true ? withDurability(system) : system, value } }];
    });
    return peers.length === 0 ? [safe] : peers;
  });
}

/** Of ours to a peer's, by workload and QoS. */
const MQTT_TARGETS: readonly (readonly [like: string, peer: string, key: "rate" | "cpuUs", limit: string])[] = [
  ["10 → 1, QoS 0", "nats-server", "cpuUs", "≤ 0.8"],
  ["10 → 1, QoS 1", "nats-server", "rate", "≥ 1"],
  ["1 → 100, QoS 0", "aedes", "rate", "≥ 2"],
];

/** What the load or the hub beside us cannot decide: rates to one subscriber from 10 publishers, and from one to a hundred. */
function mqttFigures({ samples, idle }: MqttReport): Figure[] {
  const of = (broker: string, like: MqttSample, key: "rate" | "cpuUs") =>
    spreadOf(
      samples
        .filter((each) => each.broker === broker && each.workload === like.workload && each.qos === like.qos)
        .map((each) => each[key]),
    )?.median;
  const firsts = samples.filter((each, index) => {
    const isFirst = samples.findIndex(({ workload, qos }) => workload === each.workload && qos === each.qos) === index;
    return isFirst && (each.workload === "10 → 1" || each.workload === "1 → 100");
  });
  const brokers = [...new Set(samples.map(({ broker }) => broker))].filter((broker) => !broker.startsWith(OURS));
  const traffic = firsts.flatMap((like) =>
    brokers.flatMap((broker) =>
      (["rate", "cpuUs"] as const).flatMap((key): Figure[] => {
        const [ours, theirs] = [of(OURS, like, key), of(broker, like, key)];
        if (ours === undefined || theirs === undefined) return [];
        const name = `${like.workload}, QoS ${like.qos}`;
        const what = `MQTT broker, ${name}: ${key === "rate" ? "messages published" : "CPU a delivery"}`;
        const [unit, better] = key === "rate" ? (["/s", "more"] as const) : (["µs", "less"] as const);
        const workload = like.workload === "1 → 100" ? "W5" : like.qos === 0 ? "W4" : "W3";
        const peer = { name: like.qos === 0 ? broker : withDurability(broker), value: theirs };
        const durability = like.qos === 0 ? {} : { durability: "no hub, so nothing to keep it for" };
        const limit = MQTT_TARGETS.find((each) => each[0] === name && each[1] === broker && each[2] === key)?.[3];
        const target = limit === undefined ? null : aim(ours / theirs, limit, `ratio ${limit}`);
        return [{ workload, what, unit, ours, peer, better, target, ...durability }];
      }),
    ),
  );
  return [...traffic, ...idleClientFigures(idle)];
}

function idleClientFigures(idle: MqttReport["idle"]): Figure[] {
  const ours = idle.find(({ broker }) => broker === OURS)?.clientKiB;
  if (ours === undefined) return [];
  const head = { workload: "W14", what: "MQTT broker: RSS an idle client", unit: "KiB", ours, better: "less" } as const;
  const target = aim(ours, "≤ 25", "≤ 25 KiB");
  return idle.flatMap(({ broker, clientKiB }): Figure[] =>
    broker === OURS ? [] : [{ ...head, peer: { name: broker, value: clientKiB }, target }],
  );
}

function natsFigures({ rows }: NatsReport): Figure[] {
  return rows.flatMap(({ pattern, bytes, servers }) =>
    (["rate", "cpuUs", "p99Ms"] as const).flatMap((key): Figure[] => {
      const [ours, theirs] = [servers[OURS]?.[key]?.median, servers["nats-server"]?.[key]?.median];
      if (bytes !== 128 || ours === undefined || theirs === undefined) return [];
      const title = { rate: "messages", cpuUs: "CPU a delivery", p99Ms: "latency p99" }[key];
      const unit = { rate: "/s", cpuUs: "µs", p99Ms: "ms" }[key];
      const better = key === "rate" ? "more" : "less";
      const target = pattern === "pub" && key === "cpuUs" ? aim(ours / theirs, "≤ 1", "ratio ≤ 1.0") : null;
      const what = `local NATS clients, ${pattern}, ${bytes} bytes: ${title}`;
      return [{ workload: "W5", what, unit, ours, peer: { name: "nats-server", value: theirs }, better, target }];
    }),
  );
}

function serialFigures({ ports, buses, units, lines, answers, cpuPercent, rssMiB }: SerialBenchReport): Figure[] {
  const head = { workload: "W11", peer: null, better: "less" } as const;
  const site = `${ports} ports and ${buses} buses of ${units} units`;
  return [
    {
      ...head,
      what: `${site}: frames lost`,
      unit: "",
      ours: lines.lost + answers.lost,
      target: aim(lines.lost + answers.lost, "≤ 0", "0"),
    },
    { ...head, what: `${site}: CPU`, unit: "%", ours: cpuPercent, target: null },
    { ...head, what: `${site}: RSS`, unit: "MiB", ours: rssMiB, target: null },
  ];
}

/** Batches as an uplink has them under load. */
function s2Figures({ rows }: S2Report): Figure[] {
  const longest = Math.max(...rows.map(({ batchBytes }) => batchBytes));
  const of = (level: string, measure: "encodeChunk" | "decodeChunk") =>
    rows.find((row) => row.level === level && row.batchBytes === longest && row.speeds[measure] !== undefined)?.speeds[measure]
      ?.median;
  return (
    [
      ["encodeChunk", "encode", "≥ 150"],
      ["decodeChunk", "decode", "≥ 400"],
    ] as const
  ).flatMap(([measure, word, limit]): Figure[] => {
    const ours = of("fast", measure);
    if (ours === undefined) return [];
    const snappy = of("snappy", measure);
    const peer = snappy === undefined ? null : { name: "snappy, native", value: snappy };
    const what = `S2 fast, batches of ${longest.toLocaleString("en")} bytes: ${word}`;
    return [{ workload: "codec", what, unit: "MB/s", ours, peer, better: "more", target: aim(ours, limit, `${limit} MB/s`) }];
  });
}

/** What Node itself takes of a budget. */
function floorFigures({ rows, rate }: FloorReport): Figure[] {
  const ours = rows.find(({ system }) => system === OURS);
  const floor = rows.find(({ system }) => system.startsWith("node"));
  return (
    [
      ["cpuUs", "CPU a message", "µs"],
      ["rssMib", "RSS", "MiB"],
    ] as const
  ).flatMap(([key, word, unit]): Figure[] => {
    const [own, least] = [ours?.[key]?.median, floor?.[key]?.median];
    if (own === undefined || least === undefined) return [];
    const peer = { name: "a Node that only moves bytes", value: least, isFloor: true };
    const what = `${rate.toLocaleString("en")} messages/s, beside what our runtime takes at least: ${word}`;
    return [{ workload: "W4", what, unit, ours: own, peer, better: "less", target: null }];
  });
}
