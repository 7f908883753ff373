// A network in memory on a fake clock: latency, connections that break at any byte in either direction, half-open ones, ports where
// nobody answers. Lean: a simulated world lives by tens of thousands of these. For rates, queues and stalls see support/shaped-net.ts.
//
//   near ── write ──▶ pipe: … bytes under way, each with its instant of arrival … ──▶ push ── far
//                     break: a beginning of them still arrives, the rest is lost, both ends hear of it
//                     swallow: everything is lost, nobody hears of it

import { Duplex } from "node:stream";
import type { Millis } from "#base/clock.ts";
import type { ByteStream, Endpoint, Listener } from "#base/net.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import type { Dice } from "./spoke-dice.ts";

const WINDOW_BYTES = 256 * 1024;
const FIRST_PORT = 40_000;

export class SpokeNet {
  /** One way. */
  latency: Millis;
  /** Dials are not answered at all. */
  isBlackHole = false;
  readonly #clock: FakeClock;
  readonly #dice: Dice;
  readonly #listeners = new Map<number, (stream: ByteStream) => void>();
  readonly #pairs = new Set<Pair>();
  #ports = FIRST_PORT;

  constructor(clock: FakeClock, dice: Dice, latency: Millis) {
    this.#clock = clock;
    this.#dice = dice;
    this.latency = latency;
  }

