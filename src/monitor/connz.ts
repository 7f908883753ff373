// GET /connz: local clients, those of NATS and those of MQTT; open ones, and the last of those that have ended.

import type {
  ClientReport,
  ClosedClientReport,
  ServerReport,
  ServerSource,
  SubscriptionReport,
  TlsReport,
} from "#status/server-report.ts";
import { goDuration, uptimeText } from "./go-text.ts";
import { LIMIT_MAX, type Query, QueryError, quote } from "./query.ts";

/** One that is open has no end. */
type Listed = ClientReport & Partial<Pick<ClosedClientReport, "stop" | "reason">>;
type Order = (a: Listed, b: Listed) => number;

const largest =
  (of: (client: Listed) => number): Order =>
  (a, b) =>
    of(b) - of(a) || a.number - b.number;

const byNumber: Order = (a, b) => a.number - b.number;

/** nats-server's words and its directions: most first, except where time or number count up. */
const ORDERS: Readonly<Record<string, Order>> = {
  cid: byNumber,
  start: (a, b) => compareText(a.start, b.start) || byNumber(a, b),
  subs: largest((client) => client.subscriptions),
  pending: largest((client) => client.pending_bytes),
  msgs_to: largest((client) => client.out_messages),
  msgs_from: largest((client) => client.in_messages),
  bytes_to: largest((client) => client.out_bytes),
  bytes_from: largest((client) => client.in_bytes),
  last: (a, b) => a.idle_ms - b.idle_ms || byNumber(a, b),
  idle: largest((client) => client.idle_ms),
  uptime: (a, b) => compareText(b.start, a.start) || byNumber(b, a),
  rtt: largest((client) => client.rtt_ms ?? 0),
};

/** Of closed connections alone. */
const CLOSED_ORDERS: Readonly<Record<string, Order>> = {
  stop: (a, b) => compareText(b.stop ?? "", a.stop ?? "") || byNumber(b, a),
  reason: (a, b) => compareText(a.reason ?? "", b.reason ?? "") || byNumber(a, b),
};

export function connz(source: ServerSource, server: ServerReport, query: Query): Record<string, unknown> {
  const wantsAuth = query.flag("auth");
  const subs = query.flagOrDetail("subs");
  const state = stateOf(query.text("state") ?? "open");
  const order = orderOf(query.text("sort") ?? "cid", state);
  const cid = query.int("cid");
  if (cid !== undefined && cid < 0) throw new QueryError(`Error decoding uint64 for 'cid': wanted zero or more, got ${cid}`);
  const limit = cid ? 1 : query.limit();
  const offset = cid ? 0 : query.offset();

  const all: Listed[] = [...(state === "closed" ? [] : source.clients()), ...(state === "open" ? [] : source.closedClients())];
  const found = all.filter(filterOf(query, cid)).sort(order);
  const page = found.slice(offset, offset + limit);
  const listed = subs === false ? undefined : subscriptionsOf(page, source.subscriptions({}));
  return {
    server_id: server.id,
    now: server.now,
    num_connections: page.length,
    total: cid ? all.length : found.length,
    offset,
    limit,
    connections: page.map((client) => ({
      ...connection(client),
      ...(client.tls === null ? {} : tlsFields(client.tls, wantsAuth && client.stop === undefined)),
      ...(wantsAuth ? userFields(client) : {}),
      ...(listed === undefined ? {} : listFor(listed.of.get(client.number) ?? [], subs === "detail")),
      ...(wantsAuth && client.account !== "" ? { name_tag: client.account } : {}),
      ...(client.mqtt_client_id === null ? {} : { mqtt_client: client.mqtt_client_id }),
    })),
    ...(listed === undefined || listed.left === 0 ? {} : { petiole: { subscriptions_left_out: listed.left } }),
  };
}

function orderOf(name: string, state: State): Order {
  if (Object.hasOwn(CLOSED_ORDERS, name)) {
    if (state === "closed") return CLOSED_ORDERS[name]!;
    throw new QueryError(`sort by ${name} only valid on closed connections`);
  }
  if (!Object.hasOwn(ORDERS, name)) {
    const names = [...Object.keys(ORDERS), ...Object.keys(CLOSED_ORDERS)];
    throw new QueryError(`invalid sorting option: ${quote(name)}; there are ${names.join(", ")}`);
  }
  return ORDERS[name]!;
}

