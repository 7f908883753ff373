// Subjects that a stream at the hub takes though their rule says `confirm: accepted`: the hub's word is no proof that it stored them.

import { displaySubject } from "#core/subject.ts";

/** Shown in status. */
const SHOWN_MAX = 32;

export class UnprovenSubjects {
  readonly #subjects = new Set<string>();

  note(subject: string): void {
    if (this.#subjects.size < SHOWN_MAX) this.#subjects.add(subject);
  }

  /** What streams take is learnt anew. */
  clear(): void {
    this.#subjects.clear();
  }

  list(): readonly string[] {
    return [...this.#subjects].map(displaySubject);
  }
}
