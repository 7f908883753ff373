// The journals of one outbox: a lane's each, in a folder named after its class, under one key if they are to be encrypted.
//
//   <remote's folder>/alarm  /state  /telemetry  /bulk            <data directory>/secrets/outbox.key
//
// Switched off again, encryption makes no key, and uses the one that is there for reading only. Tests: test/unit/outbox/journals.test.ts

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import { findKey, openKey } from "#journal/key-file.ts";
import type { Packer } from "#journal/packer.ts";
import type { OutboxOptions } from "./options.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

/** A full outbox is cut into about this many segments, within the bounds below. */
const SEGMENTS_WANTED = 64;
const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
/** The same for records: with a small `max_messages`, what gives way at once must stay a small part of it. */
const SEGMENT_RECORDS_MIN = 16;
const KEY_FILE = "outbox.key";

export interface JournalsPlace {
  /** The remote's folder. */
  readonly directory: string;
  /** Where the key file lies, or is made. Absent: beside the journals. */
  readonly secretsDirectory?: string;
}

export interface JournalsEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly packer?: Packer;
  readonly bootId?: string;
  /** As of JournalOptions. */
  readonly beforeForget: () => Promise<void>;
}

/** Adds each to `scope` as it opens. */
export async function openJournals(
  options: Pick<OutboxOptions, "maxBytes" | "maxMessages" | "encryption">,
  { directory, secretsDirectory = directory }: JournalsPlace,
  scope: AsyncDisposableStack,
  env: JournalsEnv,
  signal: AbortSignal,
): Promise<ReadonlyMap<UrgencyClass, Journal>> {
  // The oldest give way a segment at a time: small ones where there is little room in all.
  const { totalBytes } = await env.disk.space(directory);
  const share = Math.floor(Math.min(options.maxBytes, totalBytes) / SEGMENTS_WANTED);
  const segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, share));
  const segmentRecords = Math.max(SEGMENT_RECORDS_MIN, Math.floor(options.maxMessages / SEGMENTS_WANTED));
  const isEncrypting = options.encryption;
  const key = isEncrypting
    ? await openKey(env.disk, secretsDirectory, KEY_FILE, env.entropy)
    : await oldKey(secretsDirectory, env);
  const journals = new Map<UrgencyClass, Journal>();
  for (const urgency of CLASSES) {
    const { beforeForget } = env;
    const journalOptions = {
      directory: `${directory}/${urgency}`,
      segmentBytes,
      segmentRecords,
      key,
      isEncrypting,
      isRecycling: true,
      beforeForget,
    };
    journals.set(urgency, scope.use(await openJournal(journalOptions, env, signal)));
  }
  return journals;
}

/** What was encrypted while that was on is still to be read. A key that is refused keeps nothing else from being sent. */
async function oldKey(directory: string, { disk, log }: JournalsEnv): Promise<Buffer | null> {
  try {
    return (await findKey(disk, directory, KEY_FILE)) ?? null;
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("outbox: the key of an earlier encryption cannot be used; what it encrypted stays where it is", {
      error: explain(error),
    });
    return null;
  }
}
