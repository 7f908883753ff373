// How many messages may be under way to a stream that answers for each: learnt from its answers, and from what it refuses.
//
//   limit                                    overrun: the stream lets 500 wait
//   4096 ┤          ╱┊
//        ┤        ╱  ┊
//    500 ┤╌╌╌╌╌╌╱╌╌╌╌┊╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌     what stood before the one that was refused is what it lets wait
//        ┤    ╱      ┊      ______‥‥‥‥‥‥‥‥‥‥        soon up to three quarters of that, then ever so slowly:
//    250 ┤  ╱        ┊____╱                         each overrun costs a second and a look through all that waits
//
// An answer that comes at once makes it larger, answers that take seconds halve it. So a stream on a slow disk has never more before it than
// it stores within seconds, and what is only slow is not taken for silent.
//
// Pure. Tests: test/unit/outbox/stream-window.test.ts

/** Less than a nats-server lets wait for a stream by default (10,000), for all lanes together. */
export const WINDOW_MAX = 4096;
export const WINDOW_START = 512;
export const WINDOW_MIN = 16;
/** One overrun takes no more than so much of it: the refusal may be for what others send. */
const CUT_MAX = 16;
/** Between three quarters of what overran a stream and all of it, growth is slower by this. */
const WARY = 16;

export class StreamWindow {
  #limit = WINDOW_START;
  /** What a stream let wait when it was overrun; beyond that, who knows. */
  #ceiling = Number.POSITIVE_INFINITY;

  get limit(): number {
    return this.#limit;
  }

  /** An answer came at once. */
  onBrisk(): void {
    if (this.#limit >= WINDOW_MAX) return;
    const isKnown = this.#ceiling !== Number.POSITIVE_INFINITY;
    const isWary = this.#limit > this.#ceiling * 0.75 && this.#limit < this.#ceiling;
    const step = isKnown ? 1 / (isWary ? this.#limit * WARY : this.#limit) : 1;
    this.#limit = Math.min(WINDOW_MAX, this.#limit + step);
  }

  /** All answers take long. */
  onSlow(): void {
    this.#limit = Math.max(WINDOW_MIN, Math.floor(this.#limit / 2));
  }

  /** A stream refused one for there was too much: `before` it stood so many without an answer, of `underWay` in all. */
  onOverrun(before: number, underWay: number): void {
    const most = Math.min(this.#limit, underWay);
    this.#ceiling = Math.max(2 * WINDOW_MIN, Math.min(most, Math.max(before, (2 * most) / CUT_MAX)));
    this.#limit = Math.floor(this.#ceiling / 2);
  }
}
