// Counts for how many looks in a row a mark has been the same. Pure, and without a clock: whoever could not look, because the machine was
// suspended, the process stopped or the event loop busy, has not seen anything stand still.

export class Standstill<T> {
  #mark: T | undefined;
  #looks = 0;

  /** undefined: there is nothing that could stand still. Looks since the first with this mark. */
  look(mark: T | undefined): number {
    this.#looks = mark === undefined || mark !== this.#mark ? 0 : this.#looks + 1;
    this.#mark = mark;
    return this.#looks;
  }
}
