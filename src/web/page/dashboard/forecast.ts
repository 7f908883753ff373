// One sentence on an outbox: what waits, and until when.

import type { LaneReport, OutboxReport } from "#status/report.ts";
import type { Format } from "../words/format.ts";
import type { outboxWords } from "./outbox-words.ts";

export interface OutboxSentence {
  readonly key: keyof typeof outboxWords;
  readonly values: Readonly<Record<string, string | number>>;
}

/** More than this under way and unconfirmed is a backlog, whatever the mode. */
const MOMENT_MAX = 1_000;
const FOREVER_S = 10 * 365 * 86_400;

export function outboxSentence(
  outbox: Pick<OutboxReport | LaneReport, "mode" | "depth" | "drain">,
  isLinkReady: boolean,
  format: Pick<Format, "duration">,
): OutboxSentence {
  const n = outbox.depth;
  if (n === 0) return { key: "empty", values: {} };
  if (!isLinkReady) return { key: "down", values: { n } };
  const { drain } = outbox;
  if (drain != null) {
    const { seconds_left: left, rate_per_second: rate } = drain;
    if (left === null || rate <= 0 || left > FOREVER_S) return { key: "growing", values: { n } };
    return { key: "draining", values: { n, time: format.duration(Math.max(1, left) * 1_000) } };
  }
  if (outbox.mode === "direct" && n <= MOMENT_MAX) return { key: "moment", values: { n } };
  return { key: "draining_unknown", values: { n } };
}
