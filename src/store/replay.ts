// What the records of a journal come to: the last value of each key, by whole commits only.
//
//   commit 7 ├ put a ┼ put b ┤     commit 8 ├ put c ┄          the power went in the middle of it: c does not count
//                                  commit 9 after 7 ├ remove a ┤      "after 7": the next life says so, also to those that come later
//   commit 7 ├ put a ┼ ????? ┤     commit 8 after 7            "after 7": it was whole once, so what rot has left of it counts
//
// The last commit counts only if it is all there. Tests: test/conformance/store/replay.test.ts

import type { ReadBatch } from "#journal/reader.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq } from "#journal/record.ts";
import { type CommitFields, readChange } from "./change.ts";
import { KeyIndex } from "./key-index.ts";

interface Pending {
  readonly key: string;
  /** null: a remove. */
  readonly value: Buffer | null;
  readonly seq: number;
  readonly bodyBytes: number;
}

export interface Replayed {
  readonly index: KeyIndex;
  readonly values: Map<string, Buffer>;
  /** Seq of the last record that counts; 0: none. */
  readonly lastSeq: number;
  readonly floor: number;
  /** Changes of commits that a power cut left unfinished. */
  readonly unfinished: number;
  /** Records nobody here understands. */
  readonly unknown: number;
}

export class Replay {
  readonly #index = new KeyIndex();
  readonly #values = new Map<string, Buffer>();
  #pending: Pending[] = [];
  /** The commit that is being read, and where its last record stands. */
  #commit: (CommitFields & { readonly end: number }) | undefined;
  #lastSeq = 0;
  #floor = 0;
  #unfinished = 0;
  #unknown = 0;

  /** The next records, in order; borrowed. */
  feed({ slab, start, end }: ReadBatch): void {
    for (let at = start; at < end; at += recordBytes(slab, at)) {
      const seq = recordSeq(slab, at);
      const length = bodyBytes(slab, at);
      const body = at + RECORD_HEADER_BYTES;
      const change = readChange(slab, body, body + length);
      if (change === undefined) this.#unknown += 1;
      else if (change.is === "commit") this.#begin(change, seq);
      else {
        const value = change.is === "put" ? Buffer.from(change.value) : null;
        this.#pending.push({ key: change.key, value, seq, bodyBytes: length });
      }
      if (seq === this.#commit?.end && this.#pending.length === this.#commit.count) this.#finish(this.#commit);
    }
  }

  end(): Replayed {
    this.#unfinished += this.#pending.length;
    this.#pending = [];
    this.#commit = undefined;
    // Files that came back from the dead: what counts of them was written again, or removed, behind the floor.
    for (const key of this.#index.keysUpTo(this.#floor)) this.#forget(key);
    return {
      index: this.#index,
      values: this.#values,
      lastSeq: this.#lastSeq,
      floor: this.#floor,
      unfinished: this.#unfinished,
      unknown: this.#unknown,
    };
  }

  #begin(commit: CommitFields, seq: number): void {
    const damaged = this.#commit;
    const kept = this.#pending.filter((change) => change.seq <= commit.after);
    this.#unfinished += this.#pending.length - kept.length;
    this.#pending = kept;
    if (damaged !== undefined && damaged.end <= commit.after) this.#finish(damaged);
    else this.#apply();
    this.#lastSeq = Math.max(this.#lastSeq, commit.after);
    this.#commit = { count: commit.count, after: commit.after, floor: commit.floor, end: seq + commit.count };
  }

  #finish({ end, floor }: { readonly end: number; readonly floor: number }): void {
    this.#apply();
    this.#lastSeq = end;
    this.#floor = Math.max(this.#floor, floor);
    this.#commit = undefined;
  }

  #apply(): void {
    for (const { key, value, seq, bodyBytes } of this.#pending) {
      if (value === null) this.#forget(key);
      else {
        this.#values.set(key, value);
        this.#index.set(key, seq, bodyBytes);
      }
    }
    this.#pending = [];
  }

  #forget(key: string): void {
    this.#values.delete(key);
    this.#index.delete(key);
  }
}
