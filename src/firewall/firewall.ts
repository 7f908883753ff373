// Keeps the kernel's packet filter as we want it, and says when it cannot.
//
//              ┌────────── every 30 s: read back, compare ──────────┐
//   wanted ─▶ applied ── differs ─▶ applied again (counted, told) ──┘
//       └───▶ failing ── every minute ─▶ tried again                   the spoke runs on: a box without a filter still delivers
//
// A change that could lock its author out is tried out: unless it is confirmed in time, the ruleset before it comes back.
// When the spoke ends the table stays: what nobody listens to is better closed.

import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Exec } from "#base/exec.ts";
import type { Log } from "#base/log.ts";
import { Blocked } from "./blocked.ts";
import { type Count, countsOf, driftOf, driftWords } from "./compare.ts";
import { Nft } from "./nft.ts";
import { blocking, removal, transactionOf } from "./nft-json.ts";
import type { Ruleset } from "./ruleset.ts";

const WATCH_INTERVAL_MS = 30_000;
const RETRY_INTERVAL_MS = 60_000;
/** Blocked at the same time; nft is told all of a family in one call. */
const BLOCKED_MAX = 1024;

/** Who is locked out now: a place by address or network, and until when by our clock. */
export interface LockedOut {
  readonly address: string;
  readonly until: Millis;
  /** Wrong logins in a row. */
  readonly failures: number;
}

/** As many wrong logins are a program at work. A person who mistypes must still reach the page that says so. */
const FAILURES_MIN = 30;
const LOOK_INTERVAL_MS = 5_000;

export interface FirewallEnv {
  readonly clock: Clock;
  readonly exec: Exec;
  readonly log: Log;
}

export interface FirewallStatus {
  readonly state: "applied" | "failing" | "off";
  /** Why it is failing. */
  readonly because: string | null;
  /** What the kernel could not do, in words; the rest is in force. */
  readonly lacks: readonly string[];
  /** How often somebody else had changed our table since the start. */
  readonly drifts: number;
  readonly lastDrift: string | null;
  readonly blocked: number;
  /** Until the trial of a change ends, in milliseconds; null: none is on trial. */
  readonly trialMs: Millis | null;
}

/**
 * Puts `wanted` in force and keeps it so until disposed. `null`: no firewall; a table of ours that is left over is removed, where we may.
 * Returns at once: nothing waits for the packet filter. `settled` tells when the first try is over.
 */
export function openFirewall(
  wanted: Ruleset | null,
  env: FirewallEnv,
  lockedOut: () => Iterable<LockedOut> = () => [],
): Firewall {
  const firewall = new Firewall(wanted, env, lockedOut);
  void firewall.refresh();
  return firewall;
}

export class Firewall implements AsyncDisposable {
  readonly #env: FirewallEnv;
  readonly #log: Log;
  readonly #nft: Nft;
  readonly #end = new AbortController();
  readonly #blocked: Blocked;
  readonly #lockedOut: () => Iterable<LockedOut>;
  readonly #looks: Disposable;
  #wanted: Ruleset | null;
  /** What was in force before the change on trial. */
  #trial: { readonly before: Ruleset | null; readonly until: Millis; readonly timer: Disposable } | undefined;
  #state: FirewallStatus["state"] = "off";
  #because: string | null = null;
  /** We changed our mind since the table was written: what the kernel has differs because of us. */
  #isStale = false;
  #hasLooked = false;
  /** As far as we know, the kernel has a table of ours. */
  #isThere = false;
  #hasMeters = true;
  /** Senders were blocked that the kernel was not told of yet. */
  #hasNewBlocked = false;
  #drifts = 0;
  #lastDrift: string | null = null;
  #counts: ReadonlyMap<string, Count> = new Map();
  #timer: Disposable | undefined;
  /** One thing at a time. */
  #work: Promise<void> = Promise.resolve();

