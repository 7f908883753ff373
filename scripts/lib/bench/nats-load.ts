// The load for `scripts/bench nats`: raw NATS clients that count bytes instead of parsing them, so that the server is what is measured.
//
// Every delivery of a run has the same length on the wire, hence deliveries = bytes / length. All clients live in this process, on
// one clock.

import { once } from "node:events";
import * as net from "node:net";

const CHUNK_BYTES = 32_768;
/** Requests under way at once in a saturated run. */
export const REQUESTS_OPEN = 64;
const NOW_CHARS = 16;
const PING = Buffer.from("PING\r\n");

export interface Pattern {
  readonly name: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly isRequest: boolean;
}

/** Where the subscribers are instead, if not at the server itself: at its hub. */
export interface Far {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export const PATTERNS: readonly Pattern[] = [
  { name: "pub", publishers: 1, subscribers: 0, isRequest: false },
  { name: "1→1", publishers: 1, subscribers: 1, isRequest: false },
  { name: "1→10", publishers: 1, subscribers: 10, isRequest: false },
  { name: "10→10", publishers: 10, subscribers: 10, isRequest: false },
  { name: "request", publishers: 1, subscribers: 1, isRequest: true },
];
export const UPLINK: Pattern = { name: "uplink", publishers: 1, subscribers: 1, isRequest: false };
/** How long a message may take to the hub the first time, and how long between two tries. */
const REACH_MS = 15_000;
const REACH_AGAIN_MS = 50;

class LoadClient implements Disposable {
  readonly socket: net.Socket;
  #onBytes: (chunk: Buffer) => void = () => undefined;

