// Keeps updates and restarts out while the outbox commits or drains, and never for longer than a set time.
//
//   using _busy = lock.hold();      // as often as one likes, at the same time, too: the first takes it, the last lets it go
//
// Nothing waits for it: holding is a wish. A lock that cannot be taken costs a line in the log and nothing else, because what is acknowledged
// is safe without it; it spares the outbox being stopped in the middle.

import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { decide, type LockLimits } from "./lock-decision.ts";
import type { LockFile } from "./lock-file.ts";

export const updateLockLimits: LockLimits = { lingerMs: 1_000, heldMsMax: 600_000, restMs: 300_000 };

/** Wait before we try again what somebody else has, or the disk refused. */
const RETRY_MS: Millis = 30_000;

export interface UpdateLockStatus {
  /** `none`: there is nothing that could update us. `foreign`: the supervisor or another service has it. */
  readonly state: "none" | "free" | "held" | "foreign" | "resting";
  /** How long we hold it; null: we do not. */
  readonly heldMs: Millis | null;
}

export interface UpdateLockEnv {
  readonly clock: Clock;
  readonly log: Log;
}

/** Removes a lock that an earlier life left behind. `file` undefined: a lock that locks nothing. */
export async function openUpdateLock(
  file: LockFile | undefined,
  env: UpdateLockEnv,
  limits: LockLimits = updateLockLimits,
): Promise<UpdateLock> {
  try {
    if (await file?.clearStale()) env.log.info("the update lock of an earlier run was still there: removed");
  } catch (error) {
    if (!isFault(error)) throw error;
    env.log.warn("the update lock of an earlier run cannot be removed; updates wait until the next reboot", {
      error: explain(error),
    });
  }
  return new UpdateLock(file, env, limits);
}

export class UpdateLock implements AsyncDisposable {
  readonly #file: LockFile | undefined;
  readonly #env: UpdateLockEnv;
  readonly #limits: LockLimits;
  #wishes = 0;
  #wantedLast: Millis = Number.NEGATIVE_INFINITY;
  #held: { readonly since: Millis; readonly lock: AsyncDisposable } | undefined;
  #notBefore: Millis = Number.NEGATIVE_INFINITY;
  #whyNot: "foreign" | "resting" = "foreign";
  #timer: Disposable | undefined;
  #act: Promise<void> | undefined;
  #isRefusalTold = false;
  #isClosed = false;

  constructor(file: LockFile | undefined, env: UpdateLockEnv, limits: LockLimits) {
    this.#file = file;
    this.#env = env;
    this.#limits = limits;
  }

  /** Keeps updates out until disposed; disposing twice is disposing once. */
  hold(): Disposable {
    let isHeld = true;
    this.#wishes += 1;
    if (this.#wishes === 1 && this.#held === undefined) this.#look();
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#wishes -= 1;
        this.#wantedLast = this.#env.clock.now();
        if (this.#wishes === 0) this.#look();
      },
    };
  }

  status(): UpdateLockStatus {
    const now = this.#env.clock.now();
    if (this.#file === undefined) return { state: "none", heldMs: null };
    if (this.#held !== undefined) return { state: "held", heldMs: now - this.#held.since };
    return { state: now < this.#notBefore ? this.#whyNot : "free", heldMs: null };
  }

  /** Lets go; no wish counts any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#act;
    await this.#release();
  }

  #look(): void {
    if (this.#isClosed || this.#file === undefined || this.#act !== undefined) return;
    const now = this.#env.clock.now();
    const view = {
      heldSince: this.#held?.since ?? null,
      isWanted: this.#wishes > 0,
      wantedLast: this.#wantedLast,
      notBefore: this.#notBefore,
    };
    const { act, wakeMs } = decide(view, this.#limits, now);
    this.#timer?.[Symbol.dispose]();
    this.#timer = wakeMs === null ? undefined : this.#env.clock.after(wakeMs, () => this.#look());
    if (act === "wait") return;
    this.#act = (act === "take" ? this.#take(this.#file) : this.#letGo(act)).finally(() => {
      this.#act = undefined;
      this.#look(); // what was wished meanwhile
    });
  }

  async #take(file: LockFile): Promise<void> {
    try {
      const lock = await file.take();
      if (lock === undefined) this.#wait("foreign", RETRY_MS);
      else this.#held = { since: this.#env.clock.now(), lock };
      this.#isRefusalTold = false;
    } catch (error) {
      this.#refused("taken", error);
    }
  }

  async #letGo(act: "release" | "rest"): Promise<void> {
    if (act === "rest") {
      this.#wait("resting", this.#limits.restMs);
      this.#env.log.info("updates were kept out for as long as they may be, and are let in now; the outbox goes on", {
        held_s: Math.round(this.#limits.heldMsMax / 1000),
      });
    }
    await this.#release();
  }

  async #release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    try {
      await held?.lock[Symbol.asyncDispose]();
    } catch (error) {
      this.#refused("removed", error);
    }
  }

  #wait(whyNot: "foreign" | "resting", ms: Millis): void {
    this.#whyNot = whyNot;
    this.#notBefore = this.#env.clock.now() + ms;
  }

  #refused(what: string, error: unknown): void {
    if (!isFault(error)) throw error;
    if (!this.#isRefusalTold)
      this.#env.log.warn(`the update lock cannot be ${what}; an update may come at any moment`, { error: explain(error) });
    this.#isRefusalTold = true;
    this.#wait("foreign", RETRY_MS);
  }
}
