// Puts staged messages on flash: one write and one fdatasync for all that came within an interval, tried again until the disk takes it.
//
//   staged ──▶ oldest one interval old? ──▶ seal a chunk ──▶ journal.append ──▶ committed
//                    ▲ no: a PONG may spare the card, or         │ refused: wait, try again; nothing is lost meanwhile
//                    │ others may share the commit
//                    └ there is no link, and waiting has gathered nothing of late: now (gathering.ts)

import type { Millis } from "#base/clock.ts";
import { explain, isCausedBy, isFault, PetioleError } from "#base/errors.ts";
import type { Journal } from "#journal/journal.ts";
import { OUTBOX_COMMIT_FAILED } from "./errors.ts";
import { Gathering } from "./gathering.ts";
import type { OutboxEnv } from "./outbox-deps.ts";
import type { Stage } from "./stage.ts";

/**
 * How often a commit that found no space is tried again at once, if some was made. What is made costs the oldest messages, and somebody
 * else may be filling the disk as fast: so not for ever.
 */
const ROOM_TRIES_MAX = 2;
/** Wait before a commit that the disk refused is tried again. */
const RETRY_MS: Millis = 1000;
/** Between two commits at least. */
const PAUSE_MS: Millis = 1;

export interface CommitterHost {
  /** When the oldest message that is not safe was staged; undefined when all are. */
  waitingSince(): Millis | undefined;
  /** The highest seq given out. */
  lastSeq(): number;
  /** Something of what is staged may be confirmed before it has to be written. */
  mayBeSpared(): boolean;
  /** `committedSeq` has risen. */
  onWritten(): void;
  /** A good moment to keep within the limits of the disk. */
  onCommitted(): Promise<void>;
  /** No space is left: a good moment to make some. True: there is more now than there was. */
  onDiskFull(): Promise<boolean>;
  /** A commit is over, written or not. */
  onPassed(): void;
}

export class Committer implements Disposable {
  /** Everything up to here is on flash, or was confirmed before it had to be. */
  committedSeq: number;
  commits = 0;
  /** Why the disk takes nothing, in words; null while it does. */
  fault: string | null = null;
  readonly #journal: Journal;
  readonly #stage: Stage;
  readonly #interval: Millis;
  readonly #gathering: Gathering;
  /** The highest seq that `#gathering` has heard of. */
  #seenSeq: number;
  /** When the last commit was over. */
  #overAt: Millis = Number.NEGATIVE_INFINITY;
  readonly #host: CommitterHost;
  readonly #env: Pick<OutboxEnv, "clock" | "log" | "hold">;
  #timer: Disposable | undefined;
  #pass: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    journal: Journal,
    stage: Stage,
    interval: Millis,
    host: CommitterHost,
    env: Pick<OutboxEnv, "clock" | "log" | "hold">,
  ) {
    this.committedSeq = journal.lastSeq;
    this.#journal = journal;
    this.#stage = stage;
    this.#interval = interval;
    this.#gathering = new Gathering(interval);
    this.#seenSeq = journal.lastSeq;
    this.#host = host;
    this.#env = env;
  }

  /** Something may have been staged: sees to it that it is committed in time. */
  arm(): void {
    this.#arm(0);
  }

  #arm(delayMin: Millis): void {
    this.#tellGathering();
    const since = this.#since();
    if (since === undefined || this.#timer !== undefined || this.#pass !== undefined) return;
    const delay = this.fault === null ? Math.max(delayMin, this.#dueAt(since) - this.#env.clock.now()) : RETRY_MS;
    if (delay > 0) this.#armFor(delay);
    else if (!this.#isClosed) this.#commitIfDue();
  }

  /** Commits everything that is neither on flash nor confirmed. Throws OUTBOX_COMMIT_FAILED if the disk refuses. */
  async commitAll(): Promise<void> {
    await this.#pass;
    while (this.#stage.count > 0) {
      await this.#commit();
      if (this.fault !== null) throw new PetioleError(OUTBOX_COMMIT_FAILED, this.fault);
    }
  }

  /** No commit begins by itself any more; `commitAll` still works. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
  }

  /** When the interval of what waits began: a slow disk is not asked again as soon as it is done. */
  #since(): Millis | undefined {
    const since = this.#host.waitingSince();
    return since === undefined ? undefined : Math.max(since, this.#overAt);
  }

  #dueAt(since: Millis): Millis {
    return this.#host.mayBeSpared() ? since + this.#interval : this.#gathering.dueAt(since);
  }

  #tellGathering(): void {
    const seq = this.#host.lastSeq();
    if (seq > this.#seenSeq) this.#gathering.onStaged(this.#env.clock.now());
    this.#seenSeq = seq;
  }

  #armFor(delay: Millis): void {
    if (this.#timer !== undefined || this.#pass !== undefined || this.#isClosed) return;
    this.#timer = this.#env.clock.after(delay, () => {
      this.#timer = undefined;
      this.#commitIfDue();
    });
  }

  /** With a link, nothing is written before the oldest waiting message is a whole interval old: one that answers in time saves the card. */
  #commitIfDue(): void {
    const since = this.#since();
    if (since === undefined) return;
    const now = this.#env.clock.now();
    const due = this.#dueAt(since);
    if (now < due) this.#armFor(due - now);
    else void this.#commit();
  }

  #commit(): Promise<void> {
    if (this.#pass !== undefined) return this.#pass;
    const held = this.#env.hold?.();
    if (!this.#host.mayBeSpared()) this.#gathering.onCommitBegins(this.#stage.count);
    this.#pass = this.#writeStage().finally(() => {
      held?.[Symbol.dispose]();
      this.#pass = undefined; // the next one not in the same breath, whatever this one came to
      this.#overAt = this.#env.clock.now();
      this.#gathering.onCommitOver();
      this.#arm(PAUSE_MS);
      this.#host.onPassed();
    });
    return this.#pass;
  }

  async #writeStage(): Promise<void> {
    const through = this.#host.lastSeq();
    let roomTries = 0;
    while (this.#stage.count > 0 && this.committedSeq < through) {
      const chunk = this.#stage.seal()!;
      const { lastSeq } = chunk;
      try {
        if (chunk.count > 0) await this.#journal.append(chunk.slab, chunk.start, chunk.end, chunk.count);
      } catch (error) {
        this.#stage.unseal();
        if (!isFault(error)) throw error;
        const isRoomMade = isCausedBy(error, "ENOSPC") && (await this.#host.onDiskFull());
        if (isRoomMade && roomTries++ < ROOM_TRIES_MAX) continue;
        this.#onRefused(error);
        return;
      }
      roomTries = 0;
      this.#stage.release();
      this.commits += 1;
      this.committedSeq = Math.max(this.committedSeq, lastSeq);
      if (this.fault !== null) this.#env.log.info("outbox: writing to flash works again");
      this.fault = null;
      this.#host.onWritten();
      await this.#host.onCommitted();
    }
  }

  #onRefused(error: unknown): void {
    if (this.fault === null) {
      this.#env.log.error("outbox: cannot write to flash; new messages are safe only once the hub confirms them", {
        error: explain(error),
      });
    }
    this.fault = explain(error);
  }
}
