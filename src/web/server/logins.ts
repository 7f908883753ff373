// Is this the password? With what keeps guessers slow: delays per address and identity, one attempt at a time per address, and few
// hashes at once, because they run on the thread pool that the disk needs.

import { FailureDelays } from "#access/failure-delays.ts";
import { hashPassword, verifyPassword } from "#access/password.ts";
import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { network } from "#base/network.ts";
import { WEB_BUSY, WEB_WAIT, WebRefusal } from "./errors.ts";

/** At once, in all. */
const ATTEMPTS_MAX = 2;

export class Logins {
  readonly #delays: FailureDelays;
  readonly #entropy: Entropy;
  readonly #underWay = new Set<string>();
  /** Nobody's: so that a name that does not exist takes as long as one that does. */
  #decoy: Promise<string> | undefined;

  constructor(clock: Clock, entropy: Entropy) {
    this.#delays = new FailureDelays(clock, entropy);
    this.#entropy = entropy;
  }

  /** `hash` undefined: there is no such user. Throws WEB_WAIT and WEB_BUSY without having looked. */
  async verify(address: string, user: string, hash: string | undefined, password: string): Promise<boolean> {
    return await this.attempt(address, user, async () => {
      this.#decoy ??= hashPassword("", this.#entropy);
      const isRight = await verifyPassword(hash ?? (await this.#decoy), password);
      return isRight && hash !== undefined;
    });
  }

  /** Any secret that a stranger may guess at. */
  async attempt(address: string, identity: string, isRight: () => Promise<boolean>): Promise<boolean> {
    const wait = this.#delays.wait(address, identity);
    if (wait > 0) {
      const seconds = Math.ceil(wait / 1000);
      throw new WebRefusal(429, WEB_WAIT, `too many wrong attempts; try again in ${seconds} s`, {
        headers: { "Retry-After": String(seconds) },
      });
    }
    const place = network(address);
    if (this.#underWay.has(place) || this.#underWay.size >= ATTEMPTS_MAX)
      throw new WebRefusal(429, WEB_BUSY, "another attempt is being checked; try again in a second", {
        headers: { "Retry-After": "1" },
      });
    this.#underWay.add(place);
    try {
      const answer = await isRight();
      if (answer) this.#delays.onSuccess(address, identity);
      else this.#delays.onFailure(address, identity);
      return answer;
    } finally {
      this.#underWay.delete(place);
    }
  }
}
