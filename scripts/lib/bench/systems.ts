// The systems under test, real processes on loopback: one hub, and leaves that link to it TLS-first, each into an account of
// its own at the hub, so that the one not measured has nothing to do.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { fetchStatus } from "../../../src/cli/status.ts";
import { controlSocketPath } from "../../../src/spoke.ts";
import { type Certificates, certificates } from "../../../test/support/certificates.ts";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { build } from "../../build.ts";
import { findNatsServer } from "../nats-server.ts";
import { daemonCommand } from "../node-flags.ts";
import { type Cores, pinned, within } from "./cores.ts";

/** `gathered`: as `paced`, and the spoke gathers for a while before it flushes. */
export type WorkloadName = "qos0" | "qos1" | "paced" | "gathered";

/** A leaf under test. */
export interface System extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly mqttPort: number;
  /** Of local NATS clients; undefined where there are none. */
  readonly natsPort?: number | undefined;
  /** What it is measured at. */
  readonly workloads: readonly WorkloadName[];
  /** Where it links to, if not to the stage's hub. */
  readonly hub?: LinkedHub;
  /** What a PUBACK of it means; never compare rates across different answers. */
  readonly puback: string;
  /** What it says itself that it dropped, such as "link_slow 610"; empty when nothing, or when it keeps no such account. */
  losses(): Promise<string>;
  /** The end of what it printed, for messages. */
  lastWords(): string;
  /** Ends it politely; resolves when it has. */
  stop(): Promise<void>;
}

/** A hub as one system sees it: where its link goes, and where what came over it is heard. */
export interface LinkedHub {
  readonly clientPort: number;
  readonly linkPort: number;
}

export interface Hub {
  readonly clientPort: number;
  readonly leafPort: number;
}

/** Where a gateway stands that is not beside its hub: see packet-line.ts. */
export interface Line {
  /** What a command line over there begins with. */
  readonly within: readonly string[];
  /** The hub's address, seen from there. Its certificate is for this machine. */
  readonly hubHost: string;
}

/** What all systems are started from. */
export interface Stage {
  readonly hub: Hub;
  /** Between the gateway and the hub; without one they share loopback. */
  readonly line?: Line;
  readonly cores: Cores;
  readonly folder: string;
  readonly natsServer: { readonly path: string; readonly version: string };
  readonly certs: Certificates;
  /** Of hub and leaves alike, in nats-server's words. */
  readonly compression: string;
}

export const LINE = "2.15";
export const DEVICE = { user: "bench-device", password: "bench-device-password" } as const;
const PASSWORD = "bench-password";

/** Users of a system's account at the hub. */
export const leafUser = (account: string) => ({ user: `${account}-leaf`, password: PASSWORD });
export const appUser = (account: string) => ({ user: `${account}-app`, password: PASSWORD });

/** Names of accounts at the hub. */
export const ACCOUNTS = { spoke: "SPOKE", gatherer: "GATHERER", peer: "PEER", synced: "SYNCED", bridge: "BRIDGE" } as const;
/** How long the gathering spoke waits before a flush. */
export const GATHER = "10ms";

const LAST_WORDS_CHARS = 2_000;
/**
 * nats-server's own limit for TLS and login of a leaf, and what it gets where a round trip takes half a second. There a leaf of it would
 * not link at all by its defaults: it waits a second for the hub's INFO, TLS handshake included (first_info_timeout).
 */
export const LOGIN_SECONDS = 2;
export const FAR_LOGIN_SECONDS = 30;
const LOOPBACK = "127.0.0.1";
export const ANY_HOST = "0.0.0.0";

