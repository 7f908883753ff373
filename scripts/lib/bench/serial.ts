// `scripts/bench serial`: ports that never rest and Modbus buses full of units, on ptys at line rate: processor time and frames lost.
//
//   talkers, units ══ ptys (socat) ══ spoke ── NATS on loopback ── subscriber (this process) counts
//
// A frame is lost when a device has sent it whole and the subscriber never got it. For a bus: answers given and values received.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "@nats-io/transport-node";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { build } from "../../build.ts";
import { daemonCommand } from "../node-flags.ts";
import { chooseCores, pinned } from "./cores.ts";
import { parseCpu } from "./process-figures.ts";
import type { DevicesOrder, DevicesReport } from "./serial-devices.ts";

export const SERIAL_HELP = `usage: scripts/bench serial [--seconds N] [--ports N] [--buses N] [--units N] [--interval D] [--json]

Runs the spoke with talkers that fill their lines (JSON at 115,200 baud) and Modbus buses on ptys, and counts what arrives over NATS.
  --seconds N    how long it is measured (default 15)
  --ports N      talkers (default 8)
  --buses N      Modbus buses (default 2)
  --units N      units on each bus (default 20)
  --interval D   how often each unit is asked (default 250ms)
  --json         a machine-readable answer instead of the table

example: scripts/bench serial --seconds 30
`;

const BAUD = 115_200;
const WARM_UP_MS = 2000;
/** How long what is on its way may take to arrive after the devices have fallen silent. */
const DRAIN_MS = 5000;

interface Wanted {
  readonly seconds: number;
  readonly ports: number;
  readonly buses: number;
  readonly units: number;
  readonly interval: string;
}

export interface SerialBenchReport extends Wanted {
  readonly cores: string;
  readonly cpuPercent: number;
  readonly rssMiB: number;
  readonly lines: { readonly sent: number; readonly received: number; readonly lost: number; readonly perSecond: number };
  readonly answers: { readonly sent: number; readonly received: number; readonly lost: number; readonly perSecond: number };
  readonly machine: string;
  readonly loadAverage: number;
}

export async function benchSerial(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "15" },
      ports: { type: "string", default: "8" },
      buses: { type: "string", default: "2" },
      units: { type: "string", default: "20" },
      interval: { type: "string", default: "250ms" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(SERIAL_HELP);
    return;
  }
  const wanted: Wanted = {
    seconds: whole("seconds", values.seconds, 1, 3600),
    ports: whole("ports", values.ports, 0, 32),
    buses: whole("buses", values.buses, 0, 16),
    units: whole("units", values.units, 1, 247),
    interval: values.interval,
  };
  const report = await measure(wanted, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : format(report));
  if (report.lines.lost > 0 || report.answers.lost > 0) process.exitCode = 1;
}

async function measure(wanted: Wanted, signal: AbortSignal): Promise<SerialBenchReport> {
  await using scope = new AsyncDisposableStack();
  const cores = await chooseCores();
  const folder = scope.use(await tempFolder("petiole-bench-serial"));
  await build({ outFolder: path.join(folder.path, "dist") });
  const talkers = await cables(scope, folder.path, "talker", wanted.ports);
  const buses = await cables(scope, folder.path, "bus", wanted.buses);
  const units = Array.from({ length: wanted.units }, (_, i) => i + 1);
  const [port] = await freePorts(1);
  const settings = settingsFor(port!, talkers, buses, units, wanted.interval);
  await fs.writeFile(path.join(folder.path, "settings.json"), JSON.stringify(settings));
  const program = path.join(folder.path, "dist/petiole.js");
  const [command, args] = pinned(cores.leaf, "env", daemonCommand(process.execPath, program, "run", "--data", folder.path));
  const spoke = scope.use(await SpawnedProcess.start(command, args));
  await spoke.when(
    () => (spoke.output.match(/is open/g) ?? []).length >= talkers.length + buses.length || undefined,
    "to open its ports",
  );
  const counts = await subscribe(scope, port!);
  const devices = await startDevices(scope, { baudRate: BAUD, talkers: talkers.map(farEnd), buses: buses.map(farEnd), units });
  await sleep(WARM_UP_MS, undefined, { signal });
  const before = await cpuMs(spoke.pid);
  const [startedAt, countedAt] = [performance.now(), { ...counts }];
  await sleep(wanted.seconds * 1000, undefined, { signal });
  const elapsedMs = performance.now() - startedAt;
  const cpuPercent = (100 * ((await cpuMs(spoke.pid)) - before)) / elapsedMs;
  const during = { lines: counts.lines - countedAt.lines, answers: counts.answers - countedAt.answers };
  const rssMiB = Number(/^VmRSS:\s*(\d+) kB/m.exec(await fs.readFile(`/proc/${spoke.pid}/status`, "latin1"))?.[1]) / 1024;
  devices.send("mute");
  const [sent] = (await once(devices, "message", { signal })) as [DevicesReport];
  const total = { lines: sum(sent.written), answers: sum(sent.answered) };
  for (const end = performance.now() + DRAIN_MS; performance.now() < end; ) {
    if (counts.lines >= total.lines && counts.answers >= total.answers) break;
    await sleep(50, undefined, { signal });
  }
  const row = (kind: "lines" | "answers") => ({
    sent: total[kind],
    received: counts[kind],
    lost: total[kind] - counts[kind],
    perSecond: Math.round((during[kind] * 1000) / elapsedMs),
  });
  return {
    ...wanted,
    cores: cores.note,
    cpuPercent: Math.round(cpuPercent * 10) / 10,
    rssMiB: Math.round(rssMiB),
    lines: row("lines"),
    answers: row("answers"),
    machine: os.cpus()[0]?.model ?? "unknown",
    loadAverage: os.loadavg()[0]!,
  };
}

