// The way to a hub in steps, each a stream in and a stream out: connect (through the proxy, where there is one), TLS, WebSocket.
//
//   connect ─▶ [proxy tunnel] ─▶ [TLS] ─▶ [WebSocket]
//
// What it remembers from attempt to attempt: TLS sessions, which names hubs want, addresses. When each step comes: link-state.ts.

import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import type { Dialer } from "./dialer.ts";
import { LEAF_DIAL_FAILED } from "./errors.ts";
import type { RemoteOptions } from "./options.ts";
import { openTunnel } from "./proxy.ts";
import { nameToBorrow, secure, type TlsFiles, TlsMemory } from "./secure.ts";
import { explainStreamFault } from "./tls-faults.ts";
import type { UrlChoice } from "./url-list.ts";
import { type OpenedWebSocket, openWebSocket } from "./web-socket.ts";

export interface TransportEnv {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly dialer: Dialer;
}

export class Transport {
  readonly #remote: RemoteOptions;
  readonly #env: TransportEnv;
  readonly #tls: TlsMemory;

  constructor(remote: RemoteOptions, env: TransportEnv) {
    this.#remote = remote;
    this.#env = env;
    this.#tls = new TlsMemory(env.clock);
  }

  /** A connection to the hub's port. Throws LEAF_DIAL_FAILED or what the proxy has against it; the signal's reason when aborted. */
  async connect({ url }: UrlChoice, signal: AbortSignal): Promise<ByteStream> {
    const { proxy } = this.#remote;
    const stream = await this.#dial(
      proxy === null ? url : { endpoint: proxy.url.endpoint, text: `${url.text}: proxy ${proxy.url.text}` },
      signal,
    );
    if (proxy === null) return stream;
    using limit = new Limit(this.#env.clock, proxy.timeout, signal);
    const { username, password } = proxy;
    try {
      return await openTunnel(stream, { target: url.endpoint, username, password, label: proxy.url.text }, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!limit.signal.aborted) throw error;
      const words = `proxy ${proxy.url.text} did not open the way to ${url.text} within ${proxy.timeout / 1000} s`;
      throw new PetioleError(LEAF_DIAL_FAILED, words, { cause: error });
    }
  }

  /** Gives the URL's stream TLS; `files` are good for one handshake. Throws LEAF_TLS_…. */
  async secure(stream: ByteStream, { url, tlsHost }: UrlChoice, files: TlsFiles, signal: AbortSignal): Promise<ByteStream> {
    const { tls, urls } = this.#remote;
    const hub = { host: tlsHost, label: url.text, borrowedName: nameToBorrow(urls), isWebSocket: url.isWebSocket };
    return await secure(stream, hub, tls, files, signal, this.#tls);
  }

  /** Takes the URL's stream over to WebSocket. Throws LEAF_UPGRADE_REFUSED and others. */
  async upgrade(stream: ByteStream, { url }: UrlChoice, signal: AbortSignal): Promise<OpenedWebSocket> {
    const isCompressed = this.#remote.compression.mode !== "off";
    return await openWebSocket(stream, { url, isCompressed, entropy: this.#env.entropy }, signal);
  }

  /** The link over this URL became ready: its address is worth remembering. */
  onUp({ url }: UrlChoice): void {
    this.#env.dialer.onUp(this.#remote.proxy?.url.endpoint ?? url.endpoint);
  }

  /** What a secured stream's end means; the error itself where it means no more than it says. */
  explain(error: Error, { url }: UrlChoice, at: { readonly wantsCertificate: boolean; readonly isJoined: boolean }): Error {
    const hasClientCertificate = this.#remote.tls !== null && this.#remote.tls.certFile !== null;
    return explainStreamFault(error, { hub: url.text, hasClientCertificate, ...at }) ?? error;
  }

  async #dial(
    to: { readonly endpoint: UrlChoice["url"]["endpoint"]; readonly text: string },
    signal: AbortSignal,
  ): Promise<ByteStream> {
    try {
      return await this.#env.dialer.dial(to.endpoint, signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw new PetioleError(LEAF_DIAL_FAILED, `cannot reach hub ${to.text}`, { cause });
    }
  }
}

/** A signal that follows another one and also ends by itself; dispose it to leave no timer and no listener behind. */
class Limit implements Disposable {
  readonly signal: AbortSignal;
  readonly #timer: Disposable;
  readonly #outer: AbortSignal;
  readonly #onAbort: () => void;

  constructor(clock: Clock, after: number, outer: AbortSignal) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.#outer = outer;
    this.#onAbort = () => controller.abort(outer.reason);
    if (outer.aborted) this.#onAbort();
    outer.addEventListener("abort", this.#onAbort, { once: true });
    this.#timer = clock.after(after, () => controller.abort(new Error("too late")));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#outer.removeEventListener("abort", this.#onAbort);
  }
}
