// What a lane asks of its outbox.

import type { Millis } from "#base/clock.ts";
import type { BacklogHost } from "./backlog.ts";
import type { SafetyHost } from "./safety.ts";

export interface LaneOptions {
  readonly commitInterval: Millis;
}

export interface LaneHost extends BacklogHost, SafetyHost {
  /** The lane is no longer behind: the link has everything of it, or all that it can give for now. */
  onCaughtUp(): void;
  /** A commit is done: a good moment to keep within the limits of the disk. */
  onCommitted(): Promise<void>;
  /** A commit found no space left: a good moment to make some. True: there is more now than there was. */
  onDiskFull(): Promise<boolean>;
  /** No stream has said within STORED_TIMEOUT_MS that it stored this. It stays held; `lookAgain` sends it once more. */
  onNotStored(subject: string, seq: number, why: "timeout"): void;
}
