// Keeps an outbox within the limits its owner set: age, bytes, count, and the free space that must remain on the disk.
//
//   a limit is reached ─▶ files without messages go, what may be thinned is ─▶ still? ─┬─ drop_oldest          the oldest segment of the least urgent class goes
//                                                              └─ drop_new, refuse     shut: nothing new is kept until there is room
//
// A whole segment goes at a time, counted with its range. Lanes ask at the same time and are served one after the other.
// Tests: test/unit/outbox/retention.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Dropped } from "#journal/journal.ts";
import { type Calendar, isExpired } from "./calendar.ts";
import type { Lane } from "./lane.ts";
import type { Losses } from "./ledger/losses.ts";
import { freeReserveOf, type OutboxOptions } from "./options.ts";
import type { RuleBook } from "./rules.ts";
import type { Thinner } from "./thinning-work.ts";
import { CLASSES } from "./urgency.ts";

const TELL_EVERY_MS: Millis = 60_000;
/** Limits are looked after with each commit, and so often when there is none: time passes, and others fill the disk. */
const LOOK_ANYWAY_MS: Millis = 60_000;
/** Between two segments that are thinned. */
const NEXT_SEGMENT_MS: Millis = 1_000;
/** While shut: how often to look whether there is room again. */
const LOOK_EVERY_MS: Millis = 1_000;
/** What the disk was last heard to have free is believed for so long, and until this much more was written. */
const FREE_BELIEVED_MS: Millis = 1_000;
const FREE_BELIEVED_BYTES = 1024 * 1024;
/** Room for a few commits, after a disk was found full. */
const ROOM_BYTES = 4 * 1024 * 1024;

export interface RetentionEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly calendar: Calendar;
  /** Any folder on the volume that is to keep its reserve. */
  readonly directory: string;
}

export interface RetentionParts {
  readonly rules: RuleBook;
  readonly losses: Losses;
  readonly thinner: Thinner;
}

interface Reason {
  readonly counted: "displaced" | "expired";
  readonly text: string;
}

const OUTDATED: Reason = { counted: "expired", text: "older than max_age" };

export class Retention implements Disposable {
  /** A limit is reached and `when_full` says that nothing new is kept: why, in words. */
  shut: string | null = null;
  #options: OutboxOptions;
  readonly #parts: RetentionParts;
  readonly #env: RetentionEnv;
  #maxAges: readonly Millis[];
  /** Dropped since the log was told last: it hears of it at once, then once a minute for as long as it goes on. */
  #untold = 0;
  #nextTellAt: Millis = 0;
  /** The end of the queue: two at once would both drop for the same lack of room. */
  #queue: Promise<void> = Promise.resolve();
  /** Segments dropped so far. */
  #dropped = 0;
  /** A commit found no space, and none has succeeded since. */
  #isDiskFull = false;
  #look: Disposable | undefined;
  #thinning: Disposable | undefined;
  #anyway: Disposable | undefined;
  #isClosed = false;
  #free = { bytes: 0, at: Number.NEGATIVE_INFINITY, kept: 0, reserve: 0 };

  constructor(options: OutboxOptions, parts: RetentionParts, env: RetentionEnv) {
    this.#options = options;
    this.#parts = parts;
    this.#env = env;
    this.#maxAges = CLASSES.map((urgency) => parts.rules.maxAgeOf(urgency));
  }

  /** Free bytes that are left to others, as far as the disk has been asked. */
  get freeReserve(): number | null {
    return this.#options.freeReserve ?? (this.#free.reserve > 0 ? this.#free.reserve : null);
  }

  /** `lanes`: all of the outbox, the most urgent first. Called when a commit has succeeded. */
  keepWithinLimits(lanes: readonly Lane[]): Promise<void> {
    this.#isDiskFull = false;
    return this.#inTurn(() => this.#keepWithinLimits(lanes));
  }

