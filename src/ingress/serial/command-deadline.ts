// Until when a command may be begun, by what its message says.
//
//   Petiole-Deadline: 2026-11-22T12:00:05Z   an instant (RFC 3339): whoever sent it knows the time, and so must we
//   Petiole-Deadline: 5s                     so long after it came here
//   Nmqtt-Expiry: 5                          seconds left of an MQTT message's life, so long after it came here
//   neither                                  the port's `write_deadline` after it came here
//
// Both: the earlier one. What cannot be read is no deadline that could be kept: the command is refused.

import { type Millis, parseTimestamp, type WallMillis } from "#base/clock.ts";
import { tryDuration } from "#base/quantity.ts";

export type Deadline =
  /** By the clock's `now`. */
  { readonly at: Millis } | { readonly fault: "SERIAL_COMMAND_INVALID" | "SERIAL_CLOCK_UNSET"; readonly text: string };

export interface DeadlineClock {
  readonly now: Millis;
  readonly wall: WallMillis;
  /** False: the calendar is not believed. */
  readonly isWallTrusted: boolean;
  /** The port's own, from now. */
  readonly fallback: Millis;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;

/** `headers`: the message's whole block, perhaps empty. */
export function deadlineOf(headers: Buffer, clock: DeadlineClock): Deadline {
  const fallback = clock.now + clock.fallback;
  if (headers.length === 0) return { at: fallback };
  const wanted = headerValue(headers, "petiole-deadline");
  const expiry = headerValue(headers, "nmqtt-expiry");
  const lasts = expiry === undefined || !/^\d{1,10}$/.test(expiry) ? undefined : clock.now + Number(expiry) * 1000;
  if (wanted === undefined) return { at: lasts ?? fallback };
  const deadline = parseDeadline(wanted, clock);
  return "at" in deadline && lasts !== undefined ? { at: Math.min(deadline.at, lasts) } : deadline;
}

function parseDeadline(text: string, clock: DeadlineClock): Deadline {
  const duration = tryDuration(text);
  if (duration !== undefined) return { at: clock.now + duration };
  const wall = INSTANT.test(text) ? parseTimestamp(text) : undefined;
  if (wall === undefined) {
    const shown = JSON.stringify(text.slice(0, 64));
    const words = `its Petiole-Deadline ${shown} is neither an instant such as 2026-11-22T12:00:05Z nor a duration such as 5s`;
    return { fault: "SERIAL_COMMAND_INVALID", text: words };
  }
  if (!clock.isWallTrusted) {
    const words = "its Petiole-Deadline is a time of day, and this device does not know the time yet; send a duration such as 5s";
    return { fault: "SERIAL_CLOCK_UNSET", text: words };
  }
  return { at: clock.now + (wall - clock.wall) };
}

/** The first value of the header, blanks cut off; undefined without it. `name` in lower case. */
function headerValue(headers: Buffer, name: string): string | undefined {
  for (const line of headers.toString("latin1").split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon === name.length && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}
