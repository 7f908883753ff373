// How long the oldest message of a lane has waited, known by looking at the lane every few seconds: nothing is kept per message.
//
//   looks   t0 ─ seq 100    t1 ─ seq 140    t2 ─ seq 150        confirmed through 120: 121 came after t0, at t1 at the latest,
//                              └ so the oldest has waited since t1 at least

/** Marks of one lane. More are thinned out: what then is told is too young, never too old. */
const MARKS_MAX = 128;

export interface WaitingLook {
  /** Milliseconds of a clock that never jumps. */
  readonly now: number;
  readonly depth: number;
  readonly lastSeq: number;
  readonly confirmedSeq: number;
}

export class WaitingAge {
  #marks: { readonly seq: number; readonly at: number }[] = [];
  #now = 0;

  add({ now, depth, lastSeq, confirmedSeq }: WaitingLook): void {
    this.#now = now;
    this.#marks = depth === 0 ? [] : this.#marks.filter(({ seq }) => seq > confirmedSeq);
    if (depth > 0 && lastSeq > (this.#marks.at(-1)?.seq ?? confirmedSeq)) this.#marks.push({ seq: lastSeq, at: now });
    if (this.#marks.length > MARKS_MAX) this.#marks = this.#marks.filter((_, i) => i % 2 === 0 || i === this.#marks.length - 1);
  }

  /** At the last look, and at least; what was there at the start has waited since the start. null: nothing waits. */
  seconds(): number | null {
    const oldest = this.#marks[0];
    return oldest === undefined ? null : Math.floor((this.#now - oldest.at) / 1000);
  }
}