type State = "open" | "closed" | "all";

function stateOf(text: string): State {
  const word = text.toLowerCase();
  if (word === "open" || word === "closed" || word === "all") return word;
  if (word === "any") return "all";
  throw new QueryError(`Error decoding state: wanted open, closed or all, got ${quote(text)}`);
}

function filterOf(query: Query, cid: number | undefined): (client: Listed) => boolean {
  const account = query.text("acc");
  const user = query.text("user");
  const mqttClient = query.text("mqtt_client");
  if (cid) return ({ number }) => number === cid;
  return (client) =>
    (account === undefined || client.account === account) &&
    (user === undefined || client.user === user) &&
    (mqttClient === undefined || client.mqtt_client_id === mqttClient);
}

function connection(client: Listed): Record<string, unknown> {
  return {
    cid: client.number,
    kind: "Client",
    type: client.type,
    ip: client.address,
    port: client.port,
    start: client.start,
    last_activity: client.last_activity,
    ...(client.stop === undefined ? {} : { stop: client.stop, reason: client.reason }),
    rtt: goDuration(client.rtt_ms ?? 0),
    uptime: uptimeText(client.uptime_ms),
    idle: uptimeText(client.idle_ms),
    pending_bytes: client.pending_bytes,
    in_msgs: client.in_messages,
    out_msgs: client.out_messages,
    in_bytes: client.in_bytes,
    out_bytes: client.out_bytes,
    subscriptions: client.subscriptions,
    ...(client.name === "" ? {} : { name: client.name }),
    ...(client.library === "" ? {} : { lang: client.library }),
    ...(client.library_version === "" ? {} : { version: client.library_version }),
  };
}

/** A closed connection's certificate is not told, as in nats-server. */
function tlsFields({ version, cipher, is_first, certificate }: TlsReport, wantsCertificate: boolean): Record<string, unknown> {
  return {
    tls_version: version,
    tls_cipher_suite: cipher,
    ...(wantsCertificate && certificate !== null ? { tls_peer_certs: [certificateFields(certificate)] } : {}),
    ...(is_first ? { tls_first: true } : {}),
  };
}

function certificateFields({ subject, key_hash, hash }: NonNullable<TlsReport["certificate"]>): Record<string, unknown> {
  return { subject, spki_sha256: key_hash, cert_sha256: hash };
}

/** Who was not let in may have named a user, and has no account. */
function userFields({ user, account }: Listed): Record<string, unknown> {
  return { ...(user === "" ? {} : { authorized_user: user }), ...(account === "" ? {} : { account }) };
}

/** Bounded over the whole page: a thousand clients may have ten thousand subscriptions each. */
function subscriptionsOf(page: readonly Listed[], subscriptions: Iterable<SubscriptionReport>) {
  const of = new Map<number, SubscriptionReport[]>(page.map(({ number }) => [number, []]));
  let taken = 0;
  let left = 0;
  for (const subscription of subscriptions) {
    const list = of.get(subscription.client);
    if (list === undefined) continue;
    if (taken < LIMIT_MAX) {
      list.push(subscription);
      taken += 1;
    } else left += 1;
  }
  return { of, left };
}

function listFor(subscriptions: readonly SubscriptionReport[], isDetailed: boolean): Record<string, unknown> {
  if (subscriptions.length === 0) return {};
  if (!isDetailed) return { subscriptions_list: subscriptions.map(({ filter }) => filter) };
  return { subscriptions_list_detail: subscriptions.map(subscriptionDetail) };
}

/** One subscription as /connz and /subsz show it. */
export function subscriptionDetail(one: SubscriptionReport): Record<string, unknown> {
  return {
    subject: one.filter,
    ...(one.queue === null ? {} : { qgroup: one.queue }),
    sid: one.sid,
    ...(one.messages === null ? {} : { msgs: one.messages }),
    ...(one.messages_max === null ? {} : { max: one.messages_max }),
    cid: one.client,
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
