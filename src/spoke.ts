// The composition root: opens every part, wires them, and closes them in reverse.
//
//   lock → time → accounts → packet filter → uplinks (outbox recovers here) → mqtt, nats, serial → monitor → links start to dial
//
// What settings may change while all this runs is opened by parts.ts and changed by live-settings.ts.
// Doors open only after the outboxes are ready to keep what comes in, and behind the packet filter, which is given 5 s.
// A link is never waited for (DESIGN §1.2).

import { createAuthenticator } from "#access/authenticator.ts";
import type { Env } from "#base/env.ts";
import { type Exec, systemExec } from "#base/exec.ts";
import type { Log, LogGate } from "#base/log.ts";
import type { Endpoint } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { openTimeKeeper } from "#base/time-keeper.ts";
import type { Config } from "#config/config.ts";
import { createClientsDesk } from "#desks/client-desk.ts";
import { createMessageDesk } from "#desks/message-desk.ts";
import { PageHost } from "#desks/page-host.ts";
import { createSerialDesk } from "#desks/serial-desk.ts";
import type { WebDesks } from "#desks/web-desks.ts";
import { type HostMachine, systemHostMachine } from "#ingress/host/host-machine.ts";
import { openTapSocket } from "#ingress/serial/tap-socket.ts";
import { type LiveDesk, LiveSettings } from "#live/live-settings.ts";
import { Replaceable } from "#live/replaceable.ts";
import { type Monitor, openMonitor } from "#monitor/monitor.ts";
import { AccountRouter } from "#router/router.ts";
import { openS2Codec, type S2Codec } from "#s2/codec.ts";
import type { StatusReport } from "#status/report.ts";
import { lockPlace, systemLockFile } from "#supervisor/lock-file.ts";
import { openUpdateLock, type UpdateLock, type UpdateLockEnv } from "#supervisor/update-lock.ts";
import type { RemoteOptions } from "#uplink/options.ts";
import { outboxFolder } from "#uplink/uplink.ts";
import type { Watchdog } from "#watchdog/watchdog.ts";
import { openWeb } from "#web/server/web.ts";
import { type LockPlace, lockDataDirectory } from "./data-lock.ts";
import { createPastDesk, HistoryFeed } from "./history-feed.ts";
import { changePacketFilter, firstTry, openPacketFilter } from "./packet-filter.ts";
import {
  type Ground,
  noParts,
  openHostPart,
  openMqttPart,
  openNatsPart,
  openSerialPart,
  openUplinkPart,
  type Parts,
} from "./parts.ts";
import { openServerSource, type ServerParts } from "./server-source.ts";
import { reportOf } from "./status-report.ts";

/** The control socket in the data directory: `petiole status` asks here. */
export function controlSocketPath(dataDir: string): string {
  return `${dataDir}/control.sock`;
}

export interface SpokeFacts {
  readonly dataDir: string;
  readonly version: string;
  /** Absent: nothing is watched. */
  readonly watchdog?: Pick<Watchdog, "diskFault" | "lastCrash">;
  /** The box runs balenaOS. */
  readonly isBalena?: boolean;
  /** Of `env.log`. Absent: its level stays as it is. */
  readonly logGate?: LogGate;
  /** What the page may ask of the device; absent: there is no page, whatever the settings say. */
  readonly web?: WebDesks;
}

/** What a spoke takes of the machine beside `Env`: sockets that are no network, and compiled code. A simulation brings its own. */
export interface Machine {
  /** Makes this the only daemon in the data directory, until disposed. */
  lock(place: LockPlace, log: Log): Promise<AsyncDisposable>;
  readonly openMonitor: typeof openMonitor;
  openCodec(): S2Codec;
  /** Absent: no packet filter, whatever the settings say. */
  readonly exec?: Exec;
  /** Keeps updates out while the outbox works. Absent: there is nothing that could update us. */
  openUpdateLock?(env: UpdateLockEnv): Promise<UpdateLock>;
  /** Absent: `petiole serial listen` cannot look over this daemon's shoulder. */
  readonly openTapSocket?: typeof openTapSocket;
  /** What the device knows of itself; null: it is not asked. */
  hostMachine(disk: Env["disk"]): HostMachine | null;
}

