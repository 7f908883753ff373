// The subjects that the outbox keeps for the hub, one by one, with the rule they stand in.

import type { Config } from "#config/config.ts";
import type { OutboxRule } from "#outbox/options.ts";

export interface RuledSubject {
  /** latin1 form. */
  readonly filter: string;
  readonly rule: OutboxRule;
  /** `outbox.rules[2]`. */
  readonly place: string;
}

/** More are not asked about. */
const SUBJECTS_MAX = 64;

export function ruledSubjects(config: Config): readonly RuledSubject[] {
  const all = config.outbox.rules.flatMap((rule, i) =>
    rule.subjects.map((filter) => ({ filter, rule, place: `outbox.rules[${i}]` })),
  );
  return all.slice(0, SUBJECTS_MAX);
}
