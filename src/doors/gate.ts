// One listening port, and the way from an accepted connection to a stream of the protocol's bytes.
//
//   accepted ──────────────────────────────────────────────▶ ready            plain
//   accepted ── greeting in clear ──▶ TLS ─────────────────▶ ready            tls, for hosts that greet
//   accepted ── TLS ───────────────────────────────────────▶ ready            tls
//   accepted ── [TLS] ── HTTP upgrade ─────────────────────▶ ready            websocket
//
// Whoever takes longer than the limit on the way is put out, and so are all when the gate closes. TLS handshakes have turns: when a
// fleet comes back at once, a slow processor that began them all would end none in time. Who waits for a turn costs a socket.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { explain, PetioleError, systemCode } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint, type Listener, type Net } from "#base/net.ts";
import { handshakeWords } from "./handshake-words.ts";
import type { ServerTls } from "./server-tls.ts";
import { WebSocketDoor, type WebSocketRules } from "./web-socket-door.ts";

/** So long from accepted to ready, at most; where TLS has no turn to give yet, from the turn on. */
export const ARRIVAL_LIMIT_MS: Millis = 5_000;
/** TLS handshakes under way at one port: a second's work for a slow processor. */
export const HANDSHAKES_MAX = 128;

export interface GatePlan {
  readonly endpoint: Endpoint;
  /** The setting the endpoint stands in. */
  readonly setting: string;
  /** Who is listened for, in words, and the code of the fault when that fails. */
  readonly guests: string;
  readonly listenFailed: string;
  readonly tls: ServerTls | null;
  readonly webSocket: WebSocketRules | null;
  /** Connections on the way, at most: then the oldest is put out. Absent: the host counts them. */
  readonly arrivingMax?: number;
}

/** For the monitor. */
export interface DoorTls {
  readonly isVerifying: boolean;
  /** When our certificate ends. */
  readonly notAfter: WallMillis;
}

/** Who opened the gate. A `Caller` is what the host knows of an accepted connection. */
export interface GateHost<Caller> {
  /** Undefined: nobody else can be taken in, and the stream is dropped. */
  onAccept(stream: ByteStream): Caller | undefined;
  /** In latin1 form, sent in clear before TLS; absent: TLS comes first. */
  readonly greeting?: (caller: Caller) => string;
  /** What TLS told of it, added. */
  onSecured(caller: Caller, secured: ByteStream, tls: ServerTls): Caller;
  /** `isGreeted`: the greeting was sent. The stream is the host's from now on. */
  onReady(stream: ByteStream, caller: Caller, isGreeted: boolean): void;
  /** It did not get so far. `isSecured`: nor did it fail at TLS. */
  onLost(caller: Caller, words: string, isSecured: boolean): void;
}

export class Gate<Caller> implements AsyncDisposable {
  readonly #plan: GatePlan;
  readonly #host: GateHost<Caller>;
  readonly #clock: Clock;
  readonly #webSocket: WebSocketDoor | undefined;
  /** On the way, and since when. */
  readonly #arriving = new Map<ByteStream, Millis>();
  /** Those that wait for their turn, in order of arrival. */
  readonly #waiting = new Map<ByteStream, () => void>();
  #handshakes = 0;
  #listener: Listener | undefined;
  #isClosed = false;

  /** Throws the plan's `listenFailed`. */
  static async open<Caller>(
    plan: GatePlan,
    host: GateHost<Caller>,
    env: { readonly clock: Clock; readonly net: Net },
  ): Promise<Gate<Caller>> {
    const gate = new Gate(plan, host, env.clock);
    try {
      gate.#listener = await env.net.listen(plan.endpoint, (stream) => gate.#onStream(stream));
    } catch (error) {
      throw listenFault(plan, error);
    }
    return gate;
  }

  private constructor(plan: GatePlan, host: GateHost<Caller>, clock: Clock) {
    this.#plan = plan;
    this.#host = host;
    this.#clock = clock;
    this.#webSocket = plan.webSocket === null ? undefined : new WebSocketDoor(plan.webSocket, plan.tls !== null);
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
    return this.#arriving.size + this.#waiting.size;
  }

