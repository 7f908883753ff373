// The lanes of one outbox, one per class, and the one link they share: the most urgent first.
//
//   alarm     ───────▶┐
//   state     ───────▶├─▶ carrier        a lane has room only while no more urgent one is behind
//   telemetry ───────▶│
//   bulk      ───────▶┘ ◀─ receipts      in the order in which the lanes asked for them
//
// Tests: test/unit/outbox/lane-set.test.ts

import type { Millis } from "#base/clock.ts";
import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import type { Carrier } from "./hub-view.ts";
import type { Lane } from "./lane.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

export class LaneSet implements AsyncDisposable {
  /** In the order of CLASSES. */
  readonly all: readonly Lane[];
  /** Index of the lane that each PING under way belongs to. */
  readonly #askers = new NumberRing();
  #isUp = false;

  constructor(all: readonly Lane[]) {
    this.all = all;
  }

  lane(urgency: UrgencyClass): Lane {
    return this.all[CLASSES.indexOf(urgency)]!;
  }

  get isFull(): boolean {
    return this.all.some((lane) => lane.isFull);
  }

  /** Every ticket up to here is safe; Infinity when nothing waits. A batch may be spread over several lanes. */
  get safeThrough(): Ticket {
    let through = Number.POSITIVE_INFINITY;
    for (const { oldestWaiting } of this.all) if (oldestWaiting <= through) through = oldestWaiting - 1;
    return through;
  }

  flush(): void {
    for (const lane of this.all) lane.flush();
  }

  onReady(carrier: Carrier): void {
    this.#isUp = true;
    for (const [i, lane] of this.all.entries()) lane.onReady(new SharedCarrier(carrier, this, i));
  }

  onDown(): void {
    this.#isUp = false;
    this.#askers.clear();
    for (const lane of this.all) lane.onDown();
  }

  /** The PONG of the oldest PING that a lane asked for. */
  onReceipt(): void {
    this.all[this.#askers.shift()]?.onReceipt();
  }

  onRoom(): void {
    for (const lane of this.all) lane.onRoom();
  }

  /** The lane of this class is no longer behind: those below it may go on. */
  onCaughtUp(urgency: UrgencyClass): void {
    if (!this.#isUp) return;
    for (let i = CLASSES.indexOf(urgency) + 1; i < this.all.length; i++) this.all[i]!.onRoom();
  }

  lookAgain(): void {
    for (const lane of this.all) lane.lookAgain();
  }

  async settle(budget: Millis): Promise<void> {
    await Promise.all(this.all.map((lane) => lane.settle(budget)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((lane) => lane[Symbol.asyncDispose]()));
  }

  /** For shared carriers only. */
  mustWait(index: number): boolean {
    for (let i = 0; i < index; i++) if (this.all[i]!.isBehind) return true;
    return false;
  }

  /** For shared carriers only. */
  onBarrier(index: number): void {
    this.#askers.push(index);
  }
}

/** The link as one lane sees it. */
class SharedCarrier implements Carrier {
  readonly out: WireWriter;
  readonly #carrier: Carrier;
  readonly #lanes: LaneSet;
  readonly #index: number;

  constructor(carrier: Carrier, lanes: LaneSet, index: number) {
    this.out = carrier.out;
    this.#carrier = carrier;
    this.#lanes = lanes;
    this.#index = index;
  }

  get room(): number {
    return this.#lanes.mustWait(this.#index) ? 0 : this.#carrier.room;
  }

  get isCongested(): boolean {
    return this.#lanes.mustWait(this.#index) || this.#carrier.isCongested;
  }

  flush(): void {
    this.#carrier.flush();
  }

  barrier(): void {
    this.#lanes.onBarrier(this.#index);
    this.#carrier.barrier();
  }
}
