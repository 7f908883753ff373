// How long each connection may take, so that a thousand that say little hold nothing up.
//
//   accepted ── 10 s ──▶ head of a request ── 30 s ──▶ body read and answer out ── 10 s ──▶ the next request's head …
//                                                 └── an event stream: no limit, it has its own

import type { Clock, Millis } from "#base/clock.ts";
import type { ByteStream } from "#base/net.ts";

const HEAD_WITHIN_MS: Millis = 10_000;
const ANSWER_WITHIN_MS: Millis = 30_000;
const TICK_MS: Millis = 1_000;

export class Pace implements Disposable {
  readonly #clock: Clock;
  readonly #until = new Map<ByteStream, Millis>();
  readonly #timer: Disposable;

  /** `onTick`: called every second, too. */
  constructor(clock: Clock, onTick: () => void) {
    this.#clock = clock;
    this.#timer = clock.every(TICK_MS, () => {
      onTick();
      this.#tick();
    });
  }

  get connections(): number {
    return this.#until.size;
  }

  /** A request's head is expected. */
  awaitHead(stream: ByteStream): void {
    this.#until.set(stream, this.#clock.now() + HEAD_WITHIN_MS);
  }

  awaitAnswer(stream: ByteStream): void {
    this.#until.set(stream, this.#clock.now() + ANSWER_WITHIN_MS);
  }

  unlimited(stream: ByteStream): void {
    this.#until.set(stream, Number.POSITIVE_INFINITY);
  }

  forget(stream: ByteStream): void {
    this.#until.delete(stream);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    for (const stream of this.#until.keys()) stream.destroy();
    this.#until.clear();
  }

  #tick(): void {
    const now = this.#clock.now();
    for (const [stream, until] of this.#until) if (now >= until) stream.destroy();
  }
}
