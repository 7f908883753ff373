// `petiole outbox stat|peek|verify`: looks at what is kept on flash. Read-only, beside a running daemon or without one.

import { isValidFilter, toSubject } from "#core/subject.ts";
import { CLASSES, type UrgencyClass } from "#outbox/urgency.ts";
import { formatPeek, PEEK_LIMIT_DEFAULT, type PeekOptions, peekOutboxes } from "./outbox-peek.ts";
import type { OutboxPlace } from "./outbox-places.ts";
import { formatStats, statOutboxes } from "./outbox-stat.ts";
import { formatVerify, verifyExitCode, verifyOutboxes } from "./outbox-verify.ts";

export const OUTBOX_HELP_TEXT = {
  usage: `petiole outbox: looks at what waits on flash; changes nothing, and may run beside the daemon

  petiole outbox stat   [--remote NAME]                  lanes, messages, bytes, ages, and what was lost so far
  petiole outbox peek   [--remote NAME] [--lane CLASS]   the next messages that wait
                        [--subject FILTER] [--limit N]
  petiole outbox verify [--remote NAME]                  reads every byte, and says which segments are fine;
                                                         without --remote what MQTT keeps (sessions, retained), too

All take --data DIR (default /data) and --json. CLASS is alarm, state, telemetry or bulk; N is 10 unless told otherwise.

exit 0  done, and nothing wrong          exit 1  verify found faults, or there is no outbox to look at
exit 2  the command line was not understood

  petiole outbox stat --data /var/lib/petiole
  petiole outbox peek --lane alarm --subject 'alarms.*.fire' --limit 3
  petiole outbox verify --json | jq .ok
`,
} as const;

export interface OutboxFlags {
  readonly json: boolean;
  readonly lane?: string | undefined;
  readonly subject?: string | undefined;
  readonly limit?: string | undefined;
}

/** What to print and how to exit, or what of the command line was not understood. */
export type OutboxOutcome = { readonly text: string; readonly code: number } | { readonly misuse: string };

const LIMIT_MAX = 100_000;

export async function runOutbox(words: readonly string[], place: OutboxPlace, flags: OutboxFlags): Promise<OutboxOutcome> {
  const [what, ...rest] = words;
  if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "outbox ${what}"` };
  const isPeek = what === "peek";
  if (!isPeek && (flags.lane ?? flags.subject ?? flags.limit) !== undefined)
    return { misuse: `--lane, --subject and --limit are for "petiole outbox peek"` };
  switch (what) {
    case "stat": {
      const stats = await statOutboxes(place);
      return { text: flags.json ? json(stats) : formatStats(stats), code: 0 };
    }
    case "peek": {
      const options = peekOptions(flags);
      if ("misuse" in options) return options;
      const messages = await peekOutboxes(place, options);
      return { text: flags.json ? json(messages.map(({ preview: _, ...message }) => message)) : formatPeek(messages), code: 0 };
    }
    case "verify": {
      const report = await verifyOutboxes(place);
      return { text: flags.json ? json(report) : formatVerify(report), code: verifyExitCode(report) };
    }
    default:
      return { misuse: `"petiole outbox" wants stat, peek or verify, got ${what === undefined ? "nothing" : `"${what}"`}` };
  }
}

function peekOptions({ lane, subject, limit }: OutboxFlags): PeekOptions | { readonly misuse: string } {
  if (lane !== undefined && !isClass(lane)) return { misuse: `--lane wants one of ${CLASSES.join(", ")}, got "${lane}"` };
  const filter = subject === undefined ? undefined : toSubject(subject);
  if (filter !== undefined && !isValidFilter(filter))
    return { misuse: `--subject wants a subject such as "sensors.>", got "${subject}"` };
  const count = limit === undefined ? PEEK_LIMIT_DEFAULT : /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > LIMIT_MAX) return { misuse: `--limit wants a number from 1 to ${LIMIT_MAX}, got "${limit}"` };
  return { limit: count, ...(lane === undefined ? {} : { lane }), ...(filter === undefined ? {} : { subject: filter }) };
}

function isClass(text: string): text is UrgencyClass {
  return CLASSES.some((each) => each === text);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
