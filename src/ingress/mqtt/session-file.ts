// One kept session's records in the store. A session that ends with its connection has no file.
//
// Marks: what was put is safe once the store says so; who must not speak before asks `when`. Removals are lazy: one that is lost brings a
// message once more, as a duplicate with its old identifier, which the standard allows; only `release` and what is received are not.

import type { Keeping, Mark } from "./keeping.ts";
import type { Mail } from "./mail.ts";
import type { Owed } from "./owed.ts";
import type { SafetyQueue } from "./safety-queue.ts";
import {
  encodeFilter,
  encodeOut,
  encodeReceived,
  encodeSession,
  encodeWill,
  type FilterRecord,
  keyOf,
  keyUnder,
  type SessionRecord,
  type WillRecord,
} from "./session-records.ts";

export interface SessionFileDeps {
  readonly keeping: Keeping;
  readonly safety: SafetyQueue;
  readonly mail: Mail;
}

export class SessionFile {
  /** The session's number, never used again. */
  readonly number: number;
  readonly #deps: SessionFileDeps;
  #hasWill = false;

  constructor(number: number, deps: SessionFileDeps) {
    this.number = number;
    this.#deps = deps;
  }

  get isFull(): boolean {
    return this.#deps.keeping.isFull;
  }

  isSafe(mark: Mark): boolean {
    return this.#deps.safety.isSafe(mark);
  }

  when(mark: Mark, action: () => void): void {
    this.#deps.safety.when(mark, action);
  }

  saveSession(record: SessionRecord, urgency: "soon" | "lazy"): Mark {
    return this.#deps.keeping.put(keyOf("session", this.number), encodeSession(record), urgency);
  }

  saveFilter(id: number, record: FilterRecord): Mark {
    return this.#deps.keeping.put(keyUnder("filter", this.number, id), encodeFilter(record), "soon");
  }

  removeFilter(id: number): Mark {
    return this.#deps.keeping.delete(keyUnder("filter", this.number, id), "soon");
  }

  saveWill(record: WillRecord): Mark {
    this.#hasWill = true;
    return this.#deps.keeping.put(keyOf("will", this.number), encodeWill(record), "soon");
  }

  /** There is one on flash from an earlier life. */
  noteWill(): void {
    this.#hasWill = true;
  }

  removeWill(): Mark {
    if (!this.#hasWill) return 0;
    this.#hasWill = false;
    return this.#deps.keeping.delete(keyOf("will", this.number), "soon");
  }

  addReceived(packetId: number): Mark {
    return this.#deps.keeping.put(keyUnder("received", this.number, packetId), encodeReceived(), "soon");
  }

  removeReceived(packetId: number): Mark {
    return this.#deps.keeping.delete(keyUnder("received", this.number, packetId), "soon");
  }

  /** The message, its identifier, and that it is owed: one record each, one commit for both. */
  add(owed: Owed): Mark {
    const { keeping, mail } = this.#deps;
    mail.store(owed.letter!);
    return keeping.put(
      this.#keyOf(owed),
      encodeOut({ ...owed, isShared: owed.share !== null, isSent: owed.isNoted, message: owed.letter!.id }),
      "soon",
    );
  }

  /** It goes out, and what is on flash says that it has not. Lazy: in these seconds a power cut may bring it again without DUP. */
  noteSent(owed: Owed, urgency: "soon" | "lazy"): Mark {
    return this.#deps.keeping.put(
      this.#keyOf(owed),
      encodeOut({ ...owed, isShared: owed.share !== null, isSent: true, message: owed.letter!.id }),
      urgency,
    );
  }

  /** PUBREC came. */
  release(owed: Owed): Mark {
    return this.#deps.keeping.put(
      this.#keyOf(owed),
      encodeOut({ ...owed, isShared: false, isSent: true, message: owed.releaseOrder }),
      "soon",
    );
  }

  remove(owed: Owed, urgency: "soon" | "lazy" = "lazy"): void {
    this.#deps.keeping.delete(this.#keyOf(owed), urgency);
  }

  /** The session has ended. What it owes is removed by whoever owes it. */
  end(filters: Iterable<number>, received: Iterable<number>): Mark {
    const { keeping } = this.#deps;
    for (const id of filters) keeping.delete(keyUnder("filter", this.number, id), "lazy");
    for (const packetId of received) keeping.delete(keyUnder("received", this.number, packetId), "lazy");
    keeping.delete(keyOf("will", this.number), "lazy");
    return keeping.delete(keyOf("session", this.number), "soon");
  }

  #keyOf(owed: Owed): string {
    return keyUnder("out", this.number, owed.seq);
  }
}
