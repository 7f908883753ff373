// The composition root: opens every part, wires them, and closes them in reverse.
//
//   lock → time → accounts → uplinks (outbox recovers here) → mqtt, nats, serial → monitor → links start to dial
//
// Doors open only after the outboxes are ready to keep what comes in, and a link is never waited for (DESIGN §1.2).

import { createAuthenticator } from "#access/authenticator.ts";
import type { Env } from "#base/env.ts";
import type { Log } from "#base/log.ts";
import type { Endpoint } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { openTimeKeeper } from "#base/time-keeper.ts";
import type { Config } from "#config/config.ts";
import { type MqttIngress, openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import { type NatsIngress, openNats } from "#ingress/nats/nats-ingress.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { type Monitor, openMonitor } from "#monitor/monitor.ts";
import { AccountRouter } from "#router/router.ts";
import { openS2Codec, type S2Codec } from "#s2/codec.ts";
import type { StatusReport } from "#status/report.ts";
import { openUplink, outboxFolder, type Uplink } from "#uplink/uplink.ts";
import { type LockPlace, lockDataDirectory } from "./data-lock.ts";
import { LedgerFeed } from "./ledger-feed.ts";
import { openServerSource } from "./server-source.ts";
import { reportOf } from "./status-report.ts";

/** The control socket in the data directory: `petiole status` asks here. */
export function controlSocketPath(dataDir: string): string {
  return `${dataDir}/control.sock`;
}

export interface SpokeFacts {
  readonly dataDir: string;
  readonly version: string;
}

/** What a spoke takes of the machine beside `Env`: sockets that are no network, and compiled code. A simulation brings its own. */
export interface Machine {
  /** Makes this the only daemon in the data directory, until disposed. */
  lock(place: LockPlace, log: Log): Promise<AsyncDisposable>;
  readonly openMonitor: typeof openMonitor;
  openCodec(): S2Codec;
}

export function systemMachine(): Machine {
  return { lock: lockDataDirectory, openMonitor, openCodec: openS2Codec };
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

  const parts: { uplinks: Uplink[]; mqtt: MqttIngress | null; nats: NatsIngress | null; serial: SerialIngress | null } = {
    uplinks: [],
    mqtt: null,
    nats: null,
    serial: null,
  };
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
  if (config.mqtt !== null) parts.mqtt = scope.use(await openMqtt(config.mqtt, doorDeps, signal));
  if (config.listen !== null) {
    const { serverName, tls, websocket } = config;
    parts.nats = scope.use(await openNats(config.listen, { ...doorDeps, serverName, tls, websocket }, signal));
  }
  if (config.serial.length > 0) {
    const account = accounts.get(config.accounts[0]!.name)!; // serial ports speak into the first account
    parts.serial = scope.use(await openSerial(config.serial, { account, env }, signal));
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
  for (const uplink of parts.uplinks) uplink.start();
  const endpoints = { mqtt: parts.mqtt?.endpoint ?? null, nats: parts.nats?.endpoint ?? null };
  return new Spoke(report, monitor, endpoints, scope.move());
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
