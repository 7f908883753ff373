// `scripts/bench nats`: the spoke as a server of local NATS clients beside nats-server, on this machine in one run.
//
//   load (raw clients, one process) ◀─▶ server under test, on a processor of its own where there are two
//                                            └─▶ hub, for what is published to it (nats-uplink.ts)
//
// Rounds are interleaved: both are measured at a pattern before the next. Figures are medians of the rounds. Nothing is judged here.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { build } from "../../build.ts";
import { runCommand } from "../command.ts";
import { findNatsServer } from "../nats-server.ts";
import { daemonCommand } from "../node-flags.ts";
import { type Cores, chooseCores, pinned } from "./cores.ts";
import { Crowd, type Far, PATTERNS, type Pattern, REQUESTS_OPEN, Site, UPLINK } from "./nats-load.ts";
import { peerWithUplink, spokeWithUplink, start, type UplinkPlan } from "./nats-uplink.ts";
import { parsePart, whole } from "./part-options.ts";
import { parseCpu } from "./process-figures.ts";
import { percentile, type Spread, spreadOf } from "./statistics.ts";
import { LINE, openStage } from "./systems.ts";

export const NATS_HELP = `usage: scripts/bench nats [--quick] [--rounds N] [--json]

Measures the spoke beside nats-server ${LINE} as servers of local NATS clients: publishing, one to one, one to ten, ten to ten,
request and reply, and publishing to a hub through the leaf link, with 16, 128 and 4,096 bytes: rate, processor time per delivery, latency; and memory with 500 clients.
  --quick      shorter: about a minute
  --rounds N   how many rounds (default 3; with --quick 1)
  --json       a machine-readable answer instead of the table

example: scripts/bench nats --quick
`;

const SIZES = [16, 128, 4096] as const;
const RATE_GUESS = 50_000;
const CROWD = 500;
const BURST = { count: 1_000, bytes: 128 } as const;
const PACE = 1_000;
const SETTLE_MS = 3_000;
const PENDING = 512 * 1024 * 1024;

const SETTINGS = {
  server_name: "bench",
  listen: "127.0.0.1:0",
  accounts: [{ name: "EDGE", users: [{ user: "anyone", nats: true }] }],
  no_auth_user: "anyone",
  monitor: null,
  limits: { max_pending: "512MiB", max_connections: 2_000, write_deadline: "60s" },
};
const PEER_CONFIG = { host: "127.0.0.1", port: -1, max_pending: PENDING, write_deadline: "60s" };

interface Server extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Where what it is sent is heard, if not by its own clients. */
  readonly far?: Far;
}

interface Sample {
  readonly server: string;
  readonly pattern: string;
  readonly bytes: number;
  /** Published messages, or requests, a second. */
  readonly rate: number;
  /** Of the server, for each message delivered (published, where nobody listens; answered request). */
  readonly cpuUs: number;
  /** Share of one processor. */
  readonly cpuShare: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface NatsRow {
  readonly pattern: string;
  readonly bytes: number;
  readonly servers: Readonly<
    Record<string, Readonly<Record<"rate" | "cpuUs" | "cpuShare" | "p50Ms" | "p99Ms", Spread | undefined>>>
  >;
}

export interface MemoryRow {
  readonly server: string;
  readonly aloneMb: number;
  readonly idleMb: number;
  readonly peakMb: number;
  readonly afterMb: number;
}

export async function benchNats(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, NATS_HELP, ["rounds"]);
  if (values === undefined) return;
  const rounds = whole("--rounds", values.rounds ?? (values.quick ? 1 : 3), 100);
  const seconds = values.quick ? 0.8 : 2;
  await using scope = new AsyncDisposableStack();
  const cores = await chooseCores();
  if (cores.load !== null) await runCommand("taskset", ["--all-tasks", "--cpu-list", "-p", cores.load, String(process.pid)]);
  const folder = scope.use(await tempFolder("petiole-bench-nats")).path;
  const peer = await findNatsServer(LINE, { say: (line) => process.stderr.write(`petiole: ${line}\n`) });
  await build({ outFolder: folder });
  const memory = [
    await measureMemory(() => startSpoke(folder, cores)),
    await measureMemory(() => startPeer(folder, cores, peer.path)),
  ];
  const servers = [scope.use(await startSpoke(folder, cores)), scope.use(await startPeer(folder, cores, peer.path))];
  const stage = scope.use(await openStage(cores, "off", (line) => process.stderr.write(`petiole: ${line}\n`)));
  const program = path.join(folder, "petiole.js");
  const linked = [
    scope.use(await startLinked("spoke", await spokeWithUplink(stage, program, SETTINGS))),
    scope.use(await startLinked("nats-server", await peerWithUplink(stage, PEER_CONFIG))),
  ];
  const samples: Sample[] = [];
  const rates = new Map<string, number>();
  for (let round = 1; round <= rounds; round++) {
    for (const pattern of [...PATTERNS, UPLINK])
      for (const bytes of SIZES)
        for (const server of inTurn(pattern === UPLINK ? linked : servers, round)) {
          signal.throwIfAborted();
          samples.push(await measure(server, pattern, bytes, seconds, rates));
        }
    process.stderr.write(`petiole: round ${round} of ${rounds} is done\n`);
  }
  const report = {
    machine: { cpu: os.cpus()[0]?.model ?? "unknown", processors: os.cpus().length, load: os.loadavg()[0]!.toFixed(2) },
    versions: { node: process.version, "nats-server": peer.version },
    note: `${cores.note}; where the server's share of its processor is below 95 %, the load was the limit`,
    rounds,
    rows: rowsOf(samples, servers),
    memory,
  };
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : format(report));
}

