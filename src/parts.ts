// The parts of a spoke that settings may replace while it runs, and how each is opened. Each opener fills in its field of `Parts` and
// empties it again when what it opened is disposed.

import type { Authenticator } from "#access/authenticator.ts";
import type { Clock } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import type { Resolver } from "#base/resolver.ts";
import type { TimeKeeper } from "#base/time-keeper.ts";
import type { Config } from "#config/config.ts";
import type { PageHost } from "#desks/page-host.ts";
import type { Firewall } from "#firewall/firewall.ts";
import { type HostIngress, openHost } from "#ingress/host/host-ingress.ts";
import type { HostMachine } from "#ingress/host/host-machine.ts";
import type { HubTaking } from "#ingress/mqtt/copy-watch.ts";
import { type MqttIngress, openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { type NatsIngress, openNats } from "#ingress/nats/nats-ingress.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { type openTapSocket, tapSocketPath } from "#ingress/serial/tap-socket.ts";
import type { Packer } from "#journal/packer.ts";
import type { AccountRouter } from "#router/router.ts";
import type { S2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { openStore } from "#store/open-store.ts";
import { storeBytesFor, storeDefaults } from "#store/options.ts";
import type { Store } from "#store/store.ts";
import { openStoreKey } from "#store/store-key.ts";
import type { RemoteOptions } from "#uplink/options.ts";
import { openUplink, type Uplink } from "#uplink/uplink.ts";
import type { HistoryFeed } from "./history-feed.ts";
import { LedgerFeed } from "./ledger-feed.ts";

/** What runs now. Ask it, don't copy from it. */
export interface Parts {
  readonly uplinks: Uplink[];
  mqtt: MqttIngress | null;
  nats: NatsIngress | null;
  serial: SerialIngress | null;
  host: HostIngress | null;
  store: Store | null;
  filter: Firewall | null;
  past: HistoryFeed | null;
  page: PageHost | null;
  /** What a failed change left closed for now, in words. */
  notOpen(): readonly string[];
}

export function noParts(): Parts {
  const none = { mqtt: null, nats: null, serial: null, host: null, store: null, filter: null, past: null, page: null };
  return { uplinks: [], ...none, notOpen: () => [] };
}

/** What all of them are opened with. */
export interface Ground {
  readonly parts: Parts;
  readonly dataDir: string;
  readonly version: string;
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly authenticator: Authenticator;
  readonly time: TimeKeeper;
  readonly codec: S2Codec;
  readonly resolver: Resolver;
  readonly openTapSocket: typeof openTapSocket | undefined;
  readonly env: Env;
  readonly signal: AbortSignal;
  hostMachine(): HostMachine | null;
  nextNumber(): number;
  /** Keeps updates out until disposed; undefined: there are none. */
  holdUpdates(): Disposable | undefined;
  /** `mqtt.retained.readable_from_nats`, as it is now. */
  isRetainedReadable(): boolean;
}

/** The composition root's, too: it opens uplinks one by one, before any door. */
export async function openUplinkPart(ground: Ground, config: Config, remote: RemoteOptions): Promise<AsyncDisposable> {
  const { parts, accounts, dataDir, codec, resolver, time, env, signal } = ground;
  await using scope = new AsyncDisposableStack();
  const account = accounts.get(remote.account)!; // the settings were checked
  const { outbox, serverName, deviceId, limits } = config;
  const { maxPayload } = limits;
  const { holdUpdates } = ground;
  const deps = { account, outbox, serverName, deviceId, dataDir, maxPayload, codec, resolver, time, holdUpdates };
  const uplink = scope.use(await openUplink(remote, deps, env, signal));
  const { losses } = uplink.outbox;
  scope.use(new LedgerFeed({ losses, account, serverName, remote: uplink.name }, env.clock));
  parts.uplinks.push(uplink);
  return scope.move();
}

export async function openMqttPart(ground: Ground, config: Config): Promise<AsyncDisposable | undefined> {
  if (config.mqtt === null) return undefined;
  const { parts, dataDir, codec, time, env, signal, version } = ground;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => {
    parts.mqtt = null;
    parts.store = null;
  });
  const storeEnv = { ...env, packer: new S2Packer(codec) };
  const keeping = scope.use(await openKeeping(config, config.mqtt, dataDir, storeEnv, signal));
  parts.store = keeping;
  const known = { env: { ...env, clock: reckoned(env.clock, time) }, ages: time };
  const hubs = (account: string, subject: string) =>
    parts.uplinks.filter((uplink) => uplink.account === account).map((uplink) => takingOf(uplink, subject));
  const deps = { ...doorDeps(ground, config), ...known, keeping, version, deviceId: config.deviceId, hubs };
  parts.mqtt = scope.use(await openMqtt(config.mqtt, deps, signal));
  keeping.release();
  return scope.move();
}

/** What its hub makes of messages on `subject` now. */
function takingOf(uplink: Uplink, subject: string): HubTaking {
  const hub = uplink.hubName === "" ? uplink.name : uplink.hubName;
  const { mayExport, listening } = uplink.outlook(subject, []).plan;
  const link = uplink.link.carrier;
  if (link === undefined || listening === "before" || listening === "unknown") return { hub, takes: "away", link };
  return { hub, takes: !mayExport ? "denied" : listening === "now" ? "yes" : "absent", link };
}

export async function openNatsPart(ground: Ground, config: Config): Promise<AsyncDisposable | undefined> {
  if (config.listen === null) return undefined;
  const { parts, signal } = ground;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => {
    parts.nats = null;
  });
  const { serverName, tls, websocket } = config;
  // As MQTT is now: it may have been opened anew meanwhile.
  const lastValues = (account: string) => (ground.isRetainedReadable() ? parts.mqtt?.retained.lastValues(account) : undefined);
  parts.nats = scope.use(
    await openNats(config.listen, { ...doorDeps(ground, config), serverName, tls, websocket, lastValues }, signal),
  );
  return scope.move();
}