  /** For `openFirewall`. */
  constructor(wanted: Ruleset | null, env: FirewallEnv, lockedOut: () => Iterable<LockedOut>) {
    this.#wanted = wanted;
    this.#lockedOut = lockedOut;
    this.#env = env;
    this.#log = env.log.part("firewall");
    this.#nft = new Nft(env.exec);
    this.#blocked = new Blocked(env.clock, BLOCKED_MAX);
    this.#looks = env.clock.every(LOOK_INTERVAL_MS, () => this.#lookWhoIsLockedOut());
  }

  /** None is wanted, and the kernel has none of ours. */
  get isRemoved(): boolean {
    return this.#wanted === null && this.#hasLooked && !this.#isThere;
  }

  /** What was begun is over. */
  get settled(): Promise<void> {
    return this.#work;
  }

  status(): FirewallStatus {
    const now = this.#env.clock.now();
    return {
      state: this.#state,
      because: this.#because,
      lacks: this.#hasMeters ? [] : ["limits on new connections"],
      drifts: this.#drifts,
      lastDrift: this.#lastDrift,
      blocked: this.#blocked.size,
      trialMs: this.#trial === undefined ? null : Math.max(0, this.#trial.until - now),
    };
  }

  /** The rules in force with what each has seen at the last look. */
  rules(): readonly { readonly key: string; readonly words: string; readonly verdict: string; readonly count: Count | null }[] {
    return (this.#effective()?.rules ?? []).map(({ key, words, verdict }) => {
      return { key, words, verdict, count: this.#counts.get(key) ?? null };
    });
  }

