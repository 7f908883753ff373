// `scripts/bench hostile`: what a gateway is worth while somebody attacks it. One device means well, 50 readings a second at QoS 1; how
// long do its PUBACKs take, how much memory is taken, and does the program live? Beside it nats-server with its MQTT, default settings.
//
//   attackers, nobody's friends ─▶ MQTT ┐
//   one good device ─────────────▶ MQTT ┤ gateway ─▶ TLS ─▶ hub
//   noise ═══ pty ══════════════▶ serial┘        └──▶ a false hub with S2 bombs
//
// The device itself is not held to the limits that strangers are: where it may (as root), all of it happens in a network namespace of
// its own, where strangers have addresses of their own.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { daemonCommand } from "../node-flags.ts";
import { chooseCores, pinned } from "./cores.ts";
import { breakDown, type CpuProfile, formatBreakdown, type Window } from "./cpu-profile.ts";
import {
  ALL_ATTACKS,
  type Attack,
  brokenPromises,
  extentOf,
  formatHostile,
  type HostileReport,
  type HostileRow,
  type Made,
  MQTT_ATTACKS,
  TITLES,
} from "./hostile-report.ts";
import { canHaveNamespace, HOST, runInside, STRANGERS } from "./own-network.ts";
import { watchMachine } from "./part-facts.ts";
import { parsePart, whole } from "./part-options.ts";
import { parseCpu } from "./process-figures.ts";
import { cables, farEnd } from "./serial.ts";
import { ACCOUNTS, buildSpoke, DEVICE, leafUser, openStage, type Stage, startPeer } from "./systems.ts";
import { Worker } from "./worker.ts";
import { nowNs } from "./worker-channel.ts";

const HELP = `usage: scripts/bench hostile [--quick] [--seconds N] [--only NAME] [--json] [--profile]

Attacks the spoke, and nats-server with its MQTT beside it, while one good device publishes 50 messages a second at QoS 1: 10,000 connects a
second, 500 slow connections, lengths of 256 MB, wrong passwords; the spoke besides with noise on a serial port and S2 bombs from a false
hub. Prints the device's PUBACK times, the memory and whether anything ended. Exit code 1 when the spoke broke a promise.
  --quick      2 seconds each instead of 6
  --seconds N  how long each
  --json       a machine-readable answer instead of the table
  --only NAME  one of storm, loris, claims, passwords, serial, bombs; and the spoke alone
  --profile    prints besides where the spoke's time went under each attack
`;

const RATE = 50;
const WARM_UP_SECONDS = 2;
const RECOVER_MS = 500;
/** Without a namespace: addresses of this machine, which the spoke trusts more than strangers. */
const LOCAL = Array.from({ length: 8 }, (_, i) => `127.0.2.${i + 2}`);
/** A link for each kind of bomb: after a breach the spoke stays away for a growing while. */
const FALSE_ACCOUNTS = ["FALSE1", "FALSE2", "FALSE3", "FALSE4"];
const NOISE_BYTES = 65_536;
const NOISE_MS = 5;
/** Of the log, where a promise is broken. */
const WORDS_CHARS = 3_000;

export async function benchHostile(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, ["seconds", "only", "profile", "inside"]);
  if (values === undefined) return;
  const seconds = whole("--seconds", values.seconds ?? (values.quick ? 2 : 6), 60);
  if (!values.inside && (await canHaveNamespace())) return await runInside("hostile", args, signal);
  const only = ALL_ATTACKS.find((attack) => attack === values.only);
  if (values.only !== undefined && only === undefined)
    throw new Error(`--only wants one of ${ALL_ATTACKS.join(", ")}, got "${values.only}"`);
  const wanted = { seconds, strangers: values.inside === true, only, isProfile: values.profile === true };
  const report = await measureHostile(wanted, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatHostile(report));
  if (report.broken.length > 0) process.exitCode = 1;
}

interface Gateway {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly process: { readonly hasExited: boolean; readonly output: string } | undefined;
}

interface Wanted {
  readonly seconds: number;
  readonly strangers: boolean;
  readonly only: Attack | undefined;
  readonly isProfile: boolean;
}

