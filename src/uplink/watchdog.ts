// Is the hub still there, and does it hear us? Pure. Source: DESIGN §4.6; what an answer may take: flow.ts.
//
//   any byte from the hub            it is there
//   20 s of silence                  ask with a PING
//   silence longer than patience     half-open: nothing comes any more
//   bytes, but never a PONG          half-open in our direction only: nothing arrives any more

import type { Millis } from "#base/clock.ts";
import type { Flow } from "./flow.ts";

/** We ask for a sign of life after this much silence. */
const PING_AFTER_MS: Millis = 20_000;
/** A PONG may be late behind much that the hub sends; but not this late, nor four times what flow.ts would wait. */
const UNHEARD_MS: Millis = 120_000;

export type Verdict = "fine" | "ask" | "stale" | "unheard";

/** `silent`: time without a byte from the hub. */
export function verdictOn(flow: Pick<Flow, "pings" | "patience" | "oldestPing">, silent: Millis, now: Millis): Verdict {
  if (flow.pings === 0) return silent >= PING_AFTER_MS ? "ask" : "fine";
  const unanswered = flow.oldestPing(now);
  const { patience } = flow;
  if (unanswered >= patience && silent >= patience) return "stale";
  return unanswered >= Math.max(UNHEARD_MS, 4 * patience) ? "unheard" : "fine";
}
