// Between a new link and its first backlog: what is in doubt is looked for in the streams of the hub, so that it is not sent twice.
//
//   link ready ─▶ a lane in doubt? ─┬─ no ─────────────────────────────▶ it gets the link
//                                   └─ yes ─▶ ask, for 30 s at most ───▶ it gets the link      link gone: stop asking
//
// Messages that are not kept flow meanwhile, and the lanes that nothing is in doubt of; new ones of the others go to flash.
// What was not looked for, because it was to be sent again while its streams still know its ids, is remembered as left to them: a stream
// that refuses it for now makes it late, and then it has to be looked for after all (streams/suspensions.ts).

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
  /**
   * Settles soon after the signal ends, whatever happens; never rejects. Not null: some of it was not looked for, as its streams'
   * duplicate windows cover it, and this is since when it is in doubt, monotonic.
   */
  readonly over: Promise<Millis | null>;
}

/**
 * Tells the lanes what streams at the hub hold already; undefined when nothing is in doubt, or nobody there to be asked. `isHeldUp`: some
 * of it waits until its stream stores again, and nobody knows when that will be.
 */
export type Reconcile = (lanes: LaneSet, signal: AbortSignal, isHeldUp: boolean) => Asking | undefined;

/** What streams hold of these subjects since then; undefined: the hub does not tell. Never rejects. */
export type LookFor = (subjects: readonly string[], sinceMs: Millis, signal: AbortSignal) => Promise<Found> | undefined;

export class Reconciling implements Disposable {
  readonly #lanes: LaneSet;
  readonly #reconcile: Reconcile | undefined;
  readonly #clock: Clock;
  #ending: AbortController | undefined;
  /** Lanes whose doubt was left to the streams of this link, since when it is, and when that was. */
  #left: { readonly lanes: ReadonlySet<Lane>; readonly sinceMs: Millis; readonly at: Millis } | undefined;

  constructor(lanes: LaneSet, reconcile: Reconcile | undefined, clock: Clock) {
    this.#lanes = lanes;
    this.#reconcile = reconcile;
    this.#clock = clock;
  }

  /** The lanes have the link when this is over, and those at once that nothing is in doubt of. */
  begin(carrier: Carrier, isHeldUp = false): void {
    const ending = new AbortController();
    const asking = this.#reconcile?.(this.#lanes, ending.signal, isHeldUp);
    if (asking === undefined) this.#lanes.onReady(carrier);
    else {
      this.#lanes.onReady(carrier, (lane) => !asking.lanes.has(lane));
      void this.#wait(carrier, asking, ending);
    }
  }

  /** Since when some of it is in doubt that was left to the windows of streams, and that none has answered for yet; Infinity: none is. */
  leftSince(lane: Lane): Millis {
    const left = this.#left?.lanes.has(lane) === true ? this.#left : undefined;
    if (left === undefined || !(lane.hasInherited || (lane.doubt()?.sinceMs ?? left.at) < left.at))
      return Number.POSITIVE_INFINITY;
    return left.sinceMs;
  }

  /** The link is gone. */
  [Symbol.dispose](): void {
    this.#left = undefined;
    this.#ending?.abort();
    this.#ending = undefined;
  }

  async #wait(carrier: Carrier, asking: Asking, ending: AbortController): Promise<void> {
    this.#ending = ending;
    let sinceMs: Millis | null;
    {
      using _budget = this.#clock.after(BUDGET_MS, () => ending.abort());
      sinceMs = await asking.over;
    }
    if (this.#ending !== ending) return; // another link by now, or none
    this.#ending = undefined;
    this.#left = sinceMs === null ? undefined : { lanes: asking.lanes, sinceMs, at: this.#clock.now() };
    this.#lanes.onReady(carrier, (lane) => asking.lanes.has(lane));
  }
}