async function measureHostile(wanted: Wanted, signal: AbortSignal): Promise<HostileReport> {
  const { seconds, strangers, only, isProfile } = wanted;
  await using stage = await openStage(await chooseCores(), "s2_fast", (line) => void process.stderr.write(`petiole: ${line}\n`));
  const facts = watchMachine(stage.natsServer.version);
  const rows: HostileRow[] = [];
  const windows = new Map<string, Window>();
  const plan = { seconds, strangers, signal, windows };
  {
    await using wiring = new AsyncDisposableStack();
    const [tty] = (await cables(wiring, stage.folder, "noise", 1)) as [string];
    await using attackers = await Worker.start("hostile-worker.ts", stage.cores, signal, { isPatient: true });
    const [falseHub] = (await freePorts(1)) as [number];
    const profileFolder = path.join(stage.folder, "profile");
    const nodeFlags = isProfile ? ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`] : [];
    await using spoke = await startTarget(stage, tty, falseHub, nodeFlags);
    const port = Number((await spoke.says(/\srunning\s.* mqtt=0\.0\.0\.0:(\d+)/))[1]);
    const gateway: Gateway = { name: "spoke", pid: spoke.pid, port, process: spoke };
    rows.push(
      ...(await attackAll(stage, gateway, only === undefined ? ALL_ATTACKS : [only], { ...plan, attackers, tty, falseHub })),
    );
    if (isProfile) await printProfile(stage, spoke, profileFolder, windows);
  }
  if (only === undefined) {
    await using attackers = await Worker.start("hostile-worker.ts", stage.cores, signal, { isPatient: true });
    await using peer = await startPeer(stage, false, strangers ? "0.0.0.0" : "127.0.0.1");
    const gateway: Gateway = { name: peer.name, pid: peer.pid, port: peer.mqttPort, process: undefined };
    rows.push(...(await attackAll(stage, gateway, MQTT_ATTACKS, { ...plan, attackers, tty: "", falseHub: 0 })));
  }
  return { ...(await facts()), seconds, strangers, rows, broken: brokenPromises(rows) };
}

async function printProfile(
  stage: Stage,
  spoke: SpawnedProcess,
  folder: string,
  windows: ReadonlyMap<string, Window>,
): Promise<void> {
  await spoke.stop(); // it writes its profile on the way out
  const [file] = await fs.readdir(folder);
  if (file === undefined) throw new Error("the spoke left no CPU profile: it did not end politely");
  const profile = JSON.parse(await fs.readFile(path.join(folder, file), "utf8")) as CpuProfile;
  const map = JSON.parse(await fs.readFile(path.join(stage.folder, "dist/program.js.map"), "utf8"));
  for (const [title, window] of windows) process.stderr.write(`${formatBreakdown(title, breakDown(profile, map, window), 15)}\n`);
}

async function startTarget(stage: Stage, tty: string, falseHub: number, nodeFlags: readonly string[]): Promise<SpawnedProcess> {
  const program = await buildSpoke(stage);
  const dataDir = await fs.mkdtemp(path.join(stage.folder, "hostile-"));
  const settings = {
    server_name: "bench-hostile",
    accounts: [{ name: "EDGE", users: [DEVICE] }, ...FALSE_ACCOUNTS.map((name) => ({ name }))],
    leafnodes: {
      remotes: [
        {
          urls: [`tls://127.0.0.1:${stage.hub.leafPort}`],
          account: "EDGE",
          ...leafUser(ACCOUNTS.spoke),
          tls: { handshake_first: true, ca_file: stage.certs.ca },
          compression: stage.compression,
        },
        ...FALSE_ACCOUNTS.map((account) => ({
          urls: [`nats-leaf://127.0.0.1:${falseHub}`],
          account,
          compression: "s2_fast",
          reconnect: { min: "50ms", max: "100ms" },
        })),
      ],
    },
    mqtt: { listen: "0.0.0.0:0" },
    serial: [
      { name: "noise", match: { path: tty }, framing: { type: "line" }, decode: { type: "json" }, subject: "sensors.noise" },
    ],
    monitor: null,
    host: null,
    outbox: { free_reserve: "0B" },
  };
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings));
  const args = daemonCommand(process.execPath, ...nodeFlags, program, "run", "--data", dataDir);
  return await SpawnedProcess.start(...pinned(stage.cores.leaf, "env", args));
}

interface Plan {
  readonly seconds: number;
  readonly strangers: boolean;
  readonly signal: AbortSignal;
  readonly attackers: Worker;
  /** The gateway's end of the serial cable; empty where it has none. */
  readonly tty: string;
  readonly falseHub: number;
  readonly windows: Map<string, Window>;
}

interface Acked {
  readonly sent: number;
  readonly acked: number;
  readonly fault: string;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly lateP99Ms: number;
  /** When the last PUBACK came, since the first message was due. */
  readonly lastAckMs: number | null;
}

