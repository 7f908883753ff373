// The door for local NATS clients: a port, the clients that are connected by it, and the limits they share.
// States, limits and decisions: README.md beside this file. Tests: test/wire/nats/, test/integration/nats.test.ts.

import type { Authenticator, User } from "#access/authenticator.ts";
import { type Millis, sleep } from "#base/clock.ts";
import { randomToken } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { type ByteStream, type Endpoint, formatEndpoint } from "#base/net.ts";
import { Recent } from "#base/recent.ts";
import { Voice } from "#base/voice.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { type DoorTls, Gate, type GateHost, type GatePlan } from "#doors/gate.ts";
import { ServerTls, type ServerTlsOptions } from "#doors/server-tls.ts";
import { tlsFacts } from "#doors/tls-facts.ts";
import type { AccountRouter } from "#router/router.ts";
import { AUTHENTICATION_REVOKED, infoLine, TOO_MANY_CONNECTIONS } from "#wire/client-lines.ts";
import {
  clientStatusOf,
  closedStatusOf,
  lostStatusOf,
  type NatsClientStatus,
  type NatsClosedStatus,
  type NatsSubscriptionStatus,
  subscriptionStatusOf,
} from "./client-status.ts";
import { REASONS } from "./close-reason.ts";
import { NatsConnection } from "./connection.ts";
import type { Caller, Greeting, NatsContext, NatsLimits } from "./context.ts";
import { NATS_LISTEN_FAILED } from "./errors.ts";
import type { LastValues } from "./last-values.ts";
import { type NatsAccountFigures, type NatsStatus, NatsTally } from "./nats-status.ts";
import type { NatsTlsOptions, NatsWebSocketOptions } from "./options.ts";
import { Slabs } from "./slabs.ts";
import { Turn } from "./turn.ts";
import { userInfoOf } from "./user-info.ts";

/** Client libraries ask for this before they use a feature of JetStream. The hub's own version decides in the end, and says so. */
export const COMPATIBLE_VERSION = "2.15.1";
/** While closing: how long clients that were told so may still go on, and then how long answers that are owed are waited for. */
const LAME_DUCK_MS: Millis = 250;
const DRAIN_MS: Millis = 1_500;
/** How often the clock is looked at for every connection. */
const TICK_MS: Millis = 500;
/** Limits shorter than a tick are kept by ticking so many times within them. */
const TICKS_PER_LIMIT = 4;
/** Read from one client at once, at most. */
const READ_BYTES = 65_536;
/** Ended connections that the monitor can still tell of. */
const CLOSED_MAX = 1_000;
const NONCE_BYTES = 11;
const NOBODY = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, refused: 0 };

export interface NatsDeps {
  /** The disk is needed for TLS only. */
  readonly env: Pick<Env, "clock" | "net" | "entropy" | "log"> & Partial<Pick<Env, "disk">>;
  readonly serverName: string;
  readonly authenticator: Authenticator;
  /** By name. A client belongs to its user's account. */
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly limits: NatsLimits;
  /** TLS on the port; null or absent: none. */
  readonly tls?: NatsTlsOptions | null;
  /** A second port, for WebSocket; null or absent: none. */
  readonly websocket?: NatsWebSocketOptions | null;
  /** Numbers connections, for INFO and the monitor; shared by all doors so that a number means one connection. */
  readonly nextNumber?: () => number;
  /** The retained messages of an account's MQTT clients; undefined or absent: nobody knows any. */
  readonly lastValues?: (account: string) => LastValues | undefined;
}

interface Plan extends GatePlan {
  readonly isTlsFirst: boolean;
}

/** Opens the port. Dispose the ingress to close it and every connection. */
export async function openNats(listen: Endpoint, deps: NatsDeps, signal: AbortSignal): Promise<NatsIngress> {
  signal.throwIfAborted();
  const nobody = { door: "nats", user: null, password: null, address: "" } as const;
  const { ok: hasNoAuthUser } = await deps.authenticator.authenticate(nobody, signal);
  await using scope = new AsyncDisposableStack();
  const ingress = scope.use(new NatsIngress(deps, hasNoAuthUser));
  await ingress.listen(listen);
  signal.throwIfAborted();
  scope.move();
  return ingress;
}

export class NatsIngress implements AsyncDisposable {
  readonly #deps: NatsDeps;
  readonly #context: NatsContext;
  readonly #serverId: string;
  readonly #tally = new NatsTally();
  /** All of them, those that linger included. */
  readonly #connections = new Set<NatsConnection>();
  /** Those that have not ended. */
  readonly #open = new Set<NatsConnection>();
  readonly #closed = new Recent<NatsClosedStatus>(CLOSED_MAX);
  /** The plain or TLS port, and perhaps one for WebSocket. */
  readonly #gates: Gate<Caller>[] = [];
  #ticker: Disposable | undefined;
  #lastNumber = 0;
  #closing: Promise<void> | undefined;

