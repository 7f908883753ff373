// Answers that a user may give although it may not publish there (`allow_responses`): by reply subject of the requests it was sent,
// each for a while and so many times. Bounded: with too many requests open the oldest can no longer be answered.

import type { ResponsePermission } from "#access/permissions.ts";
import type { Millis } from "#base/clock.ts";

export const OPEN_REQUESTS_MAX = 8192;

interface Permit {
  left: number;
  until: Millis;
}

export class AnswerPermits {
  readonly #permission: ResponsePermission;
  readonly #now: () => Millis;
  readonly #open = new Map<string, Permit>();

  constructor(permission: ResponsePermission, now: () => Millis) {
    this.#permission = permission;
    this.#now = now;
  }

  /** A request with this reply subject was sent to the user. The servers' own subjects stay theirs. */
  note(reply: string): void {
    if (reply.startsWith("$SYS.") || reply.startsWith("$LDS.")) return;
    const { max, expires } = this.#permission;
    this.#open.delete(reply);
    this.#open.set(reply, { left: max, until: this.#now() + expires });
    if (this.#open.size > OPEN_REQUESTS_MAX) this.#open.delete(this.#open.keys().next().value!);
  }

  /** May one more answer go there? Then it is counted. */
  take(reply: string): boolean {
    const permit = this.#open.get(reply);
    if (permit === undefined) return false;
    const isInTime = this.#now() < permit.until;
    permit.left -= 1;
    if (!isInTime || permit.left <= 0) this.#open.delete(reply);
    return isInTime;
  }
}