async function attackAll(stage: Stage, gateway: Gateway, attacks: readonly Attack[], plan: Plan): Promise<HostileRow[]> {
  await using device = await Worker.start("hostile-device.ts", stage.cores, plan.signal);
  await device.request("connect", { port: gateway.port, ...DEVICE });
  await device.request("run", { rate: RATE, seconds: WARM_UP_SECONDS });
  const rows: HostileRow[] = [];
  for (const attack of attacks) {
    await resetPeak(gateway.pid);
    const before = await cpuMs(gateway.pid);
    const from = performance.now();
    const fromUs = nowNs() / 1000;
    const [acked, made] = await Promise.all([
      device.request<Acked>("run", { rate: RATE, seconds: plan.seconds }),
      launch(attack, gateway, plan),
    ]);
    const spanMs = performance.now() - from;
    plan.windows.set(TITLES[attack], { from: fromUs, to: nowNs() / 1000 });
    const isAlive = gateway.process?.hasExited !== true;
    const memory = isAlive ? await memoryOf(gateway.pid) : { rssMib: Number.NaN, peakMib: Number.NaN };
    rows.push({
      system: gateway.name,
      attack,
      title: TITLES[attack],
      extent: extentOf(attack, made, plan.seconds),
      perSecond: made.made / plan.seconds,
      ...acked,
      ...memory,
      cpuPercent: isAlive ? (((await cpuMs(gateway.pid)) - before) / spanMs) * 100 : Number.NaN,
      fault: isAlive ? acked.fault : "it ended",
    });
    process.stderr.write(`petiole: ${gateway.name} has met: ${TITLES[attack]}\n`);
    if (acked.acked < acked.sent || !isAlive) process.stderr.write(`${whatWasSaid(acked, gateway)}\n`);
    if (!isAlive || acked.fault !== "") break;
    await sleep(RECOVER_MS, undefined, { signal: plan.signal });
  }
  return rows;
}

/** For whoever has to find out why: when the PUBACKs stopped, and the gateway's last words. */
function whatWasSaid({ sent, acked, fault, lastAckMs }: Acked, { process: gateway }: Gateway): string {
  const connection = fault === "" ? "its connection stayed open" : `its connection: ${fault}`;
  const last = lastAckMs === null ? "none came" : `the last came ${lastAckMs.toFixed(0)} ms after the first message was due`;
  const words = gateway?.output.slice(-WORDS_CHARS) ?? "";
  return `petiole: ${acked} of ${sent} messages of the good device were acknowledged; ${last}; ${connection}\n${words}`;
}

/** Hands back how much of it there was. */
async function launch(
  attack: Attack,
  { port }: Gateway,
  { seconds, strangers, attackers, tty, falseHub, signal }: Plan,
): Promise<Made> {
  if (attack === "none") return { made: 0 };
  if (attack === "serial") return { made: await makeNoise(farEnd(tty), seconds, signal) };
  const from = strangers ? STRANGERS : LOCAL;
  const target = { host: strangers ? HOST : "127.0.0.1", port, from, user: DEVICE.user, falseHub };
  return await attackers.request<Made>(attack, { ...target, seconds });
}

/** Random bytes, as many as the gateway takes up to many times what a line could carry. */
async function makeNoise(end: string, seconds: number, signal: AbortSignal): Promise<number> {
  const { O_WRONLY, O_NOCTTY, O_NONBLOCK } = fs.constants;
  await using device = await fs.open(end, O_WRONLY | O_NOCTTY | O_NONBLOCK);
  const endAt = performance.now() + seconds * 1000;
  let bytes = 0;
  for (; performance.now() < endAt; await sleep(NOISE_MS, undefined, { signal })) {
    const noise = crypto.getRandomValues(new Uint8Array(NOISE_BYTES));
    for (let at = 0; at < noise.length; ) {
      const written = await writeNow(device, noise.subarray(at));
      if (written === 0) break; // the tty is full
      at += written;
      bytes += written;
    }
  }
  return Math.round(bytes / 1024);
}

/** What the tty takes without waiting. */
async function writeNow(device: fs.FileHandle, bytes: Uint8Array): Promise<number> {
  try {
    return (await device.write(bytes)).bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

async function cpuMs(pid: number): Promise<number> {
  return parseCpu(await fs.readFile(`/proc/${pid}/stat`, "latin1")).cpuMs;
}

/** From here on the kernel's peak is that of the attack (proc(5), clear_refs); where it may not be reset, the highest so far. */
async function resetPeak(pid: number): Promise<void> {
  await fs.writeFile(`/proc/${pid}/clear_refs`, "5").catch(() => undefined);
}

async function memoryOf(pid: number): Promise<{ rssMib: number; peakMib: number }> {
  const status = await fs.readFile(`/proc/${pid}/status`, "latin1");
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
  return { rssMib: mib("VmRSS"), peakMib: mib("VmHWM") };
}
