// What an outbox works with: the world around the process, the hub, and who is told.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Origin, Ticket } from "#core/sink.ts";
import type { Packer } from "#journal/packer.ts";
import type { Calendar } from "./calendar.ts";
import type { HubView } from "./hub-view.ts";
import type { JournalsPlace } from "./open-journals.ts";
import type { LookFor, Reconcile } from "./reconcile/reconciling.ts";
import type { StreamDesk } from "./streams/captures.ts";

/** The router's slot, as far as the outbox knows it. */
export interface OutboxListener {
  invalidate(subject?: string): void;
  onSafe(watermark: Ticket): void;
  onRoom(): void;
}

export interface OutboxEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Absent: the clock is taken at its word. */
  readonly time?: Calendar;
  /** Makes smaller what goes to flash. */
  readonly packer?: Packer;
  /** Told while something goes on that had better not be cut short, until disposed: keeps updates out. Absent: nobody cares. */
  hold?(): Disposable | undefined;
}

export interface OutboxDeps extends JournalsPlace {
  /** Id of the data directory, part of every `Nats-Msg-Id`. */
  readonly device: string;
  readonly hub: HubView;
  /** Origin of what this remote's hub sends down. */
  readonly origin: Origin;
  /** Queue groups with local members, for messages that come from the backlog. */
  servedGroups(subject: string): readonly string[];
  /** Tells the lanes what streams at the hub hold already of what is in doubt. Absent: all of that is sent again. */
  readonly reconcile?: Reconcile;
  /** The same on a link that lives, for streams that do not answer. */
  readonly lookFor?: LookFor;
  /** Says which subjects streams at the hub take, for rules with `confirm: auto`. Absent: as if there were none. */
  readonly streamDesk?: StreamDesk;
}
