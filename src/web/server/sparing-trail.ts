// The trail of what somebody may do a hundred times a minute. Each line costs flash, and pushes older lines out of the trail: so beyond
// a few a minute they are counted, and the next line says how many there were.

import { TokenBucket } from "#access/token-bucket.ts";
import type { Clock } from "#base/clock.ts";
import type { Audit, AuditEvent } from "./audit.ts";

const LINES_PER_HOUR = 120;
const BURST = 30;

export class SparingTrail {
  readonly #audit: Audit;
  readonly #clock: Clock;
  #bucket: TokenBucket | undefined;
  #leftOut = 0;

  constructor(audit: Audit, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** Resolves when it is on flash, or counted. */
  async note(event: AuditEvent & { readonly detail: string }): Promise<void> {
    this.#bucket ??= new TokenBucket({ perSecond: LINES_PER_HOUR / 3600, burst: BURST }, this.#clock);
    if (!this.#bucket.tryTake()) {
      this.#leftOut += 1;
      return;
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    const more = leftOut === 0 ? "" : `; ${leftOut} more of this kind before it`;
    await this.#audit.note({ ...event, detail: `${event.detail}${more}` });
  }
}
