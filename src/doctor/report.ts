// What the doctor says: plain types, read by the command line, the page and head office. Field names are the outside's (snake_case),
// because this is what leaves the process.

export type Verdict = "fine" | "warning" | "broken" | "skipped";

export type Fact = string | number | boolean | null | readonly string[] | readonly Facts[];
export interface Facts {
  readonly [name: string]: Fact;
}

export interface Finding {
  /** `reach`, `login`: stable, for programs. */
  readonly step: string;
  /** What was looked at: a hub's URL, a host name, a port; null: the device as a whole. */
  readonly target: string | null;
  /** The target in few letters, for the compact result: `0.1` is the second URL of the first remote; null: needs none. */
  readonly ref: string | null;
  readonly verdict: Verdict;
  /** Stable, for programs; null unless `warning` or `broken`. README.md lists them. */
  readonly code: string | null;
  /** The system's own code below it, such as ECONNREFUSED or CERT_HAS_EXPIRED. */
  readonly detail: string | null;
  /** What was found, in a plain sentence. */
  readonly cause: string;
  /** What to do; null where there is nothing to do. */
  readonly remedy: string | null;
  readonly facts: Facts;
  /** Of the step it belongs to. */
  readonly took_ms: number;
}

export interface DoctorReport {
  readonly version: string;
  readonly server_name: string | null;
  readonly device_id: string | null;
  /** RFC 3339, by a clock that may be wrong: the step `clock` says so. */
  readonly now: string;
  /** The worst of all findings. */
  readonly verdict: Exclude<Verdict, "skipped">;
  readonly findings: readonly Finding[];
  /** For a QR code, a message or the telephone: compact.ts. */
  readonly compact: string;
}