  /** For `openNats`. */
  constructor(deps: NatsDeps, hasNoAuthUser: boolean) {
    const { clock, entropy } = deps.env;
    const log = deps.env.log.part("nats");
    this.#deps = deps;
    this.#serverId = `N${randomToken(entropy, 55).toUpperCase()}`;
    this.#context = {
      limits: deps.limits,
      clock,
      log,
      voice: new Voice(clock, log),
      authenticator: deps.authenticator,
      slabs: new Slabs(),
      turn: new Turn(),
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      batch: new BatchBuilder(),
      hasNoAuthUser,
      account: (name) => deps.accounts.get(name),
      infoLine: (number, greeting, isClosing, payloadMax) => this.#infoLine(number, greeting, isClosing, payloadMax),
      userInfo: (user) => this.#userInfo(user),
      lastValues: (account) => deps.lastValues?.(account),
      onAdmitted: () => {
        this.#tally.accepted += 1;
      },
      onEnd: (peer, ending, reason) => {
        const connection = peer as NatsConnection; // it is one of ours
        this.#open.delete(connection);
        this.#tally.onEnd(peer, ending, connection.account);
        this.#closed.add(closedStatusOf(connection, { reason, now: clock.now(), wall: clock.wall() }));
      },
    };
  }

  /** For `openNats`. */
  async listen(endpoint: Endpoint): Promise<void> {
    const { env, tls = null, websocket = null } = this.#deps;
    const { log } = this.#context;
    const secured = async (options: ServerTlsOptions | null, setting: string) =>
      options === null ? null : await ServerTls.open(options, setting, { clock: env.clock, disk: env.disk!, log });
    const isTlsFirst = tls?.handshakeFirst === true;
    const shared = { guests: "NATS clients", listenFailed: NATS_LISTEN_FAILED };
    const plans: Plan[] = [
      { ...shared, endpoint, setting: "listen", isTlsFirst, tls: await secured(tls, "tls"), webSocket: null },
    ];
    if (websocket !== null) {
      const webSocket = { speaks: "NATS", protocols: [], isPath: isNatsPath, origins: websocket };
      const serverTls = await secured(websocket.tls, "websocket.tls");
      const { listen } = websocket;
      plans.push({ ...shared, endpoint: listen, setting: "websocket.listen", isTlsFirst: true, tls: serverTls, webSocket });
    }
    for (const plan of plans) {
      const gate = await Gate.open(plan, this.#hostOf(plan), env);
      this.#gates.push(gate);
      const facts = { at: formatEndpoint(gate.endpoint), tls: plan.tls !== null, websocket: plan.webSocket !== null };
      log.info("listening for NATS clients", facts);
    }
    const { clock } = env;
    const period = Math.max(10, Math.min(TICK_MS, this.#deps.limits.writeDeadline / TICKS_PER_LIMIT));
    this.#ticker = clock.every(period, () => this.#tick());
  }

  /** Where it really listens; tells the port when 0 was asked for. */
  get endpoint(): Endpoint {
    return this.#gates[0]!.endpoint;
  }

  /** The same of the WebSocket port; null when off. */
  get webSocketEndpoint(): Endpoint | null {
    return this.#gates[1]?.endpoint ?? null;
  }

  /** TLS of the port, and of the WebSocket port; null: none. */
  get tls(): DoorTls | null {
    return this.#gates[0]?.tls ?? null;
  }

  get webSocketTls(): DoorTls | null {
    return this.#gates[1]?.tls ?? null;
  }

  status(): NatsStatus {
    let clients = 0;
    let subscriptions = 0;
    for (const { session } of this.#open) {
      if (session === undefined) continue;
      clients += 1;
      subscriptions += session.subscriptions.size;
    }
    return this.#tally.status(this.#open, { clients, subscriptions });
  }

  get serverId(): string {
    return this.#serverId;
  }

  get isAuthRequired(): boolean {
    return !this.#context.hasNoAuthUser;
  }

  /** Those that were let in and have not ended. */
  clients(): NatsClientStatus[] {
    const now = this.#deps.env.clock.now();
    return [...this.#open].flatMap((connection) => clientStatusOf(connection, now) ?? []);
  }

  /** The last of those that have ended, oldest first, whether they were let in or not. */
  closed(): Iterable<NatsClosedStatus> {
    return this.#closed;
  }

  /** By account: of all clients that were let in, those that are gone included. */
  accountFigures(): ReadonlyMap<string, NatsAccountFigures> {
    return this.#tally.accounts(this.#open);
  }

  /** Ends the connections of those who must show anew who they are. */
  revoke(isRevoked: (user: User) => boolean): void {
    for (const connection of [...this.#open]) {
      if (connection.session === undefined || !isRevoked(connection.session.user)) continue;
      connection.end("revoked", "its user is another now in the settings", AUTHENTICATION_REVOKED);
    }
  }

  *subscriptions(): Iterable<NatsSubscriptionStatus> {
    for (const connection of this.#open) yield* subscriptionStatusOf(connection);
  }

  /** Stops accepting, tells the clients, lets them go on for a moment, sends answers that are owed, closes every connection. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #hostOf(plan: Plan): GateHost<Caller> {
    const way = wayOf(plan);
    const isFirst = plan.isTlsFirst && plan.webSocket === null;
    return {
      onAccept: (stream) => this.#onAccept(stream, way),
      ...(plan.isTlsFirst ? {} : { greeting: (caller) => this.#infoLine(caller.number, caller, false) }),
      onSecured: (caller, stream, { isMapping: isMapped, isVerifying: verifies }) => ({
        ...caller,
        tls: tlsFacts(stream, { isFirst, isMapped, verifies }),
      }),
      onReady: (stream, caller, isGreeted) => this.#onReady(stream, caller, isGreeted),
      onLost: (caller, words, isSecured) => this.#onLost(caller, words, isSecured ? undefined : REASONS.tls),
    };
  }

  #onAccept(stream: ByteStream, way: Greeting["way"]): Caller | undefined {
    if (this.#closing !== undefined) return undefined;
    this.#tally.connections += 1;
    this.#lastNumber += 1;
    const number = this.#deps.nextNumber?.() ?? this.#lastNumber;
    const address = stream.remoteAddress ?? "unknown";
    const nonce = this.#deps.authenticator.wantsSignatures
      ? this.#deps.env.entropy.bytes(NONCE_BYTES).toString("base64url")
      : null;
    const caller = { number, address, port: stream.remotePort ?? 0, since: this.#deps.env.clock.wall(), way, nonce, tls: null };
    if (way === "plain" || !this.#isFull()) return caller; // a plain one can be told
    this.#onLost(caller, this.#fullWords());
    return undefined;
  }

  #onReady(stream: ByteStream, caller: Caller, isGreeted: boolean): void {
    if (this.#closing !== undefined) {
      stream.destroy();
      return;
    }
    const isFull = this.#isFull();
    const connection = new NatsConnection(stream, caller.number, caller, this.#context, isGreeted);
    this.#connections.add(connection);
    this.#open.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    if (isFull) connection.end("refused", this.#fullWords(), TOO_MANY_CONNECTIONS);
  }

  #onLost(caller: Caller, words: string, reason?: string): void {
    const { address } = caller;
    this.#tally.onEnd(NOBODY, "refused", null);
    if (reason !== undefined) this.#closed.add(lostStatusOf(caller, reason, this.#deps.env.clock.wall()));
    this.#context.voice.warn(`lost ${address}`, `NATS connection refused: ${words}`, { address });
  }

  #isFull(): boolean {
    const arriving = this.#gates.reduce((sum, gate) => sum + gate.arriving, 0);
    return this.#connections.size + arriving >= this.#deps.limits.maxConnections;
  }

  #fullWords(): string {
    return `${this.#deps.limits.maxConnections} connections are open already, which is what limits.max_connections allows`;
  }

  #tick(): void {
    const now = this.#deps.env.clock.now();
    for (const gate of this.#gates) gate.tick(now);
    for (const connection of this.#connections) connection.tick(now);
  }

  async #close(): Promise<void> {
    const { clock } = this.#deps.env;
    await Promise.all(this.#gates.map((gate) => gate[Symbol.asyncDispose]()));
    if (this.status().clients > 0) {
      for (const connection of this.#open) connection.warn();
      await sleep(clock, LAME_DUCK_MS, new AbortController().signal);
    }
    using _budget = clock.after(DRAIN_MS, () => {
      for (const connection of this.#open) connection.end("shutdown", "the spoke is closing");
    });
    for (const connection of [...this.#open]) connection.drain();
    await Promise.all([...this.#connections].map((connection) => connection.closed));
    this.#ticker?.[Symbol.dispose]();
  }

  #infoLine(clientNumber: number, { address, nonce, way }: Greeting, isClosing: boolean, payloadMax?: number): string {
    const { host, port } = this.endpoint;
    return infoLine({
      server_id: this.#serverId,
      server_name: this.#deps.serverName,
      version: COMPATIBLE_VERSION,
      proto: 1,
      host,
      port,
      headers: true,
      auth_required: !this.#context.hasNoAuthUser,
      ...(nonce === null ? {} : { nonce }),
      ...(way === "tls" || way === "mutual-tls" ? { tls_required: true } : {}),
      ...(way === "mutual-tls" ? { tls_verify: true } : {}),
      max_payload: payloadMax ?? this.#deps.limits.maxPayload,
      client_id: clientNumber,
      client_ip: address,
      ...(isClosing ? { ldm: true } : {}),
    });
  }

  /** In latin1 form. */
  #userInfo(user: User): string {
    const answer = {
      server: { name: this.#deps.serverName, id: this.#serverId, ver: COMPATIBLE_VERSION, jetstream: false },
      data: userInfoOf(user),
    };
    return Buffer.from(JSON.stringify(answer), "utf8").toString("latin1");
  }
}

function wayOf({ tls, webSocket }: Plan): Greeting["way"] {
  if (webSocket !== null) return "websocket";
  return tls === null ? "plain" : tls.isVerifying ? "mutual-tls" : "tls";
}

/** nats-server has other things there. */
function isNatsPath(path: string): boolean {
  return !/^\/(leafnode|mqtt)\b/.test(path);
}
