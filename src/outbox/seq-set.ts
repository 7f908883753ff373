// A set of seqs as rising runs: the backlog of a quiet subject, or all that a stream has answered for, costs one entry. Bounded in runs.
//
//   3 4 5 · · 8 · 10 11     →     [3,5] [8,8] [10,11]
//
// Adding at the end and removing at the front, which is nearly all that ever happens, cost nothing worth naming.
// Tests: test/unit/outbox/seq-set.test.ts

/** Runs kept at most, unless told otherwise. */
export const SEQ_RUNS_MAX = 65_536;

export class SeqSet {
  readonly #runsMax: number;
  /** from, through, from, through … rising, never touching; those before `#head` are gone. */
  #runs: number[] = [];
  #head = 0;
  #size = 0;

  /** `runsMax`: what `isFull` goes by. It is the caller's to ask before it adds. */
  constructor(runsMax = SEQ_RUNS_MAX) {
    this.#runsMax = runsMax;
  }

  /** Seqs in the set. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#runs.length - this.#head >= this.#runsMax * 2;
  }

  /** The lowest seq; Infinity when none. */
  get first(): number {
    return this.#runs[this.#head] ?? Number.POSITIVE_INFINITY;
  }

  /** The highest seq; 0 when none. */
  get last(): number {
    return this.#size === 0 ? 0 : this.#runs.at(-1)!;
  }

  /** The lowest seq above `seq`; Infinity when none. */
  firstAbove(seq: number): number {
    const run = this.#runAt(seq);
    const through = this.#runs[run + 1];
    if (through !== undefined && this.#runs[run]! <= seq && seq < through) return seq + 1;
    const next = through !== undefined && this.#runs[run]! > seq ? run : run + 2;
    return this.#runs[next] ?? Number.POSITIVE_INFINITY;
  }

  has(seq: number): boolean {
    const run = this.#runAt(seq);
    return run < this.#runs.length && this.#runs[run]! <= seq && seq <= this.#runs[run + 1]!;
  }

  add(seq: number): void {
    const last = this.#head < this.#runs.length ? this.#runs.at(-1)! : Number.NEGATIVE_INFINITY;
    if (seq > last + 1) this.#runs.push(seq, seq);
    else if (seq === last + 1) this.#runs[this.#runs.length - 1] = seq;
    else if (this.has(seq)) return;
    else this.#insert(seq);
    this.#size += 1;
  }

  /** Below the highest run: a message that was on its way when its listener left, and the link with it. */
  #insert(seq: number): void {
    const before = this.#runAt(seq);
    const at = this.#runs[before]! <= seq ? before + 2 : before; // the new run's place
    const joinsBefore = at > this.#head && this.#runs[at - 1] === seq - 1;
    const joinsAfter = this.#runs[at] === seq + 1;
    if (joinsBefore && joinsAfter) this.#runs.splice(at - 1, 2);
    else if (joinsBefore) this.#runs[at - 1] = seq;
    else if (joinsAfter) this.#runs[at] = seq;
    else this.#runs.splice(at, 0, seq, seq);
  }

  /** False: it was not in the set. */
  remove(seq: number): boolean {
    const run = this.#runAt(seq);
    const from = this.#runs[run];
    const through = this.#runs[run + 1];
    if (from === undefined || through === undefined || !(from <= seq && seq <= through)) return false; // NaN, too
    this.#size -= 1;
    if (from === through && run === this.#head) this.#cut(run + 2);
    else if (from === through) this.#runs.splice(run, 2);
    else if (seq === from) this.#runs[run] = seq + 1;
    else if (seq === through) this.#runs[run + 1] = seq - 1;
    else this.#runs.splice(run + 1, 0, seq - 1, seq + 1);
    return true;
  }

  /** Forgets everything up to `seq`. */
  removeThrough(seq: number): void {
    let end = this.#head;
    while (end < this.#runs.length && this.#runs[end + 1]! <= seq) {
      this.#size -= this.#runs[end + 1]! - this.#runs[end]! + 1;
      end += 2;
    }
    this.#cut(end);
    if (this.#head < this.#runs.length && this.#runs[this.#head]! <= seq) {
      this.#size -= seq - this.#runs[this.#head]! + 1;
      this.#runs[this.#head] = seq + 1;
    }
  }

  clear(): void {
    this.#runs = [];
    this.#head = 0;
    this.#size = 0;
  }

  /** Lets go of the runs before `head`: a backlog leaves from the front, and moving all that follow for each would take minutes. */
  #cut(head: number): void {
    this.#head = head;
    if (head < this.#runs.length / 2) return;
    this.#runs = this.#runs.slice(head);
    this.#head = 0;
  }

  /** Index of the last run that begins at or below `seq`, or the first. */
  #runAt(seq: number): number {
    let low = this.#head / 2;
    let high = this.#runs.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle * 2]! <= seq) low = middle + 1;
      else high = middle;
    }
    return Math.max(this.#head, (low - 1) * 2);
  }
}