  static async connect(port: number, subscribe = "", login: Partial<Far> = {}): Promise<LoadClient> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    const client = new LoadClient(socket);
    const { user, password: pass } = login;
    const request = { verbose: false, headers: true, no_responders: true, user, pass };
    socket.write(`CONNECT ${JSON.stringify(request)}\r\n${subscribe}`);
    await client.flush();
    return client;
  }

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#onBytes(chunk)).on("error", () => undefined); // its end is seen by who waits
  }

  /** Resolves when everything said before was read by the server. What else arrives meanwhile is thrown away. */
  async flush(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let tail = "";
    const onClose = () => reject(new Error(`the server closed the connection: ${tail}`));
    this.socket.once("close", onClose);
    this.#onBytes = (chunk) => {
      tail = (tail + chunk.toString("latin1")).slice(-200);
      if (chunk.includes(PING)) this.socket.write("PONG\r\n"); // in its own time a server asks, too
      if (tail.includes("PONG\r\n")) resolve();
    };
    this.socket.write("PING\r\n");
    await promise;
    this.socket.off("close", onClose);
  }

  /** From now on until the next `flush`. A server's PING is answered and taken out: nothing else in a run has a P in it. */
  hear(onBytes: (chunk: Buffer) => void): void {
    let skipped = PING.length;
    this.#onBytes = (chunk) => {
      let rest = chunk;
      for (;;) {
        if (skipped < PING.length) {
          const cut = Math.min(PING.length - skipped, rest.length);
          skipped += cut;
          rest = rest.subarray(cut);
        }
        const at = rest.indexOf(PING[0]!);
        if (at < 0) break;
        this.socket.write("PONG\r\n");
        if (at > 0) onBytes(rest.subarray(0, at));
        rest = rest.subarray(at);
        skipped = 0;
      }
      if (rest.length > 0) onBytes(rest);
    };
  }

  /** Writes `message` so many times, as fast as it is taken. */
  async pour(message: Buffer, count: number): Promise<void> {
    const each = Math.max(1, Math.floor(CHUNK_BYTES / message.length));
    const chunk = Buffer.concat(Array.from({ length: each }, () => message));
    for (let left = count; left > 0; left -= each) {
      const part = left >= each ? chunk : chunk.subarray(0, left * message.length);
      if (!this.socket.write(part)) await once(this.socket, "drain");
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function publishOf(subject: string, payload: string, reply = ""): Buffer {
  return Buffer.from(`PUB ${subject} ${reply === "" ? "" : `${reply} `}${payload.length}\r\n${payload}\r\n`, "latin1");
}

function deliveryBytes(subject: string, payloadBytes: number, reply = ""): number {
  return Buffer.byteLength(`MSG ${subject} 1 ${reply === "" ? "" : `${reply} `}${payloadBytes}\r\n\r\n`) + payloadBytes;
}

/** Calls `then` when so many bytes have arrived. */
function afterBytes(bytes: number, then: () => void): (chunk: Buffer) => void {
  let left = bytes;
  return (chunk) => {
    left -= chunk.length;
    if (left === 0) then();
    else if (left < 0) throw new Error(`the server sent ${-left} bytes more than it should have`);
  };
}

/** The clients of one pattern at one server, ready. */
export class Site implements Disposable {
  readonly #pattern: Pattern;
  readonly #publishers: readonly LoadClient[];
  readonly #subscribers: readonly LoadClient[];

  static async open(port: number, pattern: Pattern, far?: Far): Promise<Site> {
    const clients = (count: number, subscribe: string, at: Partial<Far> & { readonly port: number }) =>
      Promise.all(Array.from({ length: count }, () => LoadClient.connect(at.port, subscribe, at)));
    const subscribers = await clients(pattern.subscribers, "SUB bench 1\r\n", far ?? { port });
    const publishers = await clients(pattern.publishers, pattern.isRequest ? "SUB answer 1\r\n" : "", { port });
    const site = new Site(pattern, publishers, subscribers);
    if (far !== undefined) await site.#reach();
    return site;
  }

  private constructor(pattern: Pattern, publishers: readonly LoadClient[], subscribers: readonly LoadClient[]) {
    this.#pattern = pattern;
    this.#publishers = publishers;
    this.#subscribers = subscribers;
  }

  /** Resolves when messages get through and no more are on their way. */
  async #reach(): Promise<void> {
    const [publisher, subscriber] = [this.#publishers[0]!, this.#subscribers[0]!];
    let bytes = 0;
    subscriber.hear((chunk) => {
      bytes += chunk.length;
    });
    const size = deliveryBytes("bench", 0);
    for (const start = performance.now(); bytes === 0; ) {
      if (performance.now() - start > REACH_MS) throw new Error("nothing that the server was sent has reached its hub");
      publisher.socket.write(publishOf("bench", ""));
      await new Promise((next) => setTimeout(next, REACH_AGAIN_MS));
    }
    for (let last = -1; bytes % size !== 0 || bytes !== last; ) {
      last = bytes;
      await new Promise((next) => setTimeout(next, REACH_AGAIN_MS));
    }
  }

  /** So many messages, or requests, in all; resolves when the last has arrived. */
  async saturate(count: number, payloadBytes: number): Promise<void> {
    if (this.#pattern.isRequest) {
      await this.#requests(count, payloadBytes, REQUESTS_OPEN);
      return;
    }
    const message = publishOf("bench", "x".repeat(payloadBytes));
    const each = Math.ceil(count / this.#publishers.length);
    const expected = each * this.#publishers.length * deliveryBytes("bench", payloadBytes);
    const arrived = this.#subscribers.map((subscriber) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      subscriber.hear(afterBytes(expected, resolve));
      return promise;
    });
    await Promise.all(
      this.#publishers.map(async (publisher) => {
        await publisher.pour(message, each);
        await publisher.flush();
      }),
    );
    await Promise.all(arrived);
  }

  /** Milliseconds from publishing to arrival, or for requests there and back: one at a time, or so many a second. */
  async latencies(count: number, payloadBytes: number, perSecond: number): Promise<Float64Array> {
    if (this.#pattern.isRequest) return await this.#requests(count, payloadBytes, 1);
    if (this.#subscribers.length === 0) return new Float64Array();
    const found: number[] = [];
    const size = deliveryBytes("bench", payloadBytes);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const subscriber of this.#subscribers) {
      let rest: Buffer = Buffer.alloc(0);
      subscriber.hear((chunk) => {
        const now = performance.now();
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        for (; rest.length >= size; rest = rest.subarray(size)) {
          const at = rest.indexOf("\r\n") + 2;
          found.push(now - Number(rest.toString("latin1", at, at + NOW_CHARS)));
        }
        if (found.length === count * this.#subscribers.length) resolve();
      });
    }
    const start = performance.now();
    for (let sent = 0; sent < count; ) {
      const due = Math.min(count, Math.floor(((performance.now() - start) * perSecond) / 1000));
      for (; sent < due; sent++) {
        const stamp = performance.now().toFixed(6).padStart(NOW_CHARS, "0").slice(0, NOW_CHARS);
        this.#publishers[sent % this.#publishers.length]!.socket.write(publishOf("bench", stamp.padEnd(payloadBytes, "x")));
      }
      await new Promise((next) => setTimeout(next, 1));
    }
    await promise;
    return Float64Array.from(found).sort();
  }

  /** Round trip times, in ascending order. */
  async #requests(count: number, payloadBytes: number, open: number): Promise<Float64Array> {
    const [requestor, responder] = [this.#publishers[0]!, this.#subscribers[0]!];
    const payload = "x".repeat(payloadBytes);
    const request = publishOf("bench", payload, "answer");
    const answer = publishOf("answer", payload);
    const requestBytes = deliveryBytes("bench", payloadBytes, "answer");
    const answerBytes = deliveryBytes("answer", payloadBytes);
    const found = new Float64Array(count);
    const sentAt: number[] = [];
    let [sent, answered, heard, seen] = [0, 0, 0, 0];
    responder.hear((chunk) => {
      heard += chunk.length;
      const due = Math.floor(heard / requestBytes) - seen;
      seen += due;
      if (due > 0) responder.socket.write(due === 1 ? answer : Buffer.concat(Array.from({ length: due }, () => answer)));
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    const send = (howMany: number): void => {
      const now = performance.now();
      for (let i = 0; i < howMany; i++) sentAt.push(now);
      sent += howMany;
      if (howMany > 0)
        requestor.socket.write(howMany === 1 ? request : Buffer.concat(Array.from({ length: howMany }, () => request)));
    };
    let bytes = 0;
    requestor.hear((chunk) => {
      bytes += chunk.length;
      const now = performance.now();
      const due = Math.floor(bytes / answerBytes) - answered;
      for (let i = 0; i < due; i++) found[answered] = now - sentAt[answered++]!;
      if (answered === count) resolve();
      else send(Math.min(due, count - sent));
    });
    send(Math.min(open, count));
    await promise;
    return found.sort();
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#publishers, ...this.#subscribers]) client[Symbol.dispose]();
  }
}

/** So many clients that listen to one subject, and what it takes to tell all of them. */
export class Crowd implements Disposable {
  readonly #clients: readonly LoadClient[];
  readonly #publisher: LoadClient;

  static async open(port: number, count: number): Promise<Crowd> {
    const clients: LoadClient[] = [];
    for (let i = 0; i < count; i++) clients.push(await LoadClient.connect(port, "SUB bench 1\r\n"));
    return new Crowd(clients, await LoadClient.connect(port));
  }

  private constructor(clients: readonly LoadClient[], publisher: LoadClient) {
    this.#clients = clients;
    this.#publisher = publisher;
  }

  async burst(count: number, payloadBytes: number): Promise<void> {
    const expected = count * deliveryBytes("bench", payloadBytes);
    const arrived = this.#clients.map((each) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      each.hear(afterBytes(expected, resolve));
      return promise;
    });
    await this.#publisher.pour(publishOf("bench", "x".repeat(payloadBytes)), count);
    await Promise.all(arrived);
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#clients, this.#publisher]) client[Symbol.dispose]();
  }
}
