// One message that is owed to a session at QoS 1 or 2, and the line in which such messages wait.

import type { Mark } from "./keeping.ts";
import type { Letter } from "./mail.ts";

/** Of a subscription without identifiers; shared, since most have none. */
export const NO_IDS: readonly number[] = Object.freeze([]);

/** The mark of what came from flash: it is safe. */
export const RESTORED: Mark = -1;

/** A shared subscription by which a message was given to a session. */
export interface Share {
  readonly filter: string;
  readonly queue: string | null;
  mayReceive(subject: string): boolean;
}

export interface Owed {
  /** The session's own number for it, also on flash; rises. */
  readonly seq: number;
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[];
  /** Another member may have it instead; null: it is for this session alone. */
  readonly share: Share | null;
  /** null: it is released (PUBREC came), or it went out at once to a session that nobody will ask about it again. */
  letter: Letter | null;
  /** It may have been sent before: DUP [MQTT-3.3.1-1]. */
  isDuplicate: boolean;
  /** What is on flash of it says that it was sent, or will when it is. */
  isNoted: boolean;
  /** PUBREC came: PUBREL is what it needs now. */
  isReleased: boolean;
  /** Of a released one: PUBRELs go out in the order of the PUBRECs [MQTT-4.6.0-4]. */
  releaseOrder: number;
  /** What must be safe before its next packet goes out; 0: nothing. */
  mark: Mark;
}

/** One that was not sent, or went out just now and nothing but its identifier is kept of it. */
export function newOwed(
  facts: Pick<Owed, "seq" | "packetId" | "qos" | "retain" | "subscriptionIds" | "share" | "letter" | "isNoted">,
): Owed {
  const { seq, packetId, qos, retain, subscriptionIds, share, letter, isNoted } = facts;
  const isDuplicate = letter === null;
  return {
    seq,
    packetId,
    qos,
    retain,
    subscriptionIds,
    share,
    letter,
    isDuplicate,
    isNoted,
    isReleased: false,
    releaseOrder: 0,
    mark: 0,
  };
}

/** First in, first out, with a way back to the front; no shifting of what waits. */
export class WaitingLine {
  #items: Owed[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  peek(): Owed | undefined {
    return this.#items[this.#head];
  }

  push(owed: Owed): void {
    this.#items.push(owed);
  }

  shift(): Owed | undefined {
    const owed = this.#items[this.#head];
    if (owed === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#items.length || this.#head >= 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return owed;
  }

  /** Before all that wait, in this order. */
  unshiftAll(owed: readonly Owed[]): void {
    this.#items = [...owed, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** Nearly always the first. False: it does not wait here. */
  remove(owed: Owed): boolean {
    if (this.peek() === owed) return this.shift() !== undefined;
    const at = this.#items.indexOf(owed, this.#head);
    if (at >= 0) this.#items.splice(at, 1);
    return at >= 0;
  }

  /**
   * One that was sent over an earlier connection. Not one at QoS 1 from flash: its identifier may have been that of a message sent just
   * before a power cut, which left no record, and whatever the client says of it now may be about that.
   */
  findSent(packetId: number): Owed | undefined {
    for (let i = this.#head; i < this.#items.length; i++) {
      const owed = this.#items[i]!;
      if (!owed.isDuplicate) return undefined;
      if (owed.packetId === packetId) return owed.qos === 2 || owed.mark !== RESTORED ? owed : undefined;
    }
    return undefined;
  }

  /** The first that may be dropped. QoS 2 that was begun is brought to its end: its identifier is in use at the client [MQTT-2.3.1-4]. */
  firstDroppable(): Owed | undefined {
    for (const owed of this) if (owed.qos === 1 || !owed.isDuplicate) return owed;
    return undefined;
  }

  *[Symbol.iterator](): Iterator<Owed> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i]!;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
