// What the page draws of the past: samples, moves of the links, outages, and what was written to flash. Plain types in the outside's words.

export type HistorySpan = "10m" | "24h";

export interface HistoryReport {
  /** Begin of the first sample, RFC 3339. */
  readonly from: string;
  readonly step_seconds: number;
  readonly samples: HistorySamples;
  /** Per remote, oldest first. */
  readonly links: Readonly<Record<string, readonly LinkMoveReport[]>>;
  /** Oldest first. */
  readonly outages: readonly OutageReport[];
  readonly flash: FlashReport;
}

export type Row = readonly (number | null)[];

/** Rows of equal length; null: nobody looked then, or there was nothing to see. */
export interface HistorySamples {
  /** Seconds since 1970, by the calendar as it is now: a clock that was set meanwhile leaves no gap. */
  readonly at: readonly number[];
  /** Milliseconds; null: no link. Per remote, as all that follow. */
  readonly rtt_ms: Readonly<Record<string, Row>>;
  /** Per second: on the wire, and before compression. */
  readonly bytes_in: Readonly<Record<string, Row>>;
  readonly bytes_out: Readonly<Record<string, Row>>;
  readonly plain_bytes_in: Readonly<Record<string, Row>>;
  readonly plain_bytes_out: Readonly<Record<string, Row>>;
  /** Messages that wait; of a minute, the most there were. */
  readonly depth: Readonly<Record<string, Row>>;
  /** Messages per second that came in. */
  readonly mqtt_in: Row;
  readonly nats_in: Row;
  readonly serial_in: Row;
  /** Of one core, by this process. */
  readonly cpu_percent: Row;
  readonly rss_bytes: Row;
}

export interface LinkMoveReport {
  readonly at: string;
  readonly state: "ready" | "down" | "trying";
  readonly url: string;
}

export interface OutageReport {
  readonly remote: string;
  readonly from: string;
  /** null: it goes on. */
  readonly to: string | null;
  readonly stored: number;
  readonly delivered: number;
  readonly lost: number;
}

/** What this process wrote into the data directory, by cause. */
export interface FlashBytes {
  readonly outbox: number;
  /** Sessions and retained messages. */
  readonly mqtt: number;
  /** Settings, secrets, users of the page and its trail. */
  readonly settings: number;
  readonly other: number;
}

export interface FlashReport {
  /** Since when it is counted: the start of the daemon. */
  readonly since: string;
  readonly bytes_today: number;
  /** Days in UTC, oldest first, the last of them not over. */
  readonly bytes_per_day: readonly { readonly date: string; readonly by_cause: FlashBytes }[];
  readonly life: {
    /** By everybody, since the system came up. */
    readonly written_total_bytes: number | null;
    readonly wear_percent: number | null;
    readonly years_left: number | null;
    /** Where wear and years come from: what the card says of itself, or its size and what is written per day. */
    readonly from: "mmc life_time" | "estimate" | null;
  };
}
