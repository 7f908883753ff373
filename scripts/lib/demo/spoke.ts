// The spoke of the demo: the built daemon as a process of its own, with settings as its owner would write them.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { StatusReport } from "#status/report.ts";
import { fetchStatus } from "../../../src/cli/status.ts";
import { controlSocketPath } from "../../../src/spoke.ts";
import type { SpawnedProcess } from "../../../test/support/processes.ts";
import { daemonCommand } from "../node-flags.ts";
import { ROOT } from "../suites.ts";
import { lastLines, pause, startChild, unlessAborted, watchChild } from "./child.ts";
import { password } from "./hub.ts";

/** Subject of each source, and the topic of the MQTT device. */
export const SERIAL_SUBJECT = "sensors.weather";
export const MQTT_SUBJECT = "sensors.greenhouse";
export const MQTT_TOPIC = "sensors/greenhouse";

const PORT_NAME = "weather";
const READY_WITHIN_MS = 20_000;
const POLL_MS = 50;

export interface Wiring {
  readonly leafUrl: string;
  readonly caFile: string;
  readonly leafUser: string;
  readonly leafPassword: string;
  /** The serial device. */
  readonly ttyPath: string;
}

export interface MqttLogin {
  readonly user: string;
  readonly password: string;
}

export interface Spoke extends AsyncDisposable {
  readonly dataDir: string;
  readonly mqttPort: number;
  readonly monitorUrl: string;
  /** The demo's own device, and a user for the visitor. */
  readonly device: MqttLogin;
  readonly visitor: MqttLogin;
  status(): Promise<StatusReport>;
  /** The newest lines of its log. */
  log(lines: number): string;
}

/** Resolves when the link is up and the serial port is open. */
export async function startSpoke(
  folder: string,
  wiring: Wiring,
  signal: AbortSignal,
  onFault: (why: Error) => void,
): Promise<Spoke> {
  await using scope = new AsyncDisposableStack();
  const dataDir = path.join(folder, "data");
  const device = { user: "greenhouse", password: password() };
  const visitor = { user: "visitor", password: password() };
  const daemon = scope.use(await startDaemon(dataDir, describeSettings(wiring, device, visitor), {}, signal, onFault));
  await untilReady(daemon.status, signal);
  const owned = scope.move();
  const { mqttPort, monitorUrl, status, log } = daemon;
  return { dataDir, mqttPort, monitorUrl, device, visitor, status, log, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export interface Daemon extends AsyncDisposable {
  readonly process: SpawnedProcess;
  readonly mqttPort: number;
  readonly natsPort: number;
  readonly monitorUrl: string;
  status(): Promise<StatusReport>;
  /** The newest lines of its log. */
  log(lines: number): string;
}

/** The built daemon in a new data directory. Resolves when its doors are open; its link may still be on the way. */
export async function startDaemon(
  dataDir: string,
  settings: object,
  by: { readonly nodeArgs?: readonly string[]; readonly env?: Readonly<Record<string, string>> },
  signal: AbortSignal,
  onFault: (why: Error) => void,
): Promise<Daemon> {
  await using scope = new AsyncDisposableStack();
  await fs.mkdir(dataDir);
  await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(settings, undefined, 2), { mode: 0o600 });
  const args = [...(by.nodeArgs ?? []), path.join(ROOT, "dist/petiole.js"), "run", "--data", dataDir];
  const command = daemonCommand(process.execPath, ...args);
  const daemon = scope.use(await startChild("env", command, { env: { ...withoutOverrides(), ...by.env } }));
  const running = daemon.says(/ running .* mqtt=\S+:(\d+) monitor=(\S+) nats=(?:\S+:(\d+)|off)/, READY_WITHIN_MS);
  const [, mqtt, monitor, nats] = await unlessAborted(running, signal);
  watchChild(daemon, "the spoke", signal, onFault);
  const owned = scope.move();
  return {
    process: daemon,
    mqttPort: Number(mqtt),
    natsPort: Number(nats),
    monitorUrl: `http://${monitor}`,
    status: () => fetchStatus(controlSocketPath(dataDir)),
    log: (lines) => lastLines(daemon.output, lines),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Port 0 lets the system choose, so that nothing else on the machine can be in the way. */
function describeSettings(wiring: Wiring, device: MqttLogin, visitor: MqttLogin): object {
  return {
    server_name: "demo-gateway",
    accounts: [
      {
        name: "EDGE",
        users: [
          { ...device, permissions: { publish: [MQTT_SUBJECT], subscribe: [] } },
          { ...visitor, permissions: { publish: { deny: [MQTT_SUBJECT, SERIAL_SUBJECT] } } }, // its readings are counted
        ],
      },
    ],
    ...settingsTowardsHub(wiring),
    mqtt: { listen: "127.0.0.1:0" },
    serial: [
      { name: PORT_NAME, match: { path: wiring.ttyPath }, baud_rate: 115_200, subject: "sensors.{name}", silence_after: "10s" },
    ],
    monitor: { listen: "127.0.0.1:0" },
  };
}

/** Of a spoke whose hub is behind a cable that can be cut: the link, and what is kept while it is. */
export function settingsTowardsHub(hub: Omit<Wiring, "ttyPath">): object {
  return {
    leafnodes: {
      remotes: [
        {
          urls: [hub.leafUrl],
          user: hub.leafUser,
          password: hub.leafPassword,
          tls: { handshake_first: true, ca_file: hub.caFile },
          compression: "s2_auto",
          ignore_discovered_servers: true, // the hub's own address would lead past the cable
          reconnect: { min: "250ms", max: "2s" },
        },
      ],
    },
    outbox: {
      max_bytes: "256MiB",
      free_reserve: "16MiB",
      rules: [
        { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
        { subjects: [">"], keep: "durable" },
      ],
    },
  };
}

/** The visitor's environment must not change this spoke's settings. */
function withoutOverrides(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => /^(PETIOLE_.*|HUB_URLS|HUB_CREDENTIALS|DEVICE_NAME)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** Resolves when the link is up and every serial port is open. */
export async function untilReady(status: () => Promise<StatusReport>, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const { remotes, serial, health } = await status();
    if (remotes[0]?.link.state === "ready" && serial.every(({ state }) => state === "open")) return;
    if (performance.now() > deadline)
      throw new Error(
        `the spoke was not ready after ${READY_WITHIN_MS / 1000} s. It says: ${health.reasons.join("; ") || "nothing"}`,
      );
    await pause(POLL_MS, signal);
  }
}
