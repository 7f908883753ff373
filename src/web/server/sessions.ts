// Logins that hold: a random token in the browser's cookie, and here what it stands for, by the token's hash.
//
// Only tokens that we made count, and every login makes a new one: a token planted beforehand is worth nothing. In memory alone, so a
// restart ends them all.

import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Role } from "./roles.ts";

const TOKEN_BYTES = 32;
/** Sessions in all, and of one user; beyond that the oldest of them ends. */
const SESSIONS_MAX = 64;
const PER_USER_MAX = 8;

export interface Session {
  readonly user: string;
  readonly role: Role;
  readonly address: string;
  /** What a changing request must bring beside the cookie. */
  readonly csrf: string;
}

interface Entry extends Session {
  readonly openedAt: Millis;
  usedAt: Millis;
}

export interface SessionLimits {
  readonly idleMs: Millis;
  readonly maxMs: Millis;
}

export class Sessions {
  readonly #limits: SessionLimits;
  readonly #clock: Pick<Clock, "now">;
  readonly #entropy: Entropy;
  /** In the order they were opened. */
  readonly #entries = new Map<string, Entry>();

  constructor(limits: SessionLimits, clock: Pick<Clock, "now">, entropy: Entropy) {
    this.#limits = limits;
    this.#clock = clock;
    this.#entropy = entropy;
  }

  get size(): number {
    return this.#entries.size;
  }

  open(user: string, role: Role, address: string): { readonly token: string; readonly session: Session } {
    this.#sweep();
    const own = [...this.#entries].filter(([, entry]) => entry.user === user);
    if (own.length >= PER_USER_MAX) this.#entries.delete(own[0]![0]);
    if (this.#entries.size >= SESSIONS_MAX) this.#entries.delete(this.#entries.keys().next().value!);
    const token = this.#entropy.bytes(TOKEN_BYTES).toString("base64url");
    const csrf = this.#entropy.bytes(TOKEN_BYTES).toString("base64url");
    const now = this.#clock.now();
    const session: Entry = { user, role, address, csrf, openedAt: now, usedAt: now };
    this.#entries.set(keyOf(token), session);
    return { token, session };
  }

  /** The session, used now. `isUnattended`: the page asked by itself, which does not prolong it. */
  use(token: string, isUnattended = false): Session | undefined {
    const entry = this.#live(keyOf(token));
    if (entry !== undefined && !isUnattended) entry.usedAt = this.#clock.now();
    return entry;
  }

  /** Whether a session still holds; does not prolong it. */
  holds(session: Session): boolean {
    for (const [key, entry] of this.#entries) if (entry === session) return this.#live(key) !== undefined;
    return false;
  }

  end(token: string): void {
    this.#entries.delete(keyOf(token));
  }

  endAllOf(user: string): void {
    for (const [key, entry] of this.#entries) if (entry.user === user) this.#entries.delete(key);
  }

  endAll(): void {
    this.#entries.clear();
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.now();
    if (now - entry.usedAt < this.#limits.idleMs && now - entry.openedAt < this.#limits.maxMs) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #sweep(): void {
    for (const key of this.#entries.keys()) this.#live(key);
  }
}

function keyOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/** Compares in the same time wherever the difference lies. */
export function isSameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(left!, right!);
}
