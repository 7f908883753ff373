// The doors of the daemon: do they answer while it runs, and could they be opened while it does not?

import { isFault, systemCode } from "#base/errors.ts";
import { type Endpoint, formatEndpoint } from "#base/net.ts";
import type { Config } from "#config/config.ts";
import { discard } from "#uplink/http-exchange.ts";
import { DOCTOR_PORT_SILENT, DOCTOR_PORT_TAKEN } from "../errors.ts";
import { broken, DEVICE, type Draft, fine, skipped } from "../finding.ts";
import type { Probe } from "../probe.ts";
import type { Scene, Step } from "../scene.ts";
import { within } from "../within.ts";

const ANSWER_MS = 2_000;

interface DoorPlace {
  readonly name: string;
  /** The setting. */
  readonly setting: string;
  readonly endpoint: Endpoint;
}

export const portsStep: Step = {
  id: "ports",
  title: "the ports of this device",
  async run({ probe, config, status }: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
    const doors = config === undefined ? [] : doorsOf(config).filter(({ endpoint }) => endpoint.port !== 0);
    if (doors.length === 0) return [skipped(DEVICE, "no port is set up")];
    const isRunning = status !== undefined;
    return await Promise.all(doors.map((door) => (isRunning ? knock(door, probe, signal) : tryToOpen(door, probe))));
  },
};

function doorsOf({ mqtt, listen, websocket, monitor }: Config): readonly DoorPlace[] {
  const doors: readonly (readonly [name: string, setting: string, endpoint: Endpoint | null | undefined])[] = [
    ["MQTT", "mqtt.listen", mqtt?.listen],
    ["MQTT over TLS", "mqtt.tls.listen", mqtt?.tls?.listen],
    ["MQTT over WebSocket", "mqtt.websocket.listen", mqtt?.websocket?.listen],
    ["NATS", "listen", listen],
    ["NATS over WebSocket", "websocket.listen", websocket?.listen],
    ["monitor", "monitor.listen", monitor?.listen],
  ];
  return doors.flatMap(([name, setting, endpoint]) => (endpoint == null ? [] : [{ name, setting, endpoint }]));
}

async function knock({ name, setting, endpoint }: DoorPlace, probe: Probe, signal: AbortSignal): Promise<Draft> {
  const about = { target: formatEndpoint(endpoint), ref: setting };
  const { clock, net } = probe.env;
  const host = endpoint.host === "0.0.0.0" ? "127.0.0.1" : endpoint.host === "::" ? "::1" : endpoint.host;
  try {
    const late = () => Object.assign(new Error("no answer"), { code: "ETIMEDOUT" });
    const limit = { clock, limit: ANSWER_MS, signal, late };
    discard(await within(limit, (inner) => net.dial({ host, port: endpoint.port }, inner)));
    return fine(about, `the ${name} port ${about.target} answers`);
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return broken(about, {
      code: DOCTOR_PORT_SILENT,
      detail: systemCode(error) ?? null,
      cause: `the daemon runs, but its ${name} port ${about.target} does not answer`,
      remedy: `see that ${setting} is what it was when the daemon started, and what the daemon's log says of that port`,
    });
  }
}

async function tryToOpen({ name, setting, endpoint }: DoorPlace, { env: { net } }: Probe): Promise<Draft> {
  const about = { target: formatEndpoint(endpoint), ref: setting };
  try {
    await using _listener = await net.listen(endpoint, (stream) => void stream.on("error", () => undefined).destroy());
    return fine(about, `the ${name} port ${about.target} is free for the daemon`);
  } catch (error) {
    if (!isFault(error)) throw error;
    const code = systemCode(error) ?? "";
    return broken(about, {
      code: DOCTOR_PORT_TAKEN,
      detail: code === "" ? null : code,
      cause: `the ${name} port ${about.target} cannot be opened: ${WHY[code] ?? code}`,
      remedy: REMEDY[code] ?? `choose another address in ${setting}`,
    });
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has it",
  EACCES: "ports below 1024 are not for this user",
  EADDRNOTAVAIL: "this device has no such address",
};
const REMEDY: Readonly<Record<string, string>> = {
  EADDRINUSE: "end that program (ss -ltnp shows it), or choose another port; perhaps another petiole daemon runs",
  EACCES: "choose a port from 1024 on, or give the daemon CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "write 0.0.0.0 for every address of this device, or one that it has",
};
