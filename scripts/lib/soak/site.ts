// The site under soak: hub, line, daemon, and who speaks there.
//
//   50 MQTT devices ─┐
//   4 sensors ───────┼─▶ the built daemon ──▶ the line (cut each minute) ──▶ nats-server, TLS first, S2, a stream
//   2 NATS clients ──┘

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { LinkCutter } from "../../../test/support/link-cutter.ts";
import { type Hub, password, startHub } from "../demo/hub.ts";
import { Ledger } from "../demo/ledger.ts";
import { type Daemon, settingsTowardsHub, startDaemon, untilReady } from "../demo/spoke.ts";
import type { Held, Said } from "./inside.ts";
import { type MemoryKinds, readMemoryKinds } from "./memory-kinds.ts";
import { Devices, NatsClients, Sensor } from "./sources.ts";

const DEVICES = 50;
const SENSORS = 4;
/** Sensors that are unplugged: what was in their cables then is lost and nobody's fault, so their readings are not counted. */
const UNPLUGGED = 2;
const LINES_A_SECOND = 10;
const HELD_WITHIN_MS = 10_000;

export interface Site extends AsyncDisposable {
  readonly hub: Hub;
  readonly line: LinkCutter;
  readonly daemon: Daemon;
  readonly sensors: readonly Sensor[];
  /** By source; their readings are looked up one by one. */
  readonly ledgers: Readonly<Record<"mqtt" | "nats" | "serial", readonly Ledger[]>>;
  unacknowledged(): number;
  /** Everybody stops; what was written by then counts as published. */
  fallSilent(): Promise<void>;
  held(): Promise<Held & { readonly memory: MemoryKinds }>;
}

export async function openSite(
  binary: string,
  folder: string,
  signal: AbortSignal,
  onFault: (why: Error) => void,
): Promise<Site> {
  await using scope = new AsyncDisposableStack();
  const ledgers = { mqtt: [new Ledger()], nats: [new Ledger()], serial: [new Ledger(), new Ledger()] };
  const byPrefix = new Map([
    ["sensors.mqtt.", ledgers.mqtt[0]!],
    ["sensors.nats.", ledgers.nats[0]!],
    ...ledgers.serial.map((ledger, index) => [`sensors.serial.s${UNPLUGGED + index}`, ledger] as const),
  ]);
  const onStored = (subject: string, payload: Uint8Array) => {
    const ledger = byPrefix.get(/^sensors\.(?:mqtt|nats)\./.exec(subject)?.[0] ?? subject);
    const n = Number(/"n":(\d+)/.exec(Buffer.from(payload).toString("latin1"))?.[1]);
    if (n > 0) ledger?.stored(n);
  };
  const hub = scope.use(await startHub(binary, folder, { onArrival: () => undefined, onStored }, signal, onFault));
  const line = scope.use(await LinkCutter.before(hub.leafPort));
  const sensors: Sensor[] = [];
  for (let i = 0; i < SENSORS; i++) {
    const place = path.join(folder, `usb${i}`);
    await fs.mkdir(place);
    sensors.push(scope.use(new Sensor(place, signal, onFault)));
    await sensors[i]!.plugIn();
  }
  const login = { user: "device", password: password() };
  const heldFile = path.join(folder, "held");
  await fs.writeFile(heldFile, "");
  const by = {
    nodeArgs: ["--expose-gc", "--import", path.join(import.meta.dirname, "inside.ts")],
    env: { SOAK_FILE: heldFile },
  };
  const settings = describeSettings(hub, line.port, sensors, login);
  const daemon = scope.use(await startDaemon(path.join(folder, "data"), settings, by, signal, onFault));
  await untilReady(daemon.status, signal);
  const topics = Array.from({ length: DEVICES }, (_, index) => `sensors/mqtt/${index}`);
  const devices = scope.use(await Devices.start({ port: daemon.mqttPort, ...login }, topics, ledgers.mqtt[0]!, onFault));
  const clients = scope.use(
    await NatsClients.start({ port: daemon.natsPort, ...login }, "sensors.nats.1", ledgers.nats[0]!, onFault),
  );
  for (const sensor of sensors) await sensor.speak(LINES_A_SECOND);
  const owned = scope.move();
  return {
    hub,
    line,
    daemon,
    sensors: sensors.slice(0, UNPLUGGED),
    ledgers,
    unacknowledged: () => devices.unacknowledged + clients.unacknowledged,
    async fallSilent() {
      devices.fallSilent();
      clients.fallSilent();
      for (const [index, sensor] of sensors.entries()) {
        const written = await sensor.fallSilent();
        ledgers.serial[index - UNPLUGGED]?.publishedThrough(written);
      }
    },
    held: () => askHeld(daemon, heldFile),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export async function replug(sensor: Sensor, daemon: Daemon, signal: AbortSignal): Promise<void> {
  await sensor.plugIn();
  await untilReady(daemon.status, signal);
  await sensor.speak(LINES_A_SECOND);
}

async function askHeld(daemon: Daemon, file: string): Promise<Held & { readonly memory: MemoryKinds }> {
  const before = (await fs.readFile(file, "utf8")).length;
  const watcher = fs.watch(file, { signal: AbortSignal.timeout(HELD_WITHIN_MS) });
  daemon.process.signal("SIGUSR2");
  for await (const _ of watcher) {
    const fresh = (await fs.readFile(file, "utf8")).slice(before);
    if (!fresh.endsWith("\n")) continue;
    const { v8_bytes: v8, ...held } = JSON.parse(fresh) as Said;
    return { ...held, memory: await readMemoryKinds(daemon.process.pid, v8) };
  }
  throw new Error("the daemon did not say what it holds"); // not reached: the watcher ends by its signal
}

function describeSettings(
  hub: Hub,
  linePort: number,
  sensors: readonly Sensor[],
  login: { readonly user: string; readonly password: string },
): object {
  return {
    server_name: "soak-gateway",
    listen: "127.0.0.1:0",
    accounts: [{ name: "EDGE", users: [{ ...login, mqtt: true, nats: true }] }],
    ...settingsTowardsHub({ ...hub, leafUrl: `tls://127.0.0.1:${linePort}` }),
    mqtt: { listen: "127.0.0.1:0" },
    serial: sensors.map((sensor, index) => ({
      name: `s${index}`,
      match: { path: sensor.path },
      baud_rate: 115_200,
      subject: "sensors.serial.{name}",
    })),
    monitor: { listen: "127.0.0.1:0" },
  };
}