  /** No space is left on the disk, whatever filled it: room is made, if anything may go, so that new messages can be made safe. */
  async makeRoom(lanes: readonly Lane[]): Promise<boolean> {
    const droppedBefore = this.#dropped;
    this.#isDiskFull = true;
    await this.#inTurn(async () => {
      if (this.#dropped !== droppedBefore) return; // another lane has made some
      if (await this.#giveUpSpares(lanes)) this.#dropped += 1;
      else if (this.#options.whenFull === "drop_oldest") await this.#displace(lanes, "the disk is full");
      else this.#close(lanes, "the disk is full");
    });
    return this.#dropped > droppedBefore;
  }

  /** The rules are others, and so may the limits be: they hold at once. */
  async change(options: OutboxOptions, lanes: readonly Lane[]): Promise<void> {
    this.#options = options;
    this.#maxAges = CLASSES.map((urgency) => this.#parts.rules.maxAgeOf(urgency));
    this.#parts.thinner.onRulesChanged();
    this.#askDiskAnew();
    this.#thinning?.[Symbol.dispose]();
    const { period } = this.#parts.thinner;
    if (period !== undefined) this.#armThinning(lanes, period);
    await this.#inTurn(() => this.#keepWithinLimits(lanes));
  }

  /** Looks at the limits, and for what may be thinned, by the clock. Once, when all lanes are there. */
  start(lanes: readonly Lane[]): void {
    this.#anyway = this.#env.clock.every(LOOK_ANYWAY_MS, () => {
      if (lanes.some(({ journal }) => journal.bytes + journal.spareBytes > 0))
        void this.#inTurn(() => this.#keepWithinLimits(lanes));
    });
    const { period } = this.#parts.thinner;
    if (period !== undefined) this.#armThinning(lanes, period);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#look?.[Symbol.dispose]();
    this.#thinning?.[Symbol.dispose]();
    this.#anyway?.[Symbol.dispose]();
  }

  /** One segment, and the next soon after it. */
  #armThinning(lanes: readonly Lane[], delay: Millis): void {
    if (this.#isClosed) return;
    const armed = this.#env.clock.after(delay, () => {
      let isMore = false;
      void this.#inTurn(async () => {
        isMore = !this.#isClosed && (await this.#parts.thinner.thinOne(lanes));
      }).then(() => {
        const { period } = this.#parts.thinner;
        if (period !== undefined && this.#thinning === armed) this.#armThinning(lanes, isMore ? NEXT_SEGMENT_MS : period);
      });
    });
    this.#thinning = armed;
  }

  async #keepWithinLimits(lanes: readonly Lane[]): Promise<void> {
    for (const [i, lane] of lanes.entries())
      while (this.#isOutdated(lane, this.#maxAges[i]!) && (await this.#dropOldest(lanes, lane, OUTDATED)));
    for (;;) {
      const text = await this.#breachedLimit(lanes);
      if (text === undefined) {
        this.#open();
        return;
      }
      if ((await this.#giveUpSpares(lanes)) || (await this.#parts.thinner.thinOne(lanes))) this.#askDiskAnew();
      else if (this.#options.whenFull !== "drop_oldest") {
        this.#close(lanes, text);
        return;
      } else if (!(await this.#displace(lanes, text))) return;
    }
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

  // ── nothing new ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #close(lanes: readonly Lane[], text: string): void {
    if (this.shut === null) {
      const what = this.#options.whenFull === "refuse" ? "refused" : "dropped and counted";
      this.#env.log.warn(`outbox: full, new messages are ${what} until there is room: ${text}`);
    }
    this.shut = text;
    if (this.#isClosed) return;
    this.#look ??= this.#env.clock.after(LOOK_EVERY_MS, () => {
      this.#look = undefined;
      void this.#inTurn(() => this.#keepWithinLimits(lanes));
    });
  }

  #open(): void {
    if (this.shut === null) return;
    this.shut = null;
    this.#env.log.info("outbox: there is room again, new messages are kept");
  }

  /** Files that wait to be overwritten hold nothing: they are the first to go. False: there are none. */
  async #giveUpSpares(lanes: readonly Lane[]): Promise<boolean> {
    let bytes = 0;
    for (const { journal } of lanes) if (journal.spareBytes > 0) bytes += await journal.giveUpSpare();
    return bytes > 0;
  }

  // ── the oldest ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** False when there is nothing to drop. */
  async #displace(lanes: readonly Lane[], text: string): Promise<boolean> {
    const lane = lanes.findLast(({ journal }) => journal.bytes > 0);
    return lane !== undefined && (await this.#dropOldest(lanes, lane, { counted: "displaced", text }));
  }

  /** False when there is nothing to drop. */
  async #dropOldest(lanes: readonly Lane[], lane: Lane, reason: Reason): Promise<boolean> {
    const { losses } = this.#parts;
    const urgency = CLASSES[lanes.indexOf(lane)]!;
    const onDoomed = async ({ fromSeq, throughSeq, records }: Dropped) => {
      if (records === 0) return; // the hub has all of it: no loss
      losses.addPrefix(reason.counted, { lane: urgency, fromSeq, throughSeq, records, life: lane.journal.epoch });
      await losses.flush();
    };
    const isTold = losses.hasTold(urgency, lane.journal.lastSeq)
      ? (epoch: number, seq: number) => losses.isTold(urgency, epoch, seq)
      : undefined;
    const dropped = await lane.givingUp.dropOldest(onDoomed, isTold);
    if (dropped === undefined) return false;
    this.#dropped += 1;
    this.#askDiskAnew();
    await losses.keepReserve(); // it may have been given up for the line about these
    if (dropped.records === 0) return true;
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

  #isOutdated({ journal }: Lane, maxAge: Millis): boolean {
    const { oldestTime, oldestBoot } = journal;
    return oldestTime !== undefined && isExpired(this.#env.calendar, oldestTime, oldestBoot, maxAge);
  }

  // ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Which limit is breached, in words. */
  async #breachedLimit(lanes: readonly Lane[]): Promise<string | undefined> {
    const { maxBytes, maxMessages } = this.#options;
    let records = 0;
    let bytes = 0;
    let spareBytes = 0;
    for (const { journal } of lanes) {
      records += journal.records;
      spareBytes += journal.spareBytes;
      bytes += journal.bytes + journal.spareBytes;
    }
    if (this.#isDiskFull && (await this.#freeBytes(bytes)) < ROOM_BYTES) return "the disk is full";
    this.#isDiskFull = false;
    if (records === 0 && spareBytes === 0) return undefined;
    if (bytes > maxBytes) return `outbox.max_bytes (${maxBytes}) is reached`;
    // What is new would be above the limit; what is there is not.
    const isShutAt = this.#options.whenFull === "drop_oldest" ? maxMessages + 1 : maxMessages;
    if (records >= isShutAt) return `outbox.max_messages (${maxMessages}) is reached`;
    const free = await this.#freeBytes(bytes);
    const { reserve } = this.#free;
    return free >= reserve ? undefined : `the disk has ${free} bytes free, outbox.free_reserve wants ${reserve}`;
  }

  /** `kept`: room that the lanes take now. Asking the disk is a system call that may wait behind its writes. */
  async #freeBytes(kept: number): Promise<number> {
    const now = this.#env.clock.now();
    const isStale = now - this.#free.at >= FREE_BELIEVED_MS || Math.abs(kept - this.#free.kept) >= FREE_BELIEVED_BYTES;
    if (isStale) {
      const { freeBytes, totalBytes } = await this.#env.disk.space(this.#env.directory);
      this.#free = {
        bytes: freeBytes,
        at: now,
        kept,
        reserve: freeReserveOf(this.#options, { totalBytes, freeBytes, keptBytes: kept }),
      };
    }
    return this.#free.bytes - Math.max(0, kept - this.#free.kept);
  }

  #askDiskAnew(): void {
    this.#free.at = Number.NEGATIVE_INFINITY;
  }
}
