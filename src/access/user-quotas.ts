// How much one user may have over all its connections: so many at the same time, so many messages a second.
//
//   let in ─ enter ─▶ visit ─ publish(count) ─▶ 0: go on, or how long to read nothing from it          gone ─ dispose
//
// A user without limits costs nothing per message. A limit counts over all doors that share the quotas.

import type { Clock, Millis } from "#base/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Of a user. null: no limit. */
export interface UserLimits {
  readonly maxConnections?: number | null;
  /** Messages a second, over all its connections; a second's worth at once. */
  readonly publishRate?: number | null;
}

export interface UserVisit extends Disposable {
  /** Whether `publish` ever answers anything but 0. */
  readonly isLimited: boolean;
  /** It published so many; the answer is how long to read nothing from it, so that it keeps its rate. */
  publish(messages: number): Millis;
}

interface Entry {
  connections: number;
  readonly bucket: TokenBucket | undefined;
}

export class UserQuotas {
  readonly #clock: Pick<Clock, "now">;
  /** Of users with limits; those that have no connection are kept until their rate is forgotten. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Why it may not come in; undefined: it may. */
  faultOf({ name, maxConnections = null }: UserLimits & { readonly name: string }): string | undefined {
    const connections = this.#entries.get(name)?.connections ?? 0;
    if (maxConnections === null || connections < maxConnections) return undefined;
    return `user "${name}" has ${connections} connections already, which is what its max_connections allows`;
  }

  /** One more connection of the user; `faultOf` was asked before. Disposing the visit, once or more often, ends it. */
  enter({ name, maxConnections = null, publishRate = null }: UserLimits & { readonly name: string }): UserVisit {
    if (maxConnections === null && publishRate === null) return UNLIMITED;
    const entry = this.#entries.get(name) ?? { connections: 0, bucket: this.#bucketOf(publishRate) };
    this.#entries.set(name, entry);
    entry.connections += 1;
    let isGone = false;
    return {
      isLimited: entry.bucket !== undefined,
      publish: (messages) => entry.bucket?.take(messages) ?? 0,
      [Symbol.dispose]: () => {
        if (isGone) return;
        isGone = true;
        entry.connections -= 1;
        this.#forget();
      },
    };
  }

  #bucketOf(publishRate: number | null): TokenBucket | undefined {
    if (publishRate === null) return undefined;
    return new TokenBucket({ perSecond: publishRate, burst: publishRate }, this.#clock);
  }

  /** Whoever comes back at once finds what it owes. */
  #forget(): void {
    for (const [name, { connections, bucket }] of this.#entries)
      if (connections === 0 && bucket?.isFull !== false) this.#entries.delete(name);
  }
}

const UNLIMITED: UserVisit = Object.freeze({ isLimited: false, publish: () => 0, [Symbol.dispose]: () => undefined });