export function systemMachine(): Machine {
  return {
    lock: lockDataDirectory,
    openMonitor,
    openCodec: openS2Codec,
    exec: systemExec(),
    hostMachine: systemHostMachine,
    openTapSocket,
    openUpdateLock: async (env) => await openUpdateLock(await systemLockFile(lockPlace), env),
  };
}

export async function openSpoke(
  config: Config,
  facts: SpokeFacts,
  env: Env,
  signal: AbortSignal,
  machine: Machine = systemMachine(),
): Promise<Spoke> {
  if (facts.logGate !== undefined) facts.logGate.least = config.logLevel;
  await using scope = new AsyncDisposableStack(); // undone in reverse if anything below throws
  scope.use(await machine.lock({ dataDir: facts.dataDir, controlSocket: controlSocketPath(facts.dataDir) }, env.log));
  const updateLock = await machine.openUpdateLock?.({ clock: env.clock, log: env.log.part("update") });
  if (updateLock !== undefined) scope.use(updateLock);
  const time = scope.use(await openTimeKeeper(facts.dataDir, { ...env, log: env.log.part("clock") }));
  const accounts = new Map(config.accounts.map(({ name }) => [name, new AccountRouter(name, env.entropy)] as const));

  const parts = noParts();
  const codec = machine.openCodec();
  const authenticator = createAuthenticator(config, env);
  let lastNumber = 0;
  const nextNumber = () => ++lastNumber; // one row of connection numbers for all doors and links: nats-server's cid
  const { dataDir, version } = facts;
  const ground: Ground = {
    parts,
    dataDir,
    version,
    accounts,
    authenticator,
    time,
    codec,
    resolver: systemResolver(env),
    openTapSocket: machine.openTapSocket,
    env,
    signal,
    hostMachine: () => machine.hostMachine(env.disk),
    nextNumber,
    holdUpdates: () => updateLock?.hold(),
    isRetainedReadable: () => settings.running.mqtt?.retained.readableFromNats === true,
  };
  const uplinks = scope.use(new AsyncDisposableStack());
  const filterPlace = { dataDir, isBalena: facts.isBalena === true };
  const { exec } = machine;
  const changeFilter =
    exec === undefined
      ? undefined
      : async (wanted: Config) => {
          parts.filter = await changePacketFilter(parts.filter, wanted, filterPlace, authenticator, { ...env, exec });
        };
  const log = env.log.part("settings");
  const partEnv = { clock: env.clock, log };
  const mqtt = new Replaceable("MQTT", (wanted: Config) => openMqttPart(ground, wanted), partEnv);
  const nats = new Replaceable("the door for NATS clients", (wanted: Config) => openNatsPart(ground, wanted), partEnv);
  const serial = new Replaceable("the serial ports", (wanted: Config) => openSerialPart(ground, wanted), partEnv);
  const host = new Replaceable("the device's own readings", (wanted: Config) => openHostPart(ground, wanted), partEnv);
  parts.notOpen = () => [mqtt, nats, serial, host].flatMap(({ fault }) => fault ?? []);
  const addUplink = async (wanted: Config, remote: RemoteOptions) => {
    const opened = await openUplinkPart(ground, wanted, remote);
    if (uplinks.disposed) return await opened[Symbol.asyncDispose](); // we are closing
    uplinks.use(opened);
    parts.uplinks.at(-1)!.start();
  };
  const settings = new LiveSettings(config, {
    parts,
    accounts,
    authenticator,
    mqtt,
    nats,
    serial,
    host,
    changeFilter,
    logGate: facts.logGate,
    log,
    signal,
    addUplink,
  });
  scope.defer(() => parts.filter?.[Symbol.asyncDispose]());
  if (exec !== undefined) parts.filter = (await openPacketFilter(config, filterPlace, authenticator, { ...env, exec })) ?? null;
  for (const remote of config.leafnodes.remotes) uplinks.use(await openUplinkPart(ground, config, remote)); // nft works meanwhile
  scope.use(settings); // a change that is under way ends before the links and outboxes that it changes close
  scope.use(authenticator);
  if (parts.filter !== null && config.firewall.enabled) await firstTry(parts.filter, env.clock);
  for (const part of [mqtt, nats, serial, host]) await scope.use(part).start(config);
  await warnOfOrphans(config, facts.dataDir, env);
  const startedAt = env.clock.now();
  const report = () => reportOf(config, facts, parts, { uptimeMs: env.clock.now() - startedAt, wall: env.clock.wall(), time });
  const sources: ServerParts = {
    accounts,
    uplinks: parts.uplinks,
    get mqtt() {
      return parts.mqtt;
    },
    get nats() {
      return parts.nats;
    },
  };
  const server = openServerSource(settings.view(), { version, nextNumber }, sources, env);
  const listen = config.monitor?.listen ?? null;
  const monitor = scope.use(
    await machine.openMonitor(
      { listen, socketPath: controlSocketPath(facts.dataDir) },
      report,
      { disk: env.disk, log: env.log.part("monitor") },
      server,
    ),
  );
  if (facts.web !== undefined) {
    const { clock, tty } = env;
    const live = {
      messages: createMessageDesk({ config: settings.view(), accounts, uplinks: () => parts.uplinks, clock }),
      serial: createSerialDesk({ tty, clock, ports: () => settings.running.serial, ingress: () => parts.serial, status: report }),
      doctor: facts.web.openDoctor?.(report) ?? null,
    };
    const clients = createClientsDesk(parts, env.clock);
    parts.past = scope.use(new HistoryFeed({ clock: env.clock, uplinks: () => parts.uplinks, report }));
    const past = createPastDesk(parts.past, facts.web.flash);
    const pageEnv = { ...env, log: env.log.part("web") };
    const { serverName } = config;
    const desks = { ...facts.web, ...live, clients, past, serverName, dataDir: facts.dataDir, report, env: pageEnv };
    parts.page = scope.use(new PageHost((options) => openWeb(options, desks, signal), pageEnv));
    await parts.page.change(config.web);
  }
  for (const uplink of parts.uplinks) uplink.start();
  return new Spoke(report, monitor, parts, settings, scope.move());
}

