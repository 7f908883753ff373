// What is kept for the hub while the link is down, for how long, and what gives way when the card is full.

import {
  duration,
  fields,
  integer,
  later,
  list,
  mapped,
  nothing,
  nullable,
  oneOf,
  optional,
  required,
  size,
  type ValueOf,
} from "#base/schema.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { CLASSES } from "./urgency.ts";

const ruleFields = fields({
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
    oneOf(["accepted"], { later: ["stored"] }),
    "accepted",
    "accepted: the hub took it; stored: a stream stored it",
  ),
  order: optional(
    oneOf(["strict"], { later: ["live_first"] }),
    "strict",
    "strict: never reordered; live_first: fresh ones pass the backlog",
  ),
  no_interest: optional(
    nullable(oneOf(["hold", "drop"])),
    null,
    "while nobody at the hub listens: hold it, or drop it as plain NATS does; null: hold for keep always, drop otherwise",
  ),
  max_age: later(nullable(duration("1s", "3650d")), null, "drop messages of this rule that are older"),
  thin_after: later(nothing(), null, "keep fewer of the old messages"),
});

/** One rule, `noInterest` decided. */
const outboxRule = mapped(ruleFields, (rule) => {
  const noInterest: "hold" | "drop" = rule.noInterest ?? (rule.keep === "always" ? "hold" : "drop");
  return { ...rule, noInterest };
});

const DEFAULT_RULE = {
  subjects: [">"],
  class: "state",
  keep: "durable",
  confirm: "accepted",
  order: "strict",
  no_interest: "drop",
};

export const outboxOptions = fields({
  max_bytes: optional(size("1MiB", "16TiB"), "1GiB", "most bytes kept on flash"),
  max_messages: optional(integer(1, 1_000_000_000), 10_000_000, "most messages kept"),
  max_age: optional(duration("1s", "3650d"), "14d", "older messages are dropped"),
  free_reserve: optional(size("0B", "16TiB"), "512MiB", "free space on the data volume that is left to others"),
  commit_interval: optional(
    duration("1ms", "10s"),
    "25ms",
    "how often staged messages go to flash while the hub has not confirmed them",
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
    oneOf(["drop_oldest"], { later: ["drop_new", "refuse"] }),
    "drop_oldest",
    "what gives way when a limit is reached",
  ),
});

export type OutboxRule = ValueOf<typeof outboxRule>;
export type OutboxOptions = ValueOf<typeof outboxOptions>;