  /** Reads the kernel's table, and applies ours where it differs. Failing is a state, not an error. */
  refresh(): Promise<void> {
    return this.#inTurn(async (signal) => {
      const asked = this.#wanted;
      const wanted = this.#effective();
      const listed = await this.#nft.list(signal);
      this.#isThere = listed !== undefined;
      if (wanted === null) {
        if (listed !== undefined) await this.#nft.apply(removal(), signal);
        this.#isThere = false;
        this.#hasLooked = true;
        this.#settle("off");
        return;
      }
      const drift = driftOf(wanted, listed);
      if (listed !== undefined) this.#counts = countsOf(listed);
      if (drift !== undefined) {
        if (this.#state === "applied" && !this.#isStale) this.#tellDrift(driftWords(drift));
        await this.#apply(wanted, signal);
      } else if (this.#hasNewBlocked) await this.#applyBlocked(signal);
      if (this.#wanted === asked) this.#isStale = false; // else it was changed again meanwhile
      this.#settle("applied");
    });
  }

  /** Puts another ruleset in force. With `confirmWithin` it must be confirmed in time, or the one before comes back. */
  async change(wanted: Ruleset | null, confirmWithin: Millis | null = null): Promise<void> {
    const before = this.#trial?.before ?? this.#wanted;
    this.#trial?.timer[Symbol.dispose]();
    this.#trial = undefined;
    this.#wanted = wanted;
    this.#isStale = true;
    if (confirmWithin !== null) {
      const timer = this.#env.clock.after(confirmWithin, () => this.#revert());
      this.#trial = { before, until: this.#env.clock.now() + confirmWithin, timer };
    }
    await this.refresh();
  }

  /** The change on trial stays. False: none is on trial any more. */
  confirm(): boolean {
    if (this.#trial === undefined) return false;
    this.#trial.timer[Symbol.dispose]();
    this.#trial = undefined;
    return true;
  }

  /** New connections from this address or network are dropped for so long. The box itself is passed over. */
  async block(address: string, duration: Millis): Promise<void> {
    if (this.#blocked.add(address, duration)) await this.#tellBlocked();
  }

  /** Lets go of timers and of what is under way. The kernel keeps the table. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#looks[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#trial?.timer[Symbol.dispose]();
    this.#trial = undefined;
    await this.#work;
  }

  #lookWhoIsLockedOut(): void {
    if (this.#state !== "applied") return;
    let isNews = false;
    for (const { address, until, failures } of this.#lockedOut()) {
      if (failures >= FAILURES_MIN && this.#blocked.addUntil(address, until)) isNews = true;
    }
    if (isNews) void this.#tellBlocked();
  }

  /** Once for all that are new by the time it is their turn; while the filter fails, with the next try. */
  #tellBlocked(): Promise<void> {
    const isQueued = this.#hasNewBlocked;
    this.#hasNewBlocked = true;
    if (this.#state !== "applied") return Promise.resolve();
    if (isQueued) return this.#work;
    return this.#inTurn(async (signal) => {
      if (this.#hasNewBlocked) await this.#applyBlocked(signal);
    });
  }

  #effective(): Ruleset | null {
    if (this.#wanted === null || this.#hasMeters) return this.#wanted;
    return { ...this.#wanted, rules: this.#wanted.rules.filter(({ beyond }) => beyond === undefined) };
  }

  /** Some kernels have no meters: then everything but the limits. */
  async #apply(wanted: Ruleset, signal: AbortSignal): Promise<void> {
    try {
      await this.#nft.apply(transactionOf(wanted), signal);
    } catch (error) {
      if (!this.#hasMeters || !(error instanceof PetioleError) || error.code !== "FIREWALL_KERNEL_LACKS") throw error;
      this.#hasMeters = false;
      try {
        await this.#nft.apply(transactionOf(this.#effective()!), signal);
      } catch {
        this.#hasMeters = true; // it was not that: the first complaint says more
        throw error;
      }
      this.#log.warn("this kernel cannot limit new connections; the other rules are in force", { because: explain(error) });
    }
    this.#isThere = true;
    await this.#applyBlocked(signal);
  }

  async #applyBlocked(signal: AbortSignal): Promise<void> {
    this.#hasNewBlocked = false;
    try {
      for (const family of [4, 6] as const) await this.#nft.apply(blocking(family, this.#blocked.of(family)), signal);
    } catch (error) {
      this.#hasNewBlocked = true;
      throw error;
    }
  }

  #settle(state: "applied" | "off"): void {
    if (this.#state !== state) this.#log.info(state === "applied" ? "packet filter is in force" : "packet filter is off", {});
    this.#state = state;
    this.#because = null;
  }

  #tellDrift(words: string): void {
    this.#drifts += 1;
    this.#lastDrift = words;
    this.#log.warn("somebody changed our table of the packet filter; it is put back", { found: words });
  }

  #revert(): void {
    const before = this.#trial?.before ?? null;
    this.#trial = undefined;
    this.#wanted = before;
    this.#isStale = true;
    this.#log.warn("the change of the packet filter was not confirmed in time; the rules before it are back", {});
    void this.refresh();
  }

  /** One after the other; a fault is a state with words, told once, and tried again. */
  #inTurn(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#end;
    this.#work = this.#work.then(async () => {
      if (signal.aborted) return;
      try {
        await work(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isFault(error)) throw error;
        const because = explain(error);
        if (this.#wanted === null && !this.#isThere) {
          this.#log.debug("nothing is known of a packet filter of ours, and none is wanted", { because });
          this.#settle("off");
          return;
        }
        const what = this.#wanted === null ? "cannot be switched off" : "is not in force";
        if (this.#because !== because) this.#log.error(`packet filter ${what}`, { because });
        this.#state = "failing";
        this.#because = because;
      }
      this.#schedule();
    });
    return this.#work;
  }

  #schedule(): void {
    this.#timer?.[Symbol.dispose]();
    const pause = this.#state === "failing" ? RETRY_INTERVAL_MS : WATCH_INTERVAL_MS;
    this.#timer = this.#state === "off" ? undefined : this.#env.clock.after(pause, () => void this.refresh());
  }
}
