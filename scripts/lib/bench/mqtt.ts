// `scripts/bench mqtt`: the spoke as an MQTT broker beside mosquitto, nats-server and aedes, on this machine in one run.
//
//   load (raw clients, one process) ◀─▶ broker under test, on a processor of its own where there are two
//
// Rounds are interleaved: every broker is measured at a workload before the next. Figures are medians of the rounds. Nothing is judged here.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { build } from "../../build.ts";
import { runCommand, tryCommand } from "../command.ts";
import { needPackages } from "../debian.ts";
import { findNatsServer } from "../nats-server.ts";
import { ROOT } from "../suites.ts";
import { type Cores, chooseCores } from "./cores.ts";
import { BENCH_PAYLOAD_BYTES, type Qos } from "./mqtt-bench-client.ts";
import { formatMqttReport, type IdleRow, type MqttReport, type MqttSample } from "./mqtt-report.ts";
import type { RunFigures } from "./mqtt-site.ts";
import {
  type BrokerPlace,
  type MqttBroker,
  type StartBroker,
  startAedes,
  startMosquitto,
  startNatsServer,
  startSafeSpoke,
  startSpoke,
} from "./mqtt-systems.ts";
import { parseCpu } from "./process-figures.ts";
import { LINE } from "./systems.ts";
import { Worker } from "./worker.ts";

export const MQTT_HELP = `usage: scripts/bench mqtt [--quick] [--rounds N] [--inflight N] [--json]

Measures the spoke beside mosquitto, nats-server ${LINE} and aedes as MQTT brokers: QoS 0, 1 and 2 from 1, 10 and 100 publishers
to one subscriber, from one to a hundred, and a thousand idle clients. For each: messages a second, processor time of the broker for
each delivery, latency at a steady pace, memory.
  --quick        shorter: about three minutes
  --rounds N     how many rounds (default 3; with --quick 1)
  --inflight N   unacknowledged messages of one publisher (default 20)
  --json         a machine-readable answer instead of the table

example: scripts/bench mqtt --quick
`;

interface Workload {
  readonly name: string;
  readonly publishers: number;
  readonly subscribers: number;
  /** Published a second, for the latency. */
  readonly pace: number;
}

const WORKLOADS: readonly Workload[] = [
  { name: "1 → 1", publishers: 1, subscribers: 1, pace: 1_000 },
  { name: "10 → 1", publishers: 10, subscribers: 1, pace: 1_000 },
  { name: "100 → 1", publishers: 100, subscribers: 1, pace: 1_000 },
  { name: "1 → 100", publishers: 1, subscribers: 100, pace: 50 },
];
const QOS: readonly Qos[] = [0, 1, 2];
/** Messages a second, before anything is known. */
const RATE_GUESS = 5_000;
const IDLE_CLIENTS = 1_000;
/** After the last of them has come: allocators and collectors get this long. */
const SETTLE_MS = 2_000;

interface Contestant {
  readonly start: StartBroker;
  /** Whether it is measured there. */
  takes(qos: Qos, workload: Workload): boolean;
}

const CONTESTANTS: readonly Contestant[] = [
  { start: startSpoke, takes: () => true },
  { start: startSafeSpoke, takes: (qos, { subscribers }) => qos > 0 && subscribers === 1 },
  { start: startMosquitto, takes: () => true },
  { start: startNatsServer, takes: () => true },
  { start: startAedes, takes: () => true },
];

interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly inflight: number;
}

export async function benchMqtt(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      inflight: { type: "string", default: "20" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(MQTT_HELP);
    return;
  }
  const options = {
    seconds: values.quick ? 0.6 : 2,
    rounds: count(values.rounds ?? (values.quick ? "1" : "3"), "--rounds", 100),
    inflight: count(values.inflight, "--inflight", 1_000),
  };
  await using scope = new AsyncDisposableStack();
  const cores = await chooseCores();
  if (cores.load !== null) await runCommand("taskset", ["--all-tasks", "--cpu-list", "-p", cores.load, String(process.pid)]);
  const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);
  await needPackages(["mosquitto"], say);
  const folder = scope.use(await tempFolder("petiole-bench-mqtt")).path;
  const peer = await findNatsServer(LINE, { say });
  await build({ outFolder: folder });
  const place = { folder, cores, program: path.join(folder, "petiole.js"), natsServer: peer.path };
  const idle = await measureIdle(place, signal);
  say("idle clients are measured");
  const brokers: { readonly broker: MqttBroker; readonly contestant: Contestant; readonly load: Worker }[] = [];
  for (const contestant of CONTESTANTS) {
    const broker = scope.use(await contestant.start(place));
    brokers.push({ broker, contestant, load: scope.use(await Worker.start("mqtt-load-worker.ts", cores, signal)) });
  }
  const samples: MqttSample[] = [];
  const rates = new Map<string, number>();
  for (let round = 1; round <= options.rounds; round++) {
    const inTurn = round % 2 === 1 ? brokers : brokers.toReversed();
    for (const workload of WORKLOADS)
      for (const qos of QOS)
        for (const { broker, contestant, load } of inTurn) {
          signal.throwIfAborted();
          if (contestant.takes(qos, workload)) samples.push(await measure(broker, load, qos, workload, options, rates));
        }
    say(`round ${round} of ${options.rounds} is done`);
  }
  const report: MqttReport = {
    machine: { cpu: os.cpus()[0]?.model ?? "unknown", processors: os.cpus().length, load: os.loadavg()[0]!.toFixed(2) },
    versions: await versions(peer.version),
    notes: notesOf(cores, options),
    rounds: options.rounds,
    samples,
    idle,
  };
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatMqttReport(report));
}

