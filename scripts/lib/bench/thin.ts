// `scripts/bench thin`: a line that carries half of what is offered. 50 kbit/s, 500 ms there and back, every fiftieth packet lost: does the
// link stay up, how long do alarms take, how much of the line is used? The spoke, nats-server as leaf with its own MQTT, mosquitto with a
// bridge, all at the same time: each has a line of its own, and none has much to do.
//
//   readings ×2 ─▶ MQTT ┐
//   alarms, 2/s ─▶ MQTT ┴ gateway ══ thin line (packets: packet-line.ts) ══▶ hub ─▶ two subscribers
//
// Readings cannot be compressed, so that twice as much is twice as much.

import type { Arrived } from "./bench-site.ts";
import { chooseCores } from "./cores.ts";
import type { LineShape } from "./line-schedule.ts";
import { mosquittoVersion, startBridge } from "./mosquitto-bridge.ts";
import { runInside } from "./own-network.ts";
import { PacketLine, whyNoLine } from "./packet-line.ts";
import { watchMachine } from "./part-facts.ts";
import { parsePart, whole } from "./part-options.ts";
import { readFigures } from "./process-figures.ts";
import type { SiteSent, Source } from "./site-sources.ts";
import {
  ACCOUNTS,
  ANY_HOST,
  appUser,
  buildSpoke,
  DEVICE,
  openStage,
  type Stage,
  type System,
  startPeer,
  startSpoke,
} from "./systems.ts";
import { alarmFigures, formatThin, type ThinReport, type ThinRun, thinRow, tookMs } from "./thin-report.ts";
import { Worker } from "./worker.ts";

const HELP = `usage: scripts/bench thin [--quick] [--rounds N] [--seconds N] [--json]

Puts the spoke, nats-server as leaf with its own MQTT and mosquitto with a bridge at the end of a line of 50 kbit/s, 500 ms there and back,
2 % of packets lost, and offers each twice what the line carries, with two alarms a second among it. Prints how long alarms take, how much
of the line was used, how often the link was lost. Wants root, /dev/net/tun and the Debian packages iproute2, socat and util-linux.
  --quick      one round of 6 seconds instead of two of 25
  --rounds N   how many rounds
  --seconds N  how long it is offered
  --json       a machine-readable answer instead of the table

example: scripts/bench thin --seconds 120 --rounds 1
`;

const SHAPE: LineShape = { bitsPerSecond: 50_000, delayMs: 250, loss: 0.02, bufferBytes: 32 * 1024 };
const SEED = 8;
const READING_BYTES = 200;
const ALARMS_PER_SECOND = 2;
const OFFERED_TIMES = 2;
const READINGS_PER_SECOND = (OFFERED_TIMES * SHAPE.bitsPerSecond) / 8 / READING_BYTES - ALARMS_PER_SECOND;
const LINKED_WITHIN_MS = 60_000;
/** Alarms that are under way when the offers end have that long. */
const GRACE_SECONDS = { full: 10, quick: 3 } as const;
/** Between two looks whether the last alarms have come. */
const LOOK_MS = 250;

const SOURCES: readonly Source[] = [
  { kind: "mqtt", name: "alarms", devices: 2, topic: "alarms/mqtt/", perSecond: ALARMS_PER_SECOND, bytes: READING_BYTES },
  {
    kind: "mqtt",
    name: "readings",
    devices: 10,
    topic: "sensors/mqtt/",
    perSecond: READINGS_PER_SECOND,
    bytes: READING_BYTES,
    isNoise: true,
  },
];

const SETTINGS = {
  outbox: {
    free_reserve: "0B",
    rules: [
      { subjects: ["alarms.>"], class: "alarm", keep: "always" },
      { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
      { subjects: [">"], keep: "durable" },
    ],
  },
  host: null,
};

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly graceSeconds: number;
}

export async function benchThin(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, ["rounds", "seconds", "inside"]);
  if (values === undefined) return;
  const plan = {
    rounds: whole("--rounds", values.rounds ?? (values.quick ? 1 : 2), 100),
    seconds: whole("--seconds", values.seconds ?? (values.quick ? 6 : 25), 600),
    graceSeconds: values.quick ? GRACE_SECONDS.quick : GRACE_SECONDS.full,
  };
  const why = await whyNoLine();
  if (why !== undefined) throw new Error(`no thin line can be laid here: ${why}`);
  if (!values.inside) return await runInside("thin", args, signal);
  const report = await measureThin(plan, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatThin(report));
}

