// NATS clients for tests: raw bytes over a socket, and nats.js.
//
//   await using natsClient = await RawNatsClient.dial(port);
//   await natsClient.info();
//   natsClient.send("CONNECT {}\r\nPING\r\n");
//   await natsClient.receives("+OK\r\nPONG\r\n");

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";

export class RawNatsClient implements AsyncDisposable {
  readonly socket: net.Socket;
  readonly #ended: Promise<void>;
  #unread = Buffer.alloc(0);
  #isEnded = false;
  #onBytes: () => void = () => undefined;

  static async dial(port: number): Promise<RawNatsClient> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new RawNatsClient(socket);
  }

  /** Over a stream that is there already, such as TLS. */
  static over(socket: net.Socket): RawNatsClient {
    return new RawNatsClient(socket);
  }

  private constructor(socket: net.Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    socket
      .on("data", (chunk: Buffer) => {
        this.#unread = Buffer.concat([this.#unread, chunk]);
        this.#onBytes();
      })
      .on("error", () => undefined) // a reset is an end too
      .on("close", () => {
        this.#isEnded = true;
        this.#onBytes();
        resolve();
      });
  }

  /** Gives the socket away, to be wrapped in TLS. What was received must have been read. */
  release(): net.Socket {
    assert.equal(this.#unread.length, 0);
    this.socket.removeAllListeners("data");
    return this.socket;
  }

  send(...parts: readonly (string | Buffer)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))));
  }

  /** The next line must be an INFO; its JSON. */
  async info(): Promise<Record<string, unknown>> {
    const line = await this.line();
    assert.ok(line.startsWith("INFO {"), line);
    return JSON.parse(line.slice(5)) as Record<string, unknown>;
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf("\r\n");
      if (end >= 0) return (await this.take(end + 2)).toString().slice(0, -2);
      await this.#more("a line");
    }
  }

  /** The next bytes must be these. */
  async receives(expected: string): Promise<void> {
    assert.equal((await this.take(Buffer.byteLength(expected))).toString(), expected);
  }

  async take(count: number): Promise<Buffer> {
    while (this.#unread.length < count) await this.#more(`${count} bytes`);
    const found = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return found;
  }

  /** Everything before was handled, and nothing was said but this. */
  async isIdle(before = ""): Promise<void> {
    this.send("PING\r\n");
    await this.receives(`${before}PONG\r\n`);
  }

  /** The other side closes, having sent nothing more than this. */
  async isClosed(rest = ""): Promise<void> {
    await this.#ended;
    assert.equal(this.#unread.toString(), rest);
  }

  /** The connection is closed, whatever was received before; returns it. */
  async isOver(): Promise<string> {
    await this.#ended;
    return this.#unread.toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.#ended;
  }

  async #more(wanted: string): Promise<void> {
    if (this.#isEnded) throw new Error(`closed with only ${JSON.stringify(this.#unread.toString())} received, wanted ${wanted}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onBytes = resolve;
    await promise;
  }
}

/** A nats.js client that does not reconnect unless told to. */
export async function natsJs(port: number, options: NodeConnectionOptions = {}): Promise<NatsConnection & AsyncDisposable> {
  const connection = await connect({ servers: `127.0.0.1:${port}`, reconnect: false, ...options });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}
