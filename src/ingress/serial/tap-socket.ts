// The raw view of a port through the running daemon: what `petiole serial listen` reads, so that nobody has to take the port from it.
//
//   DIR/serial.sock    ▶ {"port":"weather"}␊
//                      ◀ {"ok":true,"port":"weather",…}␊ and then the device's bytes as they come
//                      ◀ {"ok":false,"error":…,"message":…}␊ and the end
//
// Read-only. Whoever reads too slowly is cut off: the port does not wait for an onlooker. The socket lies in the data directory, which
// is the daemon's own.

import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Disk } from "#base/disk.ts";
import { removeIfThere } from "#base/disk.ts";
import { explain, isFault, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { SerialError } from "./errors.ts";

const LISTENERS_MAX = 8;
/** Bytes that wait for one onlooker; beyond that it is cut off. */
const BEHIND_BYTES_MAX = 1024 * 1024;
const REQUEST_BYTES_MAX = 1024;
const REQUEST_WITHIN_MS = 5000;

/** What the daemon knows of a port that is listened to. Plain JSON. */
export interface TappedPort {
  readonly port: string;
  readonly path: string | null;
  readonly baud_rate: number;
  readonly data_bits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stop_bits: 1 | 2;
  /** Why it is not open now; it is listened to as soon as it is. */
  readonly cause: string | null;
}

export interface TapSource {
  /** Chunks of the port of this name or device until disposed, borrowed each; undefined: there is none such. */
  listen(port: string, onChunk: (chunk: Buffer) => void): { readonly facts: TappedPort; readonly end: Disposable } | undefined;
}

/** Where it is in the data directory. */
export function tapSocketPath(dataDir: string): string {
  return `${dataDir}/serial.sock`;
}

/** Without its socket a daemon works all the same: that is said, and `petiole serial listen` cannot look over its shoulder. */
export async function openTapSocket(
  path: string,
  source: TapSource,
  env: { readonly disk: Disk; readonly log: Log },
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket)).on("error", () => undefined); // the onlooker's own end
    serve(socket, source);
  });
  server.maxConnections = LISTENERS_MAX;
  try {
    await removeIfThere(env.disk, path); // left behind by a daemon that was killed; the data directory is ours
    await listen(server, path);
  } catch (error) {
    if (!isFault(error)) throw error;
    env.log.warn(`"petiole serial listen" cannot listen through this daemon: ${explain(error)}`, { path });
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  return {
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
      await promise;
    },
  };
}

/**
 * Listens to a port of the running daemon. undefined: no daemon, or none with ports. Throws SERIAL_ABSENT when it has no such port. The
 * caller owns the socket, which carries the device's bytes and nothing else.
 */
export async function dialTapSocket(path: string, port: string): Promise<{ facts: TappedPort; socket: Socket } | undefined> {
  const socket = createConnection(path);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    socket.write(`${JSON.stringify({ port })}\n`);
    const line = await readLine(socket);
    const answer = JSON.parse(line) as ({ ok: true } & TappedPort) | { ok: false; message: string }; // our own daemon, our own words
    if (answer.ok) return { facts: answer, socket };
    throw new SerialError("SERIAL_ABSENT", answer.message);
  } catch (error) {
    socket.destroy();
    if (["ENOENT", "ECONNREFUSED", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

function serve(socket: Socket, source: TapSource): void {
  socket.setTimeout(REQUEST_WITHIN_MS, () => socket.destroy());
  readLine(socket).then(
    (line) => {
      socket.setTimeout(0);
      const port = wantedPort(line);
      const tapped = port === undefined ? undefined : source.listen(port, (chunk) => give(socket, chunk));
      if (tapped === undefined) {
        const message = port === undefined ? "the request names no port" : `the daemon has no port ${JSON.stringify(port)}`;
        socket.end(`${JSON.stringify({ ok: false, error: "SERIAL_ABSENT", message })}\n`);
        return;
      }
      socket.once("close", () => tapped.end[Symbol.dispose]());
      socket.resume();
      socket.write(`${JSON.stringify({ ok: true, ...tapped.facts })}\n`);
    },
    () => socket.destroy(),
  );
}

function give(socket: Socket, chunk: Buffer): void {
  if (socket.writableLength > BEHIND_BYTES_MAX) socket.destroy();
  else if (!socket.destroyed) socket.write(Buffer.from(chunk));
}

function wantedPort(line: string): string | undefined {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json === "object" && json !== null && "port" in json && typeof json.port === "string") return json.port;
  } catch {
    // no JSON: no port
  }
  return undefined;
}

/** What comes behind the line stays in the socket. */
async function readLine(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let held = Buffer.alloc(0);
  const onReadable = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      held = Buffer.concat([held, chunk]);
      const end = held.indexOf(0x0a);
      if (end === -1 && held.length <= REQUEST_BYTES_MAX) continue;
      socket.off("readable", onReadable);
      if (end === -1) reject(new Error(`no line within ${REQUEST_BYTES_MAX} bytes`));
      else {
        if (held.length > end + 1) socket.unshift(held.subarray(end + 1));
        resolve(held.toString("utf8", 0, end));
      }
      return;
    }
  };
  socket
    .on("readable", onReadable)
    .once("end", () => reject(new Error("the other side hung up")))
    .once("error", reject);
  onReadable();
  return await promise;
}

async function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ path }, resolve);
  await promise;
  server.off("error", reject).on("error", () => undefined); // accept errors pass; the socket stays
}