/** `hubHost`: where the hub listens for leaves. */
export async function openStage(
  cores: Cores,
  compression: string,
  say: (line: string) => void,
  hubHost = LOOPBACK,
): Promise<Stage & AsyncDisposable> {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-bench")).path;
  const certs = scope.use(await certificates());
  const natsServer = await findNatsServer(LINE, { say });
  const hub = scope.use(
    await startNatsServer({ cores: cores.load, folder, natsServer }, "hub", hubConfig(certs, compression, hubHost)),
  );
  const ports = {
    clientPort: await portOf(hub, /Listening for client connections/),
    leafPort: await portOf(hub, /leafnode connections/),
  };
  const owned = scope.move();
  return { hub: ports, cores, folder, natsServer, certs, compression, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function hubConfig(certs: Certificates, compression: string, host: string): object {
  const timeout = host === LOOPBACK ? LOGIN_SECONDS : FAR_LOGIN_SECONDS;
  const users = (account: string) => ({ users: [leafUser(account), appUser(account)] });
  return {
    accounts: Object.fromEntries(Object.values(ACCOUNTS).map((account) => [account, users(account)])),
    leafnodes: {
      host,
      port: -1,
      no_advertise: true, // each leaf has one way here
      compression,
      tls: { cert_file: certs.server.cert, key_file: certs.server.key, ca_file: certs.ca, handshake_first: true, timeout },
      authorization: { timeout },
    },
    // A subscriber that shares the processor with the hub and the load must not be cut off while it waits for its turn.
    max_pending: 512 * 1024 * 1024,
    write_deadline: "60s",
  };
}

export interface SpokeOptions {
  readonly isGathering?: boolean;
  readonly nodeFlags?: readonly string[];
  /** At the hub; by default the spoke's. */
  readonly account?: string;
  /** Settings beside or instead of those below. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Builds the daemon as it stands, aside: a build that somebody else starts meanwhile changes nothing here. */
export async function buildSpoke(stage: Stage): Promise<string> {
  const outFolder = path.join(stage.folder, "dist");
  await fs.mkdir(outFolder, { recursive: true });
  await build({ outFolder });
  return path.join(outFolder, "petiole.js");
}

export async function startSpoke(stage: Stage, program: string, options: SpokeOptions = {}): Promise<System> {
  const dataDir = await fs.mkdtemp(path.join(stage.folder, "spoke-"));
  const settings = {
    server_name: "bench-spoke",
    accounts: [{ name: "EDGE", users: [DEVICE] }],
    leafnodes: {
      remotes: [
        {
          urls: [`tls://${stage.line?.hubHost ?? LOOPBACK}:${stage.hub.leafPort}`],
          ...leafUser(options.account ?? (options.isGathering ? ACCOUNTS.gatherer : ACCOUNTS.spoke)),
          tls: { handshake_first: true, ca_file: stage.certs.ca, server_name: stage.line === undefined ? null : "localhost" },
          compression: stage.compression,
          flush_delay: options.isGathering ? GATHER : "0ms",
        },
      ],
    },
    mqtt: { listen: "127.0.0.1:0" },
    monitor: null,
    outbox: { free_reserve: "0B" },
    ...options.more,
  };
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings));
  const command = (nodeFlags: readonly string[]) =>
    leafCommand(stage, "env", daemonCommand(process.execPath, ...nodeFlags, program, "run", "--data", dataDir));
  {
    await using first = await SpawnedProcess.start(...command([])); // the first start of a release compiles, and keeps it for the others
    await first.says(/\srunning\s/);
    await first.stop();
  }
  const spoke = await SpawnedProcess.start(...command(options.nodeFlags ?? []));
  return await asSystem(spoke, /\srunning\s.* mqtt=127\.0\.0\.1:(\d+)/, / nats=127\.0\.0\.1:(\d+)/, {
    name: "spoke",
    workloads: options.isGathering ? ["gathered"] : ["qos0", "qos1", "paced"],
    puback: "after the hub confirmed (PING/PONG barrier) or fdatasync, whichever came first",
    losses: () => ledgerOf(dataDir),
  });
}

/** The gateway has its processor for itself, and stands at the far end of the line, if there is one. */
export function leafCommand(
  { cores, line }: Pick<Stage, "cores" | "line">,
  command: string,
  args: readonly string[],
): [command: string, args: string[]] {
  return within(line?.within ?? [], ...pinned(cores.leaf, command, args));
}

/** nats-server as leaf with its own MQTT; `synced`: with the safest setting of its store. */
export async function startPeer(stage: Stage, synced: boolean, mqttHost = "127.0.0.1"): Promise<System> {
  const account = synced ? ACCOUNTS.synced : ACCOUNTS.peer;
  const name = `leaf-${account.toLowerCase()}`;
  const { user, password } = leafUser(account);
  const config = {
    jetstream: { store_dir: path.join(stage.folder, name), ...(synced ? { sync_interval: "always" } : {}) },
    mqtt: { host: mqttHost, port: -1 },
    accounts: { EDGE: { users: [DEVICE], jetstream: "enabled" }, SYS: { users: [{ user: "sys", password: PASSWORD }] } },
    system_account: "SYS",
    leafnodes: {
      remotes: [
        {
          url: `tls://${user}:${password}@${stage.line?.hubHost ?? LOOPBACK}:${stage.hub.leafPort}`,
          account: "EDGE",
          compression: stage.compression,
          ...(stage.line === undefined ? {} : { first_info_timeout: `${FAR_LOGIN_SECONDS}s` }),
          // It cannot be told the name in the certificate: over a line it does not look at it.
          tls: {
            ca_file: stage.certs.ca,
            handshake_first: true,
            insecure: stage.line !== undefined,
            timeout: stage.line === undefined ? LOGIN_SECONDS : FAR_LOGIN_SECONDS,
          },
        },
      ],
    },
  };
  const { cores, folder, natsServer, line } = stage;
  const place = { cores: cores.leaf, folder, natsServer, ...(line === undefined ? {} : { line }) };
  const peer = await startNatsServer(place, name, config);
  const natsPort = /Listening for client connections on \S+:(\d+)/;
  return await asSystem(peer, /Listening for MQTT clients on \S+:(\d+)/, natsPort, {
    name: `nats-server${synced ? ", sync always" : ""}`,
    workloads: synced ? ["qos1"] : ["qos0", "qos1", "paced", "gathered"],
    // Seen on its disk: its $MQTT_msgs stream leaves a mark of 30 bytes for a message nobody here subscribes to at QoS 1.
    puback: `after its own stream let it pass (sync_interval ${synced ? "always" : "2 min, the default"}); without a local QoS 1 subscriber no payload is kept, and what the hub got is not asked`,
    losses: async () => "",
  });
}

async function ledgerOf(dataDir: string): Promise<string> {
  const { remotes } = await fetchStatus(controlSocketPath(dataDir));
  return remotes.flatMap(({ outbox }) => outbox.losses.map(({ reason, messages }) => `${reason} ${messages}`)).join(", ");
}

export async function asSystem(
  running: SpawnedProcess,
  mqttPort: RegExp,
  natsPort: RegExp,
  facts: Pick<System, "name" | "workloads" | "puback" | "losses" | "hub">,
): Promise<System> {
  try {
    const port = Number((await running.says(mqttPort))[1]);
    const natsAt = natsPort.exec(running.output)?.[1]; // it has said all its ports by then
    return {
      ...facts,
      pid: running.pid,
      mqttPort: port,
      natsPort: natsAt === undefined ? undefined : Number(natsAt),
      lastWords: () => running.output.slice(-LAST_WORDS_CHARS),
      stop: async () => void (await running.stop()),
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    };
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

export async function startNatsServer(
  place: Pick<Stage, "folder" | "natsServer" | "line"> & { readonly cores: string | null },
  name: string,
  config: object,
): Promise<SpawnedProcess> {
  const file = path.join(place.folder, `${name}.json`);
  await fs.writeFile(file, JSON.stringify({ server_name: name, host: "127.0.0.1", port: -1, ...config }));
  const command = pinned(place.cores, place.natsServer.path, ["--config", file]);
  const server = await SpawnedProcess.start(...within(place.line?.within ?? [], ...command));
  try {
    await server.says(/Server is ready/);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

export async function portOf(server: SpawnedProcess, line: RegExp): Promise<number> {
  return Number((await server.says(new RegExp(`${line.source}.* on \\S+:(\\d+)`)))[1]);
}
