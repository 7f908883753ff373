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
  /** The device's own readings; absent while nobody makes them. */
  readonly host?: HostReport;
  /** What MQTT keeps on flash: sessions with their messages, retained messages. Absent without MQTT. */
  readonly store?: StoreReport;
  /** Absent where it was never switched on. */
  readonly packet_filter?: PacketFilterReport;
  /** Which call to the disk gets no answer; null: none. Absent where nobody watches. */
  readonly disk_fault?: string | null;
  /** The last run that did not end well. Absent: none is known. */
  readonly last_crash?: CrashReport;
  /** Absent where it is off. */
  readonly page?: PageReport;
  /** Parts that a failed change of the settings left closed for now, a sentence each; absent: none. */
  readonly not_open?: readonly string[];
}

export interface StoreReport {
  readonly keys: number;
  readonly live_bytes: number;
  readonly file_bytes: number;
  readonly max_bytes: number;
  /** Why it takes nothing new; null: it does. */
  readonly full: "bytes" | "disk" | "staged" | null;
  /** Why it cannot write; null: it can. */
  readonly fault: string | null;
  /** Stretches of its files that could not be read. */
  readonly damaged: number;
}

export interface CrashReport {
  /** What stood still (event loop, disk, a link), or a bug of ours. */
  readonly kind: "loop" | "disk" | "uplink" | "bug";
  readonly reason: string;
  /** RFC 3339, by a clock that may have been wrong. */
  readonly at: string;
  readonly version: string;
  readonly uptime_seconds: number;
}

export interface PacketFilterReport {
  readonly state: "applied" | "failing" | "off";
  readonly because: string | null;
  readonly lacks: readonly string[];
  /** How often somebody else had changed our table. */
  readonly drifts: number;
  readonly last_drift: string | null;
  /** Addresses that are kept out. */
  readonly blocked: number;
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
  /** Absent or null: it does not drain, or that began just now. */
  readonly drain?: DrainReport | null;
  /** Subjects whose messages wait because their stream does not store, the first few, and how many in all. */
  readonly suspended: readonly { readonly subject: string; readonly why: string }[];
  readonly suspended_subjects: number;
  /** Streams at the hub that take what is sent, and what of that the hub does not tell, "" for nothing. */
  readonly streams?: { readonly names: readonly string[]; readonly trouble: string };
  /** Subjects that a stream takes while their rule says `confirm: accepted`, the first few: nothing proves that it stored them. */
  readonly unproven?: readonly string[];
  /** The last look at what streams at the hub had already of what was in doubt; null: none was needed. */
  readonly reconcile: ReconcileReport | null;
  readonly recovery: { readonly records: number; readonly torn_bytes: number; readonly damaged: number };
}

/** Of an outbox or one lane that drains. */
export interface DrainReport {
  /** Messages that the hub confirms. */
  readonly rate_per_second: number;
  /** Until it has caught up; null: more comes in than goes out. */
  readonly seconds_left: number | null;
}

/** The page's own door. */
export interface PageReport {
  readonly state: "open" | "failed";
  /** Where it listens, or should. */
  readonly listen: string;
  readonly tls: boolean;
  /** Why it is not open, with a remedy. */
  readonly fault: string | null;
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
  /** How long the oldest message that waits has waited, at least; null: none waits, or nobody has looked yet. */
  readonly oldest_seconds?: number | null;
  readonly drain?: DrainReport | null;
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
  /** By account, what hubs that speak MQTT make of what they are sent for their own MQTT clients. Absent without mqtt.hub_mqtt. */
  readonly hub_mqtt?: readonly HubMqttReport[];
}

export interface HubMqttReport {
  readonly account: string;
  /** `unused`: nothing of QoS 1 or 2 has been published. `refused`: the hub's subscribers of QoS 1 and 2 get none of it. */
  readonly state: "unused" | "passing" | "refused";
  /** Messages, as they were published, that no hub took for its MQTT clients. */
  readonly refused: number;
  /** Why the last one was not, with the remedy. */
  readonly reason: string | null;
  /** RFC 3339. */
  readonly since: string | null;
  /** Of retained messages; `because`: why they do not travel. null: they are not to. */
  readonly retained: { readonly following: boolean; readonly because: string | null } | null;
}

/** The device's own readings. */
export interface HostReport {
  /** Looks that ended, and messages that were published. */
  readonly looks: number;
  readonly messages: number;
  /** What was asked and does not answer: kernel files, a file system. */
  readonly hanging: readonly string[];
  readonly last_fault: string | null;
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

/** What a Modbus bus of our own has counted. */
export interface BusReport {
  /** Questions left out because the bus could not keep up with its polls. */
  readonly skipped: number;
  /** Bytes that belonged to no answer, and whole frames that nobody had asked for. */
  readonly stray_bytes: number;
  readonly stray_frames: number;
  /** Does the adapter hear itself; null: not known yet. */
  readonly echo: boolean | null;
}

export interface SerialReport {
  readonly name: string;
  /** What the settings ask for, in words. */
  readonly match: string;
  readonly path: string | null;
  /** The device's stable name: USB ids and place, else its path; null: none is there. */
  readonly identity: string | null;
  readonly state: string;
  readonly since: string;
  readonly code: string | null;
  readonly cause: string | null;
  readonly is_silent: boolean;
  /** What is wrong with an open port though everything was tried; null: nothing. */
  readonly degraded: string | null;
  /** Not read because something downstream is full. */
  readonly is_paused: boolean;
  readonly bytes: number;
  readonly frames: number;
  readonly messages: number;
  /** Frames that were no good, whatever the reason. */
  readonly errors: number;
  /** Times it was not read for longer than the system keeps what comes. */
  readonly overruns: number;
  readonly opens: number;
  readonly reopens: number;
  readonly power_cycles: number;
  readonly last_frame: string | null;
  /** What was wrong with the last bad frame, and its first bytes in hex. */
  readonly last_error: string | null;
  readonly last_bad_frame: string | null;
  readonly commands: {
    readonly waiting: number;
    readonly done: number;
    readonly refused: number;
    readonly late: number;
    readonly failed: number;
    readonly last_fault: string | null;
  };
  /** Units of a Modbus bus; null: it is none. */
  readonly units:
    | readonly {
        readonly unit: number;
        readonly name: string;
        readonly state: string;
        readonly answers: number;
        readonly failures: number;
        /** Answers that were refusals. */
        readonly exceptions: number;
        readonly last_fault: string | null;
      }[]
    | null;
  /** The bus itself; null: it is none. */
  readonly bus: BusReport | null;
}
