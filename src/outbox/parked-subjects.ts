// Subjects of which something may be waiting for the hub, so that a change of interest sends a lane back to what it holds only where
// it concerns something held: going back costs a pass over the backlog, and new messages wait meanwhile.
//
// It may know too many, never too few: a subject stays until the lanes have looked through everything again. Above the bound it
// answers yes to everything. Tests: test/unit/outbox/outbox.test.ts

import { isValidSubject, subjectMatches } from "#core/subject.ts";
import type { SubjectPlan } from "./plans.ts";

const SUBJECTS_MAX = 2048;

export class ParkedSubjects {
  readonly #subjects = new Set<string>();
  /** Rises when all is forgotten, so that a plan's note of being known here is void. */
  #generation = 0;
  #hasOverflown = false;

  /** Called for each message that is parked: one comparison when its subject is known. */
  note(plan: SubjectPlan): void {
    if (plan.notedIn === this.#generation) return;
    plan.notedIn = this.#generation;
    if (this.#subjects.size < SUBJECTS_MAX) this.#subjects.add(plan.subject);
    else this.#hasOverflown = true;
  }

  /** Does a change of interest in `filter` concern anything that waits? */
  concerns(filter: string): boolean {
    if (this.#hasOverflown) return true;
    if (isValidSubject(filter)) return this.#subjects.has(filter);
    for (const subject of this.#subjects) if (subjectMatches(filter, subject)) return true;
    return false;
  }

  /** Everything that waits is looked through again, and what goes on waiting will be noted anew. */
  clear(): void {
    this.#subjects.clear();
    this.#generation += 1;
    this.#hasOverflown = false;
  }
}
