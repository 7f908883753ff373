// One timer for a link: the deadline of the phase it is in, or its next attempt. It also tells patience.ts what phases really take.

import type { Clock, Millis } from "#base/clock.ts";
import type { LeafConnection } from "./connection.ts";
import type { Link } from "./link-state.ts";
import { Patience } from "./patience.ts";

/** A hub with much interest may take long to tell it, as long as it goes on telling; but not for ever. */
const SYNC_MAX_MS: Millis = 600_000;

export interface PhaseTimerEvents {
  /** The phase has had its `limit`. */
  onExpired(state: Link, limit: Millis): void;
  /** Time for the next attempt. */
  onRetry(): void;
}

export class PhaseTimer implements Disposable {
  readonly patience = new Patience();
  readonly #clock: Clock;
  readonly #events: PhaseTimerEvents;
  #phaseAt: Millis = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, events: PhaseTimerEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** The link has gone from `before` to `next`. `connection`: of a link that is past dialing. */
  onMoved(before: Link, next: Link, connection: LeafConnection | undefined): void {
    const now = this.#clock.now();
    if (next.at !== "waiting" && next.at !== "stopped") this.#learn(before, now - this.#phaseAt);
    this.#phaseAt = now;
    this.#set(undefined);
    if ("deadline" in next) this.#watch(next, next.deadline - now, connection);
  }

  retryAt(at: Millis): void {
    this.#set(this.#clock.after(at - this.#clock.now(), () => this.#events.onRetry()));
  }

  [Symbol.dispose](): void {
    this.#set(undefined);
  }

  #learn(before: Link, took: Millis): void {
    if (before.at === "dialing") this.patience.onDialed(took);
    // The hub's interest takes as long as there is of it: that says nothing about the other phases.
    else if (before.at !== "waiting" && before.at !== "syncing") this.patience.onPhase(took);
  }

  #watch(state: Link, limit: Millis, connection: LeafConnection | undefined): void {
    const onDeadline = (): void => {
      const more = state.at === "syncing" && connection !== undefined ? this.#moreTimeToSync(limit, connection) : 0;
      if (more > 0) this.#set(this.#clock.after(more, onDeadline));
      else this.#events.onExpired(state, limit);
    };
    this.#set(this.#clock.after(limit, onDeadline));
  }

  /** All interest is said again, both ways, and a slow link needs its time for that: as long as it goes on, we wait. */
  #moreTimeToSync(limit: Millis, connection: LeafConnection): Millis {
    const now = this.#clock.now();
    if (now - this.#phaseAt >= SYNC_MAX_MS) return 0;
    const sinceByte = limit - connection.silentFor(now);
    const sincePing = connection.flow.patience - connection.flow.oldestPing(now);
    return Math.max(0, sinceByte, sincePing);
  }

  #set(timer: Disposable | undefined): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = timer;
  }
}
