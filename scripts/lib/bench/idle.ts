// `scripts/bench idle`: what a gateway costs while nothing happens: processor, wake-ups, bytes to the hub, bytes to flash, memory.
// The spoke beside nats-server as leaf and mosquitto with a bridge, all at the same time: none has anything to do. The spoke has been started
// once before, as startSpoke does it: what Node compiled is kept. Where its memory goes: image/README.md, Memory.

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { chooseCores } from "./cores.ts";
import { type Awake, type Memory, readAwake, readMemory } from "./idle-figures.ts";
import { mosquittoVersion, startBridge } from "./mosquitto-bridge.ts";
import { factsLine, type PartFacts, table, watchMachine } from "./part-facts.ts";
import { type ProcessFigures, readFigures } from "./process-figures.ts";
import { ACCOUNTS, buildSpoke, openStage, type Stage, type System, startPeer, startSpoke } from "./systems.ts";

const HELP = `usage: scripts/bench idle [--quick] [--seconds N] [--json]

Measures the spoke, nats-server as leaf and mosquitto with a bridge while nobody sends anything: processor time, wake-ups a second, bytes
to the hub and to flash an hour, memory. All links are TLS first where the system knows that.
  --quick      20 seconds instead of 130, soon after the start: a PING that comes every minute or two may be missed, and what is written
               once is taken for what is written always
  --seconds N  how long
  --json       a machine-readable answer instead of the table
`;

/** What is done once, after a start, is done by then: the hub's interest is written down after half a minute. */
const SETTLE_MS = 35_000;
const QUICK_SETTLE_MS = 6_000;
const SECONDS = 130;
const QUICK_SECONDS = 20;

export interface IdleRow {
  readonly system: string;
  readonly cpuPercent: number;
  readonly wakeupsPerSecond: number;
  /** TCP payload with TLS, without the headers of IP and TCP; null where the machine does not tell. */
  readonly bytesUpPerHour: number | null;
  readonly segmentsUpPerHour: number | null;
  readonly flashBytesPerHour: number | null;
  readonly rssMib: number | null;
  readonly anonymousMib: number | null;
  readonly fileMib: number | null;
}

export interface IdleReport extends PartFacts {
  readonly seconds: number;
  readonly rows: readonly IdleRow[];
}

export async function benchIdle(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const seconds = Number(values.seconds ?? (values.quick ? QUICK_SECONDS : SECONDS));
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600)
    throw new Error(`--seconds wants a whole number from 1 to 3600, got "${values.seconds}"`);
  const report = await measureIdle(seconds, values.quick ? QUICK_SETTLE_MS : SETTLE_MS, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatIdle(report));
}

async function measureIdle(seconds: number, settleMs: number, signal: AbortSignal): Promise<IdleReport> {
  await using scope = new AsyncDisposableStack();
  const stage = scope.use(
    await openStage(await chooseCores(), "s2_fast", (line) => void process.stderr.write(`petiole: ${line}\n`)),
  );
  const facts = watchMachine(stage.natsServer.version);
  const program = await buildSpoke(stage);
  const systems: { readonly name: string; readonly system: System }[] = [];
  for (const [name, start] of [
    ["spoke", () => startSpoke(stage, program, { more: { host: null } })],
    ["spoke, its host readings each 30 s", () => startSpoke(stage, program, { account: ACCOUNTS.gatherer })],
    ["nats-server", () => startPeer(stage, false)],
  ] as const) {
    systems.push({ name, system: scope.use(await start()) });
  }
  if ((await mosquittoVersion()) !== undefined)
    systems.push({ name: "mosquitto, bridge", system: scope.use(await startBridge(stage)) });
  await sleep(settleMs, undefined, { signal });
  const before = await lookAt(stage, systems);
  const from = performance.now();
  await sleep(seconds * 1000, undefined, { signal });
  const after = await lookAt(stage, systems);
  const spanSeconds = (performance.now() - from) / 1000;
  const rows = systems.map(({ name }, index) => rowOf(name, before[index]!, after[index]!, spanSeconds));
  return { ...(await facts()), seconds, rows };
}

interface Look extends Awake {
  readonly figures: ProcessFigures;
  readonly memory: Memory | undefined;
}

async function lookAt(stage: Stage, systems: readonly { readonly system: System }[]): Promise<Look[]> {
  return await Promise.all(
    systems.map(async ({ system }) => ({
      ...(await readAwake(system.pid)),
      figures: await readFigures(system.pid, system.hub?.linkPort ?? stage.hub.leafPort, null),
      memory: await readMemory(system.pid),
    })),
  );
}

export function rowOf(system: string, before: Look, after: Look, seconds: number): IdleRow {
  const isOneConnection = before.figures.wire?.localPort === after.figures.wire?.localPort;
  const anHour = (from: number | null | undefined, to: number | null | undefined) =>
    from == null || to == null ? null : ((to - from) / seconds) * 3600;
  const [wireFrom, wireTo] = isOneConnection ? [before.figures.wire, after.figures.wire] : [null, null];
  const mib = (bytes: number | undefined) => (bytes === undefined ? null : bytes / 2 ** 20);
  return {
    system,
    cpuPercent: ((after.cpuNs - before.cpuNs) / (seconds * 1e9)) * 100,
    wakeupsPerSecond: (after.wakeups - before.wakeups) / seconds,
    bytesUpPerHour: anHour(wireFrom?.bytes, wireTo?.bytes),
    segmentsUpPerHour: anHour(wireFrom?.segments, wireTo?.segments),
    flashBytesPerHour: anHour(before.figures.diskBytes, after.figures.diskBytes),
    rssMib: mib(after.memory?.rssBytes),
    anonymousMib: mib(after.memory?.anonymousBytes),
    fileMib: mib(after.memory?.fileBytes),
  };
}

function formatIdle(report: IdleReport): string {
  const show = (value: number | null, digits: number) =>
    value === null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const rows = [
    ["system", "CPU %", "wake-ups/s", "bytes up/h", "segments/h", "flash bytes/h", "RSS MiB", "anonymous", "of files"],
    ...report.rows.map((row) => [
      row.system,
      show(row.cpuPercent, 3),
      show(row.wakeupsPerSecond, 1),
      show(row.bytesUpPerHour, 0),
      show(row.segmentsUpPerHour, 0),
      show(row.flashBytesPerHour, 0),
      show(row.rssMib, 1),
      show(row.anonymousMib, 1),
      show(row.fileMib, 1),
    ]),
  ];
  return `${factsLine(report)}\nnothing sent for ${report.seconds} s; hours are that, scaled\n\n${table(rows)}\n`;
}
