// Gives room back: walks the journal from its oldest record on, and says which of them still hold a value.
//
//   floor ▶                                     cleaner
//   ├ put a · put b · remove c ┼ put d · put b ─▶ ┼ …            a and d are written again at the end; all behind the cleaner is freed
//
// Oldest first and nothing left out, so a remove that is reached has outlived every value it removes, and may go. Begins when the files
// take twice what counts and a little more: so each byte that is written costs at most one that is copied, over time.
// Tests: test/conformance/store/cleaner.test.ts

import { isFault } from "#base/errors.ts";
import type { Journal } from "#journal/journal.ts";
import type { JournalReader, ReadBatch } from "#journal/reader.ts";
import type { KeyIndex } from "./key-index.ts";

/** Read at once, and so copied in one commit at most; one larger record all the same. */
const STEP_BYTES = 256 * 1024;

export class Cleaner {
  readonly #journal: Journal;
  readonly #index: KeyIndex;
  /** What the files may take beside twice what counts. */
  readonly #slackBytes: number;
  #reader: JournalReader | undefined;
  /** Where this round ends at the latest. */
  #endSeq = 0;

  constructor(journal: Journal, index: KeyIndex, slackBytes: number) {
    this.#journal = journal;
    this.#index = index;
    this.#slackBytes = slackBytes;
  }

  /** Once begun, it goes on until half of the slack is there again. */
  get isDue(): boolean {
    const slack = this.#reader === undefined ? this.#slackBytes : this.#slackBytes / 2;
    return this.#journal.bytes > 2 * this.#index.liveBytes + slack;
  }

  /** The records to look at next, borrowed until the next call; undefined: nothing to be had now. */
  async next(): Promise<ReadBatch | undefined> {
    try {
      if (this.#journal.sealedBytes > 0) await this.#dropSealed();
      if (this.#reader === undefined) {
        this.#reader = this.#journal.read(this.#journal.firstSeq);
        this.#endSeq = this.#journal.lastSeq;
      }
      if (this.#journal.firstSeq <= this.#endSeq) {
        const batch = await this.#reader.next(STEP_BYTES);
        if (batch !== undefined) return batch;
      }
    } catch (error) {
      if (!isFault(error)) throw error; // a disk that refuses to read is asked again next time
    }
    this.rest();
    return undefined;
  }

  /** The round is over, or what was read is not used: the next begins anew. */
  rest(): void {
    this.#reader = undefined;
  }

  /** What is encrypted with a key that is gone can never be told from what is removed: it goes when it is the oldest. */
  async #dropSealed(): Promise<void> {
    const { firstSeq } = this.#journal;
    await this.#journal.dropOldest(async ({ throughSeq }) => throughSeq < firstSeq);
  }
}
