// What the page may ask of the rest of the device. The composition root hands these in, so that the page's server knows neither how
// settings are kept nor what a restart is.

import type { Fault } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";

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
}

export interface PendingChange {
  /** The daemon was started with it. Until then it cannot be confirmed. */
  readonly in_force: boolean;
  readonly reverts_in_seconds: number;
}

export interface SettingsView {
  /** As it lies on flash, secrets as ***. */
  readonly document: Json;
  /** Names the state of the document; whoever writes shows which one they have seen. */
  readonly revision: string;
  /** Keys that an environment variable decides: locked. */
  readonly overridden: readonly { readonly path: string; readonly variable: string }[];
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
  /** `mayRisk`: risky keys may change. Throws WEB_FAULTS, WEB_CONFLICT, WEB_ROLE. Resolves when it is on flash. */
  write(document: unknown, revision: string, mayRisk: boolean): Promise<Proposal>;
  /** Keeps the pending change. Throws WEB_CONFLICT where there is none, or where it is not in force yet. */
  confirm(): Promise<void>;
  /** Takes the pending change back now. Throws WEB_CONFLICT where there is none. */
  revert(): Promise<void>;
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
