// What is safe, and what nobody needs any more: tells publishers of the one, lets go of the other, in memory and on flash.
//
//   safe   committed, or confirmed and not held: its ticket may be acknowledged
//   done   confirmed, nothing before it is held: the stage and the journal need not keep it

import type { Millis } from "#base/clock.ts";
import type { Ticket } from "#core/sink.ts";
import type { Journal } from "#journal/journal.ts";
import type { Progress } from "./progress.ts";
import type { Stage } from "./stage.ts";
import { Tickets } from "./tickets.ts";

/** Staged bytes above which publishers are paused: the disk cannot keep up. */
export const STAGE_BYTES_MAX = 8 * 1024 * 1024;

export interface SafetyHost {
  /** More is safe than before: `oldestWaiting` has risen. */
  onSafe(): void;
  /** The stage has room again. */
  onRoom(): void;
}

export class Safety {
  readonly #journal: Journal;
  readonly #stage: Stage;
  readonly #progress: Progress;
  readonly #host: SafetyHost;
  readonly #tickets = new Tickets();
  #safeSeq: number;
  /** The router has seen us full and paused publishers: it must hear when there is room. */
  #hasBeenFull = false;

  constructor(journal: Journal, stage: Stage, progress: Progress, host: SafetyHost) {
    this.#journal = journal;
    this.#stage = stage;
    this.#progress = progress;
    this.#host = host;
    this.#safeSeq = journal.lastSeq;
  }

  get isFull(): boolean {
    return this.#stage.bytes > STAGE_BYTES_MAX;
  }

  /** Ticket of the oldest message that is not safe; Infinity when all are. */
  get oldestWaiting(): Ticket {
    return this.#tickets.oldest;
  }

  /** Its publisher has not been told that it is safe. */
  isWaiting(seq: number): boolean {
    return seq > this.#safeSeq;
  }

  /** When that message was staged; undefined when all are safe. */
  get waitingSince(): Millis | undefined {
    return this.#tickets.since;
  }

  onStaged(seq: number, ticket: Ticket, at: Millis): void {
    this.#tickets.push(seq, ticket, at);
  }

  /** A batch is over: the router looks at us now. */
  onFlush(): void {
    if (this.isFull) this.#hasBeenFull = true;
  }

  /** Something was confirmed, or written: everything up to `committedSeq` is on flash, or was confirmed before it had to be. */
  onProgress(committedSeq: number): void {
    const { doneThrough, confirmedSeq, held } = this.#progress;
    this.#stage.confirm(doneThrough);
    this.#journal.free(doneThrough);
    const heldInMemory = held.firstAbove(committedSeq);
    this.#safeSeq = Math.max(this.#safeSeq, committedSeq, Math.min(confirmedSeq, heldInMemory - 1));
    if (this.#tickets.onSafe(this.#safeSeq)) this.#host.onSafe();
  }

  /** A commit is over, written or not. */
  onPassed(): void {
    this.#stage.confirm(this.#progress.doneThrough);
  }

  tellRoom(): void {
    if (!this.#hasBeenFull || this.isFull) return;
    this.#hasBeenFull = false;
    this.#host.onRoom();
  }
}
