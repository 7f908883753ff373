// `scripts/bench start`: from the launch of the program to what people wait for, with nothing and with a long backlog on flash. Beside it
// nats-server as leaf, with as many messages in a stream of its JetStream.
//
//   launch ──▶ MQTT lets a device in ──▶ the page answers ──▶ the first message is heard at the hub
//
// The first start of a release, which compiles the program and keeps that, stands by itself; all others find it (src/compiled.ts).
//
// With nothing queued the first message is the one that the device publishes as soon as it is let in; with a backlog it is the first that
// arrives. A stream of nats-server is not sent by itself, so there it is always the device's; and what it takes before its link stands it
// drops, so there the device says it again every 10 ms.

import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../../test/support/free-ports.ts";
import { findNatsServer } from "../nats-server.ts";
import { connectPacket, publishBlock } from "./mqtt-packets.ts";
import { openOutboxStage } from "./outbox.ts";
import { copyOf, fillPeer, fillSpoke, KEEP_ALL } from "./outbox-backlog.ts";
import { type OutboxStage, type Running, startHub, startPeer, startSpoke } from "./outbox-systems.ts";
import { factsLine, type PartFacts, table, watchMachine } from "./part-facts.ts";
import { parsePart, whole } from "./part-options.ts";
import { type Spread, spreadOf } from "./statistics.ts";
import { ACCOUNTS, appUser, DEVICE, LINE } from "./systems.ts";
import { Worker } from "./worker.ts";
import { nowNs } from "./worker-channel.ts";

const HELP = `usage: scripts/bench start [--quick] [--rounds N] [--json]

Starts the built program with 0, 100,000 and 1,000,000 messages on flash, and nats-server with as many in a stream: time until a device is
let in, until the page answers, until the first message is heard at the hub; also of a release that starts for the first time, with 0. Files are in
the page cache.
  --quick     0, 10,000 and 100,000 messages, 2 rounds
  --rounds N  how many (default 5)
  --json      a machine-readable answer instead of the table
`;

const BACKLOGS = [0, 100_000, 1_000_000];
const QUICK_BACKLOGS = [0, 10_000, 100_000];
const POLL_MS = 2;
const REPEAT_MS = 10;
const ANSWER_WITHIN_MS = 60_000;
const CONNACK_BYTES = 4;

export interface StartRow {
  readonly system: string;
  readonly records: number;
  /** Milliseconds from the launch. */
  readonly mqttMs: Spread | undefined;
  /** Undefined where there is no page. */
  readonly pageMs: Spread | undefined;
  readonly firstMs: Spread | undefined;
}

export interface StartReport extends PartFacts {
  readonly rounds: number;
  readonly rows: readonly StartRow[];
}

export async function benchStart(args: readonly string[], signal: AbortSignal): Promise<void> {
  const values = parsePart(args, HELP, ["rounds"]);
  if (values === undefined) return;
  const rounds = whole("--rounds", values.rounds ?? (values.quick ? 2 : 5), 100);
  const report = await measureStarts(values.quick ? QUICK_BACKLOGS : BACKLOGS, rounds, signal);
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatStarts(report));
}

async function measureStarts(backlogs: readonly number[], rounds: number, signal: AbortSignal): Promise<StartReport> {
  await using scope = new AsyncDisposableStack();
  const stage = await openOutboxStage(scope);
  const { version } = await findNatsServer(LINE, { say: () => undefined });
  const facts = watchMachine(version);
  const rows: StartRow[] = [];
  for (const records of backlogs) {
    await using folder = new AsyncDisposableStack();
    const isEmpty = records === 0;
    const { spoke, peer } = isEmpty ? await startedOnce(stage, folder) : await fill(stage, records, folder, signal);
    const times = { first: [] as Times[], spoke: [] as Times[], peer: [] as Times[] };
    for (let round = 0; round < rounds; round++) {
      times.spoke.push(await startOne(stage, "spoke", { template: spoke, isEmpty }, signal));
      times.peer.push(await startOne(stage, "nats-server", { template: peer, isEmpty }, signal));
      if (isEmpty) times.first.push(await startOne(stage, "spoke", { template: undefined, isEmpty }, signal));
    }
    if (isEmpty) rows.push(rowOf("spoke, its first start", records, times.first));
    rows.push(rowOf("spoke", records, times.spoke), rowOf("nats-server", records, times.peer));
    process.stderr.write(`petiole: starts with ${records.toLocaleString("en")} messages are measured\n`);
  }
  return { ...(await facts()), rounds, rows };
}

interface Templates {
  /** Data directories that each start gets a copy of; undefined: an empty one. */
  readonly spoke: string;
  readonly peer: string | undefined;
}

async function startedOnce(stage: OutboxStage, scope: AsyncDisposableStack): Promise<Templates> {
  const spoke = await freshFolder(stage, scope);
  await using first = await startSpoke(stage, { dataDir: spoke, outbox: KEEP_ALL });
  await first.stop();
  return { spoke, peer: undefined };
}

async function fill(stage: OutboxStage, records: number, scope: AsyncDisposableStack, signal: AbortSignal): Promise<Templates> {
  const spoke = (await fillSpoke(stage, records, signal)).template;
  scope.defer(() => fs.rm(spoke, { recursive: true, force: true, maxRetries: 3 }));
  const peer = (await fillPeer(stage, records, signal)).template;
  scope.defer(() => fs.rm(peer, { recursive: true, force: true, maxRetries: 3 }));
  return { spoke, peer };
}

