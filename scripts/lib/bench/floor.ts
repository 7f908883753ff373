// `scripts/bench floor`: what Node itself takes of a budget, before a line of ours has run. Three systems in one run:
//
//   node, bytes only   reads from TCP, writes to TLS (floor-relay.ts)
//   spoke, nats-server as in `scripts/bench`
//
// Interleaved rounds of 2,000 messages a second, QoS 0, flushed at once: every message is a wake-up, a read and a write. Then RSS, and the time
// from the launch until the relay listens.

import * as path from "node:path";
import * as esbuild from "esbuild";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { Site } from "./bench-site.ts";
import { chooseCores } from "./cores.ts";
import { publishBlock } from "./mqtt-packets.ts";
import { PACED_RATE, PUBLISHERS } from "./options.ts";
import { factsLine, type PartFacts, table, watchMachine } from "./part-facts.ts";
import { parsePart, whole } from "./part-options.ts";
import { readFigures } from "./process-figures.ts";
import { type Spread, spreadOf } from "./statistics.ts";
import { ACCOUNTS, buildSpoke, DEVICE, leafCommand, openStage, type Stage, startPeer, startSpoke } from "./systems.ts";
import { Worker } from "./worker.ts";
import { nowNs } from "./worker-channel.ts";
import { evenly, runPaced } from "./workloads.ts";

const HELP = `usage: scripts/bench floor [--quick] [--rounds N] [--json]

What Node itself costs: a relay that only moves bytes from TCP to TLS beside the spoke and nats-server as leaf, at 2,000 messages a second:
processor time a message, RSS; and the time from the relay's launch until it listens.
  --quick     2 rounds of 2 s
  --rounds N  how many of 4 s (default 5)
  --json      a machine-readable answer instead of the table
`;

const RELAY = "node, bytes only";
const WARM_UP_SECONDS = 3;

export interface FloorRow {
  readonly system: string;
  /** Processor time of all threads. */
  readonly cpuUs: Spread | undefined;
  readonly rssMib: Spread | undefined;
  /** Milliseconds from the launch until it listens; undefined where `scripts/bench start` tells of it. */
  readonly startMs: number | undefined;
}

export interface FloorReport extends PartFacts {
  readonly rate: number;
  readonly rows: readonly FloorRow[];
}

export async function benchFloor(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, ["rounds"]);
  if (values === undefined) return;
  const rounds = whole("--rounds", values.rounds ?? (values.quick ? 2 : 5), 100);
  const report = await measureFloor(rounds, values.quick ? 2 : 4, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatFloor(report));
}

interface Measured {
  readonly cpuUs: number | null;
  readonly rssMib: number | null;
}

interface Runner {
  readonly name: string;
  readonly startMs: number | undefined;
  run(seconds: number): Promise<Measured>;
}

async function measureFloor(rounds: number, seconds: number, signal: AbortSignal): Promise<FloorReport> {
  await using scope = new AsyncDisposableStack();
  const stage = scope.use(
    await openStage(await chooseCores(), "s2_fast", (line) => void process.stderr.write(`petiole: ${line}\n`)),
  );
  const facts = watchMachine(stage.natsServer.version);
  const spoke = scope.use(await startSpoke(stage, await buildSpoke(stage)));
  const peer = scope.use(await startPeer(stage, false));
  const runners: Runner[] = [
    await startRelay(stage, scope, signal),
    siteRunner(scope.use(await Site.open(spoke, ACCOUNTS.spoke, stage, signal))),
    siteRunner(scope.use(await Site.open(peer, ACCOUNTS.peer, stage, signal))),
  ];
  for (const runner of runners) await runner.run(WARM_UP_SECONDS);
  const measured = runners.map((): Measured[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, runner] of runners.entries()) measured[i]!.push(await runner.run(seconds));
    process.stderr.write(`petiole: round ${round + 1} of ${rounds} is done\n`);
  }
  const rows = runners.map(({ name, startMs }, i): FloorRow => {
    const of = (key: keyof Measured) => spreadOf(measured[i]!.map((each) => each[key]));
    return { system: name, cpuUs: of("cpuUs"), rssMib: of("rssMib"), startMs };
  });
  return { ...(await facts()), rate: PACED_RATE, rows };
}

function siteRunner(site: Site): Runner {
  return {
    name: site.system.name,
    startMs: undefined,
    async run(seconds) {
      const { cpu_us, rss_mib } = await runPaced(site, seconds);
      return { cpuUs: cpu_us, rssMib: rss_mib };
    },
  };
}

async function startRelay(stage: Stage, scope: AsyncDisposableStack, signal: AbortSignal): Promise<Runner> {
  const sink = scope.use(await Worker.start("floor-sink.ts", stage.cores, signal));
  const { cert, key } = stage.certs.server;
  const { port } = await sink.request<{ port: number }>("listen", { cert, key });
  const program = path.join(stage.folder, "floor-relay.mjs"); // as JavaScript: taking types away costs time and memory of its own
  await esbuild.build({
    entryPoints: [path.join(import.meta.dirname, "floor-relay.ts")],
    outfile: program,
    platform: "node",
    format: "esm",
  });
  const [mqttPort = 0] = await freePorts(1);
  const args = [program, String(mqttPort), String(port), stage.certs.ca];
  const launchedAt = nowNs();
  const relay = scope.use(await SpawnedProcess.start(...leafCommand(stage, process.execPath, args)));
  await relay.says(/^listening$/m);
  const startMs = (nowNs() - launchedAt) / 1e6;
  const load = scope.use(await Worker.start("load-worker.ts", stage.cores, signal));
  await load.request("connect", { port: mqttPort, ...DEVICE });
  const figures = () => readFigures(relay.pid, port, stage.cores.leaf);
  const bytesEach = Array.from({ length: PUBLISHERS }, (_, device) => publishBlock(device, 0, 1).packetBytes);
  return {
    name: RELAY,
    startMs,
    async run(seconds) {
      const count = evenly(seconds * PACED_RATE);
      const bytes = bytesEach.reduce((sum, each) => sum + (each * count) / PUBLISHERS, 0);
      const before = await figures();
      await Promise.all([load.request("pace", { rate: PACED_RATE, count }), sink.request("wait", { bytes })]);
      const after = await figures();
      return { cpuUs: ((after.cpuMs - before.cpuMs) * 1000) / count, rssMib: after.rssBytes / 2 ** 20 };
    },
  };
}

export function formatFloor(report: FloorReport): string {
  const spread = (figure: Spread | undefined) =>
    figure === undefined ? "?" : `${figure.median.toFixed(1)} (${figure.min.toFixed(1)}–${figure.max.toFixed(1)})`;
  const rows = report.rows.map(({ system, cpuUs, rssMib, startMs }) => [
    system,
    spread(cpuUs),
    spread(rssMib),
    startMs === undefined ? "" : startMs.toFixed(0),
  ]);
  const titles = ["", "CPU a message, µs", "RSS, MiB", "launch to listening, ms"];
  const rate = report.rate.toLocaleString("en");
  return `The floor: ${rate} messages a second, QoS 0, each flushed at once\n\n${table([titles, ...rows])}\n\n${factsLine(report)}\n`;
}