/** A renamed account leaves its outbox behind, perhaps with acknowledged messages in it: never deleted, always told. */
async function warnOfOrphans(config: Config, dataDir: string, env: Env): Promise<void> {
  const bound = new Set(config.leafnodes.remotes.map((remote) => outboxFolder(remote)));
  const found = await env.disk.list(`${dataDir}/outbox`).catch((): string[] => []); // no outbox yet
  for (const folder of found.filter((name) => !bound.has(name))) {
    env.log.warn(
      "an outbox belongs to an account that no remote binds; what waits in it is not sent. Bind the account again, or remove the folder",
      {
        folder: `${dataDir}/outbox/${folder}`,
      },
    );
  }
}

export class Spoke implements AsyncDisposable {
  readonly report: () => StatusReport;
  /** Brings other settings into force. */
  readonly live: LiveDesk;
  /** Where it really listens; null when off. */
  readonly monitorEndpoint: Endpoint | null;
  readonly #parts: Parts;
  readonly #scope: AsyncDisposableStack;
  #closed: Promise<void> | undefined;

  constructor(report: () => StatusReport, monitor: Monitor, parts: Parts, live: LiveDesk, scope: AsyncDisposableStack) {
    this.report = report;
    this.monitorEndpoint = monitor.endpoint;
    this.#parts = parts;
    this.live = live;
    this.#scope = scope;
  }

  get mqttEndpoint(): Endpoint | null {
    return this.#parts.mqtt?.endpoint ?? null;
  }

  get natsEndpoint(): Endpoint | null {
    return this.#parts.nats?.endpoint ?? null;
  }

  /** Opening in reverse: no new messages, the last batch handed over, goodbye to the hub, the outbox on flash. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#scope.disposeAsync();
    return this.#closed;
  }
}
