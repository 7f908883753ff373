// Measures the spoke beside nats-server as leaf and mosquitto with a bridge, on this machine in one run. What is measured and how: lib/bench/.
//
//   devices (MQTT) ─▶ leaf under test ─▶ TLS first ─▶ hub ─▶ subscriber          one hub, one leaf at a time under load
//
// Rounds are interleaved: every system is measured at a workload before the next round begins. No figure is judged here.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { benchAll } from "./lib/bench/all.ts";
import { Site } from "./lib/bench/bench-site.ts";
import { type Cores, chooseCores } from "./lib/bench/cores.ts";
import { breakDown, type CpuProfile, formatBreakdown, type Window } from "./lib/bench/cpu-profile.ts";
import { benchFleet } from "./lib/bench/fleet.ts";
import { benchFloor } from "./lib/bench/floor.ts";
import { benchHostile } from "./lib/bench/hostile.ts";
import { benchIdle } from "./lib/bench/idle.ts";
import { benchInterest } from "./lib/bench/interest.ts";
import { mosquittoVersion, startBridge } from "./lib/bench/mosquitto-bridge.ts";
import { benchMqtt } from "./lib/bench/mqtt.ts";
import { benchNats } from "./lib/bench/nats.ts";
import { type BenchOptions, HELP, PAYLOAD_BYTES, PUBLISHERS, parseOptions } from "./lib/bench/options.ts";
import { benchOutbox } from "./lib/bench/outbox.ts";
import { type PartFacts, watchMachine } from "./lib/bench/part-facts.ts";
import { formatReport, type Report, ratiosOf, type Sample, TITLES, workloadReports } from "./lib/bench/report.ts";
import { benchS2 } from "./lib/bench/s2.ts";
import { benchSerial } from "./lib/bench/serial.ts";
import { benchSites } from "./lib/bench/sites.ts";
import { benchStart } from "./lib/bench/start.ts";
import { ACCOUNTS, buildSpoke, openStage, type Stage, startPeer, startSpoke, type WorkloadName } from "./lib/bench/systems.ts";
import { benchThin } from "./lib/bench/thin.ts";
import { nowNs } from "./lib/bench/worker-channel.ts";
import { evenly, runPaced, runSaturated } from "./lib/bench/workloads.ts";
import { abortOnInterrupt } from "./lib/interrupt.ts";

const WORKLOADS: readonly WorkloadName[] = ["qos0", "qos1", "paced", "gathered"];
/** First guess of a rate, messages a second; the warm-up finds the real one. */
const RATE_GUESS = { qos0: 20_000, qos1: 4_000 } as const;
/** How long the first, rough run takes at the guessed rate. */
const ROUGH_SECONDS = 0.5;
const PROFILE_SECONDS = 6;
const PROFILE_INTERVAL_US = 500;
const TMPFS = 0x01021994;

/** What has a command line of its own: `scripts/bench NAME`. */
const PARTS: Readonly<Record<string, (args: readonly string[], signal: AbortSignal) => Promise<void>>> = {
  all: benchAll,
  s2: benchS2,
  fleet: benchFleet,
  nats: benchNats,
  mqtt: benchMqtt,
  outbox: benchOutbox,
  serial: benchSerial,
  site: benchSites,
  thin: benchThin,
  start: benchStart,
  floor: benchFloor,
  idle: benchIdle,
  interest: benchInterest,
  hostile: benchHostile,
};

const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);

async function bench(options: BenchOptions, signal: AbortSignal): Promise<Report> {
  await using scope = new AsyncDisposableStack();
  const cores = await chooseCores();
  const stage = scope.use(await openStage(cores, options.compression, say));
  const program = await buildSpoke(stage);
  const sites: Site[] = [];
  const mosquitto = await mosquittoVersion();
  for (const [account, start] of [
    [ACCOUNTS.spoke, () => startSpoke(stage, program)],
    [ACCOUNTS.peer, () => startPeer(stage, false)],
    [ACCOUNTS.synced, () => startPeer(stage, true)],
    [ACCOUNTS.gatherer, () => startSpoke(stage, program, { isGathering: true })],
    [ACCOUNTS.bridge, mosquitto === undefined ? undefined : () => startBridge(stage)],
  ] as const) {
    signal.throwIfAborted();
    if (start === undefined) continue;
    const system = scope.use(await start());
    sites.push(scope.use(await Site.open(system, account, stage, signal)));
  }
  const watched = watchMachine(stage.natsServer.version);
  const rates = new Map<string, number>();
  for (const site of sites) for (const workload of site.system.workloads) await warmUp(site, workload, options, rates);
  const samples: Sample[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const inTurn = round % 2 === 1 ? sites : sites.toReversed();
    for (const workload of WORKLOADS) {
      for (const site of inTurn.filter(({ system }) => system.workloads.includes(workload))) {
        const metrics = await runOnce(site, workload, options, options.saturatedSeconds, rates);
        samples.push({ workload, system: site.system.name, round, metrics });
      }
    }
    say(`round ${round} of ${options.rounds} is done`);
  }
  const systems = sites.map(({ system }) => system);
  const known = await facts(stage, cores, options, watched);
  return {
    ...known,
    notes: [...known.notes, ...(await ledgers(sites))],
    workloads: workloadReports(samples, systems),
    ratios: ratiosOf(samples, systems),
  };
}