/** First two runs that find the rate and warm up, then the one that counts, then one for the latency. A broker that fails has no figures. */
async function measure(
  broker: MqttBroker,
  load: Worker,
  qos: Qos,
  workload: Workload,
  { seconds, inflight }: Options,
  rates: Map<string, number>,
): Promise<MqttSample> {
  const { name, publishers, subscribers, pace } = workload;
  const about = { broker: broker.name, workload: name, qos };
  const key = `${broker.name} ${name} ${qos}`;
  const run = async (forSeconds: number) => {
    const wanted = Math.max(50, Math.ceil((rates.get(key) ?? RATE_GUESS / subscribers) * forSeconds));
    const before = await cpuMs(broker.pid);
    const figures = await load.request<RunFigures>("saturate", { count: wanted });
    const used = (await cpuMs(broker.pid)) - before;
    rates.set(key, (figures.published / Math.max(1, figures.elapsedMs)) * 1000);
    return { ...figures, cpuMs: used };
  };
  try {
    await load.request("open", { port: broker.port, qos, publishers, subscribers, inflight });
    await run(0.2);
    await run(seconds / 2);
    const { elapsedMs, published, delivered, cpuMs: used } = await run(seconds);
    if (delivered === 0) throw new Error(`nothing of ${published} messages was delivered`);
    const times = await load.request<{ p50Ms?: number; p99Ms?: number }>("pace", { rate: pace, seconds: Math.max(1, seconds) });
    return {
      ...about,
      rate: (delivered / elapsedMs) * 1000,
      cpuUs: (used * 1000) / delivered,
      cpuShare: used / elapsedMs,
      lost: published * subscribers - delivered,
      p50Ms: times.p50Ms ?? null,
      p99Ms: times.p99Ms ?? null,
      fault: null,
    };
  } catch (error) {
    const fault = (error as Error).message;
    return { ...about, rate: null, cpuUs: null, cpuShare: null, lost: null, p50Ms: null, p99Ms: null, fault };
  } finally {
    await load.request("close");
  }
}

/** Each broker alone, freshly started. */
async function measureIdle(place: BrokerPlace, signal: AbortSignal): Promise<IdleRow[]> {
  const rows: IdleRow[] = [];
  await using load = await Worker.start("mqtt-load-worker.ts", place.cores, signal);
  for (const { start, takes } of CONTESTANTS) {
    if (!takes(0, WORKLOADS[0]!)) continue;
    await using broker = await start(place);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS / 2));
    const alone = await rssBytes(broker.pid);
    try {
      await load.request("idle", { port: broker.port, count: IDLE_CLIENTS });
    } catch (error) {
      throw new Error(`${broker.name} does not take ${IDLE_CLIENTS} clients: ${(error as Error).message}`, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const crowded = await rssBytes(broker.pid);
    rows.push({
      broker: broker.name,
      aloneMiB: alone / 2 ** 20,
      crowdedMiB: crowded / 2 ** 20,
      clientKiB: (crowded - alone) / IDLE_CLIENTS / 1024,
    });
    await load.request("leave");
  }
  return rows;
}

async function rssBytes(pid: number): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

async function cpuMs(pid: number): Promise<number> {
  return parseCpu(await fs.readFile(`/proc/${pid}/stat`, "latin1")).cpuMs;
}

async function versions(natsServer: string): Promise<Record<string, string>> {
  const read = async (file: string) =>
    (JSON.parse(await fs.readFile(path.join(ROOT, file), "utf8")) as { version: string }).version;
  const { stdout } = await tryCommand("mosquitto", ["-h"]);
  return {
    petiole: await read("package.json"),
    node: process.version,
    mosquitto: /version (\S+)/.exec(stdout)?.[1] ?? "unknown",
    "nats-server": natsServer,
    aedes: await read("node_modules/aedes/package.json"),
  };
}

function notesOf(cores: Cores, { inflight }: Options): string[] {
  return [
    `${cores.note}; where the broker's share of its processor is below 95 %, the load was the limit`,
    `payloads of ${BENCH_PAYLOAD_BYTES} bytes; at most 1,000 messages under way, so that no queue has to drop; at QoS 1 and 2 ${inflight} of a publisher unacknowledged`,
    "what an acknowledgement says: spoke: handed on, as nobody keeps it (no hub is configured); spoke, on flash: fdatasync is over (its hub is away);",
    "  mosquitto, aedes: it is in memory; nats-server: its stream took it, synced every two minutes",
    "rate: deliveries a second; CPU: of the broker, for each delivery; latency: at 1,000 messages a second, 50 where there are 100 subscribers",
  ];
}

function count(text: string, option: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${option} wants a whole number from 1 to ${max}`);
}
