// What a journal is opened with.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { JanitorOptions } from "./janitor.ts";
import type { Packer } from "./packer.ts";

export interface JournalOptions extends JanitorOptions {
  /** A segment takes no more once it would be this long; an append larger than this has one to itself. */
  readonly segmentBytes: number;
  /** … nor once it would hold more records than this: they are given up a segment at a time. Default: any number. */
  readonly segmentRecords?: number;
  /** Keeps the file of a segment that is done with, to be overwritten by the next: it takes room meanwhile (`spareBytes`). Default: no. */
  readonly isRecycling?: boolean;
  /** 32 bytes (key-file.ts), for what was encrypted. Without it, that cannot be read, and is left alone. */
  readonly key?: Buffer | null;
  /** Whether what is written is encrypted with the key, if there is one. Default: yes. */
  readonly isEncrypting?: boolean;
}

export interface JournalEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Makes groups smaller; without one they stay as they are, and those that were made smaller cannot be read. */
  readonly packer?: Packer;
  /** Of the system's boot, a UUID: what the records' times count from. Absent: they are wall times. */
  readonly bootId?: string;
}
