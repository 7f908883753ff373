// What the monitor's endpoints in nats-server's manner are made of: plain data, gathered when somebody asks.
// The monitor (src/monitor) gives it nats-server's field names; here are our own words and units.

/** Asked by the monitor; answered by the composition root. Nothing is gathered before. */
export interface ServerSource {
  server(): ServerReport;
  clients(): readonly ClientReport[];
  /** The last of those that have ended, oldest first. */
  closedClients(): readonly ClosedClientReport[];
  /** Links that are ready. */
  leafs(): readonly LeafReport[];
  /** Filters the hub of one leaf listens to. */
  leafFilters(number: number): Iterable<string>;
  accounts(): readonly AccountReport[];
  /** Of local clients. `account`, `subject`: only those of this account, only those that match this literal subject. */
  subscriptions(only: {
    readonly account?: string | undefined;
    readonly subject?: string | undefined;
  }): Iterable<SubscriptionReport>;
  /** Can a message be published on this? */
  isSubject(text: string): boolean;
}

export interface Traffic {
  readonly in_messages: number;
  readonly in_bytes: number;
  readonly out_messages: number;
  readonly out_bytes: number;
}

export interface ServerReport {
  /** Random, another after each start. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** The nats-server that local clients and the hub take us for. */
  readonly nats_version: string;
  /** RFC 3339, by a clock that may be wrong. */
  readonly now: string;
  readonly start: string;
  readonly uptime_ms: number;
  readonly nats: NatsListening | null;
  readonly websocket: WebSocketListening | null;
  readonly mqtt: Listening | null;
  readonly auth_required: boolean;
  readonly limits: {
    readonly connections: number;
    readonly payload_bytes: number;
    readonly pending_bytes: number;
    readonly write_deadline_ms: number;
    readonly control_line_bytes: number;
    readonly ping_interval_ms: number;
    readonly pings: number;
    readonly connect_timeout_ms: number;
    readonly tls_timeout_ms: number;
  };
  readonly remotes: readonly { readonly account: string; readonly urls: readonly string[] }[];
  readonly resident_bytes: number;
  readonly cores: number;
  /** Of one core, since it was last asked for, at least a second ago. */
  readonly cpu_percent: number;
  /** Local clients of all kinds since the start; those that are gone included. */
  readonly clients: Traffic & { readonly connections: number; readonly slow: number; readonly stale: number };
  readonly leafs: Traffic;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
}

export interface NatsListening extends Listening {
  readonly tls: TlsListening | null;
}

export interface WebSocketListening extends NatsListening {
  readonly same_origin: boolean;
  readonly allowed_origins: readonly string[];
}

export interface TlsListening {
  /** Clients must show a certificate. */
  readonly verify: boolean;
  /** When our certificate ends, RFC 3339. */
  readonly not_after: string;
}

export interface ClientReport extends Traffic {
  /** Of its connection, in this process never used again. */
  readonly number: number;
  readonly type: "nats" | "websocket" | "mqtt";
  readonly address: string;
  readonly port: number;
  /** RFC 3339. */
  readonly start: string;
  readonly last_activity: string;
  readonly uptime_ms: number;
  readonly idle_ms: number;
  /** null: not measured. */
  readonly rtt_ms: number | null;
  readonly pending_bytes: number;
  readonly subscriptions: number;
  readonly user: string;
  readonly account: string;
  /** What a NATS client says of itself; "" where it says nothing. */
  readonly name: string;
  readonly library: string;
  readonly library_version: string;
  readonly mqtt_client_id: string | null;
  /** null: it came without, or this kind is not asked. */
  readonly tls: TlsReport | null;
}

/** A connection that has ended; one that was not let in has no account. */
export interface ClosedClientReport extends ClientReport {
  /** RFC 3339. */
  readonly stop: string;
  /** In nats-server's words. */
  readonly reason: string;
}

export interface TlsReport {
  readonly version: string;
  /** IANA's name. */
  readonly cipher: string;
  /** Before INFO. */
  readonly is_first: boolean;
  /** The client's, if one was asked for. Hashes are SHA-256 in hexadecimal. */
  readonly certificate: { readonly subject: string; readonly key_hash: string; readonly hash: string } | null;
}

export interface LeafReport extends Traffic {
  readonly number: number;
  readonly remote: string;
  readonly hub_name: string;
  readonly account: string;
  /** Of the URL in use: an address or a name. */
  readonly host: string;
  readonly port: number;
  readonly rtt_ms: number | null;
  readonly hub_filters: number;
  readonly compression: string;
  /** Asked for, and nothing shows that it is not given. */
  readonly is_isolated: boolean;
}

export interface AccountReport {
  readonly name: string;
  readonly clients: number;
  readonly leafs: number;
  readonly subscriptions: number;
  readonly inserts: number;
  readonly removes: number;
  /** Routes remembered, their local receivers together, and the most of one. */
  readonly routes: number;
  readonly receivers: number;
  readonly receivers_max: number;
  /** Of local clients since the start, those that are gone included; and of its links. */
  readonly client_traffic: Traffic;
  readonly leaf_traffic: Traffic;
  /** Clients cut off because they read too slowly. */
  readonly slow: number;
}

export interface SubscriptionReport {
  readonly client: number;
  readonly account: string;
  readonly filter: string;
  readonly queue: string | null;
  readonly sid: string;
  /** null: not counted. */
  readonly messages: number | null;
  /** It ends with this message; null: it does not. */
  readonly messages_max: number | null;
}
