// The doors without a broker behind them, and what clients of theirs send: for tests.
//
//   await using porch = await Porch.open(webSettings());
//   using socket = await upgraded(porch);
//   const { stream, facts } = await porch.guest();

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { systemDisk } from "#base/disk.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { type ByteStream, type Net, systemNet } from "#base/net.ts";
import { Voice } from "#base/voice.ts";
import type { DoorFacts, MqttDoor } from "#ingress/mqtt/door-facts.ts";
import { type MqttDoors, openMqttDoors } from "#ingress/mqtt/mqtt-doors.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { mqttSettings } from "../../support/mqtt-settings.ts";

export const LISTEN = { host: "127.0.0.1", port: 0 };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const CONNECT = Buffer.from("100c00044d5154540402003c0000", "hex");

interface Guest {
  readonly stream: ByteStream;
  readonly facts: DoorFacts;
}

/** The doors, whoever came through them, and what was said of the rest. */
export class Porch implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly lines: LogLine[] = [];
  readonly guests: Guest[] = [];
  #lost = 0;
  #doors: MqttDoors | undefined;
  #changed = Promise.withResolvers<void>();

  static async open(settings: Partial<MqttOptions>, network: Net = systemNet()): Promise<Porch> {
    const porch = new Porch();
    const log = createLog(porch.clock, "debug", (line) => void porch.lines.push(line));
    const host = {
      voice: new Voice(porch.clock, log),
      onStream: (stream: ByteStream, facts: DoorFacts) => {
        stream.on("error", () => undefined);
        porch.guests.push({ stream, facts });
        porch.#change();
      },
      onLost: () => {
        porch.#lost += 1;
        porch.#change();
      },
    };
    const env = { clock: porch.clock, net: network, log, disk: systemDisk() };
    porch.#doors = await openMqttDoors(mqttSettings({ listen: null, ...settings }), host, env);
    return porch;
  }

  get doors(): MqttDoors {
    return this.#doors!;
  }

  get lost(): number {
    return this.#lost;
  }

  get words(): string {
    return this.lines.map(({ message }) => message).join("\n");
  }

  port(door: MqttDoor): number {
    return this.doors.endpointOf(door)!.port;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise;
  }

  async guest(): Promise<Guest> {
    await this.until(() => this.guests.length > 0);
    return this.guests[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#doors?.[Symbol.asyncDispose]();
    for (const { stream } of this.guests) stream.destroy();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

export function webSettings(more: Partial<NonNullable<MqttOptions["websocket"]>> = {}): Partial<MqttOptions> {
  return { websocket: { listen: LISTEN, tls: null, path: null, sameOrigin: false, allowedOrigins: [], ...more } };
}

export async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** All that is said until the connection is over. */
export async function wholeOf(socket: net.Socket): Promise<string> {
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}

/** So many bytes, and not one more taken. */
export async function take(stream: ByteStream, count: number): Promise<Buffer> {
  for (;;) {
    const found = stream.read(count) as Buffer | null;
    if (found !== null) return found;
    await once(stream, "readable");
  }
}

export function upgrade(more: readonly string[] = ["Sec-WebSocket-Protocol: mqtt"], at = "/mqtt"): string {
  const head = [
    "Host: gw",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
  ];
  return `${[`GET ${at} HTTP/1.1`, ...head, ...more].join("\r\n")}\r\n\r\n`;
}

/** A client's frame. */
export function frame(opcode: number, payload: Uint8Array, isLast = true): Buffer {
  const mask = Buffer.of(0x12, 0x34, 0x56, 0x78);
  const size = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
  const head = Buffer.of((isLast ? 0x80 : 0) | opcode, size[0]! | 0x80, ...size.slice(1));
  return Buffer.concat([head, mask, Buffer.from(payload).map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** Behind its upgrade. */
export async function upgraded(porch: Porch, more?: readonly string[]): Promise<net.Socket> {
  const socket = await dial(porch.port("ws"));
  socket.write(upgrade(more));
  await porch.guest();
  const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
  assert.equal((await take(socket, head.length + accept.length)).toString(), head + accept);
  return socket;
}
