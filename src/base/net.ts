// The network as a seam: dial and listen. Streams are Node's, so that TLS can wrap real and simulated ones alike.

import * as net from "node:net";
import type { Duplex } from "node:stream";

/** A byte stream to one peer. Real ones are `net.Socket`s. */
export type ByteStream = Duplex & { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined };

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Listener extends AsyncDisposable {
  /** Where it really listens; tells the port when 0 was asked for. */
  readonly endpoint: Endpoint;
}

export interface Net {
  /**
   * Connects by TCP with no delay and keep-alive. Aborting ends the attempt, with the signal's reason. The caller owns the stream and
   * listens for its errors at once. The host should be an address: a name takes a thread of the pool that fdatasync needs, so the
   * uplink resolves first (base/resolver.ts, uplink/dialer.ts).
   */
  dial(endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream>;
  /** Hands every accepted stream to `onStream`, which owns it. Disposing stops accepting; it does not end accepted streams. */
  listen(endpoint: Endpoint, onStream: (stream: ByteStream) => void): Promise<Listener>;
}

const KEEP_ALIVE_AFTER_MS = 30_000;
/** With a name: how long one address may take before the next is tried instead. Node's 250 ms would never reach a far hub. */
const ADDRESS_LIMIT_MS = 20_000;

export function systemNet(): Net {
  return { dial, listen };
}

async function dial(endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = net.connect({
    ...endpoint,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    autoSelectFamily: net.isIP(endpoint.host) === 0,
    autoSelectFamilyAttemptTimeout: ADDRESS_LIMIT_MS,
  });
  const onAbort = () => reject(signal.reason);
  socket.once("connect", resolve).once("error", reject);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
    signal.throwIfAborted(); // it may have come between the connection and here
    return socket;
  } catch (error) {
    socket.on("error", () => undefined); // a late error of a socket that nobody owns any more
    socket.destroy();
    throw error;
  } finally {
    socket.off("connect", resolve).off("error", reject);
    signal.removeEventListener("abort", onAbort);
  }
}

async function listen(endpoint: Endpoint, onStream: (stream: ByteStream) => void): Promise<Listener> {
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS }, onStream);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ host: endpoint.host, port: endpoint.port }, resolve);
  await promise;
  server.off("error", reject).on("error", () => undefined); // accept errors (EMFILE) pass; the listener stays
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
  return {
    endpoint: { host: endpoint.host, port },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      // Node waits for accepted sockets too; their owners end them, so we wait for the port alone.
      server.unref();
      await Promise.race([closed.promise, new Promise<void>((done) => setImmediate(done))]);
    },
  };
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}
