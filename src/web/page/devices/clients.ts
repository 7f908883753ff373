// What `GET /api/clients` answers, and a list of it in the order and as far as somebody wants to see it.

export interface MqttClient {
  readonly client_id: string;
  /** false: its session is kept, and it is away. */
  readonly connected: boolean;
  readonly user: string;
  readonly account: string;
  readonly address: string | null;
  readonly version: string | null;
  readonly since: string | null;
  readonly last_seen: string | null;
  readonly messages_in: number;
  readonly messages_out: number;
  /** Per second; null: nobody looked lately. */
  readonly rate_in: number | null;
  readonly inflight: number;
  readonly queue: number;
  readonly queue_bytes: number;
  readonly session_kept: boolean;
  readonly subscriptions: number;
  readonly tls: boolean;
}

export interface NatsClient {
  readonly cid: number;
  readonly name: string;
  readonly user: string;
  readonly account: string;
  readonly address: string;
  readonly lang: string;
  readonly version: string;
  readonly since: string;
  readonly last_seen: string;
  readonly subscriptions: number;
  readonly pending_bytes: number;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly rtt_ms: number | null;
  readonly tls: boolean;
}

export interface Clients {
  readonly mqtt: readonly MqttClient[];
  readonly nats: readonly NatsClient[];
  /** Left out. */
  readonly more: { readonly mqtt: number; readonly nats: number };
}

export const MQTT_ORDERS = ["name", "seen", "quiet", "rate", "queue"] as const;
export const NATS_ORDERS = ["name", "seen", "quiet"] as const;

export type Order = (typeof MQTT_ORDERS)[number];

interface Listed {
  readonly name: string;
  readonly words: string;
  readonly seen: string;
  readonly rate: number;
  readonly queue: number;
}

export function listMqtt(clients: readonly MqttClient[], search: string, order: Order): readonly MqttClient[] {
  return ordered(clients, search, order, (client) => ({
    name: client.client_id,
    words: `${client.client_id} ${client.user} ${client.address ?? ""}`,
    seen: client.last_seen ?? "",
    rate: client.rate_in ?? 0,
    queue: client.queue,
  }));
}

export function listNats(clients: readonly NatsClient[], search: string, order: Order): readonly NatsClient[] {
  return ordered(clients, search, order, (client) => ({
    name: client.name,
    words: `${client.cid} ${client.name} ${client.user} ${client.address} ${client.lang}`,
    seen: client.last_seen,
    rate: 0,
    queue: client.pending_bytes,
  }));
}

/** Equals stay in the order of their names: a list that is looked at must not dance. */
function ordered<T>(clients: readonly T[], search: string, order: Order, describe: (client: T) => Listed): readonly T[] {
  const wanted = search.trim().toLowerCase();
  const listed = clients.map((client) => ({ client, ...describe(client) }));
  const found = wanted === "" ? listed : listed.filter(({ words }) => words.toLowerCase().includes(wanted));
  const text = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);
  const by: Readonly<Record<Order, (one: Listed, other: Listed) => number>> = {
    name: () => 0,
    seen: (one, other) => text(other.seen, one.seen),
    quiet: (one, other) => text(one.seen, other.seen),
    rate: (one, other) => other.rate - one.rate,
    queue: (one, other) => other.queue - one.queue,
  };
  return found.sort((one, other) => by[order](one, other) || text(one.name, other.name)).map(({ client }) => client);
}
