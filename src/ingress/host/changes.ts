// What has changed enough to be told again. A reading is measured against what was last published, not against the last look, so that a
// slow drift is told as soon as it amounts to something.

import type { HostValue } from "./host-value.ts";

/** Readings remembered; beyond them all is new. A board has some fifty. */
const REMEMBERED_MAX = 1024;

export class Changes {
  readonly #share: number;
  readonly #fullEvery: number;
  readonly #told = new Map<string, HostValue["value"]>();
  #roundsToFull = 0;

  /** `deadband`: per cent. */
  constructor(options: { readonly deadband: number; readonly fullEvery: number }) {
    this.#share = options.deadband / 100;
    this.#fullEvery = options.fullEvery;
  }

  /** What to publish of this look, and whether that is all of it. */
  select(values: readonly HostValue[]): { readonly isFull: boolean; readonly values: readonly HostValue[] } {
    const isFull = this.#roundsToFull === 0;
    this.#roundsToFull = (isFull ? this.#fullEvery : this.#roundsToFull) - 1;
    const chosen = isFull ? values : values.filter((value) => this.#hasChanged(value));
    if (isFull || this.#told.size > REMEMBERED_MAX) this.#told.clear();
    for (const { name, value } of chosen) this.#told.set(name, value);
    return { isFull, values: chosen };
  }

  #hasChanged({ name, value, noise }: HostValue): boolean {
    const told = this.#told.get(name);
    if (typeof value !== "number" || typeof told !== "number") return value !== told;
    if (this.#share === 0) return value !== told;
    return Math.abs(value - told) > Math.max(noise, Math.abs(told) * this.#share);
  }
}
