// The door for local NATS clients: a port, the clients that are connected by it, and the limits they share.
// States, limits and decisions: README.md beside this file. Tests: test/wire/nats/, test/integration/nats.test.ts.

import type { Authenticator, User } from "#access/authenticator.ts";
import { type Millis, sleep } from "#base/clock.ts";
import { randomToken } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { PetioleError, systemCode } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint, type Listener } from "#base/net.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import { infoLine, TOO_MANY_CONNECTIONS } from "#wire/client-lines.ts";
import { NatsConnection } from "./connection.ts";
import type { NatsContext, NatsLimits } from "./context.ts";
import { NATS_LISTEN_FAILED } from "./errors.ts";
import { type NatsStatus, NatsTally } from "./nats-status.ts";
import { Slabs } from "./slabs.ts";
import { Turn } from "./turn.ts";
import { Voice } from "./voice.ts";

/** Client libraries ask for this before they use a feature of JetStream. The hub's own version decides in the end, and says so. */
const COMPATIBLE_VERSION = "2.15.1";
/** While closing: how long clients that were told so may still go on, and then how long answers that are owed are waited for. */
const LAME_DUCK_MS: Millis = 250;
const DRAIN_MS: Millis = 1_500;
/** How often the clock is looked at for every connection. */
const TICK_MS: Millis = 500;
/** Limits shorter than a tick are kept by ticking so many times within them. */
const TICKS_PER_LIMIT = 4;

export interface NatsDeps {
  readonly env: Pick<Env, "clock" | "net" | "entropy" | "log">;
  readonly serverName: string;
  readonly authenticator: Authenticator;
  /** By name. A client belongs to its user's account. */
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly limits: NatsLimits;
}

/** Opens the port. Dispose the ingress to close it and every connection. */
export async function openNats(listen: Endpoint, deps: NatsDeps, signal: AbortSignal): Promise<NatsIngress> {
  signal.throwIfAborted();
  const nobody = { door: "nats", user: null, password: null, address: "" } as const;
  const { ok: hasNoAuthUser } = await deps.authenticator.authenticate(nobody, signal);
  const ingress = new NatsIngress(deps, hasNoAuthUser);
  try {
    await ingress.listen(listen);
  } catch (error) {
    throw listenFault(listen, error);
  }
  if (!signal.aborted) return ingress;
  await ingress[Symbol.asyncDispose]();
  throw signal.reason;
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
  #listener: Listener | undefined;
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
      batch: new BatchBuilder(),
      hasNoAuthUser,
      account: (name) => deps.accounts.get(name),
      infoLine: (number, address, isClosing) => this.#infoLine(number, address, isClosing),
      userInfo: (user) => this.#userInfo(user),
      onAdmitted: () => {
        this.#tally.accepted += 1;
      },
      onEnd: (peer, ending) => {
        this.#open.delete(peer as NatsConnection); // it is one of ours
        this.#tally.onEnd(peer, ending);
      },
    };
  }

  /** For `openNats`. */
  async listen(endpoint: Endpoint): Promise<void> {
    const { clock, net } = this.#deps.env;
    this.#listener = await net.listen(endpoint, (stream) => this.#onStream(stream));
    const period = Math.max(10, Math.min(TICK_MS, this.#deps.limits.writeDeadline / TICKS_PER_LIMIT));
    this.#ticker = clock.every(period, () => this.#tick());
    this.#context.log.info("listening for NATS clients", { at: formatEndpoint(this.#listener.endpoint) });
  }

  /** Where it really listens; tells the port when 0 was asked for. */
  get endpoint(): Endpoint {
    return this.#listener!.endpoint;
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

  /** Stops accepting, tells the clients, lets them go on for a moment, sends answers that are owed, closes every connection. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #onStream(stream: ByteStream): void {
    if (this.#closing !== undefined) {
      stream.destroy();
      return;
    }
    this.#tally.connections += 1;
    this.#lastNumber += 1;
    const connection = new NatsConnection(stream, this.#lastNumber, this.#context);
    this.#connections.add(connection);
    this.#open.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    const { maxConnections } = this.#deps.limits;
    if (this.#connections.size > maxConnections) {
      const words = `${maxConnections} connections are open already, which is what limits.max_connections allows`;
      connection.end("refused", words, TOO_MANY_CONNECTIONS);
    }
  }

  #tick(): void {
    const now = this.#deps.env.clock.now();
    for (const connection of this.#connections) connection.tick(now);
  }

  async #close(): Promise<void> {
    const { clock } = this.#deps.env;
    await this.#listener?.[Symbol.asyncDispose]();
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

  #infoLine(clientNumber: number, address: string, isClosing: boolean): string {
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
      max_payload: this.#deps.limits.maxPayload,
      client_id: clientNumber,
      client_ip: address,
      ...(isClosing ? { ldm: true } : {}),
    });
  }

  /** In latin1 form, with nats-server's field names. */
  #userInfo({ name, account, permissions }: User): string {
    const shown = ({ allow, deny }: User["permissions"]["publish"]) => ({
      ...(allow === null ? {} : { allow: allow.map(displaySubject) }),
      ...(deny.length === 0 ? {} : { deny: deny.map(displaySubject) }),
    });
    const answer = {
      server: { name: this.#deps.serverName, id: this.#serverId, ver: COMPATIBLE_VERSION, jetstream: false },
      data: {
        user: name,
        account,
        permissions: { publish: shown(permissions.publish), subscribe: shown(permissions.subscribe) },
      },
    };
    return Buffer.from(JSON.stringify(answer), "utf8").toString("latin1");
  }
}

function listenFault(endpoint: Endpoint, cause: unknown): PetioleError {
  const at = formatEndpoint(endpoint);
  const why = {
    EADDRINUSE: "another program uses this port, perhaps a nats-server; stop it, or change listen",
    EACCES: "ports below 1024 need a privilege; choose another port in listen",
    EADDRNOTAVAIL: "this machine has no such address; change listen, 0.0.0.0 means every network",
  }[systemCode(cause) ?? ""];
  const message = `cannot listen for NATS clients on ${at}${why === undefined ? "" : `: ${why}`}`;
  return new PetioleError(NATS_LISTEN_FAILED, message, { remedy: "backoff", cause });
}
