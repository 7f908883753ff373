// Leaving a link that works for another URL: back to the first one (return-to-first.ts), or away from a node that is about to shut
// down (lame-duck.ts). The shell around both: timers, and connections that are opened only to see whether they can be.

import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { isFault } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { LameDuck } from "./lame-duck.ts";
import type { UrlChoice, UrlList } from "./url-list.ts";

export interface RelocationDeps {
  readonly urls: UrlList;
  /** A connection to the URL, as a dial makes it; rejects when the signal is aborted. */
  connect(choice: UrlChoice, signal: AbortSignal): Promise<ByteStream>;
  /** How long that may take. */
  timeout(): Millis;
  /** End the link politely: `urls.next` gives `to`. `why` is for the log. */
  go(to: UrlChoice, why: string): void;
}

export class Relocation {
  readonly #deps: RelocationDeps;
  readonly #clock: Clock;
  readonly #lameDuck: LameDuck;
  readonly #probes = new Set<AbortController>();
  #own: UrlChoice | undefined;
  #timer: Disposable | undefined;
  #isProbingFirst = false;

  constructor(deps: RelocationDeps, env: { readonly clock: Clock; readonly entropy: Entropy }) {
    this.#deps = deps;
    this.#clock = env.clock;
    this.#lameDuck = new LameDuck(env.entropy);
  }

  /** A link over `own` is ready. `urls` knows. */
  onUp(own: UrlChoice): void {
    this.#own = own;
    this.#isProbingFirst = false;
    this.#lameDuck.onUp(this.#clock.now());
  }

  /** It is over, or was told to go. */
  onDown(): void {
    this.#own = undefined;
    this.#lameDuck.onDown();
    this.#timer?.[Symbol.dispose]();
    for (const probe of this.#probes) probe.abort();
    this.#probes.clear();
  }

  /** The hub withdrew interest. */
  onInterestGone(filter: string): void {
    if (this.#own === undefined || this.#deps.urls.other() === undefined) return;
    this.#lameDuck.onInterestGone(filter, this.#clock.now());
    this.#watch();
  }

  /** Every few seconds while the link is ready. */
  async onTick(): Promise<void> {
    const { urls } = this.#deps;
    const first = urls.returnDue(this.#clock.now());
    if (first === undefined || this.#isProbingFirst || this.#own === undefined) return;
    this.#isProbingFirst = true;
    const hasAnswered = await this.#hasAnswered(first);
    if (hasAnswered === undefined) return;
    this.#isProbingFirst = false;
    if (urls.onProbe(this.#clock.now(), hasAnswered)) this.#go(first, "going back to the first URL");
  }

  /** One timer for whatever comes next. */
  #watch(): void {
    const { nextAt } = this.#lameDuck;
    this.#timer?.[Symbol.dispose]();
    if (nextAt !== null) this.#timer = this.#clock.after(nextAt - this.#clock.now(), () => void this.#follow());
  }

  async #follow(): Promise<void> {
    const { urls } = this.#deps;
    const other = urls.other();
    const advice = this.#lameDuck.advice(this.#clock.now());
    if (this.#own === undefined) return;
    if (advice === undefined) {
      this.#watch(); // a timer may come a fraction of a millisecond early
      return;
    }
    if (advice === "leave") {
      if (other === undefined) return;
      urls.leave();
      this.#go(other, "our node of the hub takes no new connections, as before a shutdown: leaving it early");
      return;
    }
    const choice = advice === "probe-own" ? this.#own : other;
    const hasAnswered = choice === undefined ? false : await this.#hasAnswered(choice);
    if (hasAnswered === undefined) return;
    this.#lameDuck.onProbe(this.#clock.now(), hasAnswered);
    this.#watch();
  }

  #go(to: UrlChoice, why: string): void {
    this.onDown();
    this.#deps.go(to, why);
  }

  /** Does the URL take a connection? undefined: the link is over, nobody wants to know any more. */
  async #hasAnswered(choice: UrlChoice): Promise<boolean | undefined> {
    const probe = new AbortController();
    this.#probes.add(probe);
    using _limit = this.#clock.after(this.#deps.timeout(), () => probe.abort());
    let hasAnswered = false;
    try {
      const stream = await this.#deps.connect(choice, probe.signal);
      stream.on("error", () => undefined); // nobody owns it any more
      stream.destroy();
      hasAnswered = true;
    } catch (error) {
      if (!probe.signal.aborted && !isFault(error)) throw error;
    }
    return this.#probes.delete(probe) ? hasAnswered : undefined;
  }
}
