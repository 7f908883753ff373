// New messages that found no room and were dropped: their publishers hear of it as if they were safe, so the loss is on flash before.
//
//   drop ── interval ──▶ losses.flush() ──▶ its ticket may be told safe
//   drop ── meanwhile ───────┘ the next flush, a quarter of a second after this one at the earliest
//
// One line of the ledger stands for all that came within an interval. Tests: test/unit/outbox/outbox.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import type { Ticket } from "#core/sink.ts";
import type { Losses } from "./ledger/losses.ts";

/** Between two flushes at least, so that an outbox which stays full neither wears the card out nor crowds older lines out of the ledger. */
const PACE_MS: Millis = 250;

export class Drops implements Disposable {
  readonly #losses: Pick<Losses, "flush">;
  readonly #clock: Clock;
  readonly #interval: Millis;
  readonly #onWritten: () => void;
  /** The oldest tickets with a drop: of the flush that is under way, and of the next. */
  #writing: Ticket = Number.POSITIVE_INFINITY;
  #waiting: Ticket = Number.POSITIVE_INFINITY;
  #flushedAt: Millis = Number.NEGATIVE_INFINITY;
  #timer: Disposable | undefined;
  #isClosed = false;

  /** `onWritten`: `safeThrough` has risen. */
  constructor(losses: Pick<Losses, "flush">, interval: Millis, clock: Clock, onWritten: () => void) {
    this.#losses = losses;
    this.#interval = interval;
    this.#clock = clock;
    this.#onWritten = onWritten;
  }

  /** Every ticket up to here is settled, as far as drops go; Infinity when none waits. */
  get safeThrough(): Ticket {
    return Math.min(this.#writing, this.#waiting) - 1;
  }

  /** A message under this ticket was dropped, and counted. Tickets rise. */
  note(ticket: Ticket): void {
    this.#waiting = Math.min(this.#waiting, ticket);
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(): void {
    const isIdle = this.#timer === undefined && this.#writing === Number.POSITIVE_INFINITY;
    if (!isIdle || this.#waiting === Number.POSITIVE_INFINITY || this.#isClosed) return;
    const delay = Math.max(this.#interval, this.#flushedAt + PACE_MS - this.#clock.now());
    this.#timer = this.#clock.after(delay, () => {
      this.#timer = undefined;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#writing = this.#waiting;
    this.#waiting = Number.POSITIVE_INFINITY;
    this.#flushedAt = this.#clock.now();
    await this.#losses.flush();
    this.#writing = Number.POSITIVE_INFINITY;
    this.#arm();
    if (!this.#isClosed) this.#onWritten();
  }
}
