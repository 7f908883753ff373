// A bad link on real sockets: a TCP relay on loopback between a spoke and its hub, with a modem's rate, delay, jitter and buffer,
// and the ways such links fail. For the same without sockets, on simulated time, see shaped-net.ts.
//
//   spoke ──▶ Shaper (own port): │ buffer │ ─ rate ─▶ ~ delay + jitter ~ ──▶ hub's port          and the same way back
//
//   stall      nothing flows, connections stay open; what was sent waits and flows on after heal      (no signal)
//   drop       nothing is taken or told any more; dials are accepted by the kernel and stay silent     (a firewall, a dead LTE cell)
//   halfOpen   bytes of one or both directions are taken and thrown away, no end is told               (a NAT that forgot us)
//   reset      a RST to both sides of every connection; new ones work                                  (a router that restarted)
//
// How much a sender can have in flight: `bufferBytes`, and what stands before it: up to READ_BYTES in this process and the kernel's
// socket buffers on both sides, which Node cannot shrink. A writer without limit got rid of 4 MiB on Linux 6.18 with its defaults
// (tcp_wmem 4 MiB at most) before its socket was full: 11 minutes at 50 kbit/s. Whoever means a modem's buffer takes shaped-net.ts,
// or limits what it has in flight itself.

import * as net from "node:net";
import { systemClock } from "#base/clock.ts";
import { seededRandom } from "./seeded-random.ts";
import { ShapedLane } from "./shaped-lane.ts";
import type { Direction, NetShape } from "./shaped-net.ts";

/** What one read takes from a socket at most: Node's own chunk. */
export const READ_BYTES = 64 * 1024;
/** A writer has got rid of fewer bytes when its socket says that it is full (measured: see above). */
export const EFFECTIVE_BUFFER_BYTES_MAX = 8 * 1024 * 1024;
/** Written to a peer that does not read, above which we stop reading for it. */
const BACKLOG_BYTES = 256 * 1024;

interface Way {
  readonly lane: ShapedLane;
  readonly from: net.Socket;
  readonly to: net.Socket;
  isWaiting: boolean;
  isSwallowed: boolean;
}

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
  readonly up: Way;
  readonly down: Way;
  isDropped: boolean;
}

export class Shaper implements AsyncDisposable {
  readonly port: number;
  readonly up: ShapedLane;
  readonly down: ShapedLane;
  /** Connections dialled in so far. */
  dials = 0;
  readonly #server: net.Server;
  readonly #pairs = new Set<Pair>();
  /** Dialled in while everything is dropped. */
  readonly #unanswered = new Set<net.Socket>();
  #isDropping = false;

  /** Listens on a free loopback port and dials `targetPort` for every connection. */
  static async before(targetPort: number, shape: NetShape & { readonly seed?: number } = {}): Promise<Shaper> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: READ_BYTES });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
    await promise;
    return new Shaper(server, targetPort, shape);
  }

  private constructor(server: net.Server, targetPort: number, shape: NetShape & { readonly seed?: number }) {
    const clock = systemClock();
    const random = seededRandom(shape.seed ?? 1);
    this.up = new ShapedLane(clock, random, shape.up);
    this.down = new ShapedLane(clock, random, shape.down);
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (near) => this.#accept(near, targetPort));
  }

  /** The same address with this relay's port in it. */
  through(url: string): string {
    return url.replace(/:\d+(?=\/|$)/, `:${this.port}`);
  }

  /** Connections that are open on both sides. */
  get open(): number {
    return [...this.#pairs].filter(({ near, far }) => !near.destroyed && !far.destroyed).length;
  }

  /** Bytes that came out at the other end, over all connections; swallowed ones too. */
  get bytesUp(): number {
    return this.up.bytesCarried;
  }

  get bytesDown(): number {
    return this.down.bytesCarried;
  }

  set(shape: NetShape): void {
    if (shape.up !== undefined) this.up.set(shape.up);
    if (shape.down !== undefined) this.down.set(shape.down);
  }

  stall(direction: Direction = "both"): void {
    if (direction !== "down") this.up.stall();
    if (direction !== "up") this.down.stall();
  }

  /** Ends stall and drop; connections that were dropped or half-opened stay as they are. */
  heal(): void {
    this.#isDropping = false;
    this.up.heal();
    this.down.heal();
  }

  halfOpen(direction: Direction = "both"): void {
    for (const pair of this.#pairs) {
      for (const way of direction === "both" ? [pair.up, pair.down] : [pair[direction]]) {
        way.isSwallowed = true;
        this.#carry(pair, way); // it may have waited for a peer that does not read
      }
    }
  }

  drop(): void {
    this.#isDropping = true;
    for (const pair of this.#pairs) pair.isDropped = true;
  }

  reset(): void {
    for (const { near, far } of [...this.#pairs]) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
    for (const near of this.#unanswered) near.resetAndDestroy();
    this.#unanswered.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.up[Symbol.dispose]();
    this.down[Symbol.dispose]();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #accept(near: net.Socket, targetPort: number): void {
    this.dials += 1;
    near.on("error", () => near.destroy());
    if (this.#isDropping) {
      this.#unanswered.add(near.pause().on("close", () => this.#unanswered.delete(near)));
      return;
    }
    const far = net.connect({ host: "127.0.0.1", port: targetPort, noDelay: true, allowHalfOpen: true });
    far.on("error", () => far.destroy());
    const up: Way = { lane: this.up, from: near, to: far, isWaiting: false, isSwallowed: false };
    const down: Way = { lane: this.down, from: far, to: near, isWaiting: false, isSwallowed: false };
    const pair: Pair = { near, far, up, down, isDropped: false };
    this.#pairs.add(pair);
    for (const way of [up, down]) this.#serve(pair, way);
  }

  #serve(pair: Pair, way: Way): void {
    const { lane, from, to } = way;
    from.on("readable", () => this.#carry(pair, way));
    to.on("drain", () => this.#carry(pair, way));
    from.on("end", () => lane.mark(() => isMute(pair, way) || to.end()));
    from.on("close", () => {
      if (to.destroyed) this.#pairs.delete(pair);
      // An end that both sides wanted was told by `end`; any other is a reset, behind what was sent before.
      if (!from.readableEnded || from.errored) lane.mark(() => isMute(pair, way) || to.resetAndDestroy());
    });
  }

  /** Reads no more from the socket than the lane has room for. */
  #carry(pair: Pair, way: Way): void {
    const { lane, from, to } = way;
    while (!way.isWaiting && !pair.isDropped && from.readableLength > 0) {
      if (!way.isSwallowed && to.writableLength > BACKLOG_BYTES) return; // `drain` brings us back
      const bytes: Buffer | null = lane.room === 0 ? null : from.read(Math.min(lane.room, from.readableLength));
      if (bytes === null) {
        way.isWaiting = true;
        lane.whenRoom(() => {
          way.isWaiting = false;
          this.#carry(pair, way);
        });
        return;
      }
      lane.offer(bytes, (arrived) => isMute(pair, way) || to.destroyed || to.write(arrived));
    }
    if (from.readableLength === 0 && !way.isWaiting) from.read(0); // nothing left here: asks for more, and for the end
  }
}

function isMute(pair: Pair, way: Way): boolean {
  return way.isSwallowed || pair.isDropped;
}
