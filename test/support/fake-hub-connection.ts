// One connection of a FakeHub: raw bytes out, lines in, and an end of either kind.

import * as fs from "node:fs/promises";
import type * as net from "node:net";
import * as tls from "node:tls";
import type { KeyPair } from "./certificates.ts";

export class FakeHubConnection {
  #socket: net.Socket;
  readonly #ignores: readonly RegExp[];
  readonly #timeoutMs: number;
  readonly #chunks: Buffer[] = [];
  /** What was said so far, for messages. */
  readonly #story: string[] = [];
  #rest = Buffer.alloc(0);
  #ended = false;
  #weClosed = false;
  #wake: (() => void) | undefined;

  constructor(socket: net.Socket, ignores: readonly RegExp[], timeoutMs: number) {
    this.#ignores = ignores;
    this.#timeoutMs = timeoutMs;
    this.#socket = socket;
    this.#listenTo(socket);
  }

  /** From here on both sides speak TLS, this one as server: at once for TLS-first, behind an INFO for the upgrade. */
  async startsTls({ cert, key }: KeyPair): Promise<void> {
    const [certText, keyText] = await Promise.all([fs.readFile(cert), fs.readFile(key)]);
    const plain = this.#socket;
    const early = plain.removeAllListeners("data").removeAllListeners("end").pause();
    if (this.#rest.length > 0) early.unshift(this.#rest); // its hello, read before we wanted TLS
    this.#rest = Buffer.alloc(0);
    this.#socket = new tls.TLSSocket(early, { isServer: true, cert: certText, key: keyText });
    this.#story.push("= TLS");
    this.#listenTo(this.#socket);
  }

  #listenTo(socket: net.Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#wake?.();
    });
    const onEnd = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on("end", onEnd).on("close", onEnd).on("error", onEnd);
  }

  /** Whether either side has ended it. */
  get isOver(): boolean {
    return this.#weClosed || (this.#ended && this.#rest.length === 0);
  }

  /** Every byte the spoke has sent. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Raw bytes, nothing added. */
  sends(bytes: string | Uint8Array): void {
    this.#story.push(`> ${JSON.stringify(Buffer.from(bytes as Uint8Array).toString("latin1"))}`);
    this.#socket.write(bytes);
  }

  /** The spoke's next line, without CRLF; rejects when it ends or stays silent. */
  async nextLine(wanted = "a line"): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString("utf8").replace(/\r$/, "");
        this.#rest = this.#rest.subarray(end + 1);
        this.#story.push(`< ${line}`);
        if (this.#ignores.some((pattern) => pattern.test(line))) continue;
        return line;
      }
      if (this.#ended) throw this.#complaint(`wanted ${wanted}, but the spoke ended the connection`);
      await this.#waits(`wanted ${wanted}, but the spoke said no more`);
    }
  }

  /** Takes the spoke's next line, which must match. */
  async hears(pattern: RegExp, wanted = String(pattern)): Promise<RegExpExecArray> {
    const line = await this.nextLine(wanted);
    const found = pattern.exec(line);
    if (found === null) throw this.#complaint(`wanted  ${wanted}\nfound   ${line}`);
    return found;
  }

  /** Resolves when the spoke has ended the connection; lines it sent before that and nobody took are an error. */
  async isEnded(): Promise<void> {
    while (!this.#ended) {
      await this.#waits("wanted the spoke to end the connection");
    }
    const left = this.#rest
      .toString("utf8")
      .split(/\r?\n/)
      .filter((line) => line && !this.#ignores.some((pattern) => pattern.test(line)));
    if (left.length > 0)
      throw this.#complaint(`wanted the spoke to end the connection, but first it said ${JSON.stringify(left)}`);
    this.#rest = Buffer.alloc(0);
  }

  /** Closes our side after what was sent. */
  ends(): void {
    this.#weClosed = true;
    this.#socket.end();
  }

  /** Ends it with a reset, as a crashed host's kernel does. */
  resets(): void {
    this.#weClosed = true;
    this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#weClosed = true;
    this.#socket.destroy();
  }

  async #waits(complaint: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(() => reject(this.#complaint(`${complaint} within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#wake = undefined;
    });
  }

  #complaint(what: string): Error {
    const rest = this.#rest.length > 0 ? `\nunread: ${JSON.stringify(this.#rest.toString("latin1").slice(0, 200))}` : "";
    return new Error(`${what}\nso far:\n${this.#story.map((line) => `  ${line}`).join("\n")}${rest}`);
  }
}
