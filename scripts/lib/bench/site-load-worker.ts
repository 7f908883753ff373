// The devices of a site, for `scripts/bench site` and `thin`, a process of its own: MQTT devices at QoS 1, lines on serial ports, local
// NATS clients. An open loop: reading i of a source is due at start + i / rate, whatever became of those before.

import * as fs from "node:fs/promises";
import * as net from "node:net";
import { connectPacket } from "./mqtt-packets.ts";
import {
  type MqttSource,
  type NatsSource,
  reading,
  type SiteSent,
  type Source,
  type SourceSent,
  type TtySource,
} from "./site-sources.ts";
import { percentile } from "./statistics.ts";
import { type Command, nowNs, serveCommands } from "./worker-channel.ts";

const PUBLISH_QOS1 = 0x32;
const PUBACK = 0x40;
const ANSWER_BYTES = 4;
const PACKET_ID_MAX = 65_535;
const TICK_MS = 1;
/** Logins under way at the same time: each costs the gateway a password. */
const LOGINS = 50;

/** Sends one reading of a source, due then. */
type Send = (turn: number, dueNs: number) => void;

interface Speaker {
  readonly source: Source;
  readonly send: Send;
  /** Readings without an answer by when they were due; undefined where nobody answers. */
  readonly waiting?: () => readonly number[];
}

let speakers: Speaker[] = [];
/** Of sites before: their connections and ports stay open. */
const silent: Speaker[] = [];
let ended = 0;
/** Nanoseconds from due to PUBACK, by the name of the source. */
const ackTimes = new Map<string, number[]>();

class Device {
  readonly pending = new Map<number, number>();
  readonly #socket: net.Socket;
  readonly #connected = Promise.withResolvers<void>();
  readonly #topic: Buffer;
  readonly #times: number[];
  #packetId = 0;
  #rest: Buffer = Buffer.alloc(0);
  #isIn = false;

