// QoS 1 devices for `scripts/bench outbox`, a process of its own: how many there are, how many each has in flight, and how long each
// PUBACK takes.
//
//   run   as many as the other side acknowledges: for a time, or a count in all
//   pace  an open loop: message i is due at start + i / rate

import { randomFillSync } from "node:crypto";
import * as net from "node:net";
import { type Block, connectPacket, publishBlock } from "./mqtt-packets.ts";
import { INFLIGHT_MAX, PAYLOAD_BYTES } from "./options.ts";
import { percentile } from "./statistics.ts";
import { type Command, nowNs, serveCommands } from "./worker-channel.ts";

const READ_BYTES = 65_536;
const CONNACK_BYTES = 4;
const PUBACK_BYTES = 4;
/** Latencies remembered per device: a ring, the newest count. */
const LATENCIES_MAX = 100_000;
const DISCONNECT = Buffer.from([0xe0, 0]);

class Device {
  readonly #block: Block;
  readonly #socket: net.Socket;
  readonly #connected = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #sentAt = new Float64Array(INFLIGHT_MAX);
  readonly latencies: number[] = [];
  #bytesIn = 0;
  #sent = 0;
  #acked = 0;
  lastAckAt = 0;
  #onAcks = (): void => undefined;

  constructor(port: number, number: number, user: string, password: string) {
    this.#block = publishBlock(number, 1, INFLIGHT_MAX);
    this.#failed.promise.catch(() => undefined); // whoever waits hears of it
    this.#socket = net.connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: { buffer: Buffer.alloc(READ_BYTES), callback: (bytes, buffer) => this.#onBytes(bytes, buffer) },
    });
    this.#socket.on("error", (error) => this.#failed.reject(error));
    this.#socket.on("close", () => this.#failed.reject(new Error(`device ${number}: the other side closed the connection`)));
    this.#socket.write(connectPacket(`bench-device-${number}`, user, password));
  }

  get acked(): number {
    return this.#acked;
  }

  async connected(): Promise<void> {
    await Promise.race([this.#connected.promise, this.#failed.promise]);
  }

  /** From now on payloads that no compression makes smaller, instead of readings. */
  makeNoise(): void {
    const { bytes, packetBytes, packets } = this.#block;
    for (let i = 1; i <= packets; i++) randomFillSync(bytes, i * packetBytes - PAYLOAD_BYTES, PAYLOAD_BYTES);
  }

  reset(): void {
    this.latencies.length = 0;
    this.#sent = 0;
    this.#acked = 0;
  }

  /** Sends as many as `allowance` says, with so many in flight; resolves when it says none and all that were sent are acknowledged. */
  async run(inflight: number, allowance: (wanted: number) => number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAcks = () => {
      const at = nowNs();
      const room = inflight - (this.#sent - this.#acked);
      for (let left = room > 0 ? allowance(room) : 0; left > 0; ) {
        const first = this.#sent % INFLIGHT_MAX;
        const now = Math.min(left, INFLIGHT_MAX - first);
        this.#sentAt.fill(at, first, first + now);
        this.#sent += now;
        left -= now;
        this.#write(first, now);
      }
      if (this.#acked === this.#sent) resolve();
    };
    this.#onAcks();
    await Promise.race([promise, this.#failed.promise]);
    this.#onAcks = () => undefined;
  }

  send(): void {
    const at = this.#sent % INFLIGHT_MAX;
    this.#sentAt[at] = nowNs();
    this.#sent += 1;
    this.#write(at, 1);
  }

  close(): void {
    this.#socket.removeAllListeners("close").end(DISCONNECT);
  }

  #write(first: number, count: number): void {
    const { bytes, packetBytes } = this.#block;
    this.#socket.write(bytes.subarray(first * packetBytes, (first + count) * packetBytes));
  }

  #onBytes(bytes: number, buffer: Uint8Array): boolean {
    if (this.#bytesIn === 0 && (buffer[0] !== 0x20 || buffer[3] !== 0)) {
      const found = Buffer.from(buffer.subarray(0, Math.min(bytes, 8))).toString("hex");
      this.#failed.reject(new Error(`CONNECT was answered with ${found}`));
      return true;
    }
    const before = Math.max(0, Math.floor((this.#bytesIn - CONNACK_BYTES) / PUBACK_BYTES));
    this.#bytesIn += bytes;
    if (this.#bytesIn >= CONNACK_BYTES) this.#connected.resolve();
    const acks = Math.floor((this.#bytesIn - CONNACK_BYTES) / PUBACK_BYTES) - before;
    this.lastAckAt = nowNs();
    for (let i = 0; i < acks; i++, this.#acked++) {
      if (this.latencies.length < LATENCIES_MAX)
        this.latencies.push((this.lastAckAt - this.#sentAt[this.#acked % INFLIGHT_MAX]!) / 1e6);
    }
    this.#onAcks();
    return true;
  }
}

let devices: Device[] = [];

async function connect({ port, user, password, publishers }: Command): Promise<object> {
  for (const device of devices) device.close();
  devices = Array.from(
    { length: publishers as number },
    (_, number) => new Device(port as number, number, user as string, password as string),
  );
  await Promise.all(devices.map((device) => device.connected()));
  return {};
}

async function run({ inflight, seconds, count, noise }: Command): Promise<object> {
  for (const device of devices) {
    device.reset();
    if (noise === true) device.makeNoise();
  }
  const startedAt = nowNs();
  const end = startedAt + (seconds as number) * 1e9;
  let left = (count as number | undefined) ?? Number.POSITIVE_INFINITY;
  const allowance = (wanted: number) => {
    const given = count === undefined && nowNs() >= end ? 0 : Math.min(wanted, left);
    left -= given;
    return given;
  };
  await Promise.all(devices.map((device) => device.run(inflight as number, allowance)));
  return answer(startedAt);
}

async function pace({ rate, seconds, noise }: Command): Promise<object> {
  for (const device of devices) {
    device.reset();
    if (noise === true) device.makeNoise();
  }
  const total = (rate as number) * (seconds as number);
  const startedAt = nowNs();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((nowNs() - startedAt) * (rate as number)) / 1e9));
    for (; sent < due; sent++) devices[sent % devices.length]!.send();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(devices.map((device) => device.run(INFLIGHT_MAX, () => 0)));
  return answer(startedAt);
}

function answer(startedAt: number): object {
  const sorted = Float64Array.from(devices.flatMap(({ latencies }) => latencies)).sort();
  const acked = devices.reduce((sum, device) => sum + device.acked, 0);
  const doneAt = Math.max(...devices.map(({ lastAckAt }) => lastAckAt));
  return { startedAt, doneAt, acked, p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

serveCommands({ connect, run, pace });
