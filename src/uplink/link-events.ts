// What a link is told, what it tells, and what it needs of the world.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Batch } from "#core/batch.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import type { S2Codec } from "#s2/codec.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import type { Dialer } from "./dialer.ts";
import type { HubInfo } from "./hub-info.ts";
import type { LinkHistory } from "./link-history.ts";

export interface LinkIdentity {
  readonly serverName: string;
  readonly dataDir: string;
  /** Local account bound to the remote. */
  readonly account: string;
}

export interface LinkEvents {
  /** The hub has answered CONNECT: write all local interest to `out`. */
  writeInterest(out: WireWriter, info: HubInfo): void;
  /** The hub's interest is known; the carrier may be used until `onDown`. */
  onReady(carrier: Carrier, info: HubInfo): void;
  /** The link is over, also one that never became ready. */
  onDown(): void;
  onBatch(batch: Batch): void;
  /** Everything the hub announces, `$LDS.` subjects of others included. */
  onInterest(filter: string, queue: string | null): void;
  onInterestGone(filter: string, queue: string | null): void;
  /** The hub ends the link with this -ERR; `onDown` follows. */
  onRejected(text: string): void;
  onReceipt(): void;
  onRoom(): void;
}

export interface LinkEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly dialer: Dialer;
  readonly entropy: Entropy;
  readonly log: Log;
  /** One for the process. */
  readonly codec: S2Codec;
  /** Goes on over several links of one remote; absent: it begins with this one. */
  readonly history?: LinkHistory;
}
