// The ports by which MQTT clients come: plain, TLS, WebSocket. All lead to one place, the broker's `onStream`.
//
//   tcp   listen             ─▶ quota of its address ──────────────────────────────▶ stream of packets
//   tls   tls.listen         ─▶ quota of its address ─▶ TLS ───────────────────────▶ stream of packets
//   ws    websocket.listen   ─▶ quota of its address ─▶ HTTP upgrade, `mqtt` ──────▶ stream of packets
//   wss   websocket.listen   ─▶ quota of its address ─▶ TLS ─▶ HTTP upgrade, `mqtt` ▶ stream of packets
//
// Tests: test/wire/mqtt/doors.test.ts, web-doors.test.ts, test/integration/mqtt-doors.test.ts

import type { Env } from "#base/env.ts";
import { type ByteStream, type Endpoint, formatEndpoint } from "#base/net.ts";
import type { Voice } from "#base/voice.ts";
import { AddressQuotas, type Refusal, type Visit } from "#doors/address-quotas.ts";
import { type DoorTls, Gate, type GateHost, type GatePlan } from "#doors/gate.ts";
import { ServerTls, type ServerTlsOptions } from "#doors/server-tls.ts";
import { type TlsFacts, tlsFacts } from "#doors/tls-facts.ts";
import type { DoorFacts, MqttDoor } from "./door-facts.ts";
import { MQTT_LISTEN_FAILED } from "./errors.ts";
import type { MqttOptions } from "./options.ts";

const TICK_MS = 1_000;
/** Connections on the way through TLS and HTTP, at one port: as many as clients, at least so many; then the oldest makes room. */
const ARRIVING_MIN = 256;
/** `mqttv3.1` is what clients of MQTT 3.1 offered. [MQTT-6.0.0-3, MQTT-6.0.0-4] */
const PROTOCOLS = ["mqtt", "mqttv3.1"];

const REFUSED_WORDS: Readonly<Record<Refusal, string>> = {
  connections: "its address has as many connections as mqtt.max_connections_per_address allows",
  logins: "its address has as many connections that are not let in yet as mqtt.max_logins_per_address allows",
  rate: "its address connects more often than mqtt.max_connect_rate allows",
};

export type DoorOptions = Pick<
  MqttOptions,
  "listen" | "tls" | "websocket" | "maxClients" | "maxConnectionsPerAddress" | "maxLoginsPerAddress" | "maxConnectRate"
>;

/** The disk is needed for TLS only. */
export type DoorEnv = Pick<Env, "clock" | "net" | "log"> & Partial<Pick<Env, "disk">>;

export interface DoorsHost {
  readonly voice: Voice;
  onStream(stream: ByteStream, facts: DoorFacts): void;
  /** It was turned away, or did not get through TLS or the upgrade. */
  onLost?(): void;
}

export interface MqttDoorStatus {
  readonly door: MqttDoor;
  readonly endpoint: Endpoint;
  /** On the way through TLS and the upgrade. */
  readonly arriving: number;
  readonly tls: DoorTls | null;
}

interface Plan extends GatePlan {
  readonly door: MqttDoor;
}

/** An accepted connection. */
interface Caller {
  readonly address: string;
  readonly visit: Visit;
  readonly tls: TlsFacts | null;
}

/** Opens every port that is configured, or none: throws MQTT_LISTEN_FAILED or DOOR_TLS_FILES. */
export async function openMqttDoors(options: DoorOptions, host: DoorsHost, env: DoorEnv): Promise<MqttDoors> {
  await using scope = new AsyncDisposableStack();
  const doors = scope.use(new MqttDoors(options, host, env));
  for (const plan of await plansOf(options, env)) await doors.open(plan);
  scope.move();
  return doors;
}

export class MqttDoors implements AsyncDisposable {
  readonly #host: DoorsHost;
  readonly #env: DoorEnv;
  readonly #quotas: AddressQuotas;
  readonly #gates: { readonly door: MqttDoor; readonly gate: Gate<Caller> }[] = [];
  readonly #ticker: Disposable;