function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  return round % 2 === 1 ? all : all.toReversed();
}

async function startSpoke(folder: string, cores: Cores): Promise<Server> {
  const dataDir = await fs.mkdtemp(path.join(folder, "spoke-"));
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(SETTINGS));
  const args = daemonCommand(process.execPath, path.join(folder, "petiole.js"), "run", "--data", dataDir);
  const spoke = await SpawnedProcess.start(...pinned(cores.leaf, "env", args));
  return await ready("spoke", spoke, /\srunning\s.* nats=127\.0\.0\.1:(\d+)/);
}

async function startPeer(folder: string, cores: Cores, binary: string): Promise<Server> {
  const file = path.join(folder, "nats-server.json");
  await fs.writeFile(file, JSON.stringify(PEER_CONFIG));
  const peer = await SpawnedProcess.start(...pinned(cores.leaf, binary, ["--config", file]));
  return await ready("nats-server", peer, /Listening for client connections on \S+:(\d+)/);
}

async function ready(name: string, running: SpawnedProcess, says: RegExp): Promise<Server> {
  try {
    const port = Number((await running.says(says))[1]);
    return { name, pid: running.pid, port, [Symbol.asyncDispose]: async () => void (await running.stop()) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function startLinked(name: string, plan: UplinkPlan): Promise<Server> {
  const { running, port } = await start(plan);
  return { name, pid: running.pid, port, far: plan.far, [Symbol.asyncDispose]: async () => void (await running.stop()) };
}

/** First a rough run that finds the rate and warms up, then the one that counts, then one for the latency. */
async function measure(
  server: Server,
  pattern: Pattern,
  bytes: number,
  seconds: number,
  rates: Map<string, number>,
): Promise<Sample> {
  using site = await Site.open(server.port, pattern, server.far);
  const key = `${server.name} ${pattern.name} ${bytes}`;
  const run = async (forSeconds: number) => {
    const count = Math.max(
      100,
      Math.ceil(((rates.get(key) ?? RATE_GUESS / Math.max(1, pattern.subscribers)) * forSeconds) / 10) * 10,
    );
    const cpu = await cpuMs(server.pid);
    const from = performance.now();
    await site.saturate(count, bytes);
    const elapsedMs = performance.now() - from;
    rates.set(key, (count / elapsedMs) * 1000);
    return { count, elapsedMs, cpuMs: (await cpuMs(server.pid)) - cpu };
  };
  await run(0.3);
  await run(seconds / 2);
  const run3 = await run(seconds);
  const deliveries = run3.count * (pattern.isRequest ? 1 : Math.max(1, pattern.subscribers));
  const times = await site.latencies(Math.ceil(PACE * seconds), bytes, PACE);
  return {
    server: server.name,
    pattern: pattern.name,
    bytes,
    rate: (run3.count / run3.elapsedMs) * 1000,
    cpuUs: (run3.cpuMs * 1000) / deliveries,
    cpuShare: run3.cpuMs / run3.elapsedMs,
    p50Ms: times.length === 0 ? null : percentile(times, 50),
    p99Ms: times.length === 0 ? null : percentile(times, 99),
  };
}

async function measureMemory(start: () => Promise<Server>): Promise<MemoryRow> {
  await using server = await start();
  const alone = await memoryMb(server.pid, "VmRSS");
  using crowd = await Crowd.open(server.port, CROWD);
  const idle = await memoryMb(server.pid, "VmRSS");
  for (let i = 0; i < 3; i++) await crowd.burst(BURST.count, BURST.bytes);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return {
    server: server.name,
    aloneMb: alone,
    idleMb: idle,
    peakMb: await memoryMb(server.pid, "VmHWM"),
    afterMb: await memoryMb(server.pid, "VmRSS"),
  };
}

async function memoryMb(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
}

async function cpuMs(pid: number): Promise<number> {
  return parseCpu(await fs.readFile(`/proc/${pid}/stat`, "latin1")).cpuMs;
}

function rowsOf(samples: readonly Sample[], servers: readonly Server[]): NatsRow[] {
  return [...PATTERNS, UPLINK].flatMap(({ name: pattern }) =>
    SIZES.map((bytes) => {
      const own = samples.filter((sample) => sample.pattern === pattern && sample.bytes === bytes);
      const figures = servers.map(({ name }) => {
        const of = (key: "rate" | "cpuUs" | "cpuShare" | "p50Ms" | "p99Ms") =>
          spreadOf(own.filter(({ server }) => server === name).map((sample) => sample[key]));
        const row = { rate: of("rate"), cpuUs: of("cpuUs"), cpuShare: of("cpuShare"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") };
        return [name, row] as const;
      });
      return { pattern, bytes, servers: Object.fromEntries(figures) };
    }),
  );
}

export interface NatsReport {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly note: string;
  readonly rounds: number;
  readonly rows: readonly NatsRow[];
  readonly memory: readonly MemoryRow[];
}

function format({ machine, versions, note, rounds, rows, memory }: NatsReport): string {
  const cell = (text: string, width: number) => text.padStart(width);
  const figure = (spread: Spread | undefined, digits: number) => (spread === undefined ? "–" : spread.median.toFixed(digits));
  const rate = (spread: Spread | undefined) => (spread === undefined ? "–" : Math.round(spread.median).toLocaleString("en"));
  const lines = [
    `${machine["cpu"]}, ${machine["processors"]} processors, load ${machine["load"]}; node ${versions["node"]}, nats-server ${versions["nats-server"]}; ${rounds} rounds`,
    note,
    `rate: messages published a second, or requests with ${REQUESTS_OPEN} under way; CPU: of the server, for each delivery; p50, p99: at ${PACE.toLocaleString("en")} messages a second, requests one by one`,
    "",
    "pattern  bytes  server            rate/s   CPU µs  of a core   p50 ms   p99 ms   CPU ratio",
  ];
  for (const { pattern, bytes, servers } of rows) {
    const theirs = servers["nats-server"]?.cpuUs?.median ?? Number.NaN;
    for (const [name, own] of Object.entries(servers)) {
      const ratio = name === "spoke" && own.cpuUs !== undefined ? `× ${(own.cpuUs.median / theirs).toFixed(2)}` : "";
      const share = own.cpuShare === undefined ? "–" : `${(own.cpuShare.median * 100).toFixed(0)} %`;
      const figures = [cell(rate(own.rate), 11), cell(figure(own.cpuUs, 3), 9), cell(share, 11), cell(figure(own.p50Ms, 3), 9)];
      lines.push(
        `${pattern.padEnd(8)} ${cell(String(bytes), 5)}  ${name.padEnd(12)}${figures.join("")}${cell(figure(own.p99Ms, 3), 9)}   ${ratio}`,
      );
    }
  }
  lines.push("", `memory, MiB: alone, with ${CROWD} clients, at the peak of a burst to all of them, ${SETTLE_MS / 1000} s after`);
  for (const { server, aloneMb, idleMb, peakMb, afterMb } of memory) {
    lines.push(`${server.padEnd(12)} ${[aloneMb, idleMb, peakMb, afterMb].map((value) => cell(value.toFixed(0), 7)).join("")}`);
  }
  return `${lines.join("\n")}\n`;
}
