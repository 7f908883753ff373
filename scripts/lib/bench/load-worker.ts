// The devices, a process of its own: raw MQTT connections that write packets encoded beforehand.
//
//   flood  as many as the other side takes, `count` in all; QoS 1 keeps a window of unacknowledged ones per publisher
//   pace   an open loop: message i is due at start + i / rate, whatever became of those before

import * as net from "node:net";
import { type Block, connectPacket, publishBlock, STAMP_CHARS } from "./mqtt-packets.ts";
import { INFLIGHT_MAX, PUBLISHERS } from "./options.ts";
import { percentile } from "./statistics.ts";
import { type Command, nowNs, serveCommands } from "./worker-channel.ts";

const READ_BYTES = 65_536;
/** About 64 KiB a write. */
const FLOOD_PACKETS = 400;
/** Different readings of a device before they come again: 2.5 MiB, more than any compressor of these looks back. */
const RING_PACKETS = 16_000;
/** Nearer than this a message counts as due: the kernel's own slack is larger. */
const DUE_NS = 10_000;
const CONNACK_BYTES = 4;
const PUBACK_BYTES = 4;

class Publisher {
  readonly socket: net.Socket;
  readonly #quick: Block;
  readonly #safe: Block;
  readonly #connected = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  #bytesIn = 0;
  #onAcks = (): void => undefined;

  constructor(port: number, device: number, user: string, password: string) {
    this.#quick = publishBlock(device, 0, RING_PACKETS);
    this.#safe = publishBlock(device, 1, INFLIGHT_MAX);
    this.#failed.promise.catch(() => undefined); // whoever waits hears of it
    this.socket = net.connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: { buffer: Buffer.alloc(READ_BYTES), callback: (bytes, buffer) => this.#onBytes(bytes, buffer) },
    });
    this.socket.on("error", (error) => this.#failed.reject(error));
    this.socket.on("close", () => this.#failed.reject(new Error(`device ${device}: the other side closed the connection`)));
    this.socket.write(connectPacket(`bench-device-${device}`, user, password));
  }

  async connected(): Promise<void> {
    await Promise.race([this.#connected.promise, this.#failed.promise]);
  }

  /** Resolves when the kernel has taken them all. */
  async flood(count: number): Promise<void> {
    const { bytes, packetBytes, packets } = this.#quick;
    let at = 0;
    for (let left = count; left > 0; ) {
      const now = Math.min(left, FLOOD_PACKETS);
      left -= now;
      if (at + now > packets) at = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.socket.write(bytes.subarray(at * packetBytes, (at + now) * packetBytes), () => resolve());
      at += now;
      await Promise.race([promise, this.#failed.promise]);
    }
  }

  /** Resolves when all are acknowledged. */
  async floodSafe(count: number, inflight: number): Promise<void> {
    const { bytes, packetBytes, packets } = this.#safe;
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#bytesIn;
    let sent = 0;
    this.#onAcks = () => {
      const acked = (this.#bytesIn - before) / PUBACK_BYTES;
      if (acked >= count) resolve();
      while (sent < count && sent - acked < inflight) {
        const at = sent % packets;
        const now = Math.min(packets - at, count - sent, Math.floor(inflight - (sent - acked)));
        if (now === 0) return; // half an acknowledgement has come
        this.socket.write(bytes.subarray(at * packetBytes, (at + now) * packetBytes));
        sent += now;
      }
    };
    this.#onAcks();
    await Promise.race([promise, this.#failed.promise]);
    this.#onAcks = () => undefined;
  }

  /** One QoS 0 message that carries the time it was due. */
  send(dueNs: number, index: number): void {
    const { bytes, packetBytes, packets, stampAt } = this.#quick;
    const at = (index % packets) * packetBytes;
    const packet = Buffer.from(bytes.subarray(at, at + packetBytes)); // a copy: the socket may keep it for a while
    packet.latin1Write(Math.round(dueNs).toString(16).padStart(STAMP_CHARS, "0"), stampAt);
    this.socket.write(packet);
  }

  #onBytes(bytes: number, buffer: Uint8Array): boolean {
    if (this.#bytesIn === 0 && (buffer[0] !== 0x20 || buffer[3] !== 0)) {
      this.#failed.reject(
        new Error(`CONNECT was answered with ${Buffer.from(buffer.subarray(0, Math.min(bytes, 8))).toString("hex")}`),
      );
      return true;
    }
    this.#bytesIn += bytes;
    if (this.#bytesIn === CONNACK_BYTES) this.#connected.resolve();
    this.#onAcks();
    return true;
  }
}

let publishers: Publisher[] = [];

async function connect({ port, user, password }: Command): Promise<object> {
  publishers = Array.from(
    { length: PUBLISHERS },
    (_, device) => new Publisher(port as number, device, user as string, password as string),
  );
  await Promise.all(publishers.map((publisher) => publisher.connected()));
  return {};
}

/** `count` is a multiple of the publishers. */
async function flood({ qos, count, inflight }: Command): Promise<object> {
  const each = (count as number) / publishers.length;
  const startedAt = nowNs();
  await Promise.all(
    publishers.map((publisher) => (qos === 0 ? publisher.flood(each) : publisher.floodSafe(each, inflight as number))),
  );
  return { startedAt, doneAt: nowNs() };
}

async function pace({ rate, count }: Command): Promise<object> {
  const total = count as number;
  const stepNs = 1e9 / (rate as number);
  const lateness = new Float64Array(total);
  const never = new Int32Array(new SharedArrayBuffer(4));
  const startedAt = nowNs() + 1e6;
  for (let sent = 0; sent < total; ) {
    for (let now = nowNs(); sent < total && startedAt + sent * stepNs - now <= DUE_NS; sent++) {
      const due = startedAt + sent * stepNs;
      publishers[sent % publishers.length]!.send(due, sent);
      lateness[sent] = Math.max(0, now - due) / 1e6;
    }
    await new Promise((resolve) => setImmediate(resolve)); // sockets first
    const waitMs = (startedAt + sent * stepNs - nowNs()) / 1e6;
    if (sent < total && waitMs > 0) Atomics.wait(never, 0, 0, waitMs); // far finer than a timer, and burns nothing
  }
  const sorted = lateness.sort();
  return { startedAt, doneAt: nowNs(), lateMs: { p50: percentile(sorted, 50), p99: percentile(sorted, 99) } };
}

serveCommands({ connect, flood, pace });
