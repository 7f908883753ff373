// What a lane may write while a more urgent one is behind: a small share of what that one writes, so that nothing waits for ever.
//
//   alarm      ████████████████████████████████   behind: takes the link's room
//   state      ████                               1/8 of what is written above it
//   telemetry  ██                                 1/16
//   bulk       █                                  1/32
//
// A lane earns while it waits, and spends as it writes. It spends on top of the link's room: the more urgent one waits for that room
// a little longer, so the link carries a quarter too much at the very worst, and a share can never keep anybody from going on.
// Tests: test/unit/outbox/shares.test.ts

/** By index of the lane, the most urgent first. */
const SHARES: readonly number[] = [0, 1 / 8, 1 / 16, 1 / 32];
/** Less is not spent: a few alarms are passed by nothing. */
const CREDIT_BYTES_MIN = 1024;
const CREDIT_BYTES_MAX = 64 * 1024;

export interface SharingLane {
  /** There is a link, and it could take more of this lane. */
  readonly isBehind: boolean;
  onRoom(): void;
}

export class Shares {
  /** In bytes; below zero when more was written than had been earned. */
  readonly #credits: number[] = [0, 0, 0, 0];
  /** One bit for each lane that was told to wait. */
  #waiting = 0;
  readonly #lanes: readonly SharingLane[];

  constructor(lanes: readonly SharingLane[]) {
    this.#lanes = lanes;
  }

  /** Is a more urgent lane behind? Then `creditOf` says what lane `index` may write, and else the link does. */
  isOutranked(index: number): boolean {
    if (this.#isOutranked(index)) return true;
    if (this.#isWaiting(index)) this.#forget(index);
    return false;
  }

  /** In bytes; 0: it must wait, and is woken with `onRoom` when it need not any more. */
  creditOf(index: number): number {
    if (this.#credits[index]! >= CREDIT_BYTES_MIN) return this.#credits[index]!;
    this.#waiting |= 1 << index;
    return 0;
  }

  onWritten(index: number, bytes: number): void {
    if (this.#waiting === 0) return;
    if (this.#isWaiting(index)) this.#credits[index]! -= bytes;
    for (let i = index + 1; i < this.#lanes.length; i++) {
      if (this.#isWaiting(i)) this.#credits[i] = Math.min(CREDIT_BYTES_MAX, this.#credits[i]! + bytes * SHARES[i]!);
    }
  }

  /** Lane `index` has written what it could for now: those who wait may spend what they have earned by it. */
  onPass(index: number): void {
    for (let i = index + 1; this.#waiting >> i !== 0; i++) {
      if (!this.#isWaiting(i)) continue;
      if (!this.#lanes[i]!.isBehind || !this.#isOutranked(i)) this.#forget(i);
      else if (this.#credits[i]! >= CREDIT_BYTES_MIN) this.#lanes[i]!.onRoom();
    }
  }

  clear(): void {
    for (let i = 0; i < this.#credits.length; i++) this.#forget(i);
  }

  #isOutranked(index: number): boolean {
    for (let i = 0; i < index; i++) if (this.#lanes[i]!.isBehind) return true;
    return false;
  }

  #isWaiting(index: number): boolean {
    return (this.#waiting & (1 << index)) !== 0;
  }

  #forget(index: number): void {
    this.#credits[index] = 0;
    this.#waiting &= ~(1 << index);
  }
}
