// The MQTT broker: the clients that came by its doors, the sessions they have, and the limits they share.
// States, limits and decisions: README.md beside this file. Tests: test/wire/mqtt/, test/integration/mqtt.test.ts.

import type { Authenticator, User } from "#access/authenticator.ts";
import { UserQuotas } from "#access/user-quotas.ts";
import type { Env } from "#base/env.ts";
import type { ByteStream, Endpoint } from "#base/net.ts";
import { Recent } from "#base/recent.ts";
import { Voice } from "#base/voice.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Admitted } from "./admission.ts";
import { type Ages, calendarAges } from "./ages.ts";
import type { Broker, Client, MqttLimits } from "./broker.ts";
import {
  closedStatusOf,
  connectionStatusOf,
  type MqttClosedStatus,
  type MqttConnectionStatus,
  type MqttSessionStatus,
  type MqttSubscriptionStatus,
  sessionStatusOf,
  subscriptionStatusOf,
} from "./client-status.ts";
import { ClientTable } from "./client-table.ts";
import type { ConnectRequest } from "./connect-packet.ts";
import { MqttConnection } from "./connection.ts";
import type { HubTaking } from "./copy-watch.ts";
import { type DoorFacts, PLAIN } from "./door-facts.ts";
import { FanOut } from "./fan-out.ts";
import { Grant } from "./grant.ts";
import { HubMqtt, type HubMqttStatus } from "./hub-mqtt.ts";
import { Workbench } from "./inbound.ts";
import type { Keeping } from "./keeping.ts";
import type { Ending } from "./life.ts";
import { Mail } from "./mail.ts";
import { type MqttDoorStatus, type MqttDoors, openMqttDoors } from "./mqtt-doors.ts";
import { type MqttAccountFigures, type MqttStatus, MqttTally } from "./mqtt-status.ts";
import type { MqttOptions } from "./options.ts";
import { REASON } from "./reason-codes.ts";
import { RetainedShelf } from "./retained-shelf.ts";
import { SafetyQueue } from "./safety-queue.ts";
import type { SessionDeps } from "./session-deps.ts";
import { type Claimed, type SessionFigures, SessionTable } from "./session-table.ts";
import { SessionUpstream } from "./session-upstream.ts";
import { SharedGroups } from "./shared-groups.ts";
import { SlabPool } from "./slab-pool.ts";
import type { SysFigures } from "./sys-figures.ts";
import { SysTopics } from "./sys-topics.ts";
import { volatileKeeping } from "./volatile-keeping.ts";

/** How long closing waits for messages to become safe, so that their PUBACKs still go out. */
const DRAIN_MS = 3_000;
/** Ended connections that the monitor can still tell of. */
const CLOSED_MAX = 1_000;
/** As much of a plain connection is read at a time. */
const READ_BYTES = 65_536;

export interface MqttDeps {
  /** The disk is needed for TLS only. */
  readonly env: Pick<Env, "clock" | "net" | "entropy" | "log"> & Partial<Pick<Env, "disk">>;
  readonly authenticator: Authenticator;
  /** By name. A client belongs to its user's account; one that shows no user, to `options.account`. */
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly limits: MqttLimits;
  /** Keeps sessions and retained messages through power cuts; lent. Absent: nothing outlives the process. */
  readonly keeping?: Keeping;
  /** How long ago something was, over restarts. Absent: as the calendar says. */
  readonly ages?: Ages;
  /** What the hubs of an account make of a subject now. Absent: there are none. */
  readonly hubs?: (account: string, subject: string) => readonly HubTaking[];
  /** Names this device to hubs that speak MQTT. */
  readonly deviceId?: string;
  /** Of the spoke, for `$SYS/broker/version`. */
  readonly version?: string;
  /** Numbers connections for the monitor; shared by all doors so that a number means one connection. */
  readonly nextNumber?: () => number;
}

/** Opens the port. Dispose the ingress to close it and every connection. */
export async function openMqtt(options: MqttOptions, deps: MqttDeps, signal: AbortSignal): Promise<MqttIngress> {
  signal.throwIfAborted();
  await using scope = new AsyncDisposableStack();
  const ingress = scope.use(new MqttIngress(options, deps));
  ingress.restore();
  await ingress.listen(options);
  signal.throwIfAborted();
  scope.move();
  return ingress;
}

export class MqttIngress implements AsyncDisposable {
  readonly #deps: MqttDeps;
  readonly #broker: Broker;
  readonly #table: ClientTable;
  readonly #sessions: SessionTable;
  readonly #mail: Mail;
  /** The retained messages of all accounts. */
  readonly retained: RetainedShelf;
  readonly #upstreams = new Map<AccountRouter, SessionUpstream>();
  readonly #groups = new Map<AccountRouter, SharedGroups>();
  readonly #sys: SysTopics;
  readonly #hub: HubMqtt;
  readonly #tally = new MqttTally();
  readonly #closed = new Recent<MqttClosedStatus>(CLOSED_MAX);
  readonly #connections = new Set<MqttConnection>();
  #lastNumber = 0;
  #doors: MqttDoors | undefined;
  #closing: Promise<void> | undefined;

