// Puts staged messages on flash: one write and one fdatasync for all that came within an interval, tried again until the disk takes it.
//
//   staged ──▶ oldest one interval old? ──▶ seal a chunk ──▶ journal.append ──▶ committed
//                    ▲ no: a PONG may spare the card           │ refused: wait, try again; nothing is lost meanwhile

import type { Millis } from "#base/clock.ts";
import { explain, isCausedBy, isFault, PetioleError } from "#base/errors.ts";
import type { Journal } from "#journal/journal.ts";
import { OUTBOX_COMMIT_FAILED } from "./errors.ts";
import type { OutboxEnv } from "./outbox-deps.ts";
import type { Stage } from "./stage.ts";

/**
 * How often a commit that found no space is tried again at once, if some was made. What is made costs the oldest messages, and somebody
 * else may be filling the disk as fast: so not for ever.
 */
const ROOM_TRIES_MAX = 2;
/** Wait before a commit that the disk refused is tried again. */
const RETRY_MS: Millis = 1000;

export interface CommitterHost {
  /** When the oldest message that is not safe was staged; undefined when all are. */
  waitingSince(): Millis | undefined;
  /** The highest seq given out. */
  lastSeq(): number;
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
    this.#host = host;
    this.#env = env;
  }

  /** Sees to it that what waits now is committed in time. */
  arm(): void {
    if (this.#host.waitingSince() !== undefined) this.#armFor(this.fault === null ? this.#interval : RETRY_MS);
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

  #armFor(delay: Millis): void {
    if (this.#timer !== undefined || this.#pass !== undefined || this.#isClosed) return;
    this.#timer = this.#env.clock.after(delay, () => {
      this.#timer = undefined;
      this.#commitIfDue();
    });
  }

  /** Nothing is written before the oldest waiting message is a whole interval old: a link that answers in time saves the card. */
  #commitIfDue(): void {
    const since = this.#host.waitingSince();
    if (since === undefined) return;
    const age = this.#env.clock.now() - since;
    if (age < this.#interval) this.#armFor(this.#interval - age);
    else void this.#commit();
  }

  #commit(): Promise<void> {
    if (this.#pass !== undefined) return this.#pass;
    const held = this.#env.hold?.();
    this.#pass = this.#writeStage().finally(() => {
      held?.[Symbol.dispose]();
      this.#pass = undefined;
      this.arm();
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
