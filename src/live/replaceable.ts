// A part that may give way to another of its kind while everything else runs on: settings were changed.
//
//   open ── change ──▶ the old one closes, in good order ─▶ the new one opens ─┬─▶ open
//                                                                             └─▶ it cannot: the old one opens again, and the fault is thrown
//   the old one cannot either ── 10 s ──▶ tried again, until it opens or something else is wanted
//
// The old one goes first: both may want the same port, the same device, the same files. So somebody else may take its place meanwhile, and
// a device in the field must not stay without its door for that until somebody restarts it.

import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { LIVE_GONE } from "./live-errors.ts";

const AGAIN_MS: Millis = 10_000;

export interface ReplaceableEnv {
  readonly clock: Clock;
  readonly log: Log;
}

export class Replaceable<C> implements AsyncDisposable {
  /** For people. */
  readonly #name: string;
  readonly #open: (config: C) => Promise<AsyncDisposable | undefined>;
  readonly #env: ReplaceableEnv;
  #part: AsyncDisposable | undefined;
  #again: Disposable | undefined;
  #fault: string | null = null;
  #isClosed = false;
  /** One thing at a time. */
  #turn: Promise<void> = Promise.resolve();

  /** `open` resolves with undefined where there is to be none. */
  constructor(name: string, open: (config: C) => Promise<AsyncDisposable | undefined>, env: ReplaceableEnv) {
    this.#name = name;
    this.#open = open;
    this.#env = env;
  }

  /** Why there is none for now, in words; null: there is, or none is wanted. */
  get fault(): string | null {
    return this.#fault;
  }

  start(config: C): Promise<void> {
    return this.#inTurn(() => this.#begin(config));
  }

  /** Throws what the new one's opening threw; LIVE_GONE if the old one cannot be opened again either, for now. */
  change(from: C, to: C): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end();
      try {
        await this.#begin(to);
      } catch (error) {
        await this.#goBack(from, error);
        throw error;
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return this.#inTurn(() => this.#end());
  }

  async #goBack(from: C, cause: unknown): Promise<void> {
    try {
      await this.#begin(from);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#tryLater(from, error);
      const found = `${this.#name} cannot be opened as the change wants it (${explain(cause)}), nor as it was (${explain(error)})`;
      throw new PetioleError(LIVE_GONE, `${found}; the latter is tried again every ${AGAIN_MS / 1000} s`, { cause });
    }
  }

  #tryLater(config: C, error: unknown): void {
    this.#fault = `${this.#name} cannot be opened: ${explain(error)}; it is tried again every ${AGAIN_MS / 1000} s`;
    this.#env.log.error("a part could not be put back as it was; it is tried again", { part: this.#name, error: explain(error) });
    this.#again = this.#env.clock.after(AGAIN_MS, () => void this.#inTurn(() => this.#tryAgain(config)));
  }

  async #tryAgain(config: C): Promise<void> {
    if (this.#again === undefined) return; // something else was wanted while this waited for its turn
    this.#again = undefined;
    try {
      await this.#begin(config);
      this.#env.log.info("a part is back as it was", { part: this.#name });
    } catch (error) {
      if (!isFault(error)) throw error;
      if (!this.#isClosed) this.#tryLater(config, error);
    }
  }

  async #begin(config: C): Promise<void> {
    if (!this.#isClosed) this.#part = await this.#open(config);
    this.#fault = null;
  }

  async #end(): Promise<void> {
    this.#again?.[Symbol.dispose]();
    this.#again = undefined;
    const part = this.#part;
    this.#part = undefined;
    await part?.[Symbol.asyncDispose]();
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => undefined); // the caller hears of it
    return turn;
  }
}
