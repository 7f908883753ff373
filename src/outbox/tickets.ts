// Which publishers wait for which messages to be safe: seqs and tickets both rise, so that one comparison lets many go.

import type { Millis } from "#base/clock.ts";
import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";

export class Tickets {
  /** seq, ticket, staged at: one triple per message. */
  readonly #waiting = new NumberRing();

  /** Ticket of the oldest message that is not safe; Infinity when all are. */
  get oldest(): Ticket {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : this.#waiting.at(1);
  }

  /** When that message was staged; undefined when all are safe. */
  get since(): Millis | undefined {
    return this.#waiting.size === 0 ? undefined : this.#waiting.at(2);
  }

  push(seq: number, ticket: Ticket, stagedAt: Millis): void {
    this.#waiting.push(seq);
    this.#waiting.push(ticket);
    this.#waiting.push(stagedAt);
  }

  /** Everything up to `seq` is safe. Returns whether anybody had waited for it. */
  onSafe(seq: number): boolean {
    if (!(this.#waiting.peek() <= seq)) return false;
    while (this.#waiting.peek() <= seq) {
      this.#waiting.shift();
      this.#waiting.shift();
      this.#waiting.shift();
    }
    return true;
  }
}
