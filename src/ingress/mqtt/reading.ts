// Whether a connection reads now. Reasons not to are bits; reading goes on when none is left.

import type { ByteStream } from "#base/net.ts";

export const HOLDS = { login: 1, router: 2, acks: 4, answers: 8, end: 16, noRoom: 32, store: 64, rate: 128 } as const;

export class Reading {
  readonly #stream: ByteStream;
  readonly #onGoingOn: () => void;
  #holds = 0;
  #isContinuing = false;

  /** `onGoingOn`: what is left of a chunk that was read already is to be looked at, before the stream is. */
  constructor(stream: ByteStream, onGoingOn: () => void) {
    this.#stream = stream;
    this.#onGoingOn = onGoingOn;
  }

  get isHeld(): boolean {
    return this.#holds !== 0;
  }

  has(bit: number): boolean {
    return (this.#holds & bit) !== 0;
  }

  hold(bit: number): void {
    if (this.#holds === 0) this.#stream.pause();
    this.#holds |= bit;
  }

  /** Never again; what still comes is read and thrown away, so that the peer may close. */
  end(): void {
    this.#holds |= HOLDS.end;
  }

  /** Goes on in a microtask: this may be called by somebody who is in the middle of something. */
  release(bit: number): void {
    if ((this.#holds & bit) === 0) return;
    this.#holds &= ~bit;
    if (this.#holds !== 0 || this.#isContinuing) return;
    this.#isContinuing = true;
    queueMicrotask(() => {
      this.#isContinuing = false;
      if (this.#holds !== 0) return;
      this.#onGoingOn();
      if (this.#holds === 0) this.#stream.resume();
    });
  }
}
