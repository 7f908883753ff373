// Gathers from the parts what the monitor's endpoints in nats-server's manner show (status/server-report.ts).

import { availableParallelism } from "node:os";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { timestamp } from "#base/clock.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import type { Endpoint } from "#base/net.ts";
import type { Config } from "#config/config.ts";
import { displaySubject, isValidSubject, subjectMatches, toSubject } from "#core/subject.ts";
import { ARRIVAL_LIMIT_MS, type DoorTls } from "#doors/gate.ts";
import type { TlsFacts } from "#doors/tls-facts.ts";
import { originText } from "#doors/web-origin.ts";
import type { MqttConnectionStatus } from "#ingress/mqtt/client-status.ts";
import type { MqttIngress } from "#ingress/mqtt/mqtt-ingress.ts";
import type { NatsClientStatus } from "#ingress/nats/client-status.ts";
import { CONNECT_TIMEOUT_MS } from "#ingress/nats/connection.ts";
import { PING_INTERVAL_MS, PINGS_MAX } from "#ingress/nats/heartbeat.ts";
import { COMPATIBLE_VERSION, type NatsIngress } from "#ingress/nats/nats-ingress.ts";
import type { AccountRouter } from "#router/router.ts";
import type {
  AccountReport,
  ClientReport,
  ClosedClientReport,
  LeafReport,
  ServerReport,
  ServerSource,
  SubscriptionReport,
  TlsReport,
  Traffic,
} from "#status/server-report.ts";
import type { Uplink } from "#uplink/uplink.ts";
import { CLIENT_LINE_BYTES_MAX } from "#wire/client-parser.ts";

export interface ServerParts {
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly uplinks: readonly Uplink[];
  readonly mqtt: MqttIngress | null;
  readonly nats: NatsIngress | null;
}