  /** Called several times within the limit. */
  tick(now: Millis): void {
    for (const [stream, since] of this.#arriving) {
      if (now - since < ARRIVAL_LIMIT_MS) return; // the rest came later
      stream.destroy();
    }
  }

  /** Accepts nobody any more; who is ready is not touched. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const stream of this.#arriving.keys()) stream.destroy();
    for (const [stream, begin] of this.#waiting) {
      stream.destroy();
      begin();
    }
    this.#waiting.clear();
    await this.#listener?.[Symbol.asyncDispose]();
  }

  #onStream(stream: ByteStream): void {
    const caller = this.#isClosed ? undefined : this.#host.onAccept(stream);
    if (caller === undefined) stream.on("error", () => undefined).destroy();
    else if (this.#plan.tls === null && this.#webSocket === undefined) this.#host.onReady(stream, caller, false);
    else void this.#lead(stream, caller);
  }

  async #turn(stream: ByteStream): Promise<void> {
    if (this.#handshakes < HANDSHAKES_MAX) {
      this.#handshakes += 1;
      return;
    }
    stream.on("error", () => undefined); // it is found destroyed
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(stream, resolve);
    await promise; // the place is handed over, not freed
  }

  #endTurn(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#handshakes -= 1;
      return;
    }
    const [stream, begin] = next;
    this.#waiting.delete(stream);
    begin();
  }

  /** Whoever comes to stay is through in a few round trips, so a flood of those who say nothing puts out itself. */
  #makeRoom(): void {
    const [oldest] = this.#arriving.keys();
    if (oldest === undefined || this.arriving < (this.#plan.arrivingMax ?? Number.POSITIVE_INFINITY)) return;
    this.#arriving.delete(oldest);
    oldest.destroy();
  }

  async #lead(accepted: ByteStream, caller: Caller): Promise<void> {
    const { tls } = this.#plan;
    const greeting = tls === null ? undefined : this.#host.greeting?.(caller);
    this.#makeRoom();
    if (tls !== null) await this.#turn(accepted);
    this.#arriving.set(accepted, this.#clock.now());
    let stream = accepted;
    let known = caller;
    let isSecured = tls === null;
    try {
      if (tls !== null) {
        try {
          if (greeting !== undefined) accepted.write(greeting, "latin1");
          stream = await tls.secure(stream);
        } finally {
          this.#endTurn();
        }
        isSecured = true;
        known = this.#host.onSecured(caller, stream, tls);
      }
      if (this.#webSocket !== undefined) stream = await this.#webSocket.upgrade(stream);
      if (stream.destroyed) throw new Error("it left before it said anything");
      this.#arriving.delete(accepted);
    } catch (error) {
      this.#arriving.delete(accepted);
      if (stream.writable)
        stream.end(); // perhaps with an answer that says why
      else accepted.destroy();
      const code = systemCode(error);
      this.#host.onLost(known, code === undefined ? explain(error) : handshakeWords(code, tls?.isVerifying === true), isSecured);
      return;
    }
    this.#host.onReady(stream, known, greeting !== undefined); // outside of the catch: what fails there is a bug
  }
}

function listenFault({ endpoint, setting, guests, listenFailed }: GatePlan, cause: unknown): PetioleError {
  const at = formatEndpoint(endpoint);
  const why = {
    EADDRINUSE: `another program uses this port; stop it, or change ${setting}`,
    EACCES: `ports below 1024 need a privilege; choose another port in ${setting}`,
    EADDRNOTAVAIL: `this machine has no such address; change ${setting}, 0.0.0.0 means every network`,
  }[systemCode(cause) ?? ""];
  const message = `cannot listen for ${guests} on ${at}${why === undefined ? "" : `: ${why}`}`;
  return new PetioleError(listenFailed, message, { remedy: "backoff", cause });
}
