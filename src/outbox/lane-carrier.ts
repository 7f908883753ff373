// The link as one lane sees it: all of its room while no more urgent lane is behind, and a share of it else (shares.ts).

import type { WireWriter } from "#wire/wire-writer.ts";
import type { Carrier } from "./hub-view.ts";
import type { Shares } from "./shares.ts";

/** What a lane writes to. */
export interface LaneLink extends Carrier {
  /** `<inbox>.<class index>`, see Carrier. */
  readonly inbox: string | null;
  /** The lane has written so much to `out`. */
  onWritten(bytes: number): void;
}

export class LaneCarrier implements LaneLink {
  readonly out: WireWriter;
  readonly #carrier: Carrier;
  readonly #shares: Shares;
  readonly #index: number;
  readonly #onBarrier: () => void;
  #inboxOfAll: string | null = null;
  #inbox: string | null = null;

  constructor(carrier: Carrier, shares: Shares, index: number, onBarrier: () => void) {
    this.out = carrier.out;
    this.#carrier = carrier;
    this.#shares = shares;
    this.#index = index;
    this.#onBarrier = onBarrier;
  }

  get inbox(): string | null {
    const { inbox } = this.#carrier; // permissions may change while the link is up
    if (inbox !== this.#inboxOfAll) {
      this.#inboxOfAll = inbox;
      this.#inbox = inbox === null ? null : `${inbox}.${this.#index}`;
    }
    return this.#inbox;
  }

  get room(): number {
    return this.#shares.isOutranked(this.#index) ? this.#shares.creditOf(this.#index) : this.#carrier.room;
  }

  get isCongested(): boolean {
    return this.#shares.isOutranked(this.#index) ? this.#shares.creditOf(this.#index) === 0 : this.#carrier.isCongested;
  }

  onWritten(bytes: number): void {
    this.#shares.onWritten(this.#index, bytes);
  }

  flush(): void {
    this.#carrier.flush();
    this.#shares.onPass(this.#index);
  }

  barrier(): void {
    this.#onBarrier();
    this.#carrier.barrier();
  }
}