export interface ServerSourceEnv {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

type Settings = Pick<Config, "serverName" | "limits" | "leafnodes" | "noAuthUser" | "websocket">;

/** CPU is averaged over at least this long. */
const CPU_WINDOW_MS: Millis = 1_000;

/** `config`, `parts`: as they are whenever they are read. `nextNumber`: the one that numbers the connections of the doors, so that no leaf gets the number of a client. */
export function openServerSource(
  config: Settings,
  facts: { readonly version: string; readonly nextNumber: () => number },
  parts: ServerParts,
  env: ServerSourceEnv,
): ServerSource {
  const startedAt = env.clock.now();
  const startedWall = env.clock.wall();
  const id = parts.nats?.serverId ?? `N${randomToken(env.entropy, 55).toUpperCase()}`;
  const numbered = new Map(parts.uplinks.map((uplink) => [uplink, facts.nextNumber()] as const));
  const numbers = () => {
    for (const uplink of parts.uplinks) if (!numbered.has(uplink)) numbered.set(uplink, facts.nextNumber()); // added meanwhile
    return [...numbered].map(([uplink, number]) => [number, uplink] as const);
  };
  const cpu = new CpuMeter(env.clock);
  const leafs = () => numbers().flatMap(([number, uplink]) => leafReport(number, uplink) ?? []);
  const clients = () => {
    const now = env.clock.wall();
    const nats = parts.nats?.clients().map((client) => natsClientReport(client, now)) ?? [];
    return [...nats, ...(parts.mqtt?.clients().map((client) => mqttClientReport(client, now)) ?? [])];
  };
  return {
    server: () => ({
      ...identity(config, parts),
      id,
      version: facts.version,
      now: timestamp(env.clock.wall()),
      start: timestamp(startedWall),
      uptime_ms: env.clock.now() - startedAt,
      resident_bytes: process.memoryUsage.rss(),
      cores: availableParallelism(),
      cpu_percent: cpu.percent(),
      clients: clientTotals(parts),
      leafs: parts.uplinks.map(leafTraffic).reduce(sum, NOTHING),
    }),
    clients,
    closedClients: () => closedClients(parts),
    leafs,
    leafFilters: (number) =>
      displayed(
        numbers()
          .find(([each]) => each === number)?.[1]
          .hubFilters() ?? [],
      ),
    accounts: () => {
      const present = { clients: clients(), leafs: leafs(), traffic: trafficByAccount(parts), uplinks: parts.uplinks };
      return [...parts.accounts.values()].map((account) => accountReport(account, present));
    },
    subscriptions: ({ account, subject }) =>
      subscriptions(parts, account, subject === undefined ? undefined : toSubject(subject)),
    isSubject: (text) => isValidSubject(toSubject(text)),
  };
}

const NOTHING: Traffic = { in_messages: 0, in_bytes: 0, out_messages: 0, out_bytes: 0 };

function sum(a: Traffic, b: Traffic): Traffic {
  return {
    in_messages: a.in_messages + b.in_messages,
    in_bytes: a.in_bytes + b.in_bytes,
    out_messages: a.out_messages + b.out_messages,
    out_bytes: a.out_bytes + b.out_bytes,
  };
}

function identity(config: Settings, { nats, mqtt }: ServerParts) {
  const { limits } = config;
  return {
    name: config.serverName,
    nats_version: COMPATIBLE_VERSION,
    nats: nats === null ? null : { ...nats.endpoint, tls: tlsListening(nats.tls) },
    websocket: nats === null || nats.webSocketEndpoint === null ? null : webSocket(config, nats, nats.webSocketEndpoint),
    mqtt: mqtt === null ? null : { ...mqtt.endpoint },
    auth_required: nats?.isAuthRequired ?? config.noAuthUser === null,
    limits: {
      connections: limits.maxConnections,
      payload_bytes: limits.maxPayload,
      pending_bytes: limits.maxPending,
      write_deadline_ms: limits.writeDeadline,
      control_line_bytes: CLIENT_LINE_BYTES_MAX,
      ping_interval_ms: PING_INTERVAL_MS,
      pings: PINGS_MAX,
      connect_timeout_ms: CONNECT_TIMEOUT_MS,
      tls_timeout_ms: ARRIVAL_LIMIT_MS,
    },
    remotes: config.leafnodes.remotes.map(({ account, urls }) => ({ account, urls: urls.map(({ text }) => text) })),
  } satisfies Partial<ServerReport>;
}

function tlsListening(tls: DoorTls | null) {
  return tls === null ? null : { verify: tls.isVerifying, not_after: timestamp(tls.notAfter) };
}

function webSocket({ websocket }: Settings, nats: NatsIngress, at: Endpoint) {
  const { sameOrigin = false, allowedOrigins = [] } = websocket ?? {};
  return {
    ...at,
    tls: tlsListening(nats.webSocketTls),
    same_origin: sameOrigin,
    allowed_origins: allowedOrigins.map(originText),
  };
}

function closedClients({ nats, mqtt }: ServerParts): ClosedClientReport[] {
  const end = ({ stopped, reason }: { readonly stopped: WallMillis; readonly reason: string }) => {
    return { stop: timestamp(stopped), reason };
  };
  const ofNats = [...(nats?.closed() ?? [])].map((one) => ({ ...natsClientReport(one, one.stopped), ...end(one) }));
  const ofMqtt = [...(mqtt?.closed() ?? [])].map((one) => ({ ...mqttClientReport(one, one.stopped), ...end(one) }));
  return [...ofNats, ...ofMqtt];
}

interface AccountTraffic extends Traffic {
  readonly slow: number;
}

function trafficByAccount({ nats, mqtt }: ServerParts): ReadonlyMap<string, AccountTraffic> {
  const traffic = new Map<string, AccountTraffic>();
  for (const [name, figures] of [...(nats?.accountFigures() ?? []), ...(mqtt?.accountFigures() ?? [])]) {
    const past = traffic.get(name) ?? { ...NOTHING, slow: 0 };
    const { messagesIn: in_messages, bytesIn: in_bytes, messagesOut: out_messages, bytesOut: out_bytes, slow } = figures;
    traffic.set(name, { ...sum(past, { in_messages, in_bytes, out_messages, out_bytes }), slow: past.slow + slow });
  }
  return traffic;
}

function clientTotals({ nats, mqtt }: ServerParts): ServerReport["clients"] {
  const n = nats?.status();
  const m = mqtt?.status();
  return {
    in_messages: (n?.messagesIn ?? 0) + (m?.totals.messagesIn ?? 0),
    in_bytes: (n?.bytesIn ?? 0) + (m?.totals.bytesIn ?? 0),
    out_messages: (n?.messagesOut ?? 0) + (m?.totals.messagesOut ?? 0),
    out_bytes: (n?.bytesOut ?? 0) + (m?.totals.bytesOut ?? 0),
    connections: (n?.connections ?? 0) + (m?.totals.connections ?? 0),
    slow: (n?.endings.slow ?? 0) + (m?.endings.stalled ?? 0),
    stale: n?.endings.stale ?? 0,
  };
}

function natsClientReport(client: NatsClientStatus, now: WallMillis): ClientReport {
  const [library = "", version = ""] = client.library.split(" ");
  return {
    ...anyClientReport(client, now),
    type: client.isWebSocket ? "websocket" : "nats",
    rtt_ms: client.rtt,
    name: client.name,
    library,
    library_version: version,
    mqtt_client_id: null,
    tls: client.tls === null ? null : tlsReport(client.tls),
  };
}

/** What clients of all kinds have in common. */
function anyClientReport(client: NatsClientStatus | MqttConnectionStatus, now: WallMillis) {
  return {
    number: client.number,
    address: client.address,
    port: client.port,
    start: timestamp(client.since),
    last_activity: timestamp(now - client.idle),
    uptime_ms: Math.max(0, now - client.since),
    idle_ms: client.idle,
    pending_bytes: client.pendingBytes,
    in_messages: client.messagesIn,
    in_bytes: client.bytesIn,
    out_messages: client.messagesOut,
    out_bytes: client.bytesOut,
    subscriptions: client.subscriptions,
    user: client.user,
    account: client.account,
  };
}

function tlsReport({ version, cipher, isFirst, certificate }: TlsFacts): TlsReport {
  const shown = certificate && { subject: certificate.subject, key_hash: certificate.keyHash, hash: certificate.hash };
  return { version, cipher, is_first: isFirst, certificate: shown };
}

function mqttClientReport(client: MqttConnectionStatus, now: WallMillis): ClientReport {
  return {
    ...anyClientReport(client, now),
    type: "mqtt",
    rtt_ms: null,
    name: "",
    library: "",
    library_version: "",
    mqtt_client_id: displaySubject(client.clientId),
    tls: client.tls === null ? null : tlsReport(client.tls),
  };
}

/** Kept messages count when the hub has confirmed them, others when they leave. Bytes are those before compression. */
function leafTraffic(uplink: Uplink): Traffic {
  const { link, outbox, messagesIn } = uplink.status();
  return {
    in_messages: messagesIn,
    in_bytes: link.plainBytesIn,
    out_messages: outbox.delivered + outbox.liveSent,
    out_bytes: link.plainBytesOut,
  };
}

/** Undefined while the link is not ready. */
function leafReport(number: number, uplink: Uplink): LeafReport | undefined {
  const { link, account, name, hubInterest, isolationFault, isIsolated } = uplink.status();
  if (link.state !== "ready" || link.hub === null) return undefined;
  const { host, port } = hostOf(link.url);
  return {
    ...leafTraffic(uplink),
    number,
    remote: name,
    hub_name: link.hub.name,
    account,
    host,
    port,
    rtt_ms: link.rttMs,
    hub_filters: hubInterest,
    compression: link.compression?.level ?? link.compression?.mode ?? "off",
    is_isolated: isIsolated && isolationFault === null,
  };
}

function hostOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url.replace(/^[a-z-]+:/, "http:"));
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
}

