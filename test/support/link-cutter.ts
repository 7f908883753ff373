// The cable between a spoke and its hub: a TCP relay that can be cut, healed, stalled, half-opened and reset.
//
//   spoke ──▶ LinkCutter (own port) ──▶ hub's port
//
// What each fault looks like from the spoke:
//   cut        connections end at once, new ones end at once      (hub's host up, its server gone)
//   stall      nothing arrives, nothing is told; what was sent waits and flows on after heal   (cable pulled, LTE gone)
//   halfOpen   the hub's side is gone, the spoke's side stays open and silent for ever   (a NAT that forgot us)
//   reset      one RST to both sides of every connection; new ones work      (a router restarted)

import * as net from "node:net";

type Mode = "whole" | "cut" | "stalled";

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

export class LinkCutter implements AsyncDisposable {
  readonly port: number;
  /** Bytes carried from those who dial in to the target, and back, over all connections. */
  bytesUp = 0;
  bytesDown = 0;
  /** Connections dialled in so far, those refused included. */
  dials = 0;
  readonly #server: net.Server;
  readonly #pairs = new Set<Pair>();
  /** Near sides whose far side is gone without their knowing. */
  readonly #orphans = new Set<net.Socket>();
  #mode: Mode = "whole";

  /** Listens on a free loopback port and dials `targetPort` for every connection. */
  static async before(targetPort: number): Promise<LinkCutter> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
    await promise;
    return new LinkCutter(server, targetPort);
  }

  private constructor(server: net.Server, targetPort: number) {
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
    return this.#pairs.size;
  }

  cut(): void {
    this.#mode = "cut";
    this.reset();
  }

  stall(): void {
    this.#mode = "stalled";
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** Ends cut and stall. Orphans of `halfOpen` stay as they are: their hub is gone. */
  heal(): void {
    this.#mode = "whole";
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  halfOpen(): void {
    for (const pair of [...this.#pairs]) {
      this.#pairs.delete(pair);
      this.#orphans.add(pair.near);
      pair.near.removeAllListeners("data").removeAllListeners("end").resume(); // what it sends goes nowhere
      pair.far.destroy();
    }
  }

  reset(): void {
    for (const pair of [...this.#pairs]) {
      this.#pairs.delete(pair);
      pair.near.resetAndDestroy();
      pair.far.resetAndDestroy();
    }
    for (const near of this.#orphans) near.resetAndDestroy();
    this.#orphans.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #accept(near: net.Socket, targetPort: number): void {
    this.dials += 1;
    near.on("error", () => near.destroy());
    if (this.#mode === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = net.connect({ host: "127.0.0.1", port: targetPort, noDelay: true, allowHalfOpen: true });
    const pair: Pair = { near, far };
    this.#pairs.add(pair);
    this.#carry(pair, near, far, (bytes) => {
      this.bytesUp += bytes;
    });
    this.#carry(pair, far, near, (bytes) => {
      this.bytesDown += bytes;
    });
    far.on("error", () => this.#drop(pair)); // the hub refused or reset: tell the other side the same
    near.once("close", () => this.#drop(pair));
    far.once("close", () => this.#drop(pair));
    if (this.#mode === "whole") near.resume();
    else far.pause();
  }

  #carry(pair: Pair, from: net.Socket, to: net.Socket, count: (bytes: number) => void): void {
    from.on("data", (chunk) => {
      count(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    from.on("end", () => to.end());
    to.on("drain", () => {
      if (this.#mode === "whole" && this.#pairs.has(pair)) from.resume();
    });
  }

  #drop(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.near, pair.far]) {
      if (socket.errored || !socket.writableFinished) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}
