// The network behind a bad modem, simulated on a fake clock: ten minutes at 50 kbit/s take seconds.
//
//   const clock = new FakeClock();
//   await using net = new ShapedNet(clock, { up: { rate: 50_000, delay: 250 }, down: { rate: 50_000, delay: 250 } });
//   await using hub = await MemoryHub.listen(net, clock);
//   // a Link with env { clock, net, … } and hub.url, then:
//   await net.pass(600_000);                      time goes by, with the event loop turning in between
//   net.set({ up: { rate: 8_000 } });             it gets worse
//   net.stall(); net.heal();                      nothing flows, then all of it does
//   net.halfOpen("up"); net.drop(); net.reset();  see each
//
// One lane each way for all connections, as with a modem: a queue that one connection left behind delays the next one's handshake.
// Everything beside it must be simulated, too (FakeDisk, no TLS): what takes real time is overtaken by the simulated one.
// Not simulated: loss and retransmission (give delay and jitter instead), acknowledgements, TCP and IP headers.

import type { Millis } from "#base/clock.ts";
import type { ByteStream, Endpoint, Listener, Net } from "#base/net.ts";
import { formatEndpoint } from "#base/net.ts";
import { type FakeClock, turn } from "./fake-clock.ts";
import { seededRandom } from "./seeded-random.ts";
import { type LaneShape, ShapedLane } from "./shaped-lane.ts";
import { ShapedStream } from "./shaped-stream.ts";

export interface NetShape {
  readonly up?: Partial<LaneShape>;
  readonly down?: Partial<LaneShape>;
}

export type Direction = "up" | "down" | "both";

const FIRST_PORT = 40_000;
/** Turns of the event loop between two instants: a stream's callback, a promise and a `setImmediate` behind each other. */
const TURNS = 4;

interface Pair {
  readonly near: ShapedStream;
  readonly far: ShapedStream;
}

export class ShapedNet implements Net, AsyncDisposable {
  readonly up: ShapedLane;
  readonly down: ShapedLane;
  /** Instants of all dials, those that came to nothing included. */
  readonly dials: Millis[] = [];
  readonly #clock: FakeClock;
  readonly #listeners = new Map<string, (stream: ByteStream) => void>();
  readonly #pairs = new Set<Pair>();
  #ports = FIRST_PORT;
  #isDropping = false;

  constructor(clock: FakeClock, shape: NetShape & { readonly seed?: number } = {}) {
    this.#clock = clock;
    const random = seededRandom(shape.seed ?? 1);
    this.up = new ShapedLane(clock, random, shape.up);
    this.down = new ShapedLane(clock, random, shape.down);
  }

  /** A round trip, behind whatever waits in the lanes; refused where nobody listens. */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream> {
    signal.throwIfAborted();
    this.dials.push(this.#clock.now());
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (!this.#isDropping) this.up.mark(() => this.#accept(endpoint, signal, resolve, reject));
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** A hub of ours. Port 0: a free one. */
  async listen(endpoint: Endpoint, onStream: (stream: ByteStream) => void): Promise<Listener> {
    const bound = { host: endpoint.host, port: endpoint.port === 0 ? this.#ports++ : endpoint.port };
    const key = formatEndpoint(bound);
    if (this.#listeners.has(key)) throw Object.assign(new Error(`listen EADDRINUSE ${key}`), { code: "EADDRINUSE" });
    this.#listeners.set(key, onStream);
    return { endpoint: bound, [Symbol.asyncDispose]: async () => void this.#listeners.delete(key) };
  }

  /** Connections of which both ends are open. */
  get open(): number {
    return this.#living().length;
  }

  /** Lets time go by. Between two instants the event loop turns until streams, promises and immediates have come to rest. */
  async pass(duration: Millis): Promise<void> {
    const end = this.#clock.now() + duration;
    while (await this.#stepBefore(end));
    this.#clock.advance(end - this.#clock.now());
  }

  /** Lets time go by until `isTrue`, asked after every instant; rejects when `within` has passed. */
  async until(what: string, isTrue: () => boolean, within: Millis = 120_000): Promise<void> {
    const end = this.#clock.now() + within;
    await rest();
    while (!isTrue()) {
      if (!(await this.#stepBefore(end))) throw new Error(`${what}: not within ${within} simulated ms`);
      await rest();
    }
  }

  /** On to the next instant at which anything happens; false when there is none before `end`. */
  async #stepBefore(end: Millis): Promise<boolean> {
    await rest();
    const { next } = this.#clock;
    if (next === undefined || next > end) return false;
    this.#clock.advance(Math.max(0, next - this.#clock.now()));
    return true;
  }

  set(shape: NetShape): void {
    if (shape.up !== undefined) this.up.set(shape.up);
    if (shape.down !== undefined) this.down.set(shape.down);
  }

  /** Nothing flows, connections stay open, nothing is lost. */
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

  /** A NAT forgot the connections of now: what they send is taken and goes nowhere, no end is told. New ones work. */
  halfOpen(direction: Direction = "both"): void {
    for (const { near, far } of this.#living()) {
      if (direction !== "down") near.swallow();
      if (direction !== "up") far.swallow();
    }
  }

  /** A firewall drops every packet: nothing more is taken or told, dials get no answer. After `heal` new connections work. */
  drop(): void {
    this.#isDropping = true;
    for (const { near, far } of this.#living()) near.isDropped = far.isDropped = true;
  }

  /** A RST to both ends of every connection; new ones work. */
  reset(): void {
    for (const { near, far } of this.#living()) {
      near.fail();
      far.fail();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#living().flatMap(({ near, far }) => [near, far])) {
      stream.on("error", () => undefined).destroy(); // its owner has had its say
    }
    this.up[Symbol.dispose]();
    this.down[Symbol.dispose]();
    this.#listeners.clear();
  }

  #living(): Pair[] {
    for (const pair of this.#pairs) if (pair.near.destroyed && pair.far.destroyed) this.#pairs.delete(pair);
    return [...this.#pairs];
  }

  /** The handshake has come to the hub. */
  #accept(endpoint: Endpoint, signal: AbortSignal, resolve: (near: ByteStream) => void, reject: (error: Error) => void): void {
    if (this.#isDropping) return;
    const onStream = this.#listeners.get(formatEndpoint(endpoint));
    if (onStream === undefined) {
      const text = `connect ECONNREFUSED ${formatEndpoint(endpoint)}`;
      this.down.mark(() => reject(Object.assign(new Error(text), { code: "ECONNREFUSED" })));
      return;
    }
    const pair = ShapedStream.pair(this.up, this.down, { near: { host: "10.0.0.1", port: this.#ports++ }, far: endpoint });
    this.#pairs.add(pair);
    this.down.mark(() => {
      if (this.#isDropping) return;
      if (signal.aborted) pair.near.destroy();
      else resolve(pair.near);
    });
    onStream(pair.far); // may speak at once: its bytes come behind the answer to the handshake
  }
}

/** Until whatever can happen without time going by has happened. */
async function rest(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await turn();
}
