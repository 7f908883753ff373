// A long outage and its end: so many messages on flash, the memory they take, a start with them, and how fast they reach the hub.
// Beside it nats-server: a stream on the leaf that the hub mirrors over the same kind of link.
//
//   fill, kill -9 ──▶ template ──copy──▶ start ──▶ hub comes ──▶ first … last message counted there        each round

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { connect } from "@nats-io/transport-node";
import { fetchStatus } from "../../../src/cli/status.ts";
import { controlSocketPath } from "../../../src/spoke.ts";
import { breakDown, type CpuProfile, formatBreakdown } from "./cpu-profile.ts";
import { PAYLOAD_BYTES } from "./options.ts";
import type { Acked } from "./outbox-acks.ts";
import { BenchStream } from "./outbox-stream.ts";
import { LEAF_DOMAIN, type OutboxStage, type Running, startHub, startPeer, startSpoke } from "./outbox-systems.ts";
import type { Source } from "./site-sources.ts";
import { percentile, type Spread, spreadOf } from "./statistics.ts";
import { ACCOUNTS, appUser, DEVICE } from "./systems.ts";
import { Worker } from "./worker.ts";
import { nowNs } from "./worker-channel.ts";

const SPOKE_APP = appUser(ACCOUNTS.spoke);
const PEER_APP = appUser(ACCOUNTS.peer);
const STREAM = { name: "SENSORS", subjects: ["sensors.>"] };
const PUBLISHERS = 10;
const INFLIGHT = 200;
/** Held until somebody listens: the stream at the hub is made after the link. */
export const KEEP_ALL = { rules: [{ subjects: [">"], keep: "always" }], max_messages: 100_000_000 };
const QUIET_MS = 20_000;
/** Alarms that are published while a backlog drains. */
const LIVE: Source = { kind: "mqtt", name: "live", devices: 5, topic: "live/", perSecond: 200, bytes: PAYLOAD_BYTES };
const LIVE_STEP_SECONDS = 0.25;
const PROFILE_INTERVAL_US = 500;
const LINKED_WITHIN_MS = 30_000;

export interface BacklogReport {
  readonly messages: number;
  /** MiB, resident: with all of them on flash, after they were published; and in a fresh process that found them. */
  readonly filledMib: number;
  readonly foundMib: Spread | undefined;
  readonly peakMib: number;
  /** Milliseconds from launch to open doors: with the backlog; and with nothing. */
  readonly startMs: Spread | undefined;
  readonly emptyStartMs: Spread | undefined;
  /** Of nats-server, with a stream of as many. */
  readonly peerStartMs: Spread | undefined;
  readonly peerFilledMib: number;
  /** Messages a second between the first and the last at the hub. */
  readonly toStream: Spread | undefined;
  readonly toSubscriber: Spread | undefined;
  /** Milliseconds from due to the hub of fresh alarms that are published while the backlog drains to a subscriber. */
  readonly liveP50: Spread | undefined;
  readonly liveP99: Spread | undefined;
  readonly mirrored: Spread | undefined;
  readonly lost: number;
}

export async function measureBacklog(
  stage: OutboxStage,
  options: { readonly messages: number; readonly rounds: number },
  signal: AbortSignal,
): Promise<BacklogReport> {
  const { messages } = options;
  const spoke = await fillSpoke(stage, messages, signal);
  const peer = await fillPeer(stage, messages, signal);
  const found: number[] = [];
  const starts: number[] = [];
  const emptyStarts: number[] = [];
  const peerStarts: number[] = [];
  const rates = { toStream: [] as number[], toSubscriber: [] as number[], mirrored: [] as number[] };
  const live = { p50: [] as number[], p99: [] as number[] };
  let peakMib = 0;
  let lost = 0;
  for (let round = 0; round < options.rounds; round++) {
    for (const to of ["toStream", "toSubscriber"] as const) {
      await using scope = new AsyncDisposableStack();
      const running = scope.use(
        await startSpoke(stage, { dataDir: await copyOf(spoke.template, stage, scope), outbox: KEEP_ALL }),
      );
      starts.push(running.startMs);
      found.push(await memoryMib(running, "VmRSS"));
      const drained =
        to === "toStream" ? await intoStream(stage, messages, signal) : await intoSubscriber(stage, messages, signal);
      rates[to].push(drained.rate);
      lost += drained.lost;
      peakMib = Math.max(peakMib, await memoryMib(running, "VmHWM"));
    }
    const took = await liveWhileDraining(stage, spoke.template, messages, signal);
    if (took.length > 0) live.p50.push(percentile(took, 50));
    if (took.length > 0) live.p99.push(percentile(took, 99));
    rates.mirrored.push(await mirror(stage, peer.template, messages, peerStarts, signal));
    const empty = path.join(stage.folder, `empty-${round}`);
    await using fresh = await startSpoke(stage, { dataDir: empty });
    emptyStarts.push(fresh.startMs);
  }
  return {
    messages,
    filledMib: spoke.mib,
    foundMib: spreadOf(found),
    peakMib,
    startMs: spreadOf(starts),
    emptyStartMs: spreadOf(emptyStarts),
    peerStartMs: spreadOf(peerStarts),
    peerFilledMib: peer.mib,
    toStream: spreadOf(rates.toStream),
    toSubscriber: spreadOf(rates.toSubscriber),
    liveP50: spreadOf(live.p50),
    liveP99: spreadOf(live.p99),
    mirrored: spreadOf(rates.mirrored),
    lost,
  };
}

