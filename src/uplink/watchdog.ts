// Is the hub still there, and does it hear us? Pure. Source: DESIGN §4.6; what an answer may take: flow.ts.
//
//   any byte from the hub            it is there
//   20 s of silence, and we said something meanwhile     ask with a PING
//   55 s of silence on both sides    the same: a line that is paid by the byte has 36 of them a minute, and what cuts silent lines after
//                                    a minute leaves this one alone; where it does not, silence is kept short (QuietLine)
//   silence longer than patience     half-open: nothing comes any more
//   bytes, but never a PONG          half-open in our direction only: nothing arrives any more

import type { Millis } from "#base/clock.ts";
import type { Flow } from "./flow.ts";

/** We ask for a sign of life after this much silence of a hub to which something is under way. */
const PING_AFTER_MS: Millis = 20_000;
/** And after this much where nothing is. */
const PING_QUIET_AFTER_MS: Millis = 55_000;
/** A link that ends after this much silence, with nothing under way, was cut for its silence. */
const CUT_AFTER_MS: Millis = 30_000;
/** So many in a row are no chance. */
const CUTS = 2;
/** A PONG may be late behind much that the hub sends; but not this late, nor four times what flow.ts would wait. */
const UNHEARD_MS: Millis = 120_000;

export type Verdict = "fine" | "ask" | "stale" | "unheard";

/** How long both sides may be silent on the way to this hub. Outlives the links. */
export class QuietLine {
  #cuts = 0;

  get askAfter(): Millis {
    return this.#cuts < CUTS ? PING_QUIET_AFTER_MS : PING_AFTER_MS;
  }

  /** A link has ended, `silent` after the hub's last byte. */
  onEnd(silent: Millis, underWay: number): void {
    if (this.#cuts === CUTS) return; // whoever cuts does so for good
    this.#cuts = silent >= CUT_AFTER_MS && underWay === 0 ? this.#cuts + 1 : 0;
  }
}

/** `silent`: time without a byte from the hub; `quietAfter`: how much of it calls for a PING where nothing is under way. */
export function verdictOn(
  flow: Pick<Flow, "pings" | "patience" | "oldestPing" | "underWay">,
  silent: Millis,
  now: Millis,
  quietAfter = PING_QUIET_AFTER_MS,
): Verdict {
  if (flow.pings === 0) return silent >= (flow.underWay > 0 ? PING_AFTER_MS : quietAfter) ? "ask" : "fine";
  const unanswered = flow.oldestPing(now);
  const { patience } = flow;
  if (unanswered >= patience && silent >= patience) return "stale";
  return unanswered >= Math.max(UNHEARD_MS, 4 * patience) ? "unheard" : "fine";
}
