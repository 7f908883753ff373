// What the page may ask of the rest of the device. The composition root hands these in, so that the page's server knows neither how
// settings are kept nor what a restart is.

import type { Fault } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";
import type { HistoryReport, HistorySpan } from "#status/history-report.ts";

export interface Change {
  readonly path: string;
  /** Absent: the key was not written, or is not any more. Secrets show as ***. */
  readonly before?: Json;
  readonly after?: Json;
}

export interface Proposal {
  readonly faults: readonly Fault[];
  readonly changes: readonly Change[];
  /** Top-level keys among the changes that can lock the user out: they revert unless confirmed. */
  readonly risky: readonly string[];
  /** Top-level keys that come into force at once, and those that wait for a restart. */
  readonly now: readonly string[];
  readonly at_restart: readonly string[];
}

export interface PendingChange {
  /** The daemon runs with it. Until then it cannot be confirmed. */
  readonly in_force: boolean;
  readonly reverts_in_seconds: number;
}

export interface SettingsView {
  /** As it lies on flash, secrets as ***. */
  readonly document: Json;
  /** Names the state of the document; whoever writes shows which one they have seen. */
  readonly revision: string;
  /** Keys that an environment variable decides, with what is in force there, secrets as ***: locked. */
  readonly overridden: readonly { readonly path: string; readonly variable: string; readonly value: Json }[];
  /** The document differs from what the device runs with. */
  readonly restart_needed: boolean;
  readonly pending: PendingChange | null;
}

/** Faults of the disk pass through. */
export interface SettingsDesk extends Disposable {
  /** As it is on flash now: somebody may have edited the file. */
  view(): Promise<SettingsView>;
  /** JSON Schema, for forms and editors. */
  schema(): Json;
  /** In the document, *** stands for the secret that is there. */
  check(document: unknown): Promise<Proposal>;
  /**
   * `mayRisk`: risky keys may change. Throws WEB_FAULTS, WEB_CONFLICT, WEB_ROLE, and WEB_APPLY: it could not be brought into force, and
   * nothing has changed. Resolves when it is on flash, and what can be is in force.
   */
  write(document: unknown, revision: string, mayRisk: boolean): Promise<Proposal>;
  /** Keeps the pending change. Throws WEB_CONFLICT where there is none, or where it is not in force yet. */
  confirm(): Promise<void>;
  /** Takes the pending change back now. Throws WEB_CONFLICT where there is none. */
  revert(): Promise<void>;
}

/** Desks of what is looked at often; absent ones answer 503. */
export interface PastDesk {
  history(span: HistorySpan): Promise<HistoryReport>;
}

/** Texts are as their senders wrote them: nothing of them is HTML. */
export interface MqttClientView {
  readonly client_id: string;
  /** false: its session is kept, and it is away. */
  readonly connected: boolean;
  readonly user: string;
  readonly account: string;
  readonly address: string | null;
  /** Of the protocol: 3.1, 3.1.1, 5.0. */
  readonly version: string | null;
  readonly since: string | null;
  readonly last_seen: string | null;
  readonly messages_in: number;
  readonly messages_out: number;
  /** Messages per second since somebody looked last; null: nobody did lately. */
  readonly rate_in: number | null;
  readonly inflight: number;
  readonly queue: number;
  readonly queue_bytes: number;
  readonly session_kept: boolean;
  readonly subscriptions: number;
  readonly tls: boolean;
}

export interface NatsClientView {
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

export interface ClientsView {
  readonly mqtt: readonly MqttClientView[];
  readonly nats: readonly NatsClientView[];
  /** Left out. */
  readonly more: { readonly mqtt: number; readonly nats: number };
}

export interface ClientsDesk {
  /** At most so many of each kind. */
  list(max: number): ClientsView;
  /** Ends the connection, and with `forgets` the session. False: nobody has this id. */
  endMqtt(clientId: string, forgets: boolean): boolean;
}

export interface AboutView {
  readonly version: string;
  readonly commit: string;
  readonly node: string;
  readonly support: { readonly until: string | null; readonly text: string };
  /** Where the texts are; null: this build has none beside it. */
  readonly licences: string | null;
  readonly sbom: string | null;
  readonly supervisor: SupervisorView | null;
  readonly device: {
    readonly model: string | null;
    readonly os: string | null;
    readonly kernel: string;
    readonly arch: string;
    readonly hostname: string;
  };
}

export interface AboutDesk {
  view(): Promise<AboutView>;
  /** undefined: there is none. */
  licences(): Promise<Buffer | undefined>;
  sbom(): Promise<Buffer | undefined>;
}

export interface SupervisorView {
  /** In its own word: Idle, Downloading, Installing … */
  readonly status: string;
  readonly commit: string | null;
  readonly update_pending: boolean;
  readonly update_downloaded: boolean;
  readonly download_percent: number | null;
  /** Why it did not answer; null: it did. */
  readonly fault: string | null;
}

export interface SupervisorDesk {
  state(): Promise<SupervisorView>;
  reboot(): Promise<void>;
  shutdown(): Promise<void>;
  rename(hostname: string): Promise<void>;
}

export interface SecretView {
  readonly name: string;
  /** As settings name it. */
  readonly path: string;
  readonly kind: "creds" | "certificate" | "key" | "other";
  /** Of a certificate, the first to end if there are several; RFC 3339. */
  readonly not_after: string | null;
  readonly bytes: number;
  /** Settings name it. */
  readonly in_use: boolean;
}

export interface SecretsDesk {
  list(): Promise<readonly SecretView[]>;
  /** Names that are the device's own, and cannot be given. */
  readonly reserved: readonly string[];
  /** `mayRisk`: also what the page's own settings name. Throws WEB_SECRET_NAME, WEB_CONFLICT, WEB_ROLE. */
  write(name: string, content: Buffer, mayRisk: boolean): Promise<SecretView>;
  /** Throws WEB_NOT_FOUND, WEB_CONFLICT while settings name it. */
  remove(name: string): Promise<void>;
}

export interface DeviceDesk {
  exportBackup(passphrase: string): Promise<Buffer>;
  /** Throws WEB_BACKUP, WEB_FAULTS. `users`: the backup brought the page's users file along; nothing of it is written yet. */
  restoreBackup(bytes: Buffer, passphrase: string): Promise<{ readonly users: Buffer | undefined }>;
  /** Everything is erased by the next start, and by every start until it is done. */
  requestReset(): Promise<void>;
  /** Ends the daemon in good order, for its supervisor to start it anew. */
  restart(): void;
}