  /** A round trip; refused where nobody listens. */
  dial = async (endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream> => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = this.#clock.after(2 * this.latency, () => {
      if (this.isBlackHole) return;
      const near = this.connect(endpoint.port);
      if (near !== undefined) resolve(near);
      else reject(Object.assign(new Error(`connect ECONNREFUSED :${endpoint.port}`), { code: "ECONNREFUSED" }));
    });
    try {
      return await promise;
    } finally {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
    }
  };

  listen = async (endpoint: Endpoint, onStream: (stream: ByteStream) => void): Promise<Listener> => {
    const port = endpoint.port === 0 ? this.#ports++ : endpoint.port;
    if (this.#listeners.has(port)) throw Object.assign(new Error(`listen EADDRINUSE :${port}`), { code: "EADDRINUSE" });
    this.#listeners.set(port, onStream);
    const close = async () => {
      if (this.#listeners.get(port) === onStream) this.#listeners.delete(port);
    };
    return { endpoint: { host: endpoint.host, port }, [Symbol.asyncDispose]: close };
  };

  /** At once; undefined: refused. */
  connect(port: number): ByteStream | undefined {
    const onStream = this.#listeners.get(port);
    if (onStream === undefined) return undefined;
    const pair = new Pair(this.#clock, this, { host: "10.0.0.1", port: this.#ports++ }, { host: "10.0.0.2", port });
    this.#pairs.add(pair);
    pair.onOver = () => this.#pairs.delete(pair);
    onStream(pair.far);
    return pair.near;
  }

  /** Connections of which not both ends are closed. */
  get open(): number {
    return this.#pairs.size;
  }

  get listening(): number {
    return this.#listeners.size;
  }

  /** Every connection breaks: of what is under way each way, a beginning still arrives. `stream`: only that one. */
  break(stream?: ByteStream): void {
    for (const pair of [...this.#pairs])
      if (stream === undefined || pair.near === stream || pair.far === stream) this.#break(pair);
  }

  /** What is sent from now on over the connections of now is lost, and nobody is told. */
  halfOpen(direction: "up" | "down" | "both"): void {
    for (const pair of this.#pairs) {
      if (direction !== "down") pair.up.swallow();
      if (direction !== "up") pair.down.swallow();
    }
  }

  /** The machine that listens here is gone: its ports are closed and its connections broken. */
  die(): void {
    this.#listeners.clear();
    this.break();
  }

  #break(pair: Pair): void {
    this.#pairs.delete(pair); // first: whoever hears the last bytes may break it once more
    const isRude = this.#dice.chance(0.5);
    pair.up.breakOff(this.#dice.random());
    pair.down.breakOff(this.#dice.random());
    for (const end of [pair.near, pair.far]) {
      if (end.destroyed) continue;
      if (isRude) end.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
      else end.destroy();
    }
  }
}

class Pair {
  readonly up: Pipe;
  readonly down: Pipe;
  readonly near: End;
  readonly far: End;
  onOver: (() => void) | undefined;

  constructor(clock: FakeClock, net: { readonly latency: Millis }, nearAt: Endpoint, farAt: Endpoint) {
    this.up = new Pipe(clock, net);
    this.down = new Pipe(clock, net);
    this.near = new End(this.up, this.down, farAt);
    this.far = new End(this.down, this.up, nearAt);
    const onClose = () => {
      if (this.near.destroyed && this.far.destroyed) this.onOver?.();
    };
    for (const end of [this.near, this.far]) end.on("error", () => undefined).on("close", onClose);
  }
}

/** One direction. */
class Pipe {
  target: End | undefined;
  readonly #clock: FakeClock;
  readonly #net: { readonly latency: Millis };
  readonly #flying: { readonly bytes: Buffer | null; readonly at: Millis }[] = [];
  #flyingBytes = 0;
  #timer: Disposable | undefined;
  #onRoom: (() => void) | undefined;
  #isSwallowed = false;
  #isOver = false;

  constructor(clock: FakeClock, net: { readonly latency: Millis }) {
    this.#clock = clock;
    this.#net = net;
  }

  /** The bytes stay the caller's. null: the end. */
  send(bytes: Buffer | null, done?: () => void): void {
    if (this.#isOver || this.#isSwallowed) {
      done?.();
      return;
    }
    const last = this.#flying.at(-1)?.at ?? 0;
    this.#flying.push({
      bytes: bytes === null ? null : Buffer.from(bytes),
      at: Math.max(last, this.#clock.now() + this.#net.latency),
    });
    this.#flyingBytes += bytes?.length ?? 0;
    this.#arm();
    if (done === undefined) return;
    if (this.#flyingBytes < WINDOW_BYTES) done();
    else this.#onRoom = done;
  }

  /** The reader wants more. */
  pull(): void {
    this.#arm();
  }

  swallow(): void {
    this.#isSwallowed = true;
    this.#drop();
  }

  /** The given share of the bytes under way still arrives, cut anywhere. */
  breakOff(share: number): void {
    let left = Math.floor(this.#flyingBytes * share);
    const bytes = this.#flying.splice(0).map((each) => each.bytes);
    if (!this.#isSwallowed) {
      for (const each of bytes) {
        if (each === null || left <= 0 || this.target === undefined || this.target.destroyed) break;
        this.target.push(each.subarray(0, left));
        left -= each.length;
      }
    }
    this.#isOver = true;
    this.#drop();
  }

  #drop(): void {
    this.#flying.length = 0;
    this.#flyingBytes = 0;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#tellRoom();
  }

  #tellRoom(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }

  #arm(): void {
    const first = this.#flying[0];
    if (first === undefined || this.#timer !== undefined || this.target?.wantsMore !== true) return;
    this.#timer = this.#clock.after(Math.max(0, first.at - this.#clock.now()), () => {
      this.#timer = undefined;
      this.#arrive();
    });
  }

  #arrive(): void {
    const { target } = this;
    const now = this.#clock.now();
    while (target?.wantsMore === true && this.#flying.length > 0 && this.#flying[0]!.at <= now) {
      const { bytes } = this.#flying.shift()!;
      this.#flyingBytes -= bytes?.length ?? 0;
      target.arrive(bytes);
    }
    if (this.#flyingBytes < WINDOW_BYTES / 2) this.#tellRoom();
    this.#arm();
  }
}

class End extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  wantsMore = true;
  readonly #out: Pipe;
  readonly #in: Pipe;
  #isEndSent = false;

  constructor(out: Pipe, into: Pipe, remote: Endpoint) {
    super({ allowHalfOpen: false });
    this.#out = out;
    this.#in = into;
    this.#in.target = this;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
  }

  arrive(bytes: Buffer | null): void {
    if (this.destroyed) return;
    if (!this.push(bytes)) this.wantsMore = bytes === null;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#out.send(chunk, done);
  }

  override _final(done: () => void): void {
    this.#sendEnd();
    done();
  }

  override _read(): void {
    this.wantsMore = true;
    this.#in.pull();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#sendEnd();
    this.wantsMore = true; // and what still comes is thrown away
    this.#in.pull();
    done(error);
  }

  #sendEnd(): void {
    if (this.#isEndSent) return;
    this.#isEndSent = true;
    this.#out.send(null);
  }
}