interface Times {
  readonly mqttMs: number;
  readonly pageMs: number | null;
  readonly firstMs: number;
}

async function startOne(
  stage: OutboxStage,
  system: "spoke" | "nats-server",
  { template, isEmpty }: { readonly template: string | undefined; readonly isEmpty: boolean },
  signal: AbortSignal,
): Promise<Times> {
  await using scope = new AsyncDisposableStack();
  const [mqttPort, webPort] = (await freePorts(2)) as [number, number];
  const store = template === undefined ? await freshFolder(stage, scope) : await copyOf(template, stage, scope);
  const hub = scope.use(await startHub(stage));
  const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
  const app = appUser(system === "spoke" ? ACCOUNTS.spoke : ACCOUNTS.peer);
  const isOurs = system === "spoke";
  await subscriber.request("connect", { port: hub.port, subject: "sensors.>", ...app });
  await subscriber.request("reset");
  const more = { mqtt: { listen: `127.0.0.1:${mqttPort}` }, web: { listen: `127.0.0.1:${webPort}` } };
  const launchedAt = nowNs();
  const starting: Promise<Running> = isOurs
    ? startSpoke(stage, { dataDir: store, outbox: KEEP_ALL, more })
    : startPeer(stage, { store, synced: false, mqtt: true, mqttPort });
  starting.catch(() => undefined); // awaited below
  const isFailed = starting.then(
    () => false,
    () => true,
  );
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
  const [, pageAt, mqtt] = await Promise.all([
    starting.then((running) => scope.use(running)),
    isOurs ? firstPage(webPort, giveUp) : null,
    firstLogin(mqttPort, giveUp),
    isFailed.then((failed) => (failed ? starting : undefined)),
  ]);
  using _device = mqtt;
  if (!isOurs || isEmpty) mqtt.publish();
  const repeating = isOurs ? undefined : setInterval(() => mqtt.publish(), REPEAT_MS);
  using _repeats = { [Symbol.dispose]: () => clearInterval(repeating) };
  const heard = await subscriber.request<{ arrived: number; firstAt: number }>("wait", { count: 1, quietMs: ANSWER_WITHIN_MS });
  if (heard.arrived === 0) throw new Error(`${system}: no message reached the hub in ${ANSWER_WITHIN_MS / 1000} s`);
  const since = (at: number) => (at - launchedAt) / 1e6;
  return { mqttMs: since(mqtt.at), pageMs: pageAt === null ? null : since(pageAt), firstMs: since(heard.firstAt) };
}

async function freshFolder({ folder }: OutboxStage, scope: AsyncDisposableStack): Promise<string> {
  const fresh = await fs.mkdtemp(path.join(folder, "fresh-"));
  scope.defer(() => fs.rm(fresh, { recursive: true, force: true, maxRetries: 3 }));
  return fresh;
}

interface Login extends Disposable {
  readonly at: number;
  publish(): void;
}

/** Knocks until a device is let in. */
async function firstLogin(port: number, signal: AbortSignal): Promise<Login> {
  const hello = connectPacket("bench-start", DEVICE.user, DEVICE.password);
  for (;;) {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    const at = await new Promise<number>((resolve) => {
      socket.on("error", () => resolve(0)).on("close", () => resolve(0));
      socket.on("data", (chunk) => resolve(chunk.length >= CONNACK_BYTES && chunk[3] === 0 ? nowNs() : 0));
      socket.write(hello);
    });
    if (at > 0) {
      const publish = () => void socket.write(publishBlock(0, 1, 1).bytes);
      return { at, publish, [Symbol.dispose]: () => void socket.destroy() };
    }
    socket.destroy();
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Asks until the page, or the way to its first steps, is answered. */
async function firstPage(port: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    const status = await new Promise<number>((resolve) => {
      const request = http.get({ host: "127.0.0.1", port, path: "/", agent: false }, (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode ?? 0));
      });
      request.on("error", () => resolve(0));
    });
    if (status >= 200 && status < 400) return nowNs();
    if (status >= 400) throw new Error(`the page answers with ${status}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function rowOf(system: string, records: number, times: readonly Times[]): StartRow {
  return {
    system,
    records,
    mqttMs: spreadOf(times.map(({ mqttMs }) => mqttMs)),
    pageMs: spreadOf(times.map(({ pageMs }) => pageMs)),
    firstMs: spreadOf(times.map(({ firstMs }) => firstMs)),
  };
}

function formatStarts(report: StartReport): string {
  const show = (spread: Spread | undefined) =>
    spread === undefined ? "–" : `${Math.round(spread.median)} (${Math.round(spread.min)}–${Math.round(spread.max)})`;
  const rows = [
    ["system", "queued", "MQTT, ms", "page, ms", "first at hub, ms"],
    ...report.rows.map(({ system, records, mqttMs, pageMs, firstMs }) => [
      system,
      records.toLocaleString("en"),
      show(mqttMs),
      show(pageMs),
      show(firstMs),
    ]),
  ];
  return `${factsLine(report)}\nfrom the launch, ${report.rounds} rounds: median (least–most); files are in the page cache\n\n${table(rows)}\n`;
}