/** The drain alone, under a CPU profile; what comes before the hub does not count. */
export async function profileDrain(stage: OutboxStage, messages: number, signal: AbortSignal): Promise<string> {
  const { template } = await fillSpoke(stage, messages, signal);
  await using scope = new AsyncDisposableStack();
  const folder = path.join(stage.folder, "profile");
  const nodeFlags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${PROFILE_INTERVAL_US}`];
  const dataDir = await copyOf(template, stage, scope);
  const running = scope.use(await startSpoke(stage, { dataDir, outbox: KEEP_ALL, nodeFlags }));
  const drained = await intoSubscriber(stage, messages, signal);
  await running.stop(); // it writes its profile on the way out
  const [file] = await fs.readdir(folder);
  if (file === undefined) throw new Error("the spoke left no CPU profile: it did not end politely");
  const profile = JSON.parse(await fs.readFile(path.join(folder, file), "utf8")) as CpuProfile;
  const map = JSON.parse(await fs.readFile(path.join(path.dirname(stage.program), "program.js.map"), "utf8"));
  const window = { from: drained.firstAt / 1000, to: drained.lastAt / 1000 };
  const title = `drain: ${Math.round(drained.rate).toLocaleString("en")} messages/s while profiled`;
  return formatBreakdown(title, breakDown(profile, map, window), 30);
}

export async function fillSpoke(
  stage: OutboxStage,
  messages: number,
  signal: AbortSignal,
): Promise<{ template: string; mib: number }> {
  const dataDir = path.join(stage.folder, "backlog");
  await using spoke = await startSpoke(stage, { dataDir, outbox: KEEP_ALL });
  await using load = await Worker.start("outbox-load-worker.ts", stage.cores, signal);
  await load.request("connect", { port: spoke.port, ...DEVICE, publishers: PUBLISHERS });
  for (let left = messages; left > 0; ) {
    const { acked } = await load.request<Acked>("run", { count: Math.min(left, 200_000), inflight: INFLIGHT });
    left -= acked;
  }
  const { remotes } = await fetchStatus(controlSocketPath(dataDir));
  if (remotes[0]!.outbox.depth !== messages)
    throw new Error(`the outbox holds ${remotes[0]!.outbox.depth} of ${messages} messages`);
  const mib = await memoryMib(spoke, "VmRSS");
  await spoke.kill();
  return { template: dataDir, mib };
}

export async function fillPeer(
  stage: OutboxStage,
  messages: number,
  signal: AbortSignal,
): Promise<{ template: string; mib: number }> {
  const store = path.join(stage.folder, "peer-backlog");
  await using peer = await startPeer(stage, { store, synced: false, mqtt: false });
  await using stream = await BenchStream.open(peer.port, DEVICE, STREAM);
  const nats = await connect({ servers: `127.0.0.1:${peer.port}`, user: DEVICE.user, pass: DEVICE.password });
  const payload = Buffer.alloc(PAYLOAD_BYTES, "x");
  for (let sent = 0; sent < messages; ) {
    signal.throwIfAborted();
    const end = Math.min(messages, sent + 5_000);
    for (; sent < end; sent++) nats.publish(`sensors.device-${sent % PUBLISHERS}.reading`, payload);
    await nats.flush();
    while ((await stream.count()) < sent) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await nats.close();
  const mib = await memoryMib(peer, "VmRSS");
  await peer.stop();
  return { template: store, mib };
}

interface Drained {
  readonly rate: number;
  readonly lost: number;
  /** Nanoseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** The hub stores it, too: what a mirror does. */
async function intoStream(stage: OutboxStage, messages: number, signal: AbortSignal): Promise<Drained> {
  const store = await fs.mkdtemp(path.join(stage.folder, "hub-"));
  await using hub = await startHub(stage, store);
  await using stream = await BenchStream.open(hub.port, SPOKE_APP, STREAM);
  const filled = await stream.fills(messages, signal);
  const rate = ((filled.messages - filled.atFirst) / filled.elapsedMs) * 1000;
  const lastAt = nowNs();
  return { rate, lost: messages - filled.messages, firstAt: lastAt - filled.elapsedMs * 1e6, lastAt };
}

async function intoSubscriber(stage: OutboxStage, messages: number, signal: AbortSignal): Promise<Drained> {
  await using subscriber = await Worker.start("subscriber-worker.ts", stage.cores, signal);
  await using hub = await startHub(stage);
  await subscriber.request("connect", { port: hub.port, subject: STREAM.subjects[0], ...SPOKE_APP });
  await subscriber.request("reset");
  const first = await subscriber.request<{ arrived: number; lastAt: number }>("wait", { count: 1, quietMs: QUIET_MS });
  const last = await subscriber.request<{ arrived: number; lastAt: number }>("wait", { count: messages, quietMs: QUIET_MS });
  const rate = ((last.arrived - first.arrived) / (last.lastAt - first.lastAt)) * 1e9;
  return { rate, lost: messages - last.arrived, firstAt: first.lastAt, lastAt: last.lastAt };
}

/** What fresh alarms take that are due between the first and the last of the backlog at the hub; ascending. */
async function liveWhileDraining(
  stage: OutboxStage,
  template: string,
  messages: number,
  signal: AbortSignal,
): Promise<Float64Array> {
  await using scope = new AsyncDisposableStack();
  const rules = [{ subjects: ["live.>"], class: "alarm", keep: "always" }, ...KEEP_ALL.rules];
  const dataDir = await copyOf(template, stage, scope);
  const running = scope.use(await startSpoke(stage, { dataDir, outbox: { ...KEEP_ALL, rules } }));
  const load = scope.use(await Worker.start("site-load-worker.ts", stage.cores, signal));
  const [backlog, alarms] = await Promise.all([0, 1].map(() => Worker.start("subscriber-worker.ts", stage.cores, signal)));
  scope.use(backlog!);
  scope.use(alarms!);
  await load.request("open", { port: running.port, ...DEVICE, sources: [LIVE] });
  const hub = scope.use(await startHub(stage));
  await backlog!.request("connect", { port: hub.port, subject: STREAM.subjects[0], ...SPOKE_APP });
  await alarms!.request("connect", { port: hub.port, subject: "live.>", ...SPOKE_APP });
  await backlog!.request("reset");
  await alarms!.request("reset", { stamps: true });
  let seen = { arrived: 0, firstAt: 0, lastAt: 0 };
  for (const end = performance.now() + QUIET_MS; seen.arrived < messages && performance.now() < end; ) {
    await load.request("run", { seconds: LIVE_STEP_SECONDS, graceMs: 0 });
    seen = await backlog!.request<typeof seen>("wait", { count: 0, quietMs: 0 });
  }
  const { stamps, latencies } = await alarms!.request<{ stamps: number[]; latencies: number[] }>("tell");
  const isDuring = (at: number) => at >= seen.firstAt && at <= seen.lastAt;
  return Float64Array.from(latencies.filter((_, i) => isDuring(stamps[i]!)).map((ns) => ns / 1e6)).sort();
}

async function mirror(
  stage: OutboxStage,
  template: string,
  messages: number,
  starts: number[],
  signal: AbortSignal,
): Promise<number> {
  await using scope = new AsyncDisposableStack();
  const store = await copyOf(template, stage, scope);
  const peer = scope.use(await startPeer(stage, { store, synced: false, mqtt: false }));
  starts.push(peer.startMs);
  const hub = scope.use(await startHub(stage, await fs.mkdtemp(path.join(stage.folder, "hub-"))));
  await untilLinked(hub.port);
  const source = { name: STREAM.name, external: { api: `$JS.${LEAF_DOMAIN}.API` } };
  const stream = scope.use(await BenchStream.open(hub.port, PEER_APP, { name: STREAM.name, mirror: source } as { name: string }));
  const filled = await stream.fills(messages, signal);
  return ((filled.messages - filled.atFirst) / filled.elapsedMs) * 1000;
}

/** The leaf's JetStream answers at the hub. */
async function untilLinked(port: number): Promise<void> {
  const nats = await connect({ servers: `127.0.0.1:${port}`, user: PEER_APP.user, pass: PEER_APP.password });
  try {
    for (const end = performance.now() + LINKED_WITHIN_MS; ; ) {
      const answer = await nats
        .request(`$JS.${LEAF_DOMAIN}.API.STREAM.INFO.${STREAM.name}`, "", { timeout: 500 })
        .catch(() => undefined);
      if (answer !== undefined && answer.json<{ error?: object }>().error === undefined) return;
      if (performance.now() > end) throw new Error("nats-server as leaf found no way to the hub");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await nats.close();
  }
}

export async function copyOf(template: string, stage: OutboxStage, scope: AsyncDisposableStack): Promise<string> {
  const copy = await fs.mkdtemp(path.join(stage.folder, "copy-"));
  await fs.cp(template, copy, { recursive: true, filter: (from) => !from.endsWith(".sock") });
  scope.defer(() => fs.rm(copy, { recursive: true, force: true, maxRetries: 3 }));
  return copy;
}

async function memoryMib({ pid }: Running, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
}
