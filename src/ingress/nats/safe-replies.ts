// Reply subjects of messages published with `Petiole-Ack: safe`, in the order of their publishing, until the messages are safe.
//
//   ticket    5     5     9          of the batch a message went in
//   reply    _I.1  _I.2  _I.3        a watermark of 5 releases the first two

import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";

export class SafeReplies {
  readonly #tickets = new NumberRing();
  /** `#replies[#head …]` wait. */
  #replies: string[] = [];
  #head = 0;
  #watermark: Ticket = 0;

  get size(): number {
    return this.#tickets.size;
  }

  /** True: it can be answered at once. False: it waits. `ticket` 0: nothing to wait for but its turn. */
  add(ticket: Ticket, reply: string): boolean {
    if (ticket <= this.#watermark && this.size === 0) return true;
    this.#tickets.push(Math.max(ticket, this.size === 0 ? 0 : this.#tickets.last()));
    this.#replies.push(reply);
    return false;
  }

  /** Everything up to `watermark` is safe; then `take` gives the replies that are due. */
  release(watermark: Ticket): void {
    this.#watermark = Math.max(watermark, this.#watermark);
  }

  /** The next reply that is due; undefined when none is. */
  take(): string | undefined {
    if (this.size === 0 || this.#tickets.peek() > this.#watermark) return undefined;
    this.#tickets.shift();
    const reply = this.#replies[this.#head]!;
    this.#head += 1;
    if (this.#head === this.#replies.length || this.#head >= 1024) {
      this.#replies = this.#replies.slice(this.#head);
      this.#head = 0;
    }
    return reply;
  }

  clear(): void {
    this.#tickets.clear();
    this.#replies = [];
    this.#head = 0;
  }
}