  /** For `openMqttDoors`. */
  constructor(options: DoorOptions, host: DoorsHost, env: DoorEnv) {
    this.#host = host;
    this.#env = env;
    this.#quotas = new AddressQuotas(
      {
        connectionsMax: options.maxConnectionsPerAddress,
        loginsMax: options.maxLoginsPerAddress,
        connectRate: options.maxConnectRate,
      },
      env.clock,
    );
    this.#ticker = env.clock.every(TICK_MS, () => {
      const now = env.clock.now();
      for (const { gate } of this.#gates) gate.tick(now);
    });
  }

  /** For `openMqttDoors`. */
  async open(plan: Plan): Promise<void> {
    const gate = await Gate.open(plan, this.#hostOf(plan), this.#env);
    this.#gates.push({ door: plan.door, gate });
    this.#env.log.info("listening for MQTT", { at: formatEndpoint(gate.endpoint), door: plan.door });
  }

  /** Where a door really listens; undefined: it is not configured. */
  endpointOf(door: MqttDoor): Endpoint | undefined {
    return this.#gates.find((one) => one.door === door)?.gate.endpoint;
  }

  /** Of the first door that is open: the plain one if there is one. */
  get endpoint(): Endpoint {
    return this.#gates[0]!.gate.endpoint;
  }

  /** Connections that were closed unread because of their address. */
  get refused(): number {
    return this.#quotas.refused;
  }

  status(): MqttDoorStatus[] {
    return this.#gates.map(({ door, gate }) => ({ door, endpoint: gate.endpoint, arriving: gate.arriving, tls: gate.tls }));
  }

  /** Accepts nobody any more, and puts out who is on the way; streams that were handed on are not touched. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ticker[Symbol.dispose]();
    await Promise.all(this.#gates.map(({ gate }) => gate[Symbol.asyncDispose]()));
  }

  #hostOf({ door }: Plan): GateHost<Caller> {
    return {
      onAccept: (stream) => this.#onAccept(stream, door),
      onSecured: (caller, stream, { isMapping: isMapped, isVerifying: verifies }) => ({
        ...caller,
        tls: tlsFacts(stream, { isFirst: door === "tls", isMapped, verifies }),
      }),
      onReady: (stream, { visit, tls }) => {
        const certificateNames = tls?.isMapped === true ? tls.names : null;
        this.#host.onStream(stream, { door, certificateNames, tls, visit });
      },
      onLost: ({ address }, words) => this.#lost(address, words, door),
    };
  }

  #onAccept(stream: ByteStream, door: MqttDoor): Caller | undefined {
    const address = stream.remoteAddress ?? "unknown";
    const visit = this.#quotas.tryEnter(address);
    if (typeof visit === "string") {
      this.#lost(address, REFUSED_WORDS[visit], visit);
      return undefined;
    }
    if (door !== "tcp") stream.once("close", () => visit.leave()); // it may never become a stream of packets
    return { address, visit, tls: null };
  }

  #lost(address: string, words: string, about: string): void {
    this.#host.onLost?.();
    this.#host.voice.warn(`door ${about} ${address}`, `MQTT connection refused: ${words}`, { address });
  }
}

async function plansOf({ listen, tls, websocket, maxClients }: DoorOptions, env: DoorEnv): Promise<Plan[]> {
  const secured = async (options: ServerTlsOptions | null, setting: string) =>
    options === null ? null : await ServerTls.open(options, setting, { clock: env.clock, disk: env.disk!, log: env.log });
  const shared = {
    guests: "MQTT",
    listenFailed: MQTT_LISTEN_FAILED,
    arrivingMax: Math.max(ARRIVING_MIN, maxClients),
    tls: null,
    webSocket: null,
  };
  const plans: Plan[] = [];
  if (listen !== null) plans.push({ ...shared, door: "tcp", endpoint: listen, setting: "mqtt.listen" });
  if (tls !== null) {
    const serverTls = await secured(tls, "mqtt.tls");
    plans.push({ ...shared, door: "tls", endpoint: tls.listen, setting: "mqtt.tls.listen", tls: serverTls });
  }
  if (websocket === null) return plans;
  const { path } = websocket;
  plans.push({
    ...shared,
    door: websocket.tls === null ? "ws" : "wss",
    endpoint: websocket.listen,
    setting: "mqtt.websocket.listen",
    tls: await secured(websocket.tls, "mqtt.websocket.tls"),
    webSocket: {
      speaks: "MQTT",
      protocols: PROTOCOLS,
      isPath: (asked) => path === null || asked === path,
      origins: websocket,
    },
  });
  return plans;
}
