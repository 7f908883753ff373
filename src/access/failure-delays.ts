// How long a stranger must wait after wrong passwords: nothing for the first few, then twice as long each time.
//
// Counted per address and per identity. A pair that once logged in together has a counter of its own instead: a device that keeps
// its password is not locked out by a neighbour behind the same address, nor by someone far away who guesses at its name.
// While somebody waits, attempts are refused without being looked at and do not lengthen the wait.

import { createHmac } from "node:crypto";
import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { network } from "#base/network.ts";

const FREE_FAILURES = 3;
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 300_000;
/** A counter without a failure for this long is forgotten. */
const FORGET_AFTER_MS = 900_000;
/** Counters, and pairs, remembered; the oldest goes first. */
const ENTRIES_MAX = 4096;

/** A place from where too many wrong logins came. */
export interface BlockedAddress {
  /** An IPv4 address, or an IPv6 network such as `2001:db8:0:1::/64`. */
  readonly address: string;
  /** By the monotonic clock. */
  readonly until: Millis;
  readonly failures: number;
}

interface Counter {
  /** Set where it counts an address. */
  readonly place: string | null;
  readonly failures: number;
  readonly lastAt: Millis;
  readonly until: Millis;
}

export class FailureDelays {
  readonly #clock: Clock;
  /** Names come from strangers and may be long: only keyed hashes are kept. */
  readonly #key: Buffer;
  readonly #counters = new Map<string, Counter>();
  readonly #pairs = new Set<string>();

  constructor(clock: Clock, entropy: Entropy) {
    this.#clock = clock;
    this.#key = entropy.bytes(32);
  }

  /** Milliseconds this identity has to wait at this address; 0: go ahead. */
  wait(address: string, identity: string): Millis {
    const now = this.#clock.now();
    const waits = this.#keysOf(address, identity).map(({ key }) => (this.#counters.get(key)?.until ?? now) - now);
    return Math.max(0, ...waits);
  }

  onFailure(address: string, identity: string): void {
    const now = this.#clock.now();
    for (const { key, place } of this.#keysOf(address, identity)) {
      const known = this.#counters.get(key);
      const failures = known === undefined || now - known.lastAt > FORGET_AFTER_MS ? 1 : known.failures + 1;
      const delay = failures <= FREE_FAILURES ? 0 : Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** (failures - FREE_FAILURES - 1));
      this.#counters.delete(key);
      this.#counters.set(key, { place, failures, lastAt: now, until: now + delay });
    }
    trim(this.#counters);
  }

  onSuccess(address: string, identity: string): void {
    const pair = this.#hash("pair", `${identity}\n${network(address)}`);
    this.#counters.delete(pair);
    this.#pairs.delete(pair);
    this.#pairs.add(pair);
    trim(this.#pairs);
  }

  /** Places that have to wait now, whoever they say they are. A device that is known there does not. */
  *blockedAddresses(): Iterable<BlockedAddress> {
    const now = this.#clock.now();
    for (const { place, until, failures } of this.#counters.values())
      if (place !== null && until > now) yield { address: place, until, failures };
  }

  /** What failures are counted by, and the place where it is that. */
  #keysOf(address: string, identity: string): readonly { readonly key: string; readonly place: string | null }[] {
    const place = network(address);
    const pair = this.#hash("pair", `${identity}\n${place}`);
    if (this.#pairs.has(pair)) return [{ key: pair, place: null }];
    return [
      { key: this.#hash("address", place), place },
      { key: this.#hash("identity", identity), place: null },
    ];
  }

  #hash(kind: string, text: string): string {
    return createHmac("sha256", this.#key).update(`${kind}\n${text}`).digest("base64").slice(0, 22);
  }
}

function trim(entries: Map<string, unknown> | Set<string>): void {
  for (const key of entries.keys()) {
    if (entries.size <= ENTRIES_MAX) return;
    entries.delete(key);
  }
}
