// The brokers that `scripts/bench mqtt` measures, each a process of its own with the settings it ships with, but for queues that
// would drop what is measured.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { daemonCommand } from "../node-flags.ts";
import { type Cores, pinned } from "./cores.ts";

export interface MqttBroker extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

export interface BrokerPlace {
  readonly folder: string;
  readonly cores: Cores;
  /** The built daemon, and nats-server's binary. */
  readonly program: string;
  readonly natsServer: string;
}

export type StartBroker = (place: BrokerPlace) => Promise<MqttBroker>;

const SETTINGS = {
  server_name: "bench",
  accounts: [{ name: "EDGE", users: [{ user: "anyone" }] }],
  no_auth_user: "anyone",
  mqtt: { listen: "127.0.0.1:0", max_clients: 5_000 },
  monitor: null,
  outbox: { free_reserve: "0B" },
};

/** Nothing listens there, so what is kept is kept on flash. */
const NO_HUB = { leafnodes: { remotes: [{ urls: ["tls://127.0.0.1:1"], account: "EDGE" }] } };

/** Ours with no hub configured: what local devices tell each other, acknowledged when it has been handed on. */
export const startSpoke: StartBroker = (place) => runSpoke("spoke", SETTINGS, place);

/** Ours with a hub that is away: every acknowledged QoS 1 and 2 message is on flash first. */
export const startSafeSpoke: StartBroker = (place) => runSpoke("spoke, on flash", { ...SETTINGS, ...NO_HUB }, place);

async function runSpoke(name: string, settings: object, { folder, cores, program }: BrokerPlace): Promise<MqttBroker> {
  const dataDir = await fs.mkdtemp(path.join(folder, "spoke-"));
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings));
  const args = daemonCommand(process.execPath, program, "run", "--data", dataDir);
  return await ready(
    name,
    await SpawnedProcess.start(...pinned(cores.leaf, "env", args)),
    /\srunning\s.* mqtt=127\.0\.0\.1:(\d+)/,
  );
}

export const startMosquitto: StartBroker = async ({ folder, cores }) => {
  const [port] = await freePorts(1);
  const file = path.join(folder, `mosquitto-${port}.conf`);
  await fs.writeFile(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n`);
  const running = await SpawnedProcess.start(...pinned(cores.leaf, "mosquitto", ["-c", file]));
  return await ready("mosquitto", running, /mosquitto version \S+ running/, port);
};

export const startNatsServer: StartBroker = async ({ folder, cores, natsServer }) => {
  const store = await fs.mkdtemp(path.join(folder, "nats-"));
  const file = `${store}.json`;
  const config = {
    server_name: "bench-peer",
    host: "127.0.0.1",
    port: -1,
    jetstream: { store_dir: store },
    mqtt: { host: "127.0.0.1", port: -1 },
    max_pending: 512 * 1024 * 1024,
  };
  await fs.writeFile(file, JSON.stringify(config));
  const running = await SpawnedProcess.start(...pinned(cores.leaf, natsServer, ["--config", file]));
  const broker = await ready("nats-server", running, /Listening for MQTT clients on \S+:(\d+)/);
  await running.says(/Server is ready/);
  return broker;
};

export const startAedes: StartBroker = async ({ cores }) => {
  const program = path.join(import.meta.dirname, "aedes-broker.ts");
  return await ready(
    "aedes",
    await SpawnedProcess.start(...pinned(cores.leaf, process.execPath, [program])),
    /listening on (\d+)/,
  );
};

async function ready(name: string, running: SpawnedProcess, says: RegExp, port?: number): Promise<MqttBroker> {
  try {
    const [, told] = await running.says(says);
    return { name, pid: running.pid, port: port ?? Number(told), [Symbol.asyncDispose]: async () => void (await running.stop()) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}
