// When an outbox will have caught up, from what it did in the last minute. Nothing is foretold of one that does not drain.
//
//   depth     ●─────●─────●     net = what it fell per second; time left = depth now / net
//   delivered ●─────●─────●     rate = what the hub confirmed per second, new messages included

import type { DrainReport } from "./report.ts";

/** Looks remembered: a minute. */
const LOOKS_MAX = 12;

export interface DrainLook {
  /** Milliseconds of a clock that never jumps. */
  readonly now: number;
  readonly mode: "down" | "draining" | "direct";
  readonly depth: number;
  /** Of these, how many wait for the hub to want them. */
  readonly held: number;
  readonly delivered: number;
}

export class DrainForecast {
  #looks: DrainLook[] = [];

  add(look: DrainLook): void {
    if (look.mode !== "draining" || look.depth - look.held <= 0) {
      this.#looks = [];
      return;
    }
    this.#looks.push(look);
    if (this.#looks.length > LOOKS_MAX) this.#looks.shift();
  }

  /** null: there is nothing to drain, or too little was seen of it. */
  report(): DrainReport | null {
    const first = this.#looks[0];
    const last = this.#looks.at(-1);
    if (first === undefined || last === undefined || last.now <= first.now) return null;
    const seconds = (last.now - first.now) / 1000;
    const net = (first.depth - first.held - (last.depth - last.held)) / seconds;
    const rate = Math.max(0, last.delivered - first.delivered) / seconds;
    return {
      rate_per_second: Math.round(rate * 10) / 10,
      seconds_left: net <= 0 ? null : Math.ceil((last.depth - last.held) / net),
    };
  }
}
