// The composition root: opens every part, wires them, and closes them in reverse.
//
//   lock → time → accounts → uplinks (outbox recovers here) → mqtt, nats, serial → monitor → links start to dial
//
// Doors open only after the outboxes are ready to keep what comes in, and a link is never waited for (DESIGN §1.2).

import { createAuthenticator } from "#access/authenticator.ts";
import type { Clock } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { explain, isFault } from "#base/errors.ts";
import { type Exec, systemExec } from "#base/exec.ts";
import type { Log } from "#base/log.ts";
import type { Endpoint } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { openTimeKeeper, type TimeKeeper } from "#base/time-keeper.ts";
import type { Config } from "#config/config.ts";
import type { Firewall } from "#firewall/firewall.ts";
import { type HostIngress, openHost } from "#ingress/host/host-ingress.ts";
import { type HostMachine, systemHostMachine } from "#ingress/host/host-machine.ts";
import { type MqttIngress, openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { type NatsIngress, openNats } from "#ingress/nats/nats-ingress.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { openTapSocket, tapSocketPath } from "#ingress/serial/tap-socket.ts";
import type { Packer } from "#journal/packer.ts";
import { type Monitor, openMonitor } from "#monitor/monitor.ts";
import { AccountRouter } from "#router/router.ts";
import { openS2Codec, type S2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import type { StatusReport } from "#status/report.ts";
import { openStore } from "#store/open-store.ts";
import { storeBytesFor, storeDefaults } from "#store/options.ts";
import type { Store } from "#store/store.ts";
import { openStoreKey } from "#store/store-key.ts";
import { openUplink, outboxFolder, type Uplink } from "#uplink/uplink.ts";
import type { WebOptions } from "#web/server/options.ts";
import { openWeb, type Web } from "#web/server/web.ts";
import { type LockPlace, lockDataDirectory } from "./data-lock.ts";
import { LedgerFeed } from "./ledger-feed.ts";
import { openPacketFilter } from "./packet-filter.ts";
import { openServerSource } from "./server-source.ts";
import { reportOf } from "./status-report.ts";
import type { WebDesks } from "./web-desks.ts";

/** The control socket in the data directory: `petiole status` asks here. */
export function controlSocketPath(dataDir: string): string {
  return `${dataDir}/control.sock`;
}

export interface SpokeFacts {
  readonly dataDir: string;
  readonly version: string;
  /** The box runs balenaOS. */
  readonly isBalena?: boolean;
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
  };
}

export async function openSpoke(
  config: Config,
  facts: SpokeFacts,
  env: Env,
  signal: AbortSignal,
  machine: Machine = systemMachine(),
): Promise<Spoke> {
  await using scope = new AsyncDisposableStack(); // undone in reverse if anything below throws
  scope.use(await machine.lock({ dataDir: facts.dataDir, controlSocket: controlSocketPath(facts.dataDir) }, env.log));
  const time = scope.use(await openTimeKeeper(facts.dataDir, { ...env, log: env.log.part("clock") }));
  const accounts = new Map(config.accounts.map(({ name }) => [name, new AccountRouter(name, env.entropy)] as const));

  const parts: {
    uplinks: Uplink[];
    mqtt: MqttIngress | null;
    nats: NatsIngress | null;
    serial: SerialIngress | null;
    host: HostIngress | null;
    store: Store | null;
    filter: Firewall | null;
  } = { uplinks: [], mqtt: null, nats: null, serial: null, host: null, store: null, filter: null };
  const codec = machine.openCodec();
  const resolver = systemResolver(env);
  for (const remote of config.leafnodes.remotes) {
    const account = accounts.get(remote.account)!; // the settings were checked
    const deps = {
      account,
      outbox: config.outbox,
      serverName: config.serverName,
      deviceId: config.deviceId,
      dataDir: facts.dataDir,
      maxPayload: config.limits.maxPayload,
      codec,
      resolver,
      time,
    };
    const uplink = scope.use(await openUplink(remote, deps, env, signal));
    const { losses } = uplink.outbox;
    scope.use(new LedgerFeed({ losses, account, serverName: config.serverName, remote: uplink.name }, env.clock));
    parts.uplinks.push(uplink);
  }
  const authenticator = scope.use(createAuthenticator(config, env));
  let lastNumber = 0;
  const nextNumber = () => ++lastNumber; // one row of connection numbers for all doors and links: nats-server's cid
  const doorDeps = { accounts, authenticator, limits: config.limits, env, nextNumber };
  if (config.mqtt !== null) {
    const keeping = scope.use(
      await openKeeping(config, config.mqtt, facts.dataDir, { ...env, packer: new S2Packer(codec) }, signal),
    );
    parts.store = keeping;
    const known = { env: { ...env, clock: reckoned(env.clock, time) }, ages: time };
    parts.mqtt = scope.use(await openMqtt(config.mqtt, { ...doorDeps, ...known, keeping, version: facts.version }, signal));
    keeping.release();
  }
  if (config.listen !== null) {
    const { serverName, tls, websocket } = config;
    const isReadable = config.mqtt?.retained.readableFromNats === true;
    const lastValues = (account: string) => (isReadable ? parts.mqtt?.retained.lastValues(account) : undefined);
    parts.nats = scope.use(await openNats(config.listen, { ...doorDeps, serverName, tls, websocket, lastValues }, signal));
  }
  if (config.serial.length > 0) {
    const account = accounts.get(config.accounts[0]!.name)!; // serial ports speak into the first account
    parts.serial = scope.use(await openSerial(config.serial, { account, env, isWallTrusted: () => time.isTrusted }, signal));
    const tap = await machine.openTapSocket?.(tapSocketPath(facts.dataDir), parts.serial, {
      disk: env.disk,
      log: env.log.part("serial"),
    });
    if (tap !== undefined) scope.use(tap);
  }
  const hostMachine = config.host === null ? null : machine.hostMachine(env.disk);
  if (config.host !== null && hostMachine !== null) {
    const { serverName } = config;
    const account = accounts.get(config.accounts[0]!.name)!; // as serial ports do
    const log = env.log.part("host");
    const deps = { account, serverName, dataDir: facts.dataDir, time, machine: hostMachine, clock: env.clock, log };
    parts.host = scope.use(await openHost(config.host, deps));
  }
  if (machine.exec !== undefined) {
    const place = { dataDir: facts.dataDir, isBalena: facts.isBalena === true };
    const filter = await openPacketFilter(config, place, authenticator, { ...env, exec: machine.exec });
    if (filter !== undefined) parts.filter = scope.use(filter);
  }
  await warnOfOrphans(config, facts.dataDir, env);
  const startedAt = env.clock.now();
  const report = () => reportOf(config, facts, parts, { uptimeMs: env.clock.now() - startedAt, wall: env.clock.wall(), time });
  const server = openServerSource(config, { version: facts.version, nextNumber }, { ...parts, accounts }, env);
  const listen = config.monitor?.listen ?? null;
  const monitor = scope.use(
    await machine.openMonitor(
      { listen, socketPath: controlSocketPath(facts.dataDir) },
      report,
      { disk: env.disk, log: env.log.part("monitor") },
      server,
    ),
  );
  if (config.web !== null && facts.web !== undefined) {
    const web = await tryOpenPage(config.web, config.serverName, { ...facts.web, dataDir: facts.dataDir, report }, env, signal);
    if (web !== undefined) scope.use(web);
  }
  for (const uplink of parts.uplinks) uplink.start();
  const endpoints = { mqtt: parts.mqtt?.endpoint ?? null, nats: parts.nats?.endpoint ?? null };
  return new Spoke(report, monitor, endpoints, scope.move());
}

/** What MQTT keeps through power cuts: sessions, their messages, and retained ones; encrypted as the outbox is. */
async function openKeeping(
  config: Config,
  { maxQueuedTotal, retained }: MqttOptions,
  dataDir: string,
  env: Env & { readonly packer: Packer },
  signal: AbortSignal,
): Promise<Store> {
  const { commitInterval, encryption, freeReserve } = config.outbox;
  const storeEnv = { ...env, log: env.log.part("store") };
  const options = {
    ...storeDefaults(),
    ...(await openStoreKey(encryption, `${dataDir}/secrets`, storeEnv)),
    maxBytes: storeBytesFor(maxQueuedTotal + retained.maxBytes),
    freeReserve,
    commitIntervalMs: commitInterval,
  };
  return await openStore(`${dataDir}/mqtt`, options, storeEnv, signal);
}

/** A page that cannot be opened is told of and stops nothing else: readings are kept all the same. */
async function tryOpenPage(
  options: WebOptions,
  serverName: string,
  desks: WebDesks & { readonly dataDir: string; readonly report: () => StatusReport },
  env: Env,
  signal: AbortSignal,
): Promise<Web | undefined> {
  const log = env.log.part("web");
  try {
    return await openWeb(options, { ...desks, serverName, env: { ...env, log } }, signal);
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("the page cannot be opened; everything else runs", { error: explain(error) });
    return undefined;
  }
}

/** With the calendar as far as it is known, for what is kept over restarts: it must not grow old because a board wakes up in 1970. */
function reckoned(clock: Clock, time: TimeKeeper): Clock {
  return {
    now: () => clock.now(),
    wall: () => time.wall(),
    after: (delay, action) => clock.after(delay, action),
    every: (period, action) => clock.every(period, action),
  };
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
  /** Where MQTT, NATS and the monitor really listen; null when off. */
  readonly mqttEndpoint: Endpoint | null;
  readonly natsEndpoint: Endpoint | null;
  readonly monitorEndpoint: Endpoint | null;
  readonly #scope: AsyncDisposableStack;
  #closed: Promise<void> | undefined;

  constructor(
    report: () => StatusReport,
    monitor: Monitor,
    endpoints: { readonly mqtt: Endpoint | null; readonly nats: Endpoint | null },
    scope: AsyncDisposableStack,
  ) {
    this.report = report;
    this.monitorEndpoint = monitor.endpoint;
    this.mqttEndpoint = endpoints.mqtt;
    this.natsEndpoint = endpoints.nats;
    this.#scope = scope;
  }

  /** Opening in reverse: no new messages, the last batch handed over, goodbye to the hub, the outbox on flash. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#scope.disposeAsync();
    return this.#closed;
  }
}
