// How much one address may have at a listening port: new connections a second, connections that are not let in yet, connections in all.
//
//   accepted ─ tryEnter ─▶ visit ─ admit ─▶ let in                                    closed ─ leave
//                 └──────▶ refused: the stream is closed before a byte is read
//
// An IPv6 network of /64 counts as one address. This device itself is not limited: a proxy of its own would bring everybody's
// connections from there. Tests: test/unit/doors/address-quotas.test.ts

import { TokenBucket } from "#access/token-bucket.ts";
import type { Clock } from "#base/clock.ts";
import { network } from "#base/network.ts";

/** New connections: so many seconds' worth at once, since a room of devices comes back from a power cut together. */
const BURST_SECONDS = 10;
/** Addresses remembered without a connection; the one that was heard of least lately goes first. */
const IDLE_MAX = 4096;

export interface AddressLimits {
  /** null: no limit of its own. */
  readonly connectionsMax: number | null;
  /** Not let in yet. */
  readonly loginsMax: number;
  /** A second; null: any number. */
  readonly connectRate: number | null;
}

/** One accepted connection. Both calls may come twice. */
export interface Visit {
  /** It was let in: it is a stranger no more. */
  admit(): void;
  /** It is closed. */
  leave(): void;
}

export type Refusal = "connections" | "logins" | "rate";

interface Entry {
  connections: number;
  logins: number;
  readonly bucket: TokenBucket | undefined;
}

/** Where nobody counts. */
export const NO_VISIT: Visit = Object.freeze({ admit: () => undefined, leave: () => undefined });

export class AddressQuotas {
  readonly #limits: AddressLimits;
  readonly #clock: Pick<Clock, "now">;
  readonly #entries = new Map<string, Entry>();
  /** Those of the entries that have no connection, the one idle longest first. */
  readonly #idle = new Set<string>();
  #refused = 0;

  constructor(limits: AddressLimits, clock: Pick<Clock, "now">) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Connections that were closed unread since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Addresses that are held in memory. */
  get remembered(): number {
    return this.#entries.size;
  }

  tryEnter(address: string): Visit | Refusal {
    if (isLoopback(address)) return NO_VISIT;
    const place = network(address);
    const entry = this.#entries.get(place) ?? { connections: 0, logins: 0, bucket: this.#bucket() };
    const refusal = this.#refusalOf(entry);
    this.#entries.set(place, entry);
    if (refusal !== undefined) {
      this.#refused += 1;
      if (entry.connections === 0) this.#rest(place);
      return refusal;
    }
    this.#idle.delete(place);
    entry.connections += 1;
    entry.logins += 1;
    return this.#visit(place, entry);
  }

  #refusalOf(entry: Entry): Refusal | undefined {
    const { connectionsMax, loginsMax } = this.#limits;
    if (connectionsMax !== null && entry.connections >= connectionsMax) return "connections";
    if (entry.logins >= loginsMax) return "logins";
    return entry.bucket?.tryTake() === false ? "rate" : undefined;
  }

  #visit(place: string, entry: Entry): Visit {
    let isStranger = true;
    let isHere = true;
    const admit = () => {
      if (isStranger) entry.logins -= 1;
      isStranger = false;
    };
    const leave = () => {
      admit();
      if (isHere) entry.connections -= 1;
      if (isHere && entry.connections === 0) this.#rest(place);
      isHere = false;
    };
    return { admit, leave };
  }

  #bucket(): TokenBucket | undefined {
    const { connectRate } = this.#limits;
    return connectRate === null
      ? undefined
      : new TokenBucket({ perSecond: connectRate, burst: connectRate * BURST_SECONDS }, this.#clock);
  }

  #rest(place: string): void {
    this.#idle.delete(place);
    this.#idle.add(place);
    if (this.#idle.size <= IDLE_MAX) return;
    const [oldest] = this.#idle;
    this.#idle.delete(oldest!);
    this.#entries.delete(oldest!);
  }
}

function isLoopback(address: string): boolean {
  const place = network(address);
  return place.startsWith("127.") || address === "::1";
}
