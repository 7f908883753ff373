// Gives up what a lane has no room for, the oldest segment or some messages, and says exactly what is lost by it.
//
//   oldest segment  │ d d h d h s s │ …        d  done: the hub has it, pinned behind h        not lost
//                                              h  held, or never sent                          lost
//                                              s  sent, no answer yet: waited for, the drain rests meanwhile
//
// A link that says nothing within QUIET_WITHIN_MS is not waited for again until it does: then what was under way counts as lost, and the
// hub may have it all the same. So may it have what was under way when a link fell. Tests: test/unit/outbox/retention.test.ts,
// test/simulation/outbox-books.ts

import type { Clock, Millis } from "#base/clock.ts";
import { isFault } from "#base/errors.ts";
import type { Dropped, Journal } from "#journal/journal.ts";
import { recordBytes, recordSeq } from "#journal/record.ts";
import type { Progress } from "./progress.ts";
import type { Sender } from "./sender.ts";

export const QUIET_WITHIN_MS: Millis = 2_000;
const COUNT_BYTES = 256 * 1024;

/** Was this one lost before? Then it is not counted again. */
export type IsTold = (epoch: number, seq: number) => boolean;

export interface GivingUpHost {
  /** Something came back from the hub, or the link is another one. */
  untilWoken(): Promise<void>;
  /** What was given up is gone. */
  onOver(): void;
}

export class GivingUp {
  /** The oldest segment is about to go: nothing of it is sent meanwhile. */
  isDue = false;
  readonly #journal: Journal;
  readonly #progress: Progress;
  readonly #sender: Sender;
  readonly #host: GivingUpHost;
  readonly #clock: Clock;
  /** Waiting was in vain, and nothing has come back since. */
  #isLinkMute = false;

  constructor(journal: Journal, progress: Progress, sender: Sender, host: GivingUpHost, clock: Clock) {
    this.#journal = journal;
    this.#progress = progress;
    this.#sender = sender;
    this.#host = host;
    this.#clock = clock;
  }

  onReceipt(): void {
    this.#isLinkMute = false;
  }

  /**
   * Forgets the oldest segment on flash. Returns what was lost, undefined when there is nothing to forget, or not now. `onDoomed` is
   * told before, and waited for. One at a time.
   */
  async dropOldest(onDoomed?: (doomed: Dropped) => Promise<void>, isTold?: IsTold): Promise<Dropped | undefined> {
    let lost: Dropped | undefined;
    this.isDue = true;
    try {
      await this.#waitForQuiet();
      const dropped = await this.#journal.dropOldest(async (doomed) => {
        if (!this.#isLinkMute && this.#sender.isUnderWay(doomed.throughSeq)) return false; // it was written while we waited
        lost = { ...doomed, records: await this.#countLost(doomed, isTold) };
        await onDoomed?.(lost);
        return true;
      });
      if (dropped === undefined || lost === undefined) return undefined;
      this.#progress.drop(lost.throughSeq);
      this.#sender.awaiting.removeThrough(lost.throughSeq);
      return lost;
    } finally {
      this.isDue = false;
      this.#host.onOver();
    }
  }

  /** Is something up to here on its way to the hub, so that nobody can say yet whether it is lost? */
  isUnderWay(throughSeq: number): boolean {
    return this.#sender.isUnderWay(throughSeq);
  }

  /** Nobody needs it any more, though older ones may still wait. */
  isSettled(seq: number): boolean {
    return this.#progress.isSettled(seq);
  }

  /** `runs`: from, through, from, through … of what is gone from the flash, counted by whoever says so: it is not held any more. */
  onGone(runs: readonly number[]): void {
    const { held } = this.#progress;
    for (let i = 0; i < runs.length; i += 2) {
      const through = runs[i + 1]!;
      for (let seq = held.firstAbove(runs[i]! - 1); seq <= through; seq = held.firstAbove(seq)) this.#sender.onUnwanted(seq);
    }
    this.#host.onOver();
  }

  async #waitForQuiet(): Promise<void> {
    const through = this.#journal.lastSeq;
    const isWorthIt = () => !this.#isLinkMute && this.#sender.isUnderWay(through);
    if (!isWorthIt()) return;
    let isOver = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(QUIET_WITHIN_MS, () => {
      isOver = true;
      resolve();
    });
    while (!isOver && isWorthIt()) await Promise.race([this.#host.untilWoken(), promise]);
    this.#isLinkMute = isOver;
  }

  /** Of the records about to go, those that the hub has not, and that were not told lost before. */
  async #countLost({ fromSeq, throughSeq, records }: Dropped, isTold: IsTold | undefined): Promise<number> {
    if (records === 0 || (isTold === undefined && !this.#progress.hasSettled(fromSeq, throughSeq))) return records;
    const reader = this.#journal.read(fromSeq);
    let lost = 0;
    try {
      for (let read = await reader.next(COUNT_BYTES); read !== undefined; read = await reader.next(COUNT_BYTES)) {
        for (let at = read.start; at < read.end; at += recordBytes(read.slab, at)) {
          const seq = recordSeq(read.slab, at);
          if (seq > throughSeq) return lost;
          if (!this.#progress.isSettled(seq) && isTold?.(read.epoch, seq) !== true) lost += 1;
        }
      }
      return lost;
    } catch (error) {
      if (!isFault(error)) throw error;
      return records; // it cannot be read: rather too many than too few
    }
  }
}
