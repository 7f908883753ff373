// Subjects of which something was given up a moment ago (too old, nobody wants it): what is newer waits until that is on flash. Else a kill
// would forget it, and the next life might send the old one behind the new, if its age is not known any more or somebody listens again.
//
//   old one given up ─▶ note ─▶ a newer one of its subject ─▶ waits ─▶ ledger written ─▶ goes
//
// Old ones come one after the other, and then the newer ones: one line of the ledger stands for all of them.
// Tests: test/unit/outbox/passed-by.test.ts

import type { Losses } from "./ledger/losses.ts";

/** Subjects remembered; with more of them, whatever comes waits. */
export const SUBJECTS_MAX = 1024;

export class PassedBy {
  readonly #losses: Pick<Losses, "flushKept">;
  readonly #onWritten: () => void;
  /** Of what is being written, and of what comes meanwhile. */
  #writing: Set<string> | undefined;
  #noted = new Set<string>();

  /** `onWritten`: what waited may go. */
  constructor(losses: Pick<Losses, "flushKept">, onWritten: () => void) {
    this.#losses = losses;
    this.#onWritten = onWritten;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** Something of it was given up, and counted. */
  note(subject: string): void {
    if (this.#noted.size < SUBJECTS_MAX) this.#noted.add(subject);
  }

  /** Must what comes next on this subject wait? Then it is being written down from now on. */
  delays(subject: string): boolean {
    if (this.#writing !== undefined && isIn(this.#writing, subject)) return true;
    if (this.#noted.size === 0 || !isIn(this.#noted, subject)) return false;
    if (this.#writing === undefined) void this.#write();
    return true;
  }

  async #write(): Promise<void> {
    this.#writing = this.#noted;
    this.#noted = new Set();
    await this.#losses.flushKept();
    this.#writing = undefined;
    this.#onWritten();
  }
}

function isIn(subjects: ReadonlySet<string>, subject: string): boolean {
  return subjects.has(subject) || subjects.size >= SUBJECTS_MAX;
}
