// Whether the disk has room left for others. Asked now and then, never per change.

import type { Clock, Millis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";

const MIB = 1024 * 1024;
const RESERVE_BYTES = 512 * MIB;
const RESERVE_SHARE = 0.1;
const RESERVE_SHARE_MAX = 0.5;
const ASK_MS: Millis = 5000;
const ASK_BYTES = 4 * MIB;

export class DiskRoom {
  readonly #directory: string;
  readonly #reserve: number | null;
  readonly #env: { readonly disk: Disk; readonly clock: Clock };
  #askedAt: Millis = Number.NEGATIVE_INFINITY;
  #askedBytes = 0;
  #isShort = false;

  /** `reserve` null: 512 MiB or a tenth of the disk, whichever is more, but at most half of what is free or ours. */
  constructor(directory: string, reserve: number | null, env: { readonly disk: Disk; readonly clock: Clock }) {
    this.#directory = directory;
    this.#reserve = reserve;
    this.#env = env;
  }

  /** Less is free than is to be left to others. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** `writtenBytes`: since the start; `ownBytes`: what our files take. `force`: the disk has just said that it is full. */
  async look(writtenBytes: number, ownBytes: number, force = false): Promise<void> {
    const now = this.#env.clock.now();
    if (!force && now - this.#askedAt < ASK_MS && writtenBytes - this.#askedBytes < ASK_BYTES) return;
    this.#askedAt = now;
    this.#askedBytes = writtenBytes;
    try {
      const { freeBytes, totalBytes } = await this.#env.disk.space(this.#directory);
      const wanted = Math.max(RESERVE_BYTES, totalBytes * RESERVE_SHARE);
      const reserve = this.#reserve ?? Math.min(wanted, (freeBytes + ownBytes) * RESERVE_SHARE_MAX);
      this.#isShort = freeBytes < reserve;
    } catch (error) {
      if (!isFault(error)) throw error; // it will be heard of when we write
    }
  }
}
