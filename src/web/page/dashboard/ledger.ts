// The ledger in sentences: "Outage 02:10–05:40: 41,212 stored, 41,212 delivered, 0 lost", and what was lost by reason.

import type { OutageReport } from "#status/history-report.ts";
import type { LossReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import type { Text } from "../words/catalogue.ts";
import type { Format } from "../words/format.ts";
import type { ledgerWords } from "./outbox-words.ts";

const SHORT_MS = 60_000;
/** Shorter outages are told to the second. */
const MINUTES_MATTER_MS = 10 * 60_000;

const REASONS = new Set<string>([
  "displaced",
  "expired",
  "thinned",
  "refused",
  "corrupted",
  "no_interest",
  "not_permitted",
  "too_large",
  "link_down",
  "link_slow",
]);

/** `now`: RFC 3339, as the device's clock says; the date is said where it is another day's. */
export function outageSentence(outage: OutageReport, text: Text<typeof ledgerWords>, format: Format, now: string): string {
  const figures = { stored: outage.stored, delivered: outage.delivered, lost: outage.lost };
  const { from, to } = outage;
  if (to === null) return text("going_on", { from: moment(from, format, now, shortClock), ...figures });
  const clock = Date.parse(to) - Date.parse(from) < MINUTES_MATTER_MS ? longClock : shortClock;
  const isSameDay = from.slice(0, 10) === to.slice(0, 10);
  const until = isSameDay ? clock(to, format) : moment(to, format, now, clock);
  return text("over", { from: moment(from, format, now, clock), to: until, ...figures });
}

/** The moment it takes to connect at the start, or anew, is none that anybody has to hear of. */
export function isWorthTelling({ from, to, stored, lost }: OutageReport): boolean {
  return stored > 0 || lost > 0 || to === null || Date.parse(to) - Date.parse(from) >= SHORT_MS;
}

/** "12 were refused" */
export function lossSentence(reason: string, messages: number, text: Text<typeof ledgerWords>): string {
  if (REASONS.has(reason)) return text(reason as keyof typeof ledgerWords, { n: messages });
  return text("other", { n: messages, reason: visible(reason) });
}

/** One per reason and class, whatever the rule; the latest first. */
export function summedLosses(losses: readonly LossReport[]): readonly LossReport[] {
  const sums = new Map<string, LossReport>();
  for (const loss of losses) {
    const key = `${loss.reason} ${loss.class}`;
    const known = sums.get(key);
    const last = known !== undefined && known.last_time > loss.last_time ? known.last_time : loss.last_time;
    sums.set(key, { ...loss, messages: loss.messages + (known?.messages ?? 0), last_time: last });
  }
  return [...sums.values()].sort((one, other) => (one.last_time < other.last_time ? 1 : -1));
}

type Clock = (iso: string, format: Format) => string;

function moment(iso: string, format: Format, now: string, clock: Clock): string {
  return iso.slice(0, 10) === now.slice(0, 10) ? clock(iso, format) : format.date(iso);
}

/** 02:10 */
const shortClock: Clock = (iso, format) => format.clock(iso).slice(0, 5);

/** 02:10:04 */
const longClock: Clock = (iso, format) => format.clock(iso);
