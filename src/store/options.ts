// How much of the card the store may take, and how long its owners wait for it.

import type { Millis } from "#base/clock.ts";

const MIB = 1024 * 1024;

/** What `openStore` wants to be told. Filled from the settings by the composition root. */
export interface StoreOptions {
  /** Room its files may take; about half of it is for what counts, the rest is what lets it write without rewriting. STORE_BYTES_MIN at least. */
  readonly maxBytes: number;
  /** Room on the disk that is left to others; null: 512 MiB or a tenth of the disk, whichever is more, but at most half of what is there to share. */
  readonly freeReserve: number | null;
  /** How long a `soon` change waits for company. */
  readonly commitIntervalMs: Millis;
  /** How long a `lazy` change waits at most. */
  readonly lazyIntervalMs: Millis;
  /** 32 bytes (journal/key-file.ts) to read and write what is encrypted; null: nothing can be. */
  readonly key: Buffer | null;
  /** Whether what is written is encrypted with the key. */
  readonly isEncrypting: boolean;
}

export const STORE_BYTES_MIN = 4 * MIB;
const STORE_BYTES_DEFAULT = 256 * MIB;
const COMMIT_INTERVAL_MS: Millis = 25;
const LAZY_INTERVAL_MS: Millis = 10_000;

export function storeDefaults(): StoreOptions {
  return {
    maxBytes: STORE_BYTES_DEFAULT,
    freeReserve: null,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    lazyIntervalMs: LAZY_INTERVAL_MS,
    key: null,
    isEncrypting: false,
  };
}

/** Room for files that hold `liveBytes` of keys and values at any time, with what it takes to write them. */
export function storeBytesFor(liveBytes: number): number {
  return Math.max(STORE_BYTES_MIN, 3 * liveBytes + 16 * MIB);
}
