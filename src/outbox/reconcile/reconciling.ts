// Between a new link and its first backlog: what is in doubt is looked for in the streams of the hub, so that it is not sent twice.
//
//   link ready ─▶ a lane in doubt? ─┬─ no ─────────────────────────────▶ it gets the link
//                                   └─ yes ─▶ ask, for 30 s at most ───▶ it gets the link      link gone: stop asking
//
// Messages that are not kept flow meanwhile, and the lanes that nothing is in doubt of; new ones of the others go to flash.

import type { Clock, Millis } from "#base/clock.ts";
import type { Carrier } from "../hub-view.ts";
import type { Lane } from "../lane.ts";
import type { LaneSet } from "../lane-set.ts";
import type { Found } from "./reconcile.ts";

/** Then everything in doubt is sent again, under its old ids: at least once is what remains. */
const BUDGET_MS: Millis = 30_000;

export interface Asking {
  /** What is in doubt is theirs: the others need not wait. */
  readonly lanes: ReadonlySet<Lane>;
  /** Settles soon after the signal ends, whatever happens; never rejects. */
  readonly over: Promise<void>;
}

/** Tells the lanes what streams at the hub hold already; undefined when nothing is in doubt, or nobody there to be asked. */
export type Reconcile = (lanes: LaneSet, signal: AbortSignal) => Asking | undefined;

/** What streams hold of these subjects since then; undefined: the hub does not tell. Never rejects. */
export type LookFor = (subjects: readonly string[], sinceMs: Millis, signal: AbortSignal) => Promise<Found> | undefined;

export class Reconciling implements Disposable {
  readonly #lanes: LaneSet;
  readonly #reconcile: Reconcile | undefined;
  readonly #clock: Clock;
  #ending: AbortController | undefined;

  constructor(lanes: LaneSet, reconcile: Reconcile | undefined, clock: Clock) {
    this.#lanes = lanes;
    this.#reconcile = reconcile;
    this.#clock = clock;
  }

  /** The lanes have the link when this is over, and those at once that nothing is in doubt of. */
  begin(carrier: Carrier): void {
    const ending = new AbortController();
    const asking = this.#reconcile?.(this.#lanes, ending.signal);
    if (asking === undefined) this.#lanes.onReady(carrier);
    else {
      this.#lanes.onReady(carrier, (lane) => !asking.lanes.has(lane));
      void this.#wait(carrier, asking, ending);
    }
  }

  /** The link is gone. */
  [Symbol.dispose](): void {
    this.#ending?.abort();
    this.#ending = undefined;
  }

  async #wait(carrier: Carrier, asking: Asking, ending: AbortController): Promise<void> {
    this.#ending = ending;
    {
      using _budget = this.#clock.after(BUDGET_MS, () => ending.abort());
      await asking.over;
    }
    if (this.#ending !== ending) return; // another link by now, or none
    this.#ending = undefined;
    this.#lanes.onReady(carrier, (lane) => asking.lanes.has(lane));
  }
}
