// What `scripts/bench outbox` measures, real processes on loopback: the spoke, and nats-server as leaf, each with a hub that comes and
// goes as the bench wants. TLS first on every link, compression off on both sides.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Json } from "#base/schema.ts";
import type { Certificates } from "../../../test/support/certificates.ts";
import { freePorts } from "../../../test/support/free-ports.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { daemonCommand } from "../node-flags.ts";
import { type Cores, pinned } from "./cores.ts";
import { ACCOUNTS, appUser, DEVICE, leafUser } from "./systems.ts";

/** JetStream of the leaf, as the hub calls it. */
export const LEAF_DOMAIN = "leaf";
const LONG_MS = 60_000;

export interface OutboxStage {
  readonly cores: Cores;
  readonly folder: string;
  readonly certs: Certificates;
  readonly natsServer: string;
  /** The bundle of the daemon. */
  readonly program: string;
  /** Where the hub listens whenever there is one. */
  readonly hubPorts: { readonly client: number; readonly leaf: number };
}

export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** MQTT, or for a leaf without it the port of NATS clients. */
  readonly port: number;
  /** From its launch until its doors were open. */
  readonly startMs: number;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function hubPorts(): Promise<OutboxStage["hubPorts"]> {
  const [client, leaf] = await freePorts(2);
  return { client: client!, leaf: leaf! };
}

/** `store`: a folder for its JetStream; without one it has none. */
export async function startHub(stage: OutboxStage, store?: string): Promise<Running> {
  const { certs, cores } = stage;
  const js = store === undefined ? {} : { jetstream: { store_dir: store, domain: "hub", max_file_store: 8 * 2 ** 30 } };
  const config = {
    server_name: "hub",
    port: stage.hubPorts.client,
    ...js,
    accounts: Object.fromEntries(Object.values(ACCOUNTS).map((account) => [account, accountAtHub(account, store !== undefined)])),
    leafnodes: {
      host: "127.0.0.1",
      port: stage.hubPorts.leaf,
      compression: "off",
      tls: { cert_file: certs.server.cert, key_file: certs.server.key, ca_file: certs.ca, handshake_first: true },
    },
    max_pending: 512 * 1024 * 1024,
    write_deadline: "60s",
  };
  return await startNatsServer(stage, cores.load, "hub", config, /Listening for client connections on \S+:(\d+)/);
}

/** One for each system: what one of them publishes must not reach the others. */
function accountAtHub(account: string, hasStore: boolean): object {
  return { users: [leafUser(account), appUser(account)], ...(hasStore ? { jetstream: "enabled" } : {}) };
}

export interface SpokeAt {
  readonly dataDir: string;
  readonly nodeFlags?: readonly string[];
  readonly outbox?: { readonly [key: string]: Json };
  /** Settings beside or instead of those below. */
  readonly more?: { readonly [key: string]: Json };
}

export async function startSpoke(
  stage: OutboxStage,
  { dataDir, nodeFlags = [], outbox = {}, more = {} }: SpokeAt,
): Promise<Running> {
  const settings = {
    server_name: "bench-spoke",
    accounts: [{ name: "EDGE", users: [DEVICE] }],
    leafnodes: {
      remotes: [
        {
          urls: [`tls://127.0.0.1:${stage.hubPorts.leaf}`],
          ...leafUser(ACCOUNTS.spoke),
          tls: { handshake_first: true, ca_file: stage.certs.ca },
          compression: "off",
          reconnect: { min: "50ms", max: "250ms" },
          ignore_discovered_servers: true,
        },
      ],
    },
    mqtt: { listen: "127.0.0.1:0" },
    monitor: null,
    outbox: { free_reserve: "0B", max_bytes: "4GiB", ...outbox },
    ...more,
  };
  await fs.mkdir(dataDir, { recursive: true });
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings));
  const args = daemonCommand(process.execPath, ...nodeFlags, stage.program, "run", "--data", dataDir);
  return await start(pinned(stage.cores.leaf, "env", args), /\srunning\s.* mqtt=127\.0\.0\.1:(\d+)/);
}

export interface PeerAt {
  readonly store: string;
  /** `sync_interval: always`. */
  readonly synced: boolean;
  /** With its MQTT door; else with a JetStream domain that the hub can draw from. */
  readonly mqtt: boolean;
  /** Where that door is; by default anywhere. */
  readonly mqttPort?: number;
}

export async function startPeer(stage: OutboxStage, { store, synced, mqtt, mqttPort = -1 }: PeerAt): Promise<Running> {
  const { certs, cores } = stage;
  const { user, password } = leafUser(synced ? ACCOUNTS.synced : ACCOUNTS.peer);
  const config = {
    server_name: "peer",
    port: -1,
    jetstream: {
      store_dir: store,
      max_file_store: 8 * 2 ** 30,
      ...(synced ? { sync_interval: "always" } : {}),
      ...(mqtt ? {} : { domain: LEAF_DOMAIN }),
    },
    ...(mqtt ? { mqtt: { host: "127.0.0.1", port: mqttPort } } : {}),
    accounts: { EDGE: { users: [DEVICE], jetstream: "enabled" } },
    leafnodes: {
      reconnect: "250ms",
      remotes: [
        {
          url: `tls://${user}:${password}@127.0.0.1:${stage.hubPorts.leaf}`,
          account: "EDGE",
          compression: "off",
          tls: { ca_file: certs.ca, handshake_first: true },
        },
      ],
    },
    max_pending: 512 * 1024 * 1024,
    write_deadline: "60s",
  };
  const door = mqtt ? "MQTT clients" : "client connections";
  return await startNatsServer(stage, cores.leaf, "peer", config, new RegExp(`Listening for ${door} on \\S+:(\\d+)`));
}

async function startNatsServer(
  stage: OutboxStage,
  cores: string | null,
  name: string,
  config: object,
  door: RegExp,
): Promise<Running> {
  const file = path.join(stage.folder, `${name}.json`);
  await fs.writeFile(file, JSON.stringify({ host: "127.0.0.1", ...config }));
  return await start(pinned(cores, stage.natsServer, ["--config", file]), door, /Server is ready/);
}

async function start([command, args]: [string, string[]], door: RegExp, ready = door): Promise<Running> {
  const launchedAt = performance.now();
  const running = await SpawnedProcess.start(command, args);
  try {
    const port = Number((await running.says(door, LONG_MS))[1]);
    await running.says(ready, LONG_MS);
    return {
      pid: running.pid,
      port,
      startMs: performance.now() - launchedAt,
      kill: async () => void (await running.kill()),
      stop: async () => void (await running.stop()),
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    };
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}
