// The router's note about one upstream, and the handle by which the upstream talks back.

import type { Ticket, Upstream } from "#core/sink.ts";

export interface SlotEvents {
  invalidate(subject?: string): void;
  safe(): void;
  room(): void;
  remove(): void;
}

export class UpstreamSlot implements Disposable {
  readonly upstream: Upstream;
  /** Highest ticket the upstream staged something under. */
  lastStaged: Ticket = 0;
  readonly #events: SlotEvents;
  #safe: Ticket = 0;
  #isRemoved = false;

  constructor(upstream: Upstream, events: SlotEvents) {
    this.upstream = upstream;
    this.#events = events;
  }

  /** The upstream's plans changed (rules, hub interest, link), for the literal `subject` or, without one, for all: routes are worked out anew. */
  invalidate(subject?: string): void {
    if (!this.#isRemoved) this.#events.invalidate(subject);
  }

  /** Everything staged under a ticket up to `watermark` is safe. Never call it from inside `take` or `flush`. */
  onSafe(watermark: Ticket): void {
    if (watermark <= this.#safe || this.#isRemoved) return;
    this.#safe = watermark;
    this.#events.safe();
  }

  /** The upstream is no longer full. */
  onRoom(): void {
    if (!this.#isRemoved) this.#events.room();
  }

  /** Up to where tickets are settled as far as this upstream goes; `last` when it waits for nothing. */
  settledTicket(last: Ticket): Ticket {
    return this.#safe >= this.lastStaged ? last : this.#safe;
  }

  [Symbol.dispose](): void {
    if (this.#isRemoved) return;
    this.#events.remove();
    this.#isRemoved = true;
  }
}
