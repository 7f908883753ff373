// GET /varz: the process as a whole.

import type { ServerSource, TlsListening, WebSocketListening } from "#status/server-report.ts";
import { uptimeText } from "./go-text.ts";

const NS_PER_MS = 1_000_000;

export interface HttpFacts {
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** Requests per path since the start. */
  readonly requests: Readonly<Record<string, number>>;
}

export function varz(source: ServerSource, http: HttpFacts): Record<string, unknown> {
  const server = source.server();
  const { limits, clients, leafs } = server;
  return {
    server_id: server.id,
    server_name: server.name,
    version: server.version,
    proto: 1,
    ...(server.nats === null ? {} : { host: server.nats.host, port: server.nats.port }),
    auth_required: server.auth_required,
    ...(server.nats?.tls == null ? {} : { tls_required: true, ...(server.nats.tls.verify ? { tls_verify: true } : {}) }),
    max_connections: limits.connections,
    ping_interval: limits.ping_interval_ms * NS_PER_MS,
    ping_max: limits.pings,
    http_host: http.listen?.host ?? "",
    http_port: http.listen?.port ?? 0,
    http_base_path: "",
    https_port: 0,
    auth_timeout: limits.connect_timeout_ms / 1000,
    max_control_line: limits.control_line_bytes,
    max_payload: limits.payload_bytes,
    max_pending: limits.pending_bytes,
    cluster: {},
    gateway: {},
    leaf: { remotes: server.remotes.map(({ account, urls }) => ({ local_account: account, urls: urls.map(placeOf) })) },
    mqtt: server.mqtt ?? {},
    websocket: server.websocket === null ? {} : webSocket(server.websocket),
    jetstream: {},
    tls_timeout: limits.tls_timeout_ms / 1000,
    write_deadline: limits.write_deadline_ms * NS_PER_MS,
    start: server.start,
    now: server.now,
    uptime: uptimeText(server.uptime_ms),
    mem: server.resident_bytes,
    cores: server.cores,
    cpu: server.cpu_percent,
    connections: source.clients().length,
    total_connections: clients.connections,
    routes: 0,
    remotes: 0,
    leafnodes: source.leafs().length,
    in_msgs: clients.in_messages + leafs.in_messages,
    in_bytes: clients.in_bytes + leafs.in_bytes,
    in_client_msgs: clients.in_messages,
    in_client_bytes: clients.in_bytes,
    out_msgs: clients.out_messages + leafs.out_messages,
    out_bytes: clients.out_bytes + leafs.out_bytes,
    out_client_msgs: clients.out_messages,
    out_client_bytes: clients.out_bytes,
    slow_consumers: clients.slow,
    stale_connections: clients.stale,
    subscriptions: source.accounts().reduce((total, account) => total + account.subscriptions, 0),
    http_req_stats: http.requests,
    config_load_time: server.start,
    slow_consumer_stats: { clients: clients.slow, routes: 0, gateways: 0, leafs: 0 },
    stale_connection_stats: { clients: clients.stale, routes: 0, gateways: 0, leafs: 0 },
    ...endOf(server.nats?.tls ?? null),
    petiole: { nats_version: server.nats_version },
  };
}

function webSocket({ host, port, tls, same_origin, allowed_origins }: WebSocketListening): Record<string, unknown> {
  return {
    host,
    port,
    ...(same_origin ? { same_origin } : {}),
    ...(allowed_origins.length === 0 ? {} : { allowed_origins }),
    ...endOf(tls),
  };
}

function endOf(tls: TlsListening | null): Record<string, unknown> {
  return tls === null ? {} : { tls_cert_not_after: tls.not_after };
}

/** nats-server names a remote's URLs by host and port alone. */
function placeOf(url: string): string {
  return url.replace(/^[a-z-]+:\/\//, "").replace(/\/.*$/, "");
}
