// Whether a group that is to go to flash should wait for more: tried out, now the one and now the other, by what counts for the card.
//
//   wait ■■■ 16 groups, then ever more ─▶ go early ■ 4 groups ─▶ as many messages a group, but for an eighth? then early from here on
//
// A publisher that waits for its PUBACK sends nothing meanwhile: waiting gathers nothing and costs it the wait. Devices that send by
// themselves share a commit if it waits; so does one that gathers for us while it waits (Nagle's algorithm does).
//
// Pure: times and counts in, times out. Tests: test/unit/outbox/gathering.test.ts

import type { Millis } from "#base/clock.ts";

/** What follows within this belongs to the same burst. */
const QUIET_MS: Millis = 1;
/** After so many groups that came in one batch each, and nothing behind them, the next is not waited for even that long. */
const LONE_GROUPS = 8;
/** Groups for which the other way is tried; the first of them still has what the way before left. */
const TRIAL_GROUPS = 4;
/** Groups between two trials: at first, and after many that changed nothing. */
const STAY_GROUPS_MIN = 16;
const STAY_GROUPS_MAX = 512;
/** Groups that go early may be smaller by this share: so much more is written to the card than with a wait. */
const SHARE = 1 / 8;

export class Gathering {
  readonly #interval: Millis;
  #goesEarly = false;
  #isTrial = false;
  #stay = STAY_GROUPS_MIN;
  /** Groups of this phase, and the messages of all but the first. */
  #groups = 0;
  #messages = 0;
  /** Messages a group, with the way in use. */
  #usual = 0;
  #lastAt: Millis = Number.POSITIVE_INFINITY;
  /** Batches of this group; groups in a row that were one batch, with nothing behind it. */
  #batches = 0;
  #lone = 0;

  constructor(interval: Millis) {
    this.#interval = interval;
  }

  onStaged(now: Millis): void {
    this.#batches += 1;
    this.#lastAt = now;
  }

  onCommitBegins(count: number): void {
    this.#lone = this.#batches === 1 ? this.#lone + 1 : 0;
    this.#batches = 0;
    this.#onGroup(count);
  }

  onCommitOver(): void {
    if (this.#batches > 0) this.#lone = 0;
  }

  /** When a group whose oldest message came at `since` is to go: at the end of its interval, or when its burst is over. */
  dueAt(since: Millis): Millis {
    const end = since + this.#interval;
    return this.#goesEarly ? Math.min(end, this.#lastAt + (this.#lone >= LONE_GROUPS ? 0 : QUIET_MS)) : end;
  }

  #onGroup(count: number): void {
    this.#groups += 1;
    if (this.#groups > 1) this.#messages += count;
    if (this.#groups < (this.#isTrial ? TRIAL_GROUPS : this.#stay)) return;
    const average = this.#messages / (this.#groups - 1);
    this.#groups = 0;
    this.#messages = 0;
    if (this.#isTrial) this.#decide(average);
    else {
      this.#usual = average;
      this.#goesEarly = !this.#goesEarly;
    }
    this.#isTrial = !this.#isTrial;
  }

  #decide(tried: number): void {
    const isBetter = this.#goesEarly ? tried >= this.#usual * (1 - SHARE) : tried * (1 - SHARE) > this.#usual;
    this.#stay = isBetter ? STAY_GROUPS_MIN : Math.min(STAY_GROUPS_MAX, this.#stay * 2);
    if (!isBetter) this.#goesEarly = !this.#goesEarly;
  }
}
