// What the routes work with.

import type { Env } from "#base/env.ts";
import type { Audit } from "./audit.ts";
import type { DeviceDesk, SettingsDesk } from "./desks.ts";
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
  readonly dataDir: string;
  readonly env: Pick<Env, "clock" | "disk" | "entropy" | "log">;
  /** undefined: the device is claimed. */
  claimCode(): string | undefined;
  report(): object;
  /** Runs once the answer is out. */
  afterAnswer(action: () => void): void;
}
