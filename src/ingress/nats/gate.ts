// One listening port for NATS clients, and the way from an accepted connection to a stream of NATS bytes.
//
//   accepted ──────────────────────────────────────────────▶ ready            plain
//   accepted ── INFO in clear ──▶ TLS ─────────────────────▶ ready            tls
//   accepted ── TLS ───────────────────────────────────────▶ ready            tls, handshake_first
//   accepted ── [TLS] ── HTTP upgrade ─────────────────────▶ ready            websocket
//
// Whoever takes longer than the limit on the way is put out, and so are all when the gate closes.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { explain, PetioleError, systemCode } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint, type Listener, type Net } from "#base/net.ts";
import { REASONS } from "./close-reason.ts";
import type { Greeting } from "./context.ts";
import { NATS_LISTEN_FAILED } from "./errors.ts";
import type { ServerTls } from "./server-tls.ts";
import { tlsFacts } from "./tls-facts.ts";
import type { OriginRules } from "./web-origin.ts";
import { WebSocketDoor } from "./web-socket-door.ts";

/** So long from accepted to ready, at most. */
export const ARRIVAL_LIMIT_MS: Millis = 5_000;

export interface GatePlan {
  readonly endpoint: Endpoint;
  /** The setting the endpoint stands in. */
  readonly setting: string;
  readonly isWebSocket: boolean;
  readonly isTlsFirst: boolean;
  readonly tls: ServerTls | null;
  /** Which web pages are let in. */
  readonly origins: OriginRules;
}

/** An accepted connection. */
export interface Caller extends Greeting {
  readonly number: number;
  readonly port: number;
  readonly since: WallMillis;
}

/** For the monitor. */
export interface DoorTls {
  readonly isVerifying: boolean;
  /** When our certificate ends. */
  readonly notAfter: WallMillis;
}

export interface GateHost {
  /** Undefined: nobody else can be taken in, and the stream is dropped. */
  onAccept(stream: ByteStream, way: Greeting["way"]): Caller | undefined;
  infoLine(caller: Caller): string;
  /** `isGreeted`: INFO was sent. The stream is the host's from now on. */
  onReady(stream: ByteStream, caller: Caller, isGreeted: boolean): void;
  /** It did not get so far. `reason`: in nats-server's words, which has some for TLS alone. */
  onLost(caller: Caller, words: string, reason?: string): void;
}

export class Gate implements AsyncDisposable {
  readonly #plan: GatePlan;
  readonly #host: GateHost;
  readonly #clock: Clock;
  readonly #webSocket: WebSocketDoor | undefined;
  /** On the way, and since when. */
  readonly #arriving = new Map<ByteStream, Millis>();
  #listener: Listener | undefined;
  #isClosed = false;

  /** Throws NATS_LISTEN_FAILED. */
  static async open(plan: GatePlan, host: GateHost, env: { readonly clock: Clock; readonly net: Net }): Promise<Gate> {
    const gate = new Gate(plan, host, env.clock);
    try {
      gate.#listener = await env.net.listen(plan.endpoint, (stream) => gate.#onStream(stream));
    } catch (error) {
      throw listenFault(plan, error);
    }
    return gate;
  }

  private constructor(plan: GatePlan, host: GateHost, clock: Clock) {
    this.#plan = plan;
    this.#host = host;
    this.#clock = clock;
    this.#webSocket = plan.isWebSocket ? new WebSocketDoor(plan.origins, plan.tls !== null) : undefined;
  }

  /** Where it really listens. */
  get endpoint(): Endpoint {
    return this.#listener!.endpoint;
  }

  get tls(): DoorTls | null {
    const { tls } = this.#plan;
    return tls === null ? null : { isVerifying: tls.isVerifying, notAfter: tls.notAfter };
  }

  /** Connections on the way. */
  get arriving(): number {
    return this.#arriving.size;
  }

  /** Called several times within the limit. */
  tick(now: Millis): void {
    for (const [stream, since] of this.#arriving) if (now - since >= ARRIVAL_LIMIT_MS) stream.destroy();
  }

  /** Accepts nobody any more; who is ready is not touched. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const stream of this.#arriving.keys()) stream.destroy();
    await this.#listener?.[Symbol.asyncDispose]();
  }

  #onStream(stream: ByteStream): void {
    const caller = this.#isClosed ? undefined : this.#host.onAccept(stream, this.#way());
    if (caller === undefined) stream.destroy();
    else if (this.#plan.tls === null && this.#webSocket === undefined) this.#host.onReady(stream, caller, false);
    else void this.#lead(stream, caller);
  }

  #way(): Greeting["way"] {
    const { tls } = this.#plan;
    if (this.#webSocket !== undefined) return "websocket";
    return tls === null ? "plain" : tls.isVerifying ? "mutual-tls" : "tls";
  }

  async #lead(accepted: ByteStream, caller: Caller): Promise<void> {
    const { tls, isTlsFirst } = this.#plan;
    this.#arriving.set(accepted, this.#clock.now());
    const isGreeted = tls !== null && !isTlsFirst;
    let stream = accepted;
    let greeted = caller;
    let isSecured = tls === null;
    try {
      if (isGreeted) accepted.write(this.#host.infoLine(caller), "latin1");
      if (tls !== null) {
        stream = await tls.secure(stream);
        isSecured = true;
        const { isMapping: isMapped, isVerifying: verifies } = tls;
        greeted = {
          ...caller,
          tls: tlsFacts(stream, { isFirst: isTlsFirst && this.#webSocket === undefined, isMapped, verifies }),
        };
      }
      if (this.#webSocket !== undefined) stream = await this.#webSocket.upgrade(stream);
      if (stream.destroyed) throw new Error("it left before it said anything");
      this.#arriving.delete(accepted);
    } catch (error) {
      this.#arriving.delete(accepted);
      if (stream.writable)
        stream.end(); // perhaps with an answer that says why
      else accepted.destroy();
      this.#host.onLost(greeted, systemCode(error) ?? explain(error), isSecured ? undefined : REASONS.tls);
      return;
    }
    this.#host.onReady(stream, greeted, isGreeted); // outside of the catch: what fails there is a bug
  }
}

function listenFault({ endpoint, setting }: GatePlan, cause: unknown): PetioleError {
  const at = formatEndpoint(endpoint);
  const why = {
    EADDRINUSE: `another program uses this port, perhaps a nats-server; stop it, or change ${setting}`,
    EACCES: `ports below 1024 need a privilege; choose another port in ${setting}`,
    EADDRNOTAVAIL: `this machine has no such address; change ${setting}, 0.0.0.0 means every network`,
  }[systemCode(cause) ?? ""];
  const message = `cannot listen for NATS clients on ${at}${why === undefined ? "" : `: ${why}`}`;
  return new PetioleError(NATS_LISTEN_FAILED, message, { remedy: "backoff", cause });
}
