// The lanes for status: each of them, and all together.

import type { LaneSet } from "./lane-set.ts";
import { CLASSES } from "./urgency.ts";

export function lanesStatus({ all }: LaneSet) {
  const lanes = all.map((lane, i) => ({ class: CLASSES[i]!, ...lane.status(), recovery: lane.journal.recovery }));
  const modes = lanes.map(({ mode }) => mode);
  const sum = (of: (lane: (typeof lanes)[number]) => number) => lanes.reduce((total, lane) => total + of(lane), 0);
  return {
    mode: modes.find((mode) => mode !== "direct") ?? ("direct" as const),
    depth: sum((lane) => lane.depth),
    flashBytes: sum((lane) => lane.flashBytes),
    stagedBytes: sum((lane) => lane.stagedBytes),
    held: sum((lane) => lane.held),
    delivered: sum((lane) => lane.delivered),
    commits: sum((lane) => lane.commits),
    fault: lanes.find((lane) => lane.fault !== null)?.fault ?? null,
    lanes,
  };
}