  constructor(
    port: number,
    clientId: string,
    login: { readonly user: string; readonly password: string },
    topic: string,
    times: number[],
  ) {
    this.#topic = Buffer.from(topic);
    this.#times = times;
    this.#socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("error", (error) => this.#connected.reject(error));
    this.#socket.on("close", () => {
      ended += 1;
      this.#connected.reject(new Error(`${clientId}: the gateway closed the connection`));
    });
    this.#socket.on("data", (chunk: Buffer) => this.#onBytes(chunk, nowNs()));
    this.#socket.write(connectPacket(clientId, login.user, login.password));
  }

  connected(): Promise<void> {
    return this.#connected.promise;
  }

  publish(text: string, dueNs: number): void {
    this.#packetId = (this.#packetId % PACKET_ID_MAX) + 1;
    this.pending.set(this.#packetId, dueNs);
    const length = 2 + this.#topic.length + 2 + text.length;
    const lengthBytes = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
    const packet = Buffer.alloc(1 + lengthBytes.length + length);
    packet.set([PUBLISH_QOS1, ...lengthBytes, this.#topic.length >> 8, this.#topic.length & 255]);
    const at = 1 + lengthBytes.length + 2;
    packet.set(this.#topic, at);
    packet.writeUInt16BE(this.#packetId, at + this.#topic.length);
    packet.latin1Write(text, at + this.#topic.length + 2);
    this.#socket.write(packet);
  }

  #onBytes(chunk: Buffer, now: number): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (; at + ANSWER_BYTES <= bytes.length; at += ANSWER_BYTES) {
      if (!this.#isIn) {
        this.#isIn = true;
        if (bytes[at + 3] === 0) this.#connected.resolve();
        else this.#connected.reject(new Error(`CONNACK says ${bytes[at + 3]}`));
        continue;
      }
      if (bytes[at] !== PUBACK) throw new Error(`wanted a PUBACK, got a packet of type ${bytes[at]! >> 4}`);
      const packetId = bytes.readUInt16BE(at + 2);
      const due = this.pending.get(packetId);
      if (due === undefined) continue;
      this.pending.delete(packetId);
      this.#times.push(now - due);
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}

async function open({ port, user, password, sources }: Command): Promise<object> {
  const login = { port: port as number, user: user as string, password: password as string };
  silent.push(...speakers);
  speakers = [];
  for (const source of sources as Source[]) {
    ackTimes.set(source.name, []);
    if (source.kind === "mqtt") speakers.push(await openDevices(source, login));
    else if (source.kind === "tty") speakers.push(await openPorts(source));
    else speakers.push(await openClients(source, login));
  }
  return {};
}

async function openDevices(
  source: MqttSource,
  { port, ...login }: { port: number; user: string; password: string },
): Promise<Speaker> {
  const devices: Device[] = [];
  const times = ackTimes.get(source.name)!;
  while (devices.length < source.devices) {
    const some = Array.from({ length: Math.min(LOGINS, source.devices - devices.length) }, (_, i) => {
      const index = devices.length + i;
      return new Device(port, `bench-${source.name}-${index}`, login, `${source.topic}${index}`, times);
    });
    await Promise.all(some.map((device) => device.connected()));
    devices.push(...some);
  }
  return {
    source,
    send: (turn, dueNs) => {
      const index = turn % devices.length;
      devices[index]!.publish(reading(source, index, Math.floor(turn / devices.length), dueNs), dueNs);
    },
    waiting: () => devices.flatMap(({ pending }) => [...pending.values()]),
  };
}

async function openPorts(source: TtySource): Promise<Speaker> {
  const { O_WRONLY, O_NOCTTY, O_NONBLOCK } = fs.constants;
  const ports = await Promise.all(source.paths.map((path) => fs.open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK)));
  return {
    source,
    send: (turn, dueNs) => {
      const index = turn % ports.length;
      const line = `${reading(source, index, Math.floor(turn / ports.length), dueNs)}\n`;
      void ports[index]!.write(line); // far less than a tty holds
    },
  };
}

async function openClients(source: NatsSource, login: { user: string; password: string }): Promise<Speaker> {
  const { connect } = await import("@nats-io/transport-node");
  const dial = () => connect({ servers: `127.0.0.1:${source.port}`, user: login.user, pass: login.password, reconnect: false });
  const [publisher, listener] = [await dial(), await dial()];
  listener.subscribe(source.subject, { callback: () => undefined });
  for (const client of [publisher, listener]) void client.closed().then(() => void (ended += 1));
  return { source, send: (turn, dueNs) => publisher.publish(source.subject, reading(source, 0, turn, dueNs)) };
}

/** `only`: names of the sources that speak. `tells`: of those whose due times are told. */
async function run({ seconds, graceMs, only, tells }: Command): Promise<SiteSent> {
  const speaking = speakers.filter(({ source }) => only === undefined || (only as string[]).includes(source.name));
  for (const times of ackTimes.values()) times.length = 0;
  const startedAt = nowNs();
  const endAt = startedAt + (seconds as number) * 1e9;
  const turns = speaking.map(() => 0);
  const lateness = speaking.map((): number[] => []);
  const dues = speaking.map((): number[] => []);
  for (let now = startedAt; now < endAt; await pause(TICK_MS), now = nowNs()) {
    for (const [index, { source, send }] of speaking.entries()) {
      const stepNs = 1e9 / source.perSecond;
      for (let due = startedAt + turns[index]! * stepNs; due <= now && due < endAt; due += stepNs) {
        send(firstTurn(source) + turns[index]!, due);
        lateness[index]!.push((nowNs() - due) / 1e6);
        if ((tells as string[] | undefined)?.includes(source.name)) dues[index]!.push(Math.round(due));
        turns[index]! += 1;
      }
    }
  }
  const doneAt = nowNs();
  const isAllAcked = () => speaking.every(({ waiting }) => waiting === undefined || waiting().length === 0);
  for (const lastAt = doneAt + (graceMs as number) * 1e6; nowNs() < lastAt && !isAllAcked(); ) await pause(5);
  for (const [index, { source }] of speaking.entries()) spoken.set(source.name, firstTurn(source) + turns[index]!);
  const sources = speaking.map((speaker, index) => sentBy(speaker, turns[index]!, lateness[index]!, dues[index]!));
  return { startedAt, doneAt, sources, ended };
}

/** How many each source has sent in all runs before. */
const spoken = new Map<string, number>();

function firstTurn({ name }: Source): number {
  return spoken.get(name) ?? 0;
}

function sentBy({ source, waiting }: Speaker, sent: number, lateness: number[], due: number[]): SourceSent {
  const now = nowNs();
  const times = ackTimes.get(source.name)!;
  const acked = times.length;
  const all = [...times, ...(waiting?.() ?? []).map((at) => now - at)].map((ns) => ns / 1e6);
  const sorted = Float64Array.from(all).sort();
  const late = Float64Array.from(lateness).sort();
  const ackMs =
    waiting === undefined || sorted.length === 0
      ? null
      : { p50: percentile(sorted, 50), p99: percentile(sorted, 99), max: sorted.at(-1)! };
  return { name: source.name, sent, acked, ackMs, lateP99Ms: late.length === 0 ? 0 : percentile(late, 99), due };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

serveCommands({ open, run });
