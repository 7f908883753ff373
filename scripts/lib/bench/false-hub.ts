// A hub that agrees on S2 with a spoke and then sends bombs: chunks of a few bytes that unpack to a megabyte, one kind a connection.
//
//   a claim    a chunk that announces 4 GiB
//   a line     a megabyte without an end of line
//   pings      170,000 PINGs in a megabyte, again and again, by somebody who reads no answer
//   messages   the longest messages there may be, of zeros, on a subject nobody wants

import * as net from "node:net";
import { openS2Codec } from "#s2/codec.ts";
import { S2Writer } from "#s2/writer.ts";

const INFO = {
  server_id: "FALSE",
  server_name: "false-hub",
  version: "2.15.1",
  client_id: 7,
  max_payload: 1_048_576,
  nonce: "n",
  info_on_connect: true,
};
const MEBIBYTE = 2 ** 20;
/** A payload of a mebibyte and its control line do not fit into one chunk. */
const MESSAGE_BYTES = 1_000_000;
/** Bombs waiting in the socket at most: a hub has memory, too. */
const PENDING_BYTES_MAX = 65_536;
const STEP_MS = 30;
const CLAIM = Buffer.concat([
  Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1"),
  Buffer.of(0x00, 13, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61, 0x05, 0x00),
]);

const codec = openS2Codec();

function packed(bytes: Buffer | string): Buffer {
  const chunks: Buffer[] = [];
  new S2Writer(codec).write(Buffer.from(bytes as string), "fast", (view) => chunks.push(Buffer.from(view)));
  return Buffer.concat(chunks);
}

function info(more: object): string {
  return `INFO ${JSON.stringify({ ...INFO, ...more })}\r\n`;
}

export class FalseHub implements AsyncDisposable {
  /** Connections that got their bomb. */
  bombed = 0;
  unpackedBytes = 0;
  readonly #server: net.Server;
  readonly #open = new Set<net.Socket>();
  readonly #bombs = [
    { packed: CLAIM, bytes: 0 },
    { packed: packed(Buffer.alloc(MEBIBYTE, "A")), bytes: MEBIBYTE },
    { packed: packed("PING\r\n".repeat(MEBIBYTE / 6)), bytes: MEBIBYTE },
    {
      packed: packed(
        Buffer.concat([Buffer.from(`LMSG cmd.nobody ${MESSAGE_BYTES}\r\n`), Buffer.alloc(MESSAGE_BYTES), Buffer.from("\r\n")]),
      ),
      bytes: MESSAGE_BYTES,
    },
  ];

  /** Until this is disposed of. */
  static async listen(port: number): Promise<FalseHub> {
    const server = net.createServer({ noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
    await promise;
    return new FalseHub(server);
  }

  private constructor(server: net.Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#open.add(socket);
      socket.on("error", () => undefined).on("close", () => this.#open.delete(socket)); // the spoke ends it: that is the point
      void this.#play(socket);
    });
  }

  async #play(socket: net.Socket): Promise<void> {
    const bomb = this.#bombs[this.bombed % this.#bombs.length]!;
    this.bombed += 1;
    const asked = Promise.withResolvers<void>();
    socket.once("data", () => {
      socket.pause(); // no answer is ever read
      asked.resolve();
    });
    socket.once("close", () => asked.resolve());
    socket.write(info({ compression: "s2_auto" }));
    await asked.promise;
    const hello = [info({ compression: "s2_fast" }), info({ connect_info: true, remote_account: "ACC" }), "PONG\r\n"];
    for (const line of hello) {
      if (!socket.destroyed) socket.write(packed(line));
      await pause(STEP_MS);
    }
    while (!socket.destroyed) {
      for (; !socket.destroyed && socket.writableLength < PENDING_BYTES_MAX; this.unpackedBytes += bomb.bytes)
        socket.write(bomb.packed);
      await pause(1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