  /** For `openMqtt`. */
  constructor(options: MqttOptions, deps: MqttDeps) {
    const { clock, entropy } = deps.env;
    const log = deps.env.log.part("mqtt");
    const keeping = deps.keeping ?? volatileKeeping();
    const safety = new SafetyQueue(keeping);
    const voice = new Voice(clock, log);
    this.#deps = deps;
    this.#table = new ClientTable(options.maxClients);
    const ages = deps.ages ?? calendarAges(clock);
    this.#mail = new Mail({ keeping, clock, ages, bytesMax: options.maxQueuedTotal });
    this.retained = new RetainedShelf(options.retained, { keeping, clock, log });
    this.#sys = new SysTopics({
      clock,
      version: `petiole ${deps.version ?? "unknown"}`,
      interval: options.sysInterval,
      figures: () => this.#figures(),
    });
    const hubDeps = { clock, entropy, log, retained: this.retained, hubs: deps.hubs ?? (() => []) };
    const hub = new HubMqtt(options, deps.deviceId ?? "petiole", hubDeps);
    this.#hub = hub;
    const limits = {
      maxQueuedMessages: options.maxQueuedMessages,
      maxQueuedBytes: Math.min(options.maxQueuedBytes, deps.limits.maxPending),
      queueFull: options.queueFull,
    };
    const grant = new Grant();
    const tell: SessionDeps["tell"] = ({ clientId, user }, about, message, facts) =>
      voice.warn(`${about} ${clientId}`, message, { client: clientId, user: user.name, ...facts });
    this.#sessions = new SessionTable({
      keeping,
      safety,
      mail: this.#mail,
      entropy,
      sessionsMax: options.maxSessions,
      sessionsMaxPerUser: options.maxSessionsPerUser ?? options.maxSessions,
      depsOf: (account) => ({
        clock,
        ages,
        mail: this.#mail,
        grant,
        limits,
        upstream: this.#upstreams.get(account)!,
        groups: this.#groupsOf(account),
        retained: this.retained.of(account.name),
        sys: this.#sys,
        copies: hub.copies,
        copyWatch: hub.watchOf(account),
        onRetainedSent: (subject) => hub.onRetainedSent(account, subject),
        unstatedQos: hub.unstatedQos,
        tell,
      }),
    });
    for (const account of deps.accounts.values()) {
      this.#upstreams.set(account, new SessionUpstream(account, this.#mail, safety));
      this.retained.of(account.name); // read from the store before its values leave memory
    }
    this.#broker = {
      options,
      limits: deps.limits,
      clock,
      entropy,
      log,
      voice,
      authenticator: deps.authenticator,
      quotas: new UserQuotas(clock),
      bench: new Workbench(hub.copies),
      fanOut: new FanOut(),
      pool: new SlabPool(),
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      safety,
      account: (name) => deps.accounts.get(name),
      nextNumber: () => {
        this.#lastNumber += 1;
        return deps.nextNumber?.() ?? this.#lastNumber;
      },
      onConnect: (client) => this.#table.onConnect(client),
      register: (client, request, admitted) => this.#register(client, request, admitted),
      onEnd: (client, ending) => this.#onEnd(client, ending),
    };
  }

  /** For `openMqtt`: sessions as the last life left them. */
  restore(): void {
    const { accounts, authenticator } = this.#deps;
    const { log, voice } = this.#broker;
    const count = this.#sessions.restore(
      (name) => accounts.get(name),
      (name) => authenticator.userNamed(name),
      (key, words) => voice.warn(`restore ${words}`, `a kept record was left out: ${words}`, { key }),
    );
    if (count > 0) log.info("sessions are back from the store", { sessions: count });
  }

  /** For `openMqtt`. */
  async listen(options: MqttOptions): Promise<void> {
    const { env } = this.#deps;
    const { log, voice } = this.#broker;
    const host = { voice, onStream: (stream: ByteStream, facts: DoorFacts) => this.onStream(stream, facts) };
    this.#doors = await openMqttDoors(options, host, { ...env, log });
    this.#hub.start(this.#deps.accounts.values());
  }

  /** Where the first of its doors really listens, the plain one if there is one; tells the port when 0 was asked for. */
  get endpoint(): Endpoint {
    return this.#doors!.endpoint;
  }

  doors(): MqttDoorStatus[] {
    return this.#doors?.status() ?? [];
  }

  status(): MqttStatus {
    return this.#tally.status(this.#table.clients());
  }

  /** By account; null: without `mqtt.hub_mqtt`. */
  hubMqtt(): readonly HubMqttStatus[] | null {
    return this.#hub.status();
  }

  sessions(): SessionFigures {
    return this.#sessions.figures();
  }

  /** Most clients there were at the same time. */
  get clientsMaximum(): number {
    return this.#table.maximum;
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

  /** Sessions, those whose clients are away included; the caller takes as many as it wants. */
  *sessionStatus(): Iterable<MqttSessionStatus> {
    const now = this.#deps.env.clock.now();
    for (const session of this.#sessions.all()) yield sessionStatusOf(session, this.#table.find(session.clientId), now);
  }

  /** Ends that client's connection; with `forgets` its session, too, and what waits in it. False: nobody has this id. */
  evict(clientId: string, forgets: boolean, words: string): boolean {
    const session = this.#sessions.get(clientId);
    const client = this.#table.find(clientId);
    client?.end("evicted", words);
    if (forgets) session?.end();
    return session !== undefined || client !== undefined;
  }

  /**
   * The settings' users are others now. Whoever's user changed must show anew who it is; the session of one that is gone ends, as it
   * would at the next start, and that of one who is away is its new user's.
   */
  onUsersChanged(isChanged: (user: User) => boolean): void {
    for (const session of [...this.#sessions.all()]) {
      if (!isChanged(session.user)) continue;
      const user = this.#deps.authenticator.userNamed(session.user.name);
      this.#table.find(session.clientId)?.end("evicted", "its user is another now in the settings");
      if (user === undefined || user.account !== session.account.name) session.end();
      else session.changeUser(user);
    }
  }

  *subscriptions(): Iterable<MqttSubscriptionStatus> {
    for (const client of this.#table.clients()) yield* subscriptionStatusOf(client);
  }

  /** Stops accepting and reading, lets owed PUBACKs go out for a while, closes every connection. Wills are not published. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** A connection that came by one of the doors; it belongs to the broker from now on. */
  onStream(stream: ByteStream, facts: DoorFacts = PLAIN): void {
    if (this.#closing !== undefined) {
      facts.visit.leave();
      stream.destroy();
      return;
    }
    this.#tally.connections += 1;
    const connection = new MqttConnection(stream, facts, this.#broker);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#table.onAccept(connection);
  }

  #groupsOf(account: AccountRouter): SharedGroups {
    const groups = this.#groups.get(account) ?? new SharedGroups();
    this.#groups.set(account, groups);
    return groups;
  }

  #register(client: Client, request: ConnectRequest, admitted: Admitted): Claimed {
    const { clientId, user, account, will, expirySeconds } = admitted;
    if (this.#sessions.belongsToAnother(clientId, user)) {
      const words = `client id "${clientId}" belongs to another user; give each device an id of its own`;
      return { ok: false, reason: REASON.clientIdNotValid, words };
    }
    if (!this.#table.hasRoomFor(clientId)) {
      const words = `${this.#table.size} clients are connected already, which is what mqtt.max_clients allows`;
      return { ok: false, reason: REASON.serverUnavailable, words };
    }
    const older = this.#table.find(clientId);
    const crowd = older === undefined ? this.#broker.quotas.faultOf(user) : undefined; // else it takes the place of its own
    if (crowd !== undefined) return { ok: false, reason: REASON.quotaExceeded, words: crowd };
    older?.end("taken-over", `the same client id connected again from ${client.address}`); // [MQTT-3.1.4-2, MQTT5-3.1.4-3]
    const claimed = this.#sessions.claim({ clientId, user, account, will, expirySeconds, isClean: request.isClean });
    if (!claimed.ok) return claimed;
    this.#table.add(client, clientId);
    this.#tally.accepted += 1;
    return claimed;
  }

  #figures(): SysFigures {
    const { totals } = this.status();
    const { connected, away, expired, queued, queuedBytes } = this.#sessions.figures();
    const { messages, bytes } = this.retained.status();
    let subscriptions = 0;
    let sharedSubscriptions = 0;
    for (const session of this.#sessions.all())
      for (const { queue } of session.subscriptions.all()) {
        subscriptions += 1;
        if (queue !== null) sharedSubscriptions += 1;
      }
    return {
      connected,
      disconnected: away,
      expired,
      maximum: this.clientsMaximum,
      sockets: totals.connections,
      connections: totals.accepted,
      publishesIn: totals.messagesIn,
      publishesOut: totals.messagesOut,
      publishesDropped: totals.dropped,
      bytesIn: totals.bytesIn,
      bytesOut: totals.bytesOut,
      retained: messages,
      stored: queued + messages,
      storedBytes: queuedBytes + bytes,
      subscriptions,
      sharedSubscriptions,
    };
  }

  #onEnd(client: Client, ending: Ending): void {
    const { clock } = this.#deps.env;
    const closed = closedStatusOf(client, ending, clock.now(), clock.wall());
    this.#table.onEnd(client);
    this.#tally.onEnd(client, ending);
    if (closed !== undefined) this.#closed.add(closed);
  }

  async #close(): Promise<void> {
    this.#sys[Symbol.dispose]();
    for (const groups of this.#groups.values()) groups.isClosing = true;
    await this.#doors?.[Symbol.asyncDispose]();
    const connections = [...this.#connections];
    using _budget = this.#deps.env.clock.after(DRAIN_MS, () => {
      for (const connection of connections) connection.end("shutdown", "the spoke is closing");
    });
    for (const connection of connections) connection.drain();
    await Promise.all(connections.map((connection) => connection.closed));
    this.#sessions.close();
    this.#hub[Symbol.dispose]();
    for (const upstream of this.#upstreams.values()) upstream[Symbol.dispose]();
    this.retained[Symbol.dispose]();
    this.#broker.safety[Symbol.dispose]();
  }
}
