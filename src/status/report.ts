// What the daemon says about itself: plain types, read by the command line, the monitor port, the metrics and the page.
// Field names are the outside's (snake_case), because this is what leaves the process.

export interface StatusReport {
  readonly version: string;
  readonly server_name: string;
  readonly device_id: string;
  /** RFC 3339, by a clock that may be wrong. */
  readonly now: string;
  readonly uptime_seconds: number;
  readonly rss_bytes: number;
  readonly health: Health;
  /** Absent while nothing keeps the time. */
  readonly clock?: ClockReport;
  readonly remotes: readonly RemoteReport[];
  readonly mqtt: MqttReport | null;
  readonly nats: NatsReport | null;
  readonly serial: readonly SerialReport[];
}

/** `ok`: all well. `degraded`: it works, but somebody should look. `failed`: acknowledgements are at a standstill. */
export interface Health {
  readonly verdict: "ok" | "degraded" | "failed";
  /** Plain sentences, worst first. */
  readonly reasons: readonly string[];
}

export interface ClockReport {
  /** The calendar was credible at least once since the board was switched on. */
  readonly trusted: boolean;
  /** No calendar that shows less is believed. RFC 3339. */
  readonly floor: string;
  readonly boot_id: string;
  /** Why the calendar is not believed, with a remedy. */
  readonly fault: string | null;
}

export interface RemoteReport {
  /** Its own name, or the account's. */
  readonly name: string;
  readonly account: string;
  readonly link: LinkReport;
  readonly outbox: OutboxReport;
}

export interface LinkReport {
  readonly state:
    | "waiting"
    | "dialing"
    | "securing"
    | "upgrading"
    | "awaiting-info"
    | "agreeing"
    | "joining"
    | "syncing"
    | "ready"
    | "stopped";
  readonly url: string;
  readonly since: string;
  readonly attempt: number;
  readonly rtt_ms: number | null;
  readonly tls: boolean;
  readonly hub_name: string | null;
  readonly hub_id: string | null;
  readonly hub_version: string | null;
  readonly hub_cluster: string | null;
  readonly hub_interest: number;
  readonly connects: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Before compression. */
  readonly plain_bytes_in: number;
  readonly plain_bytes_out: number;
  /** What was agreed on with the hub (`s2_auto`, `permessage-deflate`, `off`, …), and the level we compress with now. */
  readonly compression: { readonly mode: string; readonly level: string | null } | null;
  /** Bytes handed over whose arrival is not known yet, how many there may be, and bytes per second the link has shown. */
  readonly flow: { readonly under_way: number; readonly window: number; readonly bytes_per_second: number } | null;
  /** Isolation was asked for and is not given: a sentence why. */
  readonly isolation_fault: string | null;
  /** Configured ones first, then those the hub told of. */
  readonly urls: readonly {
    readonly url: string;
    readonly configured: boolean;
    readonly failures_in_row: number;
    readonly last_error: string | null;
    readonly rtt_ms: number | null;
  }[];
  readonly messages_in: number;
  readonly last_error: { readonly code: string; readonly message: string; readonly at: string } | null;
}

export interface OutboxReport {
  readonly mode: "down" | "draining" | "direct";
  /** Messages kept and not yet confirmed by the hub. */
  readonly depth: number;
  readonly flash_bytes: number;
  readonly staged_bytes: number;
  /** Messages that wait though there may be a link: nobody at the hub listens to them yet, or their stream does not store. */
  readonly held: number;
  readonly delivered: number;
  readonly live_sent: number;
  readonly commits: number;
  readonly fault: string | null;
  /** Most urgent first. */
  readonly lanes: readonly LaneReport[];
  /** Since the outbox was made, per reason, class and rule. */
  readonly losses: readonly LossReport[];
  /** Why losses are counted in memory only; null: they are written down. */
  readonly ledger_fault: string | null;
  /** Bytes of the volume that are left to others; null: the disk was not asked yet. */
  readonly free_reserve: number | null;
  /** Why nothing new is kept; null: it is. */
  readonly full: string | null;
  /** Subjects whose messages wait because their stream does not store, the first few, and how many in all. */
  readonly suspended: readonly { readonly subject: string; readonly why: string }[];
  readonly suspended_subjects: number;
  /** The last look at what streams at the hub had already of what was in doubt; null: none was needed. */
  readonly reconcile: ReconcileReport | null;
  readonly recovery: { readonly records: number; readonly torn_bytes: number; readonly damaged: number };
}

export interface LossReport {
  readonly reason: string;
  /** null: never kept. */
  readonly class: string | null;
  /** Index in `outbox.rules`; null: of no one rule, or of rules that have changed since. */
  readonly rule: number | null;
  readonly messages: number;
  /** Lowest and highest; there may be others between. */
  readonly from_seq: number | null;
  readonly through_seq: number | null;
  /** When it was noticed first and last, RFC 3339. */
  readonly first_time: string;
  readonly last_time: string;
}

export interface ReconcileReport {
  readonly last: string;
  readonly result: string;
  /** What could not be looked at, and why; "": nothing. */
  readonly text: string;
  readonly streams: number;
  readonly found: number;
}

export interface LaneReport {
  readonly class: string;
  readonly mode: "down" | "draining" | "direct";
  readonly depth: number;
  readonly flash_bytes: number;
  readonly held: number;
  readonly last_seq: number;
  readonly confirmed_seq: number;
  readonly committed_seq: number;
  readonly delivered: number;
}

export interface MqttReport {
  readonly listen: string;
  readonly clients: number;
  readonly connections: number;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** From clients without a subject or a permission for it. */
  readonly refused: number;
  /** To clients that read too slowly. */
  readonly dropped: number;
}

/** Local NATS clients. */
export interface NatsReport {
  readonly listen: string;
  readonly clients: number;
  readonly subscriptions: number;
  readonly connections: number;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Clients that were cut off because they read too slowly. */
  readonly slow_consumers: number;
  /** Messages on subjects that are forbidden or invalid. */
  readonly refused: number;
}

export interface SerialReport {
  readonly name: string;
  readonly path: string | null;
  readonly state: string;
  readonly cause: string | null;
  readonly is_silent: boolean;
  readonly bytes: number;
  readonly frames: number;
  readonly errors: number;
}
