// What is kept for the hub while the link is down, for how long, and what gives way when the card is full.

import type { Millis } from "#base/clock.ts";
import type { Report } from "#base/fault.ts";
import { formatDuration } from "#base/quantity.ts";
import {
  duration,
  fields,
  flag,
  integer,
  list,
  mapped,
  nullable,
  oneOf,
  optional,
  required,
  size,
  type ValueOf,
} from "#base/schema.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { CLASSES } from "./urgency.ts";

const MIB = 1024 * 1024;
/** What is left to others unless `free_reserve` says otherwise: this much, or this share of the disk, whichever is more, … */
const FREE_RESERVE_BYTES = 512 * MIB;
const FREE_RESERVE_SHARE = 0.1;
/** … but of what is free or ours no more than this: on a small volume the outbox must be of some use, too. */
const FREE_RESERVE_SHARE_MAX = 0.5;

const thinning = fields({
  age: required(duration("1s", "3650d"), "what is younger is all kept"),
  interval: optional(
    nullable(duration("1s", "3650d")),
    null,
    "of what is older, the first message in each interval and subject is kept; null: only the last of each subject",
  ),
});

const ruleFields = fields(
  {
    subjects: required(list(subjectFilter(), { min: 1 }), "which messages this rule is for; the first rule that matches wins"),
    class: optional(
      oneOf(CLASSES),
      "state",
      "how urgent: alarm goes before state, state before telemetry, telemetry before bulk; the least urgent gives way first",
    ),
    keep: optional(
      oneOf(["never", "durable", "always"]),
      "durable",
      "never: dropped while the link is down; durable: kept if the publisher asked for it (QoS 1 and up); always: kept",
    ),
    confirm: optional(
      oneOf(["auto", "accepted", "stored"]),
      "auto",
      "when a kept message is done: auto: as stored where the hub says that a stream takes its subject, else as accepted; accepted: the hub took it, which is no proof that a stream stored it: at full speed streams lose messages without a word; stored: a stream at the hub says that it stored it, and without one the message waits",
    ),
    order: optional(
      oneOf(["strict", "live_first"]),
      "strict",
      "strict: never reordered; live_first: fresh ones pass the backlog, which carries Petiole-Historical",
    ),
    no_interest: optional(
      nullable(oneOf(["hold", "drop"])),
      null,
      "while nobody at the hub listens: hold it, or drop it as plain NATS does; null: hold for keep always, drop otherwise",
    ),
    max_age: optional(
      nullable(duration("1s", "3650d")),
      null,
      "older messages of this rule are dropped and counted; null: as outbox.max_age says",
    ),
    thin_after: optional(
      nullable(thinning),
      null,
      "of old messages that still wait on flash, keep fewer, and count the rest as thinned; a file at a time (8MiB, or a sixteenth of max_bytes), so the one that is being written stays whole; null: keep all",
    ),
  },
  ({ maxAge, thinAfter }, report) => checkThinning(maxAge, thinAfter?.age, report),
);

/** One rule, `noInterest` decided. */
const outboxRule = mapped(ruleFields, (rule) => {
  const noInterest: "hold" | "drop" = rule.noInterest ?? (rule.keep === "always" ? "hold" : "drop");
  return { ...rule, noInterest };
});

const DEFAULT_RULE = {
  subjects: [">"],
  class: "state",
  keep: "durable",
  confirm: "auto",
  order: "strict",
  no_interest: "drop",
};

export const outboxOptions = fields({
  max_bytes: optional(size("1MiB", "16TiB"), "1GiB", "most bytes kept on flash"),
  max_messages: optional(integer(1, 1_000_000_000), 10_000_000, "most messages kept"),
  max_age: optional(duration("1s", "3650d"), "14d", "older messages are dropped, unless their rule has a max_age of its own"),
  free_reserve: optional(
    nullable(size("0B", "16TiB")),
    null,
    "free space on the data volume that is left to others; null: 512MiB or a tenth of the volume, whichever is more, but at most half of what is free without the outbox",
  ),
  encryption: optional(
    flag(),
    false,
    "encrypt what is written to flash (AES-256-GCM) with the key in secrets/outbox.key; without that file it cannot be read again",
  ),
  commit_interval: optional(
    duration("1ms", "10s"),
    "25ms",
    "how often staged messages go to flash while the hub has not confirmed them; without a link sooner, where waiting for others gathers nothing",
  ),
  rules: optional(
    list(outboxRule, {
      min: 1,
      max: 1000,
      check: (rules, report) => {
        if (rules.some((rule) => rule === undefined || rule.subjects?.includes(">"))) return;
        report.fault([], {
          wanted: "a rule for every message",
          found: 'none with the subject ">"',
          remedy: 'add one at the end, such as { "subjects": [">"], "keep": "durable" }',
        });
      },
    }),
    [DEFAULT_RULE],
    "what is kept, and how; the first rule that matches wins",
  ),
  when_full: optional(
    oneOf(["drop_oldest", "drop_new", "refuse"]),
    "drop_oldest",
    "at a limit: drop_oldest: the oldest of the least urgent class gives way; drop_new: what comes is dropped, counted and, where the protocol has no words for a refusal, acknowledged, so that devices go on undisturbed; refuse: what comes is not acknowledged: an MQTT connection is closed, Petiole-Ack is answered with an error, so that the publisher keeps it",
  ),
});

export type OutboxRule = ValueOf<typeof outboxRule>;
export type OutboxOptions = ValueOf<typeof outboxOptions>;
export type WhenFull = OutboxOptions["whenFull"];

/** Free bytes that are left to others on a volume like this; `keptBytes` of it are the outbox's. */
export function freeReserveOf(
  options: Pick<OutboxOptions, "freeReserve">,
  volume: { readonly totalBytes: number; readonly freeBytes: number; readonly keptBytes: number },
): number {
  if (options.freeReserve !== null) return options.freeReserve;
  const { totalBytes, freeBytes, keptBytes } = volume;
  const wanted = Math.max(FREE_RESERVE_BYTES, totalBytes * FREE_RESERVE_SHARE);
  return Math.floor(Math.min(wanted, (freeBytes + keptBytes) * FREE_RESERVE_SHARE_MAX));
}

function checkThinning(maxAge: Millis | null | undefined, age: Millis | undefined, report: Report): void {
  if (typeof maxAge !== "number" || age === undefined || age < maxAge) return;
  report.fault(["thin_after", "age"], {
    wanted: `less than the rule's max_age (${formatDuration(maxAge)})`,
    found: JSON.stringify(formatDuration(age)),
    remedy: "messages of that age are dropped before they could be thinned; lower it, or raise max_age",
  });
}
