// Our node of the hub is going into lame duck mode: leave for another URL before it hangs up. Pure: the caller probes.
//
//   interest gone ─ 250 ms ─▶ own URL? ─ no ─ 1 s ─▶ own URL? ─ no ─▶ another URL? ─ yes ─ 0…5 s ─▶ leave
//                                └──────────────── yes ──┴──────────────── no ──┴─▶ calm, for a minute and longer each time
//
// What a spoke can see of it (nats-server 2.10.27 and 2.15.1, single and cluster of three, with JetStream and without):
//
//   - Nothing is said: no INFO to leaves, no -ERR. Other nodes strike the leaving one from `leafnode_urls` only when its process has
//     ended; it never strikes itself. `$JS.API.>` and all else that an account imports stays announced.
//   - JetStream stops at once: LS- for the subjects of the streams that the node leads, within milliseconds on 2.15, up to a second
//     later on 2.10 (a replicated stream: LS-, and LS+ 10 ms later from the new leader). The deletion of a stream, a leader that moves,
//     and another node's lame duck look just the same. An account without JetStream sees nothing at all.
//   - The listener closes at once on 2.15, ours stays up through `lame_duck_grace_period`, then all leaves are cut off together. 2.10
//     goes on accepting leaves until the process ends, so there nothing tells it from a stream that was deleted: we stay until the end.
//
// So vanished interest is only a reason to look: a node that takes no new connection twice while the old one goes on, and another URL
// that does. A stream's deletion alone can never make us leave, nor a network that lets nothing new through.
// Tests: test/unit/uplink/lame-duck.test.ts, test/integration/failover.test.ts

import type { Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";

/** What to do now: see whether a URL takes a connection and tell `onProbe`, or end the link. */
export type LameDuckAdvice = "probe-own" | "probe-other" | "leave";

type State =
  /** Heeds nothing before `until`. */
  | { readonly at: "calm"; readonly until: Millis }
  | { readonly at: "due"; readonly advice: LameDuckAdvice; readonly nextAt: Millis; readonly refusals: number }
  /** The caller probes. */
  | { readonly at: "asking"; readonly advice: "probe-own" | "probe-other"; readonly refusals: number }
  /** No link, or one that was told to leave. */
  | { readonly at: "idle" };

/** What vanishes together is looked at once. */
const LOOK_AFTER_MS: Millis = 250;
/** Between the two looks at our own node. */
const LOOK_AGAIN_MS: Millis = 1_000;
const REFUSALS = 2;
/** A node's leaves leave one by one. nats-server's grace period is 10 s unless set. */
const LEAVE_WITHIN_MS: Millis = 5_000;
/** After a look that found nothing. Doubles where interest comes and goes all day: a look costs some 400 bytes. */
const PAUSE_MIN_MS: Millis = 60_000;
const PAUSE_MAX_MS: Millis = 3_600_000;
/** Inboxes go with each request, loop subjects with each leaf. */
const COMES_AND_GOES = /^(?:_INBOX\.|_R_\.|_GR_\.|\$LDS\.)/;

export class LameDuck {
  readonly #random: () => number;
  #state: State = { at: "idle" };
  #pause: Millis = PAUSE_MIN_MS;

  constructor(entropy: Pick<Entropy, "random">) {
    this.#random = () => entropy.random();
  }

  /** A link is ready. */
  onUp(now: Millis): void {
    this.#state = { at: "calm", until: now };
    this.#pause = PAUSE_MIN_MS;
  }

  onDown(): void {
    this.#state = { at: "idle" };
  }

  /** The hub withdrew `filter` while the link was ready. Call it only where there is another URL to go to. */
  onInterestGone(filter: string, now: Millis): void {
    if (this.#state.at !== "calm" || now < this.#state.until || COMES_AND_GOES.test(filter)) return;
    if (now - this.#state.until > this.#pause) this.#pause = PAUSE_MIN_MS;
    this.#state = { at: "due", advice: "probe-own", nextAt: now + LOOK_AFTER_MS, refusals: 0 };
  }

  /** When `advice` has something to say; null: nothing is on its way. */
  get nextAt(): Millis | null {
    return this.#state.at === "due" ? this.#state.nextAt : null;
  }

  /** Once for each: undefined before `nextAt`, and while a probe is under way. */
  advice(now: Millis): LameDuckAdvice | undefined {
    if (this.#state.at !== "due" || now < this.#state.nextAt) return undefined;
    const { advice, refusals } = this.#state;
    this.#state = advice === "leave" ? { at: "idle" } : { at: "asking", advice, refusals };
    return advice;
  }

  /** What came of the probe that was advised. One that was given up (the link ended meanwhile) may be told or not. */
  onProbe(now: Millis, hasAnswered: boolean): void {
    if (this.#state.at !== "asking") return;
    const { advice, refusals } = this.#state;
    // Our node answers, or nobody does: there is no better place than here.
    if (hasAnswered === (advice === "probe-own")) this.#calmDown(now);
    else if (advice === "probe-other") this.#come("leave", now + this.#random() * LEAVE_WITHIN_MS, refusals);
    else if (refusals + 1 < REFUSALS) this.#come("probe-own", now + LOOK_AGAIN_MS, refusals + 1);
    else this.#come("probe-other", now, refusals + 1);
  }

  #come(advice: LameDuckAdvice, nextAt: Millis, refusals: number): void {
    this.#state = { at: "due", advice, nextAt, refusals };
  }

  #calmDown(now: Millis): void {
    this.#state = { at: "calm", until: now + this.#pause };
    this.#pause = Math.min(PAUSE_MAX_MS, this.#pause * 2);
  }
}