interface Counts {
  lines: number;
  answers: number;
}

async function subscribe(scope: AsyncDisposableStack, port: number): Promise<Counts> {
  const counts: Counts = { lines: 0, answers: 0 };
  const nats = await connect({ servers: `127.0.0.1:${port}`, user: "bench", pass: "bench-password" });
  scope.defer(() => nats.close());
  nats.subscribe("line.>", { callback: () => void (counts.lines += 1) });
  nats.subscribe("bus.>", { callback: () => void (counts.answers += 1) });
  await nats.flush();
  return counts;
}

async function startDevices(scope: AsyncDisposableStack, order: DevicesOrder): Promise<ChildProcess> {
  const devices = fork(path.join(import.meta.dirname, "serial-devices.ts"), [JSON.stringify(order)]);
  scope.defer(() => void devices.kill());
  const [word] = (await once(devices, "message")) as [string];
  if (word !== "ready") throw new Error(`the devices said ${word}`);
  return devices;
}

function settingsFor(
  port: number,
  talkers: readonly string[],
  buses: readonly string[],
  units: readonly number[],
  interval: string,
) {
  const common = (name: string, near: string) => ({ name, match: { path: near }, baud_rate: BAUD });
  return {
    listen: `127.0.0.1:${port}`,
    accounts: [{ name: "EDGE", users: [{ user: "bench", password: "bench-password", nats: true, mqtt: false }] }],
    host: null,
    serial: [
      ...talkers.map((near, i) => ({ ...common(`talker-${i}`, near), decode: { type: "json" }, subject: "line.{name}" })),
      ...buses.map((near, i) => ({
        ...common(`bus-${i}`, near),
        modbus: {
          units: units.map((unit) => ({ unit, name: `u${unit}` })),
          polls: [
            {
              name: "state",
              address: 0,
              count: 4,
              interval,
              registers: [{ name: "a" }, { name: "b", offset: 1 }, { name: "c", offset: 2 }],
            },
          ],
          subject: "bus.{name}.{unit}",
          timeout: "200ms",
        },
      })),
    ],
  };
}

/** Near ends; the far end of each is beside it. */
export async function cables(
  scope: AsyncDisposableStack,
  folder: string,
  name: string,
  count: number,
): Promise<readonly string[]> {
  const ends = Array.from({ length: count }, (_, i) => path.join(folder, `${name}-${i}`));
  for (const near of ends) {
    const end = (link: string) => `pty,raw,echo=0,link=${link}`;
    const socat = scope.use(await SpawnedProcess.start("socat", ["-d", "-d", end(near), end(farEnd(near))]));
    await socat.says(/starting data transfer loop/);
  }
  return ends;
}

export function farEnd(near: string): string {
  return `${near}-far`;
}

async function cpuMs(pid: number): Promise<number> {
  return parseCpu(await fs.readFile(`/proc/${pid}/stat`, "latin1")).cpuMs;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name} wants a whole number from ${min} to ${max}, got "${text}"`);
}

function format(report: SerialBenchReport): string {
  const { lines, answers } = report;
  const row = (what: string, { sent, received, lost, perSecond }: SerialBenchReport["lines"]) =>
    `  ${what.padEnd(34)} ${String(perSecond).padStart(7)}/s  ${String(sent).padStart(8)} sent  ${String(received).padStart(8)} received  ${lost} lost\n`;
  return (
    `${report.ports} ports at ${BAUD} baud, ${report.buses} Modbus buses of ${report.units} units each asked every ${report.interval}, ${report.seconds} s\n` +
    row("lines of JSON", lines) +
    row("Modbus answers", answers) +
    `  spoke: ${report.cpuPercent} % of a processor, ${report.rssMiB} MiB\n` +
    `  ${report.machine}; ${report.cores}; load average ${report.loadAverage.toFixed(2)}\n`
  );
}
