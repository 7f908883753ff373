// Senders that are kept out for a while, by us, so that they are put back when the table is written anew.

import * as net from "node:net";
import type { Clock, Millis } from "#base/clock.ts";
import { network } from "#base/network.ts";

export interface BlockedAddress {
  readonly address: string;
  /** 32; or 64, the network in which one IPv6 host chooses its addresses. */
  readonly prefixBits: number;
  readonly family: 4 | 6;
  /** Of the time that is left. */
  readonly seconds: number;
}

const LOOPBACK = /^(127\.|(0*:)*:?0*1$|::$|0\.)/;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

export class Blocked {
  readonly #clock: Clock;
  readonly #max: number;
  /** Until when, by address or network in one spelling, in order of arrival: no two overlap, which the kernel would refuse. */
  readonly #until = new Map<string, Millis>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /** How many there are now. */
  get size(): number {
    this.#forgetOver();
    return this.#until.size;
  }

  /**
   * An IPv4 address; or an IPv6 address or /64, of which the /64 is meant. False: nothing that can be blocked, or it is blocked for as
   * long already. When there are too many, the oldest is let go.
   */
  add(text: string, duration: Millis): boolean {
    return this.addUntil(text, this.#clock.now() + duration);
  }

  /** The same, up to an instant of the clock: whoever says it twice says nothing new. */
  addUntil(text: string, until: Millis): boolean {
    const place = placeOf(text);
    if (place === undefined || LOOPBACK.test(text) || until <= this.#clock.now()) return false;
    const known = this.#until.get(place);
    if (known !== undefined && known >= until) return false;
    this.#forgetOver();
    const [oldest] = this.#until.keys();
    if (known === undefined && this.#until.size >= this.#max && oldest !== undefined) this.#until.delete(oldest);
    this.#until.delete(place);
    this.#until.set(place, until);
    return true;
  }

  /** All of one family. */
  of(family: 4 | 6): readonly BlockedAddress[] {
    this.#forgetOver();
    return [...this.#until].map(([address, until]) => this.#entry(address, until)).filter((entry) => entry.family === family);
  }

  #entry(place: string, until: Millis): BlockedAddress {
    const [address = "", bits] = place.split("/");
    const seconds = Math.max(1, Math.ceil((until - this.#clock.now()) / 1000));
    return { address, prefixBits: Number(bits ?? 32), family: bits === undefined ? 4 : 6, seconds };
  }

  #forgetOver(): void {
    const now = this.#clock.now();
    for (const [address, until] of this.#until) if (until <= now) this.#until.delete(address);
  }
}

/** In the one spelling by which it is known: `192.0.2.7`, `2001:db8:0:7::/64`. */
function placeOf(text: string): string | undefined {
  const [written = "", bits, ...rest] = text.split("/");
  const address = MAPPED.exec(written)?.[1] ?? written;
  if (rest.length > 0 || address.includes("%")) return undefined;
  if (net.isIPv4(address)) return bits === undefined ? address : undefined;
  if (!net.isIPv6(address) || (bits !== undefined && bits !== "64")) return undefined;
  return network(address);
}
