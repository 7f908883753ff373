// Room for retained messages, shared so that one user can never take it all.
//
//   room of 10,000     one greedy user      7,500 ├────────────────────────┤ 2,500 left
//                      two                  4,286 ├───────────┤ 4,286 ├───────────┤ 1,428 left
//                      five                 1,875 each, 625 left
//
// A user may hold three times what is free, of messages and of bytes alike: whoever comes late still finds room, and nobody is asked for
// a number. Who lets go of something may put as much again. Tests: test/unit/ingress/mqtt/retained-budget.test.ts

/** How many times what is free one user may hold. */
const GREED = 3;

export interface RetainedLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

interface Use {
  messages: number;
  bytes: number;
}

/** Why not: the whole is full, or the user has its share. */
export type Shortage = "full" | "share";

export class RetainedBudget {
  readonly #limits: RetainedLimits;
  readonly #users = new Map<string, Use>();
  #messages = 0;
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  useOf(user: string): Readonly<Use> {
    return this.#users.get(user) ?? { messages: 0, bytes: 0 };
  }

  /** May `user` take so much more (less than 0: gives back)? undefined: yes. */
  shortage(user: string, messages: number, bytes: number): Shortage | undefined {
    const { maxMessages, maxBytes } = this.#limits;
    const freeMessages = maxMessages - this.#messages - messages;
    const freeBytes = maxBytes - this.#bytes - bytes;
    if ((messages > 0 && freeMessages < 0) || (bytes > 0 && freeBytes < 0)) return "full";
    const own = this.useOf(user);
    if (messages > 0 && own.messages + messages > Math.max(1, GREED * freeMessages)) return "share";
    if (bytes > 0 && own.bytes + bytes > GREED * freeBytes) return "share";
    return undefined;
  }

  take(user: string, messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
    const own = this.#users.get(user) ?? { messages: 0, bytes: 0 };
    own.messages += messages;
    own.bytes += bytes;
    if (own.messages === 0) this.#users.delete(user);
    else this.#users.set(user, own);
  }
}
