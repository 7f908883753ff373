// The owner's rules, ready to be asked: which one a subject falls under, and how long what it keeps may grow old.
//
//   alarms.>    ─▶ rule 0 ─▶ class alarm       first match wins
//   sensors.>   ─▶ rule 1 ─▶ class telemetry
//   >           ─▶ rule 2 ─▶ class state
//
// Tests: test/unit/outbox/rules.test.ts

import type { Millis } from "#base/clock.ts";
import { copiedSubject, subjectMatches } from "#core/subject.ts";
import type { OutboxOptions, OutboxRule } from "./options.ts";
import type { UrgencyClass } from "./urgency.ts";

/** One rule as it is applied. */
export interface Rule extends OutboxRule {
  /** Its place in the settings, from 0. */
  readonly index: number;
  /** Older messages are dropped: the rule's own, or the outbox's. */
  readonly maxAge: Millis;
}

export class RuleBook {
  all: readonly Rule[] = [];
  #maxAge: Millis = 0;

  constructor(options: Pick<OutboxOptions, "rules" | "maxAge">) {
    this.change(options);
  }

  /** Whoever remembers an answer must forget it. */
  change(options: Pick<OutboxOptions, "rules" | "maxAge">): void {
    this.#maxAge = options.maxAge;
    this.all = options.rules.map((rule, index) => ({ ...rule, index, maxAge: rule.maxAge ?? options.maxAge }));
  }

  /** Looks through all rules: remember the answer. A copy for a hub that speaks MQTT falls under the rule of its original. */
  match(subject: string): Rule | undefined {
    const named = copiedSubject(subject) || subject;
    return this.all.find((rule) => rule.subjects.some((filter) => subjectMatches(filter, named)));
  }

  /** Nothing in this class's lane may grow older. What an earlier set of rules left in a class that has none now: the outbox's. */
  maxAgeOf(urgency: UrgencyClass): Millis {
    const ages = this.all.filter((rule) => rule.class === urgency).map(({ maxAge }) => maxAge);
    return ages.length === 0 ? this.#maxAge : Math.max(...ages);
  }

  /**
   * How old all of a segment of this class must be to be looked at, message by message: a segment is looked at once, so every rule of
   * the class that thins, or drops sooner than its neighbours, must have its say by then. undefined: it goes as a whole or not at all.
   */
  lookAtAge(urgency: UrgencyClass): Millis | undefined {
    const longest = this.maxAgeOf(urgency);
    const ages: Millis[] = [];
    for (const rule of this.all) {
      if (rule.class !== urgency) continue;
      if (rule.thinAfter !== null) ages.push(rule.thinAfter.age);
      else if (rule.maxAge < longest) ages.push(rule.maxAge);
    }
    return ages.length === 0 ? undefined : Math.max(...ages);
  }
}
