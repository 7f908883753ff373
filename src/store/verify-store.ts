// Checks a store without touching it, also beside a running one: every checksum, and what the records come to.

import type { Disk } from "#base/disk.ts";
import type { DamagedSpan } from "#journal/damage.ts";
import { type InspectOptions, inspectJournal } from "#journal/inspect.ts";
import { Replay } from "./replay.ts";

export interface StoreVerdict {
  /** Nothing is damaged, sealed, unreadable or of a later version. */
  readonly isFine: boolean;
  readonly keys: number;
  /** Bytes of keys and values that count. */
  readonly liveBytes: number;
  readonly fileBytes: number;
  readonly segments: number;
  readonly damaged: readonly DamagedSpan[];
  /** Names of segments that cannot be looked into, and why. */
  readonly closed: readonly { readonly name: string; readonly is: "sealed" | "newer" | "unreadable" }[];
  /** Records of a later version. */
  readonly unknown: number;
  /** Bytes at the end that are being written, or torn. */
  readonly tailBytes: number;
}

/** Rejects with the system's fault if the folder cannot be read at all. */
export async function verifyStore(disk: Disk, directory: string, options: InspectOptions = {}): Promise<StoreVerdict> {
  const inspection = await inspectJournal(disk, directory, options);
  const replay = new Replay();
  for await (const batch of inspection.records()) replay.feed(batch);
  const { index, unknown } = replay.end();
  const { segments, damaged, tailBytes } = inspection;
  const closed = segments.flatMap(({ name, is }) => (is === "fine" || is === "damaged" ? [] : [{ name, is }]));
  return {
    isFine: damaged.length === 0 && closed.length === 0 && unknown === 0,
    keys: index.size,
    liveBytes: index.liveBytes,
    fileBytes: segments.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    segments: segments.length,
    damaged,
    closed,
    unknown,
    tailBytes,
  };
}
