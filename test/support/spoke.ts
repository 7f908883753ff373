// A spoke for integration tests: the real parts in this process, or the daemon as a process of its own, to be killed.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { formatFault } from "#base/fault.ts";
import { createLog, formatLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Json } from "#base/schema.ts";
import { loadConfig } from "#config/load-config.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import type { StatusReport } from "#status/report.ts";
import { fetchStatus } from "../../src/cli/status.ts";
import { controlSocketPath, type Machine, openSpoke, type Spoke, systemMachine } from "../../src/spoke.ts";
import { SpawnedProcess } from "./processes.ts";
import { tempFolder } from "./temp-folder.ts";

/** Quick reconnects; and no gossip, which would lead around the link cutter and the shaper that tests put in between. */
const TEST_REMOTE = { reconnect: { min: "50ms", max: "500ms" }, ignore_discovered_servers: true };

/** The one MQTT user that every test spoke has. */
export const DEVICE = { user: "device-1", password: "device-password" } as const;

const MAIN = path.resolve(import.meta.dirname, "../../src/main.ts");
/** How long a state may take to come about, in milliseconds; far above what it should. */
const UNTIL_MS = 20_000;

export interface SpokeOptions {
  /** A remote of `leafnodes.remotes`; its account defaults to EDGE. */
  readonly remote?: { readonly [key: string]: Json };
  /** Laid over the whole settings document. */
  readonly settings?: { readonly [key: string]: Json };
  /** Where to live; default: a folder of its own, gone at the end. */
  readonly dataDir?: string;
  /** Instead of the system's own, for a spoke in this process. */
  readonly machine?: Partial<Machine>;
  /** For a daemon that shall come back on the same port. */
  readonly mqttPort?: number;
  /** For a daemon: what to run instead of the sources, such as a bundle, which starts in a quarter of the time. */
  readonly program?: string;
}

export function settingsFor(options: SpokeOptions): { readonly [key: string]: Json } {
  return {
    server_name: "gw-test",
    accounts: [{ name: "EDGE", users: [{ user: DEVICE.user, password: DEVICE.password }] }],
    leafnodes: { remotes: options.remote === undefined ? [] : [{ ...TEST_REMOTE, ...options.remote }] },
    mqtt: { listen: `127.0.0.1:${options.mqttPort ?? 0}` },
    monitor: null,
    outbox: { free_reserve: "0B" },
    ...options.settings,
  };
}

export interface TestSpoke extends AsyncDisposable {
  readonly spoke: Spoke;
  readonly dataDir: string;
  /** Lines of its log so far. */
  readonly log: readonly string[];
  /** An MQTT client that is logged in; the caller ends it. */
  device(options?: IClientOptions): Promise<MqttClient & AsyncDisposable>;
  /** Resolves when the report is as wanted. */
  until(what: string, isTrue: (report: StatusReport) => boolean): Promise<StatusReport>;
  untilReady(): Promise<StatusReport>;
}

/** Opens a spoke in this process. */
export async function startSpoke(options: SpokeOptions): Promise<TestSpoke> {
  await using scope = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? scope.use(await tempFolder("petiole-data")).path;
  const log: string[] = [];
  const clock = systemClock();
  const env: Env = {
    clock,
    disk: systemDisk(),
    net: systemNet(),
    tty: systemTty(),
    entropy: systemEntropy(),
    log: createLog(clock, "debug", (line) => log.push(formatLine(line))),
  };
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settingsFor(options)));
  const { config, faults } = await loadConfig({ dataDir, env: {}, disk: env.disk, entropy: env.entropy });
  if (config === undefined || faults.length > 0) throw new Error(faults.map(formatFault).join("\n"));
  const machine = { ...systemMachine(), ...options.machine };
  const spoke = scope.use(await openSpoke(config, { dataDir, version: "test" }, env, new AbortController().signal, machine));
  const owned = scope.move();
  const until = (what: string, isTrue: (report: StatusReport) => boolean) =>
    untilReport(
      what,
      async () => spoke.report(),
      isTrue,
      () => log.join("\n"),
    );
  return {
    spoke,
    dataDir,
    log,
    device: (more) => mqttDevice(spoke.mqttEndpoint!.port, more),
    until,
    untilReady: () => until("the link is ready", (report) => report.remotes.every(({ link }) => link.state === "ready")),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The daemon as a process. */
export class Daemon implements AsyncDisposable {
  readonly dataDir: string;
  readonly mqttPort: number;
  readonly #program: string;
  #process: SpawnedProcess;

  static async start(options: SpokeOptions & { readonly dataDir: string; readonly mqttPort: number }): Promise<Daemon> {
    await fs.writeFile(path.join(options.dataDir, "settings.json"), JSON.stringify(settingsFor(options)));
    const program = options.program ?? MAIN;
    const daemon = new Daemon(options.dataDir, options.mqttPort, program, await spawnDaemon(program, options.dataDir));
    await daemon.#up();
    return daemon;
  }

  private constructor(dataDir: string, mqttPort: number, program: string, process: SpawnedProcess) {
    this.dataDir = dataDir;
    this.mqttPort = mqttPort;
    this.#program = program;
    this.#process = process;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get log(): string {
    return this.#process.stderr;
  }

  until(what: string, isTrue: (report: StatusReport) => boolean): Promise<StatusReport> {
    return untilReport(
      what,
      () => fetchStatus(controlSocketPath(this.dataDir)),
      isTrue,
      () => this.log,
    );
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  async restart(): Promise<void> {
    this.#process = await spawnDaemon(this.#program, this.dataDir);
    await this.#up();
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#process.signal("SIGTERM");
    return (await this.#process.exited).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #up(): Promise<void> {
    await this.until("the daemon answers", () => true);
  }
}

function spawnDaemon(program: string, dataDir: string): Promise<SpawnedProcess> {
  return SpawnedProcess.start(process.execPath, [program, "run", "--data", dataDir]);
}

export async function mqttDevice(port: number, options: IClientOptions = {}): Promise<MqttClient & AsyncDisposable> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    username: DEVICE.user,
    password: DEVICE.password,
    reconnectPeriod: 0,
    ...options,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: async () => void (await client.endAsync(true)) });
}

async function untilReport(
  what: string,
  ask: () => Promise<StatusReport>,
  isTrue: (report: StatusReport) => boolean,
  log: () => string,
): Promise<StatusReport> {
  const end = performance.now() + UNTIL_MS;
  let last: unknown;
  for (;;) {
    try {
      const report = await ask();
      last = report;
      if (isTrue(report)) return report;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`waited ${UNTIL_MS} ms until ${what}; last: ${JSON.stringify(last) ?? last}\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
