// What the routes work with.

import type { Env } from "#base/env.ts";
import type { Audit } from "./audit.ts";
import type { AboutDesk, ClientsDesk, DeviceDesk, PastDesk, SecretsDesk, SettingsDesk, SupervisorDesk } from "./desks.ts";
import type { DoctorDesk, MessageDesk, SerialDesk } from "./live-desks.ts";
import type { LogTail } from "./log-tail.ts";
import type { Logins } from "./logins.ts";
import type { Sessions } from "./sessions.ts";
import type { Users } from "./users.ts";

export interface Parts {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly logins: Logins;
  readonly audit: Audit;
  readonly tail: LogTail;
  readonly settings: SettingsDesk | null;
  readonly device: DeviceDesk | null;
  readonly past?: PastDesk;
  readonly clients?: ClientsDesk;
  readonly about?: AboutDesk;
  readonly secrets?: SecretsDesk | null;
  readonly supervisor?: SupervisorDesk | null;
  /** SHA-256 of our certificate; null: no TLS. */
  readonly fingerprint: string | null;
  readonly messages: MessageDesk | null;
  readonly serial: SerialDesk | null;
  readonly doctor: DoctorDesk | null;
  readonly dataDir: string;
  readonly env: Pick<Env, "clock" | "disk" | "entropy" | "log">;
  /** undefined: the device is claimed. */
  claimCode(): string | undefined;
  report(): object;
  /** Runs once the answer is out, or the page closes. */
  afterAnswer(action: () => void): void;
}
