// How fast devices get their PUBACKs, and how long each takes: with 1, 10 and 100 of them, with the link and without it, beside
// nats-server's own MQTT, which has to store as well: a session of QoS 1 that is away wants every message.

import * as path from "node:path";
import { connectAsync } from "mqtt";
import { hubPorts, type OutboxStage, type Running, startHub, startPeer, startSpoke } from "./outbox-systems.ts";
import { type Spread, spreadOf } from "./statistics.ts";
import { ACCOUNTS, appUser, DEVICE } from "./systems.ts";
import { Worker } from "./worker.ts";

export const CROWDS = [1, 10, 100] as const;
/** Per device, for the rate. Latencies are taken with one. */
export const RATE_INFLIGHT = 20;

export interface AckRow {
  readonly system: string;
  readonly publishers: number;
  /** Acknowledged a second, RATE_INFLIGHT in flight each. */
  readonly rate: Spread | undefined;
  /** Milliseconds, one in flight each. */
  readonly p50: Spread | undefined;
  readonly p99: Spread | undefined;
}

export interface Acked {
  readonly startedAt: number;
  readonly doneAt: number;
  readonly acked: number;
  readonly p50: number;
  readonly p99: number;
}

interface Target {
  readonly name: string;
  readonly running: Running;
}

export async function measureAcks(
  stage: OutboxStage,
  options: { readonly rounds: number; readonly seconds: number },
  signal: AbortSignal,
): Promise<AckRow[]> {
  await using scope = new AsyncDisposableStack();
  scope.use(await startHub(stage));
  const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
  await subscriber.request("connect", { port: stage.hubPorts.client, subject: "sensors.>", ...appUser(ACCOUNTS.spoke) });
  const load = scope.use(await Worker.start("outbox-load-worker.ts", stage.cores, signal));
  const nowhere = { ...stage, hubPorts: await hubPorts() };
  const dataDir = (name: string) => path.join(stage.folder, name);
  const targets: Target[] = [
    { name: "spoke, link up", running: scope.use(await startSpoke(stage, { dataDir: dataDir("acks-up") })) },
    { name: "spoke, link down", running: scope.use(await startSpoke(nowhere, { dataDir: dataDir("acks-down") })) },
  ];
  for (const synced of [false, true]) {
    const peer = scope.use(await startPeer(stage, { store: dataDir(`acks-peer-${synced}`), synced, mqtt: true }));
    await leaveSession(peer.port);
    targets.push({ name: synced ? "nats-server, sync always" : "nats-server", running: peer });
  }
  const samples: {
    readonly system: string;
    readonly publishers: number;
    readonly rate: number;
    readonly p50: number;
    readonly p99: number;
  }[] = [];
  for (let round = 0; round <= options.rounds; round++) {
    for (const publishers of CROWDS) {
      for (const { name, running } of round % 2 === 0 ? targets : targets.toReversed()) {
        signal.throwIfAborted();
        await load.request("connect", { port: running.port, ...DEVICE, publishers });
        const busy = await load.request<Acked>("run", { seconds: options.seconds, inflight: RATE_INFLIGHT });
        const calm = await load.request<Acked>("run", { seconds: options.seconds, inflight: 1 });
        const rate = (busy.acked / (busy.doneAt - busy.startedAt)) * 1e9;
        if (round > 0) samples.push({ system: name, publishers, rate, p50: calm.p50, p99: calm.p99 }); // the first warms up
      }
    }
  }
  return CROWDS.flatMap((publishers) =>
    targets.map(({ name }) => {
      const own = samples.filter((sample) => sample.system === name && sample.publishers === publishers);
      const of = (key: "rate" | "p50" | "p99") => spreadOf(own.map((sample) => sample[key]));
      return { system: name, publishers, rate: of("rate"), p50: of("p50"), p99: of("p99") };
    }),
  );
}

/** A session of QoS 1 that wants everything and is away: without one, nats-server acknowledges what it does not keep. */
export async function leaveSession(port: number): Promise<void> {
  const session = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    username: DEVICE.user,
    password: DEVICE.password,
    clientId: "bench-away",
    clean: false,
    reconnectPeriod: 0,
  });
  await session.subscribeAsync("sensors/#", { qos: 1 });
  await session.endAsync();
}
