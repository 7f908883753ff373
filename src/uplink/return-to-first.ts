// When to leave a working URL for the first one: only when the first has answered for as long as `return_to_first` says (soak), so
// that a hub that comes and goes does not take the link with it. Pure: the caller probes and tells what came of it.
//
//   ready elsewhere ─ half the soak or more ─▶ probe ─ half ─▶ probe ─ half ─▶ probe ─▶ go        one that fails starts it anew
//
// A return that ends badly doubles the soak, up to 16 times: a first URL that answers on TCP and then refuses the login would
// otherwise be a reason to drop a good link again and again.

import type { Millis } from "#base/clock.ts";

const PROBE_EVERY_MIN_MS: Millis = 500;
const FACTOR_MAX = 16;
/** A first URL that held this long, or as long as the soak if that is shorter, is trusted again. */
const HELD_MS: Millis = 3_600_000;

type State =
  | { readonly at: "idle" }
  /** Ready on another URL. `since`: of the unbroken row of answers; null: none yet. */
  | { readonly at: "watching"; readonly since: Millis | null; readonly nextAt: Millis }
  /** Told to go; what becomes of the first URL now decides about the factor. */
  | { readonly at: "returning" };

export class ReturnToFirst {
  readonly #after: Millis | null;
  readonly #share: number;
  #state: State = { at: "idle" };
  #factor = 1;
  #isFirstUp = false;
  #firstUpAt: Millis = 0;

  /** `after`: null switches it off. `share`: where in half a soak this device begins to look, in [0, 1). */
  constructor(after: Millis | null, share = 0) {
    this.#after = after;
    this.#share = share;
  }

  /** A link is ready. */
  onUp(isFirst: boolean, now: Millis): void {
    this.#isFirstUp = isFirst;
    if (isFirst) {
      this.#firstUpAt = now;
      this.#state = { at: "idle" };
    } else if (this.#after !== null) {
      this.#state = { at: "watching", since: null, nextAt: now + this.#every * (1 + this.#share) };
    }
  }

  /** A dial failed or a link ended. */
  onDown(isFirst: boolean, now: Millis): void {
    if (this.#after === null) return;
    if (isFirst) {
      const heldOut = this.#isFirstUp && now - this.#firstUpAt >= Math.min(HELD_MS, this.#after);
      if (heldOut) this.#factor = 1;
      else if (this.#state.at === "returning" || this.#isFirstUp) this.#factor = Math.min(FACTOR_MAX, this.#factor * 2);
      this.#isFirstUp = false;
      this.#state = { at: "idle" };
    } else if (this.#state.at === "watching") this.#state = { at: "idle" };
  }

  isProbeDue(now: Millis): boolean {
    return this.#state.at === "watching" && now >= this.#state.nextAt;
  }

  /** True: go now. */
  onProbe(now: Millis, hasAnswered: boolean): boolean {
    if (this.#state.at !== "watching") return false;
    const since = hasAnswered ? (this.#state.since ?? now) : null;
    if (since !== null && now - since >= this.#soak) {
      this.#state = { at: "returning" };
      return true;
    }
    this.#state = { at: "watching", since, nextAt: now + this.#every };
    return false;
  }

  get #soak(): Millis {
    return (this.#after ?? 0) * this.#factor;
  }

  get #every(): Millis {
    return Math.max(PROBE_EVERY_MIN_MS, this.#soak / 2);
  }
}
