// Does a link get anywhere? A mark over what it reports that changes with every step it makes. Pure.
//
//   not ready        every attempt and every state of it is a step; a wait may be as long as the settings and the hub allow
//   ready            each message that was confirmed, sent or put aside is one, if there is any that could be
//
// A hub that is away, one that nobody at listens to, a full disk: none of that is a standstill. What is left are our own faults.

import type { Millis } from "#base/clock.ts";
import type { LaneReport, RemoteReport } from "#status/report.ts";

/**
 * A lane notes at most so many runs of messages that it holds (outbox, SEQ_RUNS_MAX). With as many it looks at no other until somebody
 * listens, and waits for the hub, not for us.
 */
const HELD_RUNS_MAX = 65_536;

/** undefined: there is nothing it should be doing. */
export function progressMark({ link, outbox }: RemoteReport): string | undefined {
  if (link.state === "stopped") return undefined;
  if (link.state !== "ready") return `${link.state} ${link.since} ${link.attempt} ${link.url}`;
  if (outbox.fault !== null || !outbox.lanes.some(canMove)) return undefined;
  return `ready ${link.connects} ${outbox.delivered} ${outbox.live_sent} ${outbox.held}`;
}

function canMove({ depth, held }: LaneReport): boolean {
  return depth > held && held < HELD_RUNS_MAX;
}

/** How long the mark may stay the same. `waitMax`: longest wait before the remote is dialed again. */
export function progressLimit({ link }: RemoteReport, waitMax: Millis, limit: Millis, inRow: number): Millis {
  const patience = limit * 2 ** Math.min(inRow, 5); // an end that did not help must not come again and again
  return link.state === "waiting" ? patience + 2 * waitMax : patience;
}
