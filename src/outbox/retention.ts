// Keeps an outbox within the limits its owner set: age, bytes, count, and the free space that must remain on the disk.
// The oldest go first, a whole segment at a time, each counted with its range (`when_full: drop_oldest`); of the least urgent
// class first, for as long as that has any. Lanes ask at the same time and are served one after the other.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Lane } from "./lane.ts";
import type { Losses } from "./losses.ts";
import type { OutboxOptions } from "./options.ts";
import { CLASSES } from "./urgency.ts";

/** 2026-01-01: a board that started without a clock stamps earlier than this; such times say nothing about age. */
const CLOCK_FLOOR: WallMillis = 1_767_225_600_000;

const TELL_EVERY_MS: Millis = 60_000;

/** Is a message captured at `time` older than its owner wants to keep? */
export function isExpired(time: WallMillis, now: WallMillis, maxAge: Millis): boolean {
  return time > CLOCK_FLOOR && time < now - maxAge;
}

export interface RetentionEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  /** Any folder on the volume that is to keep its reserve. */
  readonly directory: string;
}

interface Reason {
  readonly counted: "displaced" | "expired";
  readonly text: string;
}

const OUTDATED: Reason = { counted: "expired", text: "older than outbox.max_age" };

export class Retention {
  readonly #options: OutboxOptions;
  readonly #losses: Losses;
  readonly #env: RetentionEnv;
  /** Dropped since the log was told last: it hears of it at once, then once a minute for as long as it goes on. */
  #untold = 0;
  #nextTellAt: Millis = 0;
  /** The end of the queue: two at once would both drop for the same lack of room. */
  #queue: Promise<void> = Promise.resolve();
  /** Segments dropped so far. */
  #dropped = 0;

  constructor(options: OutboxOptions, losses: Losses, env: RetentionEnv) {
    this.#options = options;
    this.#losses = losses;
    this.#env = env;
  }

  /** `lanes`: all of the outbox, the most urgent first. */
  keepWithinLimits(lanes: readonly Lane[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const lane of lanes) while (this.#isOutdated(lane) && (await this.#dropOldest(lanes, lane, OUTDATED)));
      for (;;) {
        const text = await this.#breachedLimit(lanes);
        if (text === undefined || !(await this.#displace(lanes, text))) return;
      }
    });
  }

  /** No space is left on the disk, whatever filled it: the oldest segment goes, so that new messages can be made safe. */
  makeRoom(lanes: readonly Lane[]): Promise<void> {
    const droppedBefore = this.#dropped;
    return this.#inTurn(async () => {
      if (this.#dropped === droppedBefore) await this.#displace(lanes, "the disk is full"); // else another lane has made some
    });
  }

  /** A disk that refuses even this must not end the commits: they find out by themselves. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(task).catch((error: unknown) => {
      if (!isFault(error)) throw error;
      this.#env.log.warn("outbox: could not look after its limits on disk; tried again with the next commit", {
        error: explain(error),
      });
    });
    return this.#queue;
  }

  /** False when there is nothing to drop. */
  async #displace(lanes: readonly Lane[], text: string): Promise<boolean> {
    const lane = lanes.findLast(({ journal }) => journal.bytes > 0);
    return lane !== undefined && (await this.#dropOldest(lanes, lane, { counted: "displaced", text }));
  }

  /** False when there is nothing to drop. */
  async #dropOldest(lanes: readonly Lane[], lane: Lane, reason: Reason): Promise<boolean> {
    const dropped = await lane.dropOldest();
    if (dropped === undefined) return false;
    this.#dropped += 1;
    if (dropped.records === 0) return true; // all of it was confirmed: no loss
    const urgency = CLASSES[lanes.indexOf(lane)]!;
    this.#losses.add(reason.counted, dropped.records, {
      lane: urgency,
      fromSeq: dropped.fromSeq,
      throughSeq: dropped.throughSeq,
    });
    this.#untold += dropped.records;
    const now = this.#env.clock.now();
    if (now >= this.#nextTellAt) {
      const facts = { class: urgency, through_seq: dropped.throughSeq };
      this.#env.log.warn(`outbox: ${this.#untold} of the oldest messages were dropped: ${reason.text}`, facts);
      this.#untold = 0;
      this.#nextTellAt = now + TELL_EVERY_MS;
    }
    return true;
  }

  #isOutdated({ journal }: Lane): boolean {
    const { oldestTime } = journal;
    return oldestTime !== undefined && isExpired(oldestTime, this.#env.clock.wall(), this.#options.maxAge);
  }

  /** Which limit is breached, in words. */
  async #breachedLimit(lanes: readonly Lane[]): Promise<string | undefined> {
    const { maxBytes, maxMessages, freeReserve } = this.#options;
    let records = 0;
    let bytes = 0;
    for (const { journal } of lanes) {
      records += journal.records;
      bytes += journal.bytes;
    }
    if (records === 0) return undefined;
    if (bytes > maxBytes) return `outbox.max_bytes (${maxBytes}) is reached`;
    if (records > maxMessages) return `outbox.max_messages (${maxMessages}) is reached`;
    const { freeBytes } = await this.#env.disk.space(this.#env.directory);
    if (freeBytes >= freeReserve) return undefined;
    return `the disk has ${freeBytes} bytes free, outbox.free_reserve wants ${freeReserve}`;
  }
}
