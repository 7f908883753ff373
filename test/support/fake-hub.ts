// A hub that does as it is told, on a real loopback socket: for what a real one never does on demand.
//
//   await using hub = await FakeHub.listen();
//   await hub.plays(`
//     > INFO {"server_id":"H1"}      the hub sends this line; CRLF is added, \\r \\n \\0 \\xHH stand for bytes
//     < CONNECT …                    the spoke must send this line next; … stands for anything
//     < /^LS\\+ [a-z.]+$/            or a pattern
//     >!                             the hub closes, politely
//     <!                             the spoke must close
//   `);
//
// A scene plays on the connection under way; once that has ended, or before there was any, on the next one dialled.
// TLS: `await (await hub.connection()).startsTls(certs.server)` before a scene, or between two of them.
// A payload is a line of its own (`> hello`), as it is on the wire. Text behind a line is part of it.

import * as net from "node:net";
import { FakeHubConnection } from "./fake-hub-connection.ts";
import { parseScript } from "./fake-hub-script.ts";

/** How long one line may be waited for, in milliseconds. */
const LINE_TIMEOUT_MS = 5_000;

export interface FakeHubOptions {
  /** Lines of the spoke that no scene mentions, such as /^PONG$/: passed over wherever they come. */
  readonly ignores?: readonly RegExp[];
  readonly lineTimeoutMs?: number;
}

export class FakeHub implements AsyncDisposable {
  readonly port: number;
  readonly #server: net.Server;
  readonly #options: FakeHubOptions;
  readonly #waiting: FakeHubConnection[] = [];
  readonly #all = new Set<FakeHubConnection>();
  #wanted: PromiseWithResolvers<void> | undefined;
  #current: FakeHubConnection | undefined;

  static async listen(options: FakeHubOptions = {}): Promise<FakeHub> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
    await promise;
    return new FakeHub(server, options);
  }

  private constructor(server: net.Server, options: FakeHubOptions) {
    this.#server = server;
    this.#options = options;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (socket) => {
      const { ignores = [], lineTimeoutMs = LINE_TIMEOUT_MS } = options;
      const connection = new FakeHubConnection(socket, ignores, lineTimeoutMs);
      this.#all.add(connection);
      this.#waiting.push(connection);
      this.#wanted?.resolve();
    });
  }

  get url(): string {
    return `nats-leaf://127.0.0.1:${this.port}`;
  }

  /** How many times somebody has dialled. */
  get dials(): number {
    return this.#all.size;
  }

  /** The next connection nobody has played on, dialled before or from now. */
  async nextConnection(): Promise<FakeHubConnection> {
    const limitMs = this.#options.lineTimeoutMs ?? LINE_TIMEOUT_MS;
    if (this.#waiting.length === 0) {
      this.#wanted = Promise.withResolvers<void>();
      const { reject } = this.#wanted;
      const timer = setTimeout(
        () => reject(new Error(`nobody dialled the fake hub within ${limitMs} ms (${this.dials} dials before)`)),
        limitMs,
      );
      await this.#wanted.promise.finally(() => clearTimeout(timer));
    }
    this.#current = this.#waiting.shift()!;
    return this.#current;
  }

  /** The connection scenes play on. */
  async connection(): Promise<FakeHubConnection> {
    return this.#current === undefined || this.#current.isOver ? await this.nextConnection() : this.#current;
  }

  /** Plays a scene line by line. Rejects at the first line that goes otherwise, with all that was said so far. */
  async plays(script: string): Promise<void> {
    const connection = await this.connection();
    for (const line of parseScript(script)) {
      if (line.does === "send") connection.sends(line.bytes);
      else if (line.does === "close") connection.ends();
      else if (line.does === "expect") await connection.hears(line.pattern, line.text);
      else await connection.isEnded();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#all) connection.destroy();
    await closed;
  }
}
