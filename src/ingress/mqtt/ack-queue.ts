// PUBACKs and PUBRECs that wait until their messages are safe, in the order of the PUBLISHes [MQTT-4.6.0-2, MQTT-4.6.0-3].
//
//   ticket      5    5    5    9    9          of the batch the message went in: the router says how far they are safe
//   mark        0    0    3    3    0          of what the broker's own store keeps of it; 0: nothing
//   answer     11   12   13   14   15          a watermark of 5 and a store safe up to 3 release the first three
//
// A message that needs no waiting for takes the ticket of the one ahead of it, so that order holds.

import { NumberRing } from "#base/ring.ts";
import type { Ticket } from "#core/sink.ts";
import type { Mark } from "./keeping.ts";

/** An answer in one number: packet identifier, whether it is a PUBREC, reason code. */
export type Answer = number;

const IS_PUBREC = 0x1_0000;

export function answerOf(packetId: number, isPubrec: boolean, reason: number): Answer {
  return packetId | (isPubrec ? IS_PUBREC : 0) | (reason << 17);
}

export function packetIdOf(answer: Answer): number {
  return answer & 0xffff;
}

export function isPubrec(answer: Answer): boolean {
  return (answer & IS_PUBREC) !== 0;
}

export function reasonOfAnswer(answer: Answer): number {
  return answer >>> 17;
}

interface Rings {
  readonly tickets: NumberRing;
  readonly marks: NumberRing;
  readonly answers: NumberRing;
}

export class AckQueue {
  /** The newest mark that somebody waits for on behalf of the queue. */
  awaitedMark: Mark = 0;
  /** Made with the first answer that waits: most clients never have one. */
  #rings: Rings | undefined;
  #watermark: Ticket = 0;
  #safe: Mark = 0;

  get size(): number {
    return this.#rings === undefined ? 0 : this.#rings.tickets.size;
  }

  /** Nothing waits, nor need an answer with this ticket and mark. */
  isReady(ticket: Ticket, mark: Mark): boolean {
    return ticket <= this.#watermark && mark <= this.#safe && this.size === 0;
  }

  /** True: it can be given at once. False: it waits. `ticket` 0, `mark` 0: nothing to wait for but its turn. */
  add(ticket: Ticket, answer: Answer, mark: Mark = 0): boolean {
    if (this.isReady(ticket, mark)) return true;
    this.#rings ??= { tickets: new NumberRing(), marks: new NumberRing(), answers: new NumberRing() };
    const { tickets, marks, answers } = this.#rings;
    const isFirst = tickets.size === 0;
    tickets.push(isFirst ? ticket : Math.max(ticket, tickets.last()));
    marks.push(isFirst ? mark : Math.max(mark, marks.last()));
    answers.push(answer);
    return false;
  }

  /** Everything up to `watermark` is safe; then `take` gives those that are due. */
  release(watermark: Ticket): void {
    this.#watermark = Math.max(watermark, this.#watermark);
  }

  releaseMarks(safe: Mark): void {
    this.#safe = Math.max(safe, this.#safe);
  }

  /** The next answer; 0 when none is due. */
  take(): Answer {
    const rings = this.#rings;
    if (rings === undefined || rings.tickets.size === 0) return 0;
    if (rings.tickets.peek() > this.#watermark || rings.marks.peek() > this.#safe) return 0;
    rings.tickets.shift();
    rings.marks.shift();
    return rings.answers.shift();
  }

  clear(): void {
    this.#rings = undefined;
  }
}