async function measureThin(plan: Plan, signal: AbortSignal): Promise<ThinReport> {
  await using scope = new AsyncDisposableStack();
  const say = (text: string) => void process.stderr.write(`petiole: ${text}\n`);
  const stage = scope.use(await openStage(await chooseCores(), "s2_fast", say, ANY_HOST));
  const facts = watchMachine(stage.natsServer.version);
  const program = await buildSpoke(stage);
  const starts: (readonly [account: string, start: (at: Stage) => Promise<System>])[] = [
    [ACCOUNTS.spoke, (at) => startSpoke(at, program, { more: SETTINGS })],
    [ACCOUNTS.peer, (at) => startPeer(at, false)],
  ];
  if ((await mosquittoVersion()) !== undefined) starts.push([ACCOUNTS.bridge, startBridge]);
  const told = starts.map(() => ({ system: "", durability: "", runs: [] as ThinRun[] }));
  for (let round = 0; round < plan.rounds; round++) {
    const found = await Promise.all(
      starts.map(([account, start], index) => runOne(stage, index, SEED + 2 * round, account, start, plan, signal)),
    );
    for (const [index, { system, run }] of found.entries()) {
      told[index] = { system: system.name, durability: system.puback, runs: [...told[index]!.runs, run] };
    }
    say(`round ${round + 1} of ${plan.rounds} is done`);
  }
  const rows = told.map(({ system, durability, runs }) => thinRow(system, durability, runs));
  return { ...(await facts()), shape: SHAPE, rounds: plan.rounds, seconds: plan.seconds, seed: SEED, rows };
}

/** From laying the line to taking it up again: a backlog is never the next round's. */
async function runOne(
  hubStage: Stage,
  index: number,
  seed: number,
  account: string,
  start: (at: Stage) => Promise<System>,
  plan: Plan,
  signal: AbortSignal,
): Promise<{ readonly system: Pick<System, "name" | "puback">; readonly run: ThinRun }> {
  await using scope = new AsyncDisposableStack();
  const line = scope.use(await PacketLine.open(index, SHAPE, seed));
  const stage = { ...hubStage, line: line.line };
  const system = scope.use(await start(stage));
  const load = scope.use(await Worker.start("site-load-worker.ts", stage.cores, signal, { within: line.line.within }));
  const { clientPort } = system.hub ?? stage.hub;
  const [alarms, readings] = [await listen("alarms.>"), await listen("sensors.>")];
  await load.request("open", { port: system.mqttPort, ...DEVICE, sources: SOURCES });
  await untilLinked(system, load, alarms);
  await readings.request("reset");
  await alarms.request("reset", { stamps: true });
  const dialsBefore = line.dials;
  const [from, through] = [performance.now(), line.up.bytesThrough(performance.now())];
  const offering = load.request<SiteSent>("run", { seconds: plan.seconds, graceMs: 1_000, tells: ["alarms"] });
  const offered = await offering;
  const [to, throughAfter] = [performance.now(), line.up.bytesThrough(performance.now())];
  const arrivedReadings = await countOf(readings);
  const arrivedAlarms = await countOf(alarms);
  const sent = offered.sources.find(({ name }) => name === "alarms")!;
  await untilArrived(alarms, sent.sent, plan.graceSeconds);
  const { stamps, latencies } = await alarms.request<{ stamps: number[]; latencies: number[] }>("tell");
  const endNs = Number(process.hrtime.bigint());
  const capacity = ((to - from) * SHAPE.bitsPerSecond) / 8000;
  const figures = await readFigures(system.pid, 0, null);
  const run: ThinRun = {
    ...alarmFigures(tookMs(sent.due, stamps, latencies, endNs)),
    alarmsMissing: sent.sent - new Set(stamps).size,
    ackP99Ms: offered.sources.reduce<number | null>(
      (most, { ackMs }) => (ackMs === null ? most : Math.max(most ?? 0, ackMs.p99)),
      null,
    ),
    sharePercent: ((throughAfter - through) / capacity) * 100,
    usefulPercent: (((arrivedReadings + arrivedAlarms) * READING_BYTES) / capacity) * 100,
    reconnects: line.dials - dialsBefore,
    devicesEnded: offered.ended,
    rssMib: figures.rssBytes / 2 ** 20,
  };
  process.kill(system.pid, "SIGKILL"); // politely it would take its time: what it still holds is nobody's
  return { system: { name: system.name, puback: system.puback }, run };

  async function listen(subject: string): Promise<Worker> {
    const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
    await subscriber.request("connect", { port: clientPort, subject, ...appUser(account) });
    return subscriber;
  }
}

async function countOf(subscriber: Worker): Promise<number> {
  return (await subscriber.request<Arrived>("wait", { count: 0, quietMs: 0 })).arrived;
}

async function untilArrived(subscriber: Worker, count: number, seconds: number): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    if ((await countOf(subscriber)) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Alarms alone, until one has come all the way. */
async function untilLinked(system: System, load: Worker, alarms: Worker): Promise<void> {
  await alarms.request("reset");
  for (const end = performance.now() + LINKED_WITHIN_MS; performance.now() < end; ) {
    await load.request("run", { seconds: 1, graceMs: 0, only: ["alarms"] });
    if ((await countOf(alarms)) > 0) return;
  }
  throw new Error(
    `${system.name}: nothing came over the thin line in ${LINKED_WITHIN_MS / 1000} s. It said:\n${system.lastWords()}`,
  );
}
