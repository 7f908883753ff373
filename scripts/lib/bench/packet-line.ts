// A thin line made of packets, for `scripts/bench thin`: rate, delay, loss and a modem's buffer, between the network namespace of the
// bench and one of a gateway's own. The TCP on it is the kernel's, with its retransmissions and its timers.
//
//   a namespace of the gateway's own        this process                              the bench's namespace
//   leafN (TUN) ── socat ── UDP ──▶ │ buffer │ ─ rate ─▶ ~ delay, loss ~ ──▶ UDP ── socat ── (TUN) hubN      and the same way back
//
// tc's netem does as much, where a kernel has it; many of containers and of small machines have not. A TUN device they have.

import * as dgram from "node:dgram";
import * as fs from "node:fs/promises";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import { runCommand } from "../command.ts";
import { LineSchedule, type LineShape } from "./line-schedule.ts";
import { canHaveNamespace } from "./own-network.ts";
import type { Line } from "./systems.ts";

/** UDP ports of line 0; the namespace has nobody else in it. */
const FIRST_PORT = 20_000;
const PORTS_A_LINE = 4;
const ADDRESSES_A_LINE = 4;
const TCP = 6;
const SYN = 0x02;
const ACK = 0x10;

export class PacketLine implements AsyncDisposable {
  /** How what is started at the far end of it finds its way. */
  readonly line: Line;
  readonly up: LineSchedule;
  readonly down: LineSchedule;
  /** Source ports of the connections that were dialled upwards. */
  readonly #dialled = new Set<number>();
  readonly #scope: AsyncDisposableStack;

  /** As root, in a network namespace of one's own. Lines have different indexes, from 0. */
  static async open(index: number, shape: LineShape, seed: number): Promise<PacketLine> {
    await using scope = new AsyncDisposableStack();
    const script = "ip link set lo up && echo ready && exec sleep infinity";
    const holder = scope.use(await SpawnedProcess.start("unshare", ["--net", "sh", "-c", script]));
    await holder.says(/^ready$/m);
    const [hub, leaf] = [`198.51.100.${index * ADDRESSES_A_LINE + 1}`, `198.51.100.${index * ADDRESSES_A_LINE + 2}`];
    const namespace = `/proc/${holder.pid}/ns/net`;
    const line = new PacketLine({ within: ["nsenter", `--net=${namespace}`, "--"], hubHost: hub }, shape, seed, scope.move());
    try {
      const ports = Array.from({ length: PORTS_A_LINE }, (_, i) => FIRST_PORT + index * PORTS_A_LINE + i);
      await line.#lay(index, ports as [number, number, number, number]);
      await addressed(`hub${index}`, hub);
      await runCommand("ip", ["link", "set", `leaf${index}`, "netns", String(holder.pid)]);
      await addressed(`leaf${index}`, leaf, line.line.within);
      return line;
    } catch (error) {
      await line[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(line: Line, shape: LineShape, seed: number, scope: AsyncDisposableStack) {
    this.line = line;
    this.up = new LineSchedule(shape, seededRandom(seed));
    this.down = new LineSchedule(shape, seededRandom(seed + 1));
    this.#scope = scope;
  }

  /** Connections dialled towards the hub so far; a SYN sent again is none. */
  get dials(): number {
    return this.#dialled.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }

  async #lay(index: number, [nearHub, hubRelay, nearLeaf, leafRelay]: readonly [number, number, number, number]): Promise<void> {
    const toHub = await this.#socket(hubRelay, nearHub);
    const toLeaf = await this.#socket(leafRelay, nearLeaf);
    toLeaf.on("message", (packet) => {
      this.#look(packet);
      this.#carry(this.up, packet, toHub);
    });
    toHub.on("message", (packet) => this.#carry(this.down, packet, toLeaf));
    for (const [name, own, relay] of [
      [`hub${index}`, nearHub, hubRelay],
      [`leaf${index}`, nearLeaf, leafRelay],
    ] as const) {
      const tun = `TUN,tun-name=${name},tun-type=tun,iff-no-pi`;
      const udp = `UDP4:127.0.0.1:${relay},bind=127.0.0.1:${own}`;
      const socat = this.#scope.use(await SpawnedProcess.start("socat", ["-d", "-d", tun, udp]));
      await socat.says(/starting data transfer loop/);
    }
  }

  async #socket(port: number, peer: number): Promise<dgram.Socket> {
    const socket = dgram.createSocket("udp4");
    this.#scope.defer(() => void socket.close());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject).bind(port, "127.0.0.1", resolve);
    await promise;
    await new Promise<void>((next) => socket.connect(peer, "127.0.0.1", next));
    socket.off("error", reject).on("error", () => undefined); // its other end is gone: the line ends with it
    return socket;
  }

  #carry(schedule: LineSchedule, packet: Buffer, to: dgram.Socket): void {
    const now = performance.now();
    const at = schedule.arrivalOf(packet.length, now);
    if (at === undefined) return;
    setTimeout(() => {
      if (!this.#scope.disposed) to.send(packet, () => undefined); // socat is gone: so is the line
    }, at - now).unref(); // what is under way when the line is taken up keeps nobody waiting
  }

  #look(packet: Buffer): void {
    const header = (packet[0]! & 0x0f) * 4;
    if (packet[0]! >> 4 !== 4 || packet[9] !== TCP || packet.length < header + 20) return;
    if ((packet[header + 13]! & (SYN | ACK)) === SYN) this.#dialled.add(packet.readUInt16BE(header));
  }
}

/** Gives a device its address, and no IPv6: its announcements would use the line. */
async function addressed(device: string, address: string, within: readonly string[] = []): Promise<void> {
  for (const words of [
    ["link", "set", device, "addrgenmode", "none"],
    ["addr", "add", `${address}/30`, "dev", device],
    ["link", "set", device, "up"],
  ]) {
    const [command, ...args] = [...within, "ip", ...words];
    await runCommand(command!, args);
  }
}

/** Why there can be no such line here; undefined when there can. */
export async function whyNoLine(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "network namespaces want root";
  const isThere = await fs.access("/dev/net/tun").then(
    () => true,
    () => false,
  );
  if (!isThere) return "there is no /dev/net/tun";
  return (await canHaveNamespace()) ? undefined : "unshare --net or ip (Debian package iproute2) failed";
}
