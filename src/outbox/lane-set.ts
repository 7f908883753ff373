// The lanes of one outbox, one per class, and the one link they share: the most urgent first.
//
//   alarm     ───────▶┐
//   state     ───────▶├─▶ carrier        a lane has all of the room while no more urgent one is behind, and a share else
//   telemetry ───────▶│
//   bulk      ───────▶┘ ◀─ receipts      in the order in which the lanes asked for them
//
// Tests: test/unit/outbox/lane-set.test.ts

import type { Millis } from "#base/clock.ts";
import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";
import type { Carrier } from "./hub-view.ts";
import type { Lane } from "./lane.ts";
import { LaneCarrier } from "./lane-carrier.ts";
import { Shares } from "./shares.ts";
import type { Look } from "./streams/suspensions.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

export class LaneSet implements AsyncDisposable {
  /** In the order of CLASSES. */
  readonly all: readonly Lane[];
  /** Index of the lane that each PING under way belongs to. */
  readonly #askers = new NumberRing();
  readonly #shares: Shares;
  #isUp = false;

  constructor(all: readonly Lane[]) {
    this.all = all;
    this.#shares = new Shares(all);
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

  /** A link is ready for the lanes that are meant: each hears of one link once. */
  onReady(carrier: Carrier, isMeant: (lane: Lane) => boolean = () => true): void {
    this.#isUp = true;
    for (const [i, lane] of this.all.entries()) {
      if (isMeant(lane)) lane.onReady(new LaneCarrier(carrier, this.#shares, i, () => this.#askers.push(i)));
    }
  }

  onDown(): void {
    this.#isUp = false;
    this.#askers.clear();
    this.#shares.clear();
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

  /** Of all of them together. */
  get look(): Look {
    const looks = this.all.map(({ look }) => look);
    return { isOn: looks.some(({ isOn }) => isOn), ms: looks.reduce((sum, { ms }) => sum + ms, 0) };
  }

  /** Since when something has been sent that the hub has not confirmed, monotonic; null: nothing has. */
  doubt(): { readonly sinceMs: Millis } | null {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const lane of this.all) sinceMs = Math.min(sinceMs, lane.doubt()?.sinceMs ?? sinceMs);
    return sinceMs === Number.POSITIVE_INFINITY ? null : { sinceMs };
  }

  async settle(budget: Millis): Promise<void> {
    await Promise.all(this.all.map((lane) => lane.settle(budget)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((lane) => lane[Symbol.asyncDispose]()));
  }
}