function isSaturated(workload: WorkloadName): workload is "qos0" | "qos1" {
  return workload === "qos0" || workload === "qos1";
}

/** Twice: roughly, to learn the rate; then for as long as just-in-time compilers need. */
async function warmUp(site: Site, workload: WorkloadName, options: BenchOptions, rates: Map<string, number>): Promise<void> {
  if (isSaturated(workload)) await runOnce(site, workload, options, ROUGH_SECONDS, rates);
  await runOnce(site, workload, options, options.warmupSeconds, rates);
}

async function runOnce(site: Site, workload: WorkloadName, options: BenchOptions, seconds: number, rates: Map<string, number>) {
  if (!isSaturated(workload)) return await runPaced(site, options.pacedSeconds);
  const key = `${site.system.name} ${workload}`;
  const count = evenly((rates.get(key) ?? RATE_GUESS[workload]) * seconds);
  const metrics = await runSaturated(site, { qos: workload === "qos0" ? 0 : 1, count, inflight: options.inflight });
  rates.set(key, metrics.rate!);
  return metrics;
}

/** What the systems dropped by their own account, from their start on: probing before the link was up, and warming up, included. */
async function ledgers(sites: readonly Site[]): Promise<string[]> {
  const told = await Promise.all(sites.map(async ({ system }) => [system.name, await system.losses()] as const));
  return told.flatMap(([name, losses]) => (losses === "" ? [] : [`${name} says it dropped: ${losses}`]));
}

async function facts(stage: Stage, cores: Cores, options: BenchOptions, watched: () => Promise<PartFacts>) {
  const { type } = await fs.statfs(stage.folder);
  const notes = [
    cores.note,
    `TLS first on all; compression ${options.compression} on the leaf links, MQTT has none`,
    "mosquitto runs with its bridge to the MQTT port of a hub of its own: what its subscriber sees has passed that hub's JetStream at QoS 1",
    "rates hold for this machine with the load on its other core; where the leaf's CPU is below 95 % of a core, the load side was the limit",
    "bytes to the hub: TCP payload with TLS, by the kernel's count for the leaf's socket; not measured where iproute2 (ss) is missing",
  ];
  if (type === TMPFS) notes.push(`${os.tmpdir()} is in memory: fdatasync costs nothing there, set TMPDIR to a folder on a disk`);
  return {
    ...(await watched()),
    load: {
      publishers: PUBLISHERS,
      "payload bytes": PAYLOAD_BYTES,
      "QoS 1 in flight per publisher": options.inflight,
      rounds: options.rounds,
      "seconds each": options.saturatedSeconds,
    },
    notes,
  };
}

/** The spoke alone, once per workload, each time from its start; only what follows the warm-up is looked at. */
async function profile(options: BenchOptions, signal: AbortSignal): Promise<string> {
  await using stage = await openStage(await chooseCores(), options.compression, say);
  const program = await buildSpoke(stage);
  const map = JSON.parse(await fs.readFile(path.join(path.dirname(program), "program.js.map"), "utf8"));
  const texts: string[] = [];
  for (const workload of WORKLOADS.filter((each) => each !== "gathered")) {
    const folder = await fs.mkdtemp(path.join(stage.folder, "profile-"));
    const nodeFlags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${PROFILE_INTERVAL_US}`];
    await using spoke = await startSpoke(stage, program, { nodeFlags });
    let rate = 0;
    let window: Window;
    {
      await using site = await Site.open(spoke, ACCOUNTS.spoke, stage, signal);
      const rates = new Map<string, number>();
      await warmUp(site, workload, options, rates);
      const from = nowNs() / 1000;
      rate = (await runOnce(site, workload, options, PROFILE_SECONDS, rates)).rate!;
      window = { from, to: nowNs() / 1000 };
    }
    await spoke.stop(); // it writes its profile on the way out
    const [file] = await fs.readdir(folder);
    if (file === undefined) throw new Error("the spoke left no CPU profile: it did not end politely");
    const profile = JSON.parse(await fs.readFile(path.join(folder, file), "utf8")) as CpuProfile;
    const title = `${TITLES[workload]}: ${Math.round(rate).toLocaleString("en")} messages/s while profiled`;
    texts.push(formatBreakdown(title, breakDown(profile, map, window)));
  }
  return texts.join("\n");
}

async function main(args: readonly string[]): Promise<void> {
  const part = PARTS[args[0] ?? ""];
  if (part !== undefined) return await part(args.slice(1), abortOnInterrupt());
  const options = parseOptions(args);
  if (typeof options === "string") {
    process.exitCode = options === HELP ? 0 : 2;
    (options === HELP ? process.stdout : process.stderr).write(options === HELP ? HELP : `petiole: ${options}\n`);
    return;
  }
  const signal = abortOnInterrupt();
  if (options.isProfile) process.stdout.write(await profile(options, signal));
  else {
    const report = await bench(options, signal);
    process.stdout.write(options.isJson ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`petiole: the bench ended early: ${(error as Error).message}`);
  process.exitCode ||= 1;
}
