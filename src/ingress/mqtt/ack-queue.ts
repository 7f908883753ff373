// PUBACKs that wait until their messages are safe, in the order of the PUBLISHes [MQTT-4.6.0-2].
//
//   ticket      5    5    5    9    9          of the batch the message went in
//   packet id  11   12   13   14   15          a watermark of 5 releases the first three
//
// A message that needs no waiting for takes the ticket of the one ahead of it, so that order holds.

import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";

export class AckQueue {
  readonly #tickets = new NumberRing();
  readonly #packetIds = new NumberRing();
  #watermark: Ticket = 0;

  get size(): number {
    return this.#tickets.size;
  }

  /** True: it can be acknowledged at once. False: it waits. `ticket` 0: nothing to wait for but its turn. */
  add(ticket: Ticket, packetId: number): boolean {
    const isReady = ticket <= this.#watermark && this.size === 0;
    if (isReady) return true;
    this.#tickets.push(Math.max(ticket, this.size === 0 ? 0 : this.#tickets.last()));
    this.#packetIds.push(packetId);
    return false;
  }

  /** Everything up to `watermark` is safe; then `take` gives those that are due. */
  release(watermark: Ticket): void {
    this.#watermark = Math.max(watermark, this.#watermark);
  }

  /** The next packet identifier to acknowledge; 0 when none is due. */
  take(): number {
    if (this.size === 0 || this.#tickets.peek() > this.#watermark) return 0;
    this.#tickets.shift();
    return this.#packetIds.shift();
  }

  clear(): void {
    this.#tickets.clear();
    this.#packetIds.clear();
  }
}
