// A real nats-server on loopback, on ports of its own choosing: `scripts/nats-server` finds the binary.
//
//   await using server = await NatsServer.start({ version: "2.15", config: { leafnodes: {} } });
//
// For the hub that most tests want, with an account, users and TLS: hub.ts.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { findNatsServer, type TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { SpawnedProcess } from "./processes.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";

export type ServerLine = (typeof TESTED_LINES)[number];

/** As in nats-server's configuration file, which takes JSON. */
export type ServerConfig = Readonly<Record<string, unknown>>;

export interface NatsServerOptions {
  readonly version: ServerLine;
  /**
   * Laid over a client port and a monitoring port on loopback. A block that listens (leafnodes, websocket, mqtt, cluster) and
   * names no port gets one. `jetstream: {}` gets a folder.
   */
  readonly config?: ServerConfig;
  readonly name?: string;
}

type Listening = "client" | "monitor" | "leaf" | "websocket" | "mqtt" | "route";
type Ports = Readonly<Partial<Record<Listening, number>>>;

/** How the server tells its ports: the ports file leaves out most of them. The same words in 2.10 and 2.15. */
const LISTENING: Readonly<Record<Listening, RegExp>> = {
  client: /Listening for client connections on \S+:(\d+)/,
  monitor: /Starting https? monitor on \S+:(\d+)/,
  leaf: /Listening for leafnode connections on \S+:(\d+)/,
  websocket: /Listening for websocket clients on \S+:(\d+)/,
  mqtt: /Listening for MQTT clients on \S+:(\d+)/,
  route: /Listening for route connections on \S+:(\d+)/,
};

const BLOCKS = { leafnodes: "leaf", websocket: "websocket", mqtt: "mqtt", cluster: "route" } as const;

export class NatsServer implements AsyncDisposable {
  readonly name: string;
  readonly line: ServerLine;
  /** Its whole version, such as "2.10.27". */
  readonly version: string;
  readonly #binary: string;
  readonly #config: ServerConfig;
  readonly #folder: TempFolder;
  readonly #connections = new Set<NatsConnection>();
  #process: SpawnedProcess | undefined;
  #ports: Ports = {};
  #pastLog = "";

  /** Resolves when the server says that it is ready. */
  static async start({ version, config = {}, name = "hub" }: NatsServerOptions): Promise<NatsServer> {
    const found = await findNatsServer(version, { say: (line) => process.stderr.write(`${line}\n`) });
    const server = new NatsServer(name, version, found, config, await tempFolder("petiole-nats-server"));
    try {
      await server.#run();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  private constructor(
    name: string,
    line: ServerLine,
    found: { readonly path: string; readonly version: string },
    config: ServerConfig,
    folder: TempFolder,
  ) {
    this.name = name;
    this.line = line;
    this.version = found.version;
    this.#binary = found.path;
    this.#config = config;
    this.#folder = folder;
  }

  get clientUrl(): string {
    return `nats://127.0.0.1:${this.port("client")}`;
  }

  get leafUrl(): string {
    return `nats-leaf://127.0.0.1:${this.port("leaf")}`;
  }

  get monitorUrl(): string {
    return `http://127.0.0.1:${this.port("monitor")}`;
  }

  /** Stays the same over restarts. */
  port(of: Listening): number {
    const port = this.#ports[of];
    if (port === undefined) throw new Error(`nats-server ${this.name} has no ${of} port: its config names no such block`);
    return port;
  }

  /** All it has logged since its first start. */
  get log(): string {
    return this.#pastLog + (this.#process?.output ?? "");
  }

  /** Waits until the log has a line like this, said now or before. */
  async logs(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    return await this.#running().says(pattern, timeoutMs);
  }

  /** A client of this server. Closed with the server, if not before. */
  async connect(options: NodeConnectionOptions = {}): Promise<NatsConnection> {
    const connection = await connect({ servers: this.clientUrl, ...options });
    this.#connections.add(connection);
    return connection;
  }

  /** What monitoring says, such as `/leafz`. */
  async monitor(address: string): Promise<Record<string, unknown>> {
    const response = await fetch(new URL(address, this.monitorUrl), { headers: { connection: "close" } });
    return (await response.json()) as Record<string, unknown>;
  }

  /** Ends it at once, as a power cut would; its ports refuse until `restart`. */
  async kill(): Promise<void> {
    await this.#running().kill();
  }

  /** Ends it politely: clients and leaves are told. */
  async stop(): Promise<void> {
    await this.#running().stop();
  }

  /** Starts it again on the same ports and the same files, ended first if it still runs. */
  async restart(): Promise<void> {
    await this.#running().stop();
    this.#pastLog = this.log;
    this.#process = undefined;
    await this.#run();
  }

  /** Stops its clock: connections stay open and nothing answers. */
  pause(): void {
    this.#running().signal("SIGSTOP");
  }

  resume(): void {
    this.#running().signal("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connections = [...this.#connections];
    this.#connections.clear();
    await Promise.all(connections.map((connection) => connection.close().catch(() => undefined))); // closed already is closed
    await this.#process?.stop();
    await this.#folder[Symbol.asyncDispose]();
  }

  #running(): SpawnedProcess {
    if (this.#process === undefined) throw new Error(`nats-server ${this.name} was never started`);
    return this.#process;
  }

  async #run(): Promise<void> {
    const file = path.join(this.#folder.path, "server.json");
    await fs.writeFile(file, JSON.stringify(this.#configWithPorts(), null, 2));
    this.#process = await SpawnedProcess.start(this.#binary, ["--config", file]);
    const started = this.#process;
    await started.says(/Server is ready/);
    const told = Object.entries(LISTENING).map(([of, pattern]) => [of, Number(pattern.exec(started.output)?.[1])] as const);
    this.#ports = Object.fromEntries(told.filter(([, port]) => !Number.isNaN(port)));
  }

  #configWithPorts(): ServerConfig {
    const host = "127.0.0.1";
    const blocks = Object.entries(BLOCKS).flatMap(([block, of]) => {
      const given = this.#config[block] as ServerConfig | undefined;
      if (given === undefined || "port" in given || "listen" in given || "remotes" in given) return [];
      return [[block, { host, port: this.#ports[of] ?? -1, ...given }] as const];
    });
    const { jetstream } = this.#config;
    return {
      server_name: this.name,
      host,
      port: this.#ports.client ?? -1,
      http: `${host}:${this.#ports.monitor ?? -1}`,
      ...this.#config,
      ...Object.fromEntries(blocks),
      ...(jetstream === undefined ? {} : { jetstream: { store_dir: this.#folder.path, ...(jetstream as object) } }),
    };
  }
}