function accountReport(
  account: AccountRouter,
  present: {
    readonly clients: readonly ClientReport[];
    readonly leafs: readonly LeafReport[];
    readonly traffic: ReadonlyMap<string, AccountTraffic>;
    readonly uplinks: readonly Uplink[];
  },
): AccountReport {
  const { subscriptions: count, inserts, removes, routes, receivers, receiversMax } = account.status();
  const { slow, ...traffic } = present.traffic.get(account.name) ?? { ...NOTHING, slow: 0 };
  const links = present.uplinks.filter((uplink) => uplink.status().account === account.name);
  return {
    name: account.name,
    clients: present.clients.filter((client) => client.account === account.name).length,
    leafs: present.leafs.filter((leaf) => leaf.account === account.name).length,
    subscriptions: count,
    inserts,
    removes,
    routes,
    receivers,
    receivers_max: receiversMax,
    client_traffic: traffic,
    leaf_traffic: links.map(leafTraffic).reduce(sum, NOTHING),
    slow,
  };
}

function* subscriptions(
  { nats, mqtt }: ServerParts,
  account: string | undefined,
  subject: string | undefined,
): Iterable<SubscriptionReport> {
  const isWanted = (one: { readonly account: string; readonly filter: string }) =>
    (account === undefined || one.account === account) && (subject === undefined || subjectMatches(one.filter, subject));
  for (const one of nats?.subscriptions() ?? []) {
    if (!isWanted(one)) continue;
    const { number, queue, sid, delivered } = one;
    const max = one.max === 0 ? null : one.max;
    yield {
      client: number,
      account: one.account,
      filter: displaySubject(one.filter),
      queue,
      sid,
      messages: delivered,
      messages_max: max,
    };
  }
  for (const one of mqtt?.subscriptions() ?? []) {
    if (!isWanted(one)) continue;
    const filter = displaySubject(one.filter);
    yield { client: one.number, account: one.account, filter, queue: null, sid: filter, messages: null, messages_max: null };
  }
}

function* displayed(filters: Iterable<string>): Iterable<string> {
  for (const filter of filters) yield displaySubject(filter);
}

/** Percent of one core since the last reading that is at least a second old. */
class CpuMeter {
  readonly #clock: Clock;
  #at: Millis;
  #usage = process.cpuUsage();
  #percent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  percent(): number {
    const past = this.#clock.now() - this.#at;
    if (past < CPU_WINDOW_MS) return this.#percent;
    const { user, system } = process.cpuUsage(this.#usage);
    this.#percent = Math.round((user + system) / past) / 10; // microseconds per millisecond, in tenths of a percent
    this.#usage = process.cpuUsage();
    this.#at += past;
    return this.#percent;
  }
}
