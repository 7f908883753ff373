// Messages that wait for sessions: one copy in memory and one on flash, however many sessions owe it.
//
//   routing pass ─▶ take ─▶ letter ◀── session 1 (queued)
//                             ▲  ◀──── session 2 (queued)      the last one to release it deletes it
//                             └─────── session 3 (in flight)
//
// Its bytes are bounded over all sessions (`mqtt.max_queued_total`); who asks `hasRoom` and finds none drops by its own policy.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { type Batch, HEADERS, HEADERS_END, SPAN_WORDS } from "#core/batch.ts";
import type { Ages } from "./ages.ts";
import { expiryOf } from "./headers-to-properties.ts";
import type { Keeping, Mark } from "./keeping.ts";
import { type KeptMessage, keepMessage, keptBytes } from "./message.ts";
import { RestoredLetter } from "./restored-letter.ts";
import { encodeMessage, expiryOfRecord, idsOf, isMessage, keyOf } from "./session-records.ts";

/** Beyond so much of the limit nothing new is taken at all. */
const OVERFULL = 1.25;
/** What a letter takes in memory for each session that owes it: its line and its place in the store (measured: 360). */
export const OWED_BYTES = 400;

export interface Letter {
  readonly message: KeptMessage;
  readonly bytes: number;
  /** By the monotonic clock, so that a calendar put right makes nothing old; Infinity: never. */
  readonly deadline: Millis;
  /** Its number on flash; 0 while it is in memory only. */
  id: number;
  owners: number;
}

export interface MailDeps {
  readonly keeping: Keeping;
  readonly clock: Clock;
  readonly ages: Ages;
  readonly bytesMax: number;
}

export class Mail {
  /** Of all letters, each once, and of all who owe them. */
  bytes = 0;
  readonly #deps: MailDeps;
  #lastId = 0;
  /** The letter made for the message that is being delivered now. */
  #batch: Batch | undefined;
  #index = -1;
  #letter: Letter | undefined;
  /** Newest mark of what was staged for the message that is being delivered now. */
  #staged: Mark = 0;
  #isRefused = false;

  constructor(deps: MailDeps) {
    this.#deps = deps;
  }

  get hasRoom(): boolean {
    return this.bytes < this.#deps.bytesMax;
  }

  get isOverfull(): boolean {
    return this.bytes >= this.#deps.bytesMax * OVERFULL;
  }

  /** The letter for message `index`; the same one for every session that takes it in this pass. */
  take(batch: Batch, index: number, unstatedQos: 0 | 1 | 2): Letter {
    if (this.#letter === undefined || this.#batch !== batch || this.#index !== index) {
      const at = index * SPAN_WORDS;
      const headers = batch.spans[at + HEADERS]!;
      const headersEnd = batch.spans[at + HEADERS_END]!;
      const seconds = headers === headersEnd ? -1 : expiryOf(batch.bytes, headers, headersEnd);
      const { clock } = this.#deps;
      this.#letter = this.#make(
        keepMessage(batch, index, unstatedQos, seconds < 0 ? 0 : clock.wall() + seconds * 1000),
        seconds < 0 ? Number.POSITIVE_INFINITY : clock.now() + seconds * 1000,
      );
      this.#batch = batch;
      this.#index = index;
    }
    return this.#letter;
  }

  /** A letter of a message that is kept already: a retained one, say. */
  wrap(message: KeptMessage): Letter {
    return this.#make(message, this.#deadlineOf(message.deadlineWall));
  }

  own(letter: Letter): void {
    this.bytes += letter.owners === 0 ? letter.bytes + OWED_BYTES : OWED_BYTES;
    letter.owners += 1;
  }

  /** Puts it on flash, if it is not there. */
  store(letter: Letter): void {
    if (letter.id !== 0) return;
    this.#lastId += 1;
    letter.id = this.#lastId;
    const { keeping, clock, ages } = this.#deps;
    const leftMs = letter.deadline - clock.now();
    const lease = leftMs === Number.POSITIVE_INFINITY ? null : { leftMs, stamp: ages.stamp(), boot: ages.bootId };
    keeping.put(keyOf("message", letter.id), encodeMessage(letter.message, lease), "soon");
  }

  release(letter: Letter): void {
    letter.owners -= 1;
    this.bytes -= OWED_BYTES;
    if (letter.owners > 0) return;
    this.bytes -= letter.bytes;
    if (letter.id === 0) return;
    this.#deps.keeping.delete(keyOf("message", letter.id), "lazy");
    letter.id = 0;
    if (letter === this.#letter) this.settle(); // a later taker in this pass makes its own
  }

  isExpired(letter: Letter): boolean {
    return letter.deadline <= this.#deps.clock.now();
  }

  /** Whole seconds left to it; -1: it does not expire. */
  secondsLeft(letter: Letter): number {
    if (letter.deadline === Number.POSITIVE_INFINITY) return -1;
    return Math.max(0, Math.ceil((letter.deadline - this.#deps.clock.now()) / 1000));
  }

  /** Something was staged for the message being delivered: its publisher waits for `mark`. */
  noteStaged(mark: Mark): void {
    if (mark > this.#staged) this.#staged = mark;
  }

  /** A kept session should have had it and there was no room on flash. */
  noteRefused(): void {
    this.#isRefused = true;
  }

  takeStaged(): Mark {
    const mark = this.#staged;
    this.#staged = 0;
    return mark;
  }

  takeRefused(): boolean {
    const isRefused = this.#isRefused;
    this.#isRefused = false;
    return isRefused;
  }

  /** The routing pass is over: its batch is nobody's any more. */
  settle(): void {
    this.#letter = undefined;
    this.#batch = undefined;
    this.#staged = 0;
    this.#isRefused = false;
  }

  /** What the last life left, by number; each has no owner yet. `onDamaged`: a record that cannot be read. */
  restore(onDamaged: (key: string) => void): Map<number, Letter> {
    const letters = new Map<number, Letter>();
    const ids: number[] = [];
    const damaged: string[] = [];
    for (const [key, value] of this.#deps.keeping.entries("message/")) {
      const id = idsOf(key, ids)?.[0];
      if (id === undefined || !isMessage(value)) {
        damaged.push(key);
        continue;
      }
      letters.set(id, new RestoredLetter(id, value, this.#deadlineIn(value)));
      if (id > this.#lastId) this.#lastId = id;
    }
    damaged.forEach(onDamaged);
    return letters;
  }

  /** Of the restored ones, those that nobody owes. */
  discardUnowned(letter: Letter): void {
    if (letter.owners > 0) return;
    this.#deps.keeping.delete(keyOf("message", letter.id), "lazy");
    letter.id = 0;
  }

  #make(message: KeptMessage, deadline: Millis): Letter {
    return { message, bytes: keptBytes(message), deadline, id: 0, owners: 0 };
  }

  /** Where nobody knows how old it is, what was left to it counts from now. */
  #deadlineIn(record: Buffer): Millis {
    const expiry = expiryOfRecord(record);
    if (expiry === null) return Number.POSITIVE_INFINITY;
    if ("deadlineWall" in expiry) return this.#deadlineOf(expiry.deadlineWall);
    const { clock, ages } = this.#deps;
    return clock.now() + expiry.leftMs - (ages.ageOf(expiry.stamp, expiry.boot) ?? 0);
  }

  #deadlineOf(deadlineWall: WallMillis): Millis {
    const { clock } = this.#deps;
    return deadlineWall === 0 ? Number.POSITIVE_INFINITY : clock.now() + deadlineWall - clock.wall();
  }
}
