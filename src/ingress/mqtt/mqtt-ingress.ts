// The MQTT door: a port, the clients that are connected by it, and the limits they share.
// States, limits and decisions: README.md beside this file. Tests: test/wire/mqtt/, test/integration/mqtt.test.ts.

import type { Authenticator, User } from "#access/authenticator.ts";
import type { Env } from "#base/env.ts";
import { PetioleError, systemCode } from "#base/errors.ts";
import { type ByteStream, type Endpoint, formatEndpoint, type Listener } from "#base/net.ts";
import { Recent } from "#base/recent.ts";
import { Voice } from "#base/voice.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Broker, Client, MqttLimits } from "./broker.ts";
import {
  closedStatusOf,
  connectionStatusOf,
  type MqttClosedStatus,
  type MqttConnectionStatus,
  type MqttSubscriptionStatus,
  subscriptionStatusOf,
} from "./client-status.ts";
import { ClientTable } from "./client-table.ts";
import { MqttConnection } from "./connection.ts";
import { MQTT_LISTEN_FAILED } from "./errors.ts";
import { Workbench } from "./inbound.ts";
import type { Ending } from "./life.ts";
import { type MqttAccountFigures, type MqttStatus, MqttTally } from "./mqtt-status.ts";
import type { MqttOptions } from "./options.ts";
import { SlabPool } from "./slab-pool.ts";

/** How long closing waits for messages to become safe, so that their PUBACKs still go out. */
const DRAIN_MS = 3_000;
/** Ended connections that the monitor can still tell of. */
const CLOSED_MAX = 1_000;

export interface MqttDeps {
  readonly env: Pick<Env, "clock" | "net" | "entropy" | "log">;
  readonly authenticator: Authenticator;
  /** By name. A client belongs to its user's account; one that shows no user, to `options.account`. */
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly limits: MqttLimits;
  /** Numbers connections for the monitor; shared by all doors so that a number means one connection. */
  readonly nextNumber?: () => number;
}

/** Opens the port. Dispose the ingress to close it and every connection. */
export async function openMqtt(options: MqttOptions, deps: MqttDeps, signal: AbortSignal): Promise<MqttIngress> {
  signal.throwIfAborted();
  const ingress = new MqttIngress(options, deps);
  try {
    await ingress.listen(options.listen);
  } catch (error) {
    throw listenFault(options.listen, error);
  }
  if (!signal.aborted) return ingress;
  await ingress[Symbol.asyncDispose]();
  throw signal.reason;
}

export class MqttIngress implements AsyncDisposable {
  readonly #deps: MqttDeps;
  readonly #broker: Broker;
  readonly #table: ClientTable;
  readonly #tally = new MqttTally();
  readonly #closed = new Recent<MqttClosedStatus>(CLOSED_MAX);
  readonly #connections = new Set<MqttConnection>();
  #lastNumber = 0;
  #listener: Listener | undefined;
  #closing: Promise<void> | undefined;

  /** For `openMqtt`. */
  constructor(options: MqttOptions, deps: MqttDeps) {
    const { clock, entropy } = deps.env;
    const log = deps.env.log.part("mqtt");
    this.#deps = deps;
    this.#table = new ClientTable(options.maxClients);
    this.#broker = {
      options,
      limits: deps.limits,
      clock,
      entropy,
      log,
      voice: new Voice(clock, log),
      authenticator: deps.authenticator,
      bench: new Workbench(),
      pool: new SlabPool(),
      account: (name) => deps.accounts.get(name),
      nextNumber: () => {
        this.#lastNumber += 1;
        return deps.nextNumber?.() ?? this.#lastNumber;
      },
      onConnect: (client) => this.#table.onConnect(client),
      register: (client, clientId, user) => this.#register(client, clientId, user),
      onEnd: (client, ending) => this.#onEnd(client, ending),
    };
  }

  /** For `openMqtt`. */
  async listen(endpoint: Endpoint): Promise<void> {
    this.#listener = await this.#deps.env.net.listen(endpoint, (stream) => this.#onStream(stream));
    this.#broker.log.info("listening for MQTT", { at: formatEndpoint(this.#listener.endpoint) });
  }

  /** Where it really listens; tells the port when 0 was asked for. */
  get endpoint(): Endpoint {
    return this.#listener!.endpoint;
  }

  status(): MqttStatus {
    return this.#tally.status(this.#table.clients());
  }

  /** Those that were let in and have not ended. */
  clients(): MqttConnectionStatus[] {
    const now = this.#deps.env.clock.now();
    return [...this.#table.clients()].flatMap((client) => connectionStatusOf(client, now) ?? []);
  }

  /** The last of those that were let in and have ended, oldest first. */
  closed(): Iterable<MqttClosedStatus> {
    return this.#closed;
  }

  /** By account: of all clients that were let in, those that are gone included. */
  accountFigures(): ReadonlyMap<string, MqttAccountFigures> {
    return this.#tally.accounts(this.#table.clients());
  }

  *subscriptions(): Iterable<MqttSubscriptionStatus> {
    for (const client of this.#table.clients()) yield* subscriptionStatusOf(client);
  }

  /** Stops accepting and reading, lets owed PUBACKs go out for a while, closes every connection. Wills are not published. */
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
    const connection = new MqttConnection(stream, this.#broker);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#table.onAccept(connection);
  }

  #register(client: Client, clientId: string, user: User): { readonly returnCode: number; readonly words: string } {
    const answer = this.#table.register(client, clientId, user);
    if (answer.returnCode === 0) this.#tally.accepted += 1;
    return answer;
  }

  #onEnd(client: Client, ending: Ending): void {
    const { clock } = this.#deps.env;
    const closed = closedStatusOf(client, ending, clock.now(), clock.wall());
    this.#table.onEnd(client);
    this.#tally.onEnd(client, ending);
    if (closed !== undefined) this.#closed.add(closed);
  }

  async #close(): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    const connections = [...this.#connections];
    using _budget = this.#deps.env.clock.after(DRAIN_MS, () => {
      for (const connection of connections) connection.end("shutdown", "the spoke is closing");
    });
    for (const connection of connections) connection.drain();
    await Promise.all(connections.map((connection) => connection.closed));
  }
}

function listenFault(endpoint: Endpoint, cause: unknown): PetioleError {
  const at = formatEndpoint(endpoint);
  const why = {
    EADDRINUSE: "another program uses this port; stop it, or change mqtt.listen",
    EACCES: "ports below 1024 need a privilege; choose another port in mqtt.listen",
    EADDRNOTAVAIL: "this machine has no such address; change mqtt.listen, 0.0.0.0 means every network",
  }[systemCode(cause) ?? ""];
  const message = `cannot listen for MQTT on ${at}${why === undefined ? "" : `: ${why}`}`;
  return new PetioleError(MQTT_LISTEN_FAILED, message, { remedy: "backoff", cause });
}