export async function openSerialPart(ground: Ground, config: Config): Promise<AsyncDisposable | undefined> {
  if (config.serial.length === 0) return undefined;
  const { parts, time, env, signal, dataDir } = ground;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => {
    parts.serial = null;
  });
  const deps = { account: firstAccount(ground, config), env, isWallTrusted: () => time.isTrusted };
  parts.serial = scope.use(await openSerial(config.serial, deps, signal));
  const tapEnv = { disk: env.disk, log: env.log.part("serial") };
  const tap = await ground.openTapSocket?.(tapSocketPath(dataDir), parts.serial, tapEnv);
  if (tap !== undefined) scope.use(tap);
  return scope.move();
}

export async function openHostPart(ground: Ground, config: Config): Promise<AsyncDisposable | undefined> {
  if (config.host === null) return undefined;
  const { parts, time, env, dataDir } = ground;
  const machine = ground.hostMachine();
  if (machine === null) return undefined;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => {
    parts.host = null;
  });
  const { serverName } = config;
  const log = env.log.part("host");
  const deps = { account: firstAccount(ground, config), serverName, dataDir, time, machine, clock: env.clock, log };
  parts.host = scope.use(await openHost(config.host, deps));
  return scope.move();
}

/** Serial ports and the device's own readings speak into the first account. */
function firstAccount({ accounts }: Ground, config: Config): AccountRouter {
  return accounts.get(config.accounts[0]!.name)!;
}

function doorDeps({ accounts, authenticator, env, nextNumber }: Ground, { limits }: Config) {
  return { accounts, authenticator, limits, env, nextNumber };
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

/** With the calendar as far as it is known, for what is kept over restarts: it must not grow old because a board wakes up in 1970. */
function reckoned(clock: Clock, time: TimeKeeper): Clock {
  return {
    now: () => clock.now(),
    wall: () => time.wall(),
    after: (delay, action) => clock.after(delay, action),
    every: (period, action) => clock.every(period, action),
  };
}
