// Opens a store: recovers the journal under it, and replays that.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import type { Packer } from "#journal/packer.ts";
import { LogStore } from "./log-store.ts";
import { STORE_BYTES_MIN, type StoreOptions } from "./options.ts";
import { Replay, type Replayed } from "./replay.ts";
import type { Store } from "./store.ts";

export interface StoreEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Makes what is written smaller; lent. */
  readonly packer?: Packer;
}

/** The files of a full store are about as many. */
const SEGMENTS_WANTED = 32;
const SEGMENT_BYTES_MIN = 128 * 1024;
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Of it the files may take beside twice what counts. */
const SLACK_SEGMENTS = 2;
const READ_BYTES = 1024 * 1024;

/**
 * Recovers what the last life left under `directory` and is ready. Refuses only a folder that cannot be written; what cannot be read
 * was told in the log, and what can be counts.
 */
export async function openStore(directory: string, options: StoreOptions, env: StoreEnv, signal: AbortSignal): Promise<Store> {
  await using scope = new AsyncDisposableStack();
  const maxBytes = Math.max(options.maxBytes, STORE_BYTES_MIN);
  const segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, Math.floor(maxBytes / SEGMENTS_WANTED)));
  const { key, isEncrypting } = options;
  const journal = scope.use(await openJournal({ directory, segmentBytes, key, isEncrypting }, env, signal));
  const found = await replay(journal, signal);
  if (found.unfinished > 0)
    env.log.info("store: changes that were being written when the power went are left out", { changes: found.unfinished });
  if (found.unknown > 0)
    env.log.error("store: records of a later version of this program are left out", { directory, records: found.unknown });
  const slackBytes = SLACK_SEGMENTS * segmentBytes;
  const store = new LogStore(directory, { ...options, maxBytes, slackBytes }, journal, found, env);
  store.begin();
  scope.move();
  return store;
}

async function replay(journal: Journal, signal: AbortSignal): Promise<Replayed> {
  const replay = new Replay();
  const reader = journal.read(journal.firstSeq);
  for (;;) {
    signal.throwIfAborted();
    try {
      const batch = await reader.next(READ_BYTES);
      if (batch === undefined) return replay.end();
      replay.feed(batch);
    } catch (error) {
      // The reader asks a few times more, then it passes by what cannot be read.
      if (!(error instanceof PetioleError) || error.code !== "JOURNAL_READ_FAILED") throw error;
    }
  }
}
