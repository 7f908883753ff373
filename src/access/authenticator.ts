// Who is at the door: name and password → user with permissions.
//
//   wait? ─▶ remembered? ─▶ slot (2 at once) ─▶ scrypt ─▶ remember, or count the failure
//
// An unknown name costs what a wrong password costs: one scrypt run against somebody else's hash, whose result is thrown away.
// A password that was right is remembered as a keyed hash, in memory only, so that a thousand devices that come back
// after a power cut do not cost a thousand scrypt runs.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { FailureDelays } from "./failure-delays.ts";
import type { AccountOptions } from "./options.ts";
import { verifyPassword } from "./password.ts";
import type { Permissions } from "./permissions.ts";

/** scrypt runs at once: they share the runtime's four threads with the disk. */
const RUNS_MAX = 2;
/** Attempts that wait for a run; more are sent away. */
const WAITING_MAX = 1024;
const PASSWORD_BYTES_MAX = 1024;

export type DoorKind = "mqtt" | "nats";

export interface User {
  readonly name: string;
  readonly account: string;
  /** null: nobody can log in as this user. */
  readonly passwordHash: string | null;
  readonly doors: readonly DoorKind[];
  readonly permissions: Permissions;
}

export interface Login {
  readonly door: DoorKind;
  /** null: the peer shows no name. */
  readonly user: string | null;
  readonly password: string | null;
  readonly address: string;
}

/** `wrong`: name or password; `wait`: too many failures before; `busy`: too many attempts at once. `words` are for the log only. */
export type Verdict =
  | { readonly ok: true; readonly user: User; readonly isAnonymous: boolean }
  | { readonly ok: false; readonly why: "wrong" | "nobody" | "wait" | "busy"; readonly words: string };

export interface AccessSettings {
  readonly accounts: readonly AccountOptions[];
  readonly noAuthUser: string | null;
}

/** The users of all accounts, from the settings; passwords must be hashes already. */
export function createAuthenticator(
  settings: AccessSettings,
  env: { readonly clock: Clock; readonly entropy: Entropy },
): Authenticator {
  const users = settings.accounts.flatMap((account) =>
    account.users.map((user) => ({
      name: user.user,
      account: account.name,
      passwordHash: user.password?.reveal() ?? null,
      doors: (["mqtt", "nats"] as const).filter((door) => user[door]),
      permissions: user.permissions,
    })),
  );
  return new Authenticator(users, settings.noAuthUser, env);
}

export class Authenticator implements Disposable {
  readonly #users: ReadonlyMap<string, User>;
  readonly #noAuthUser: User | undefined;
  readonly #delays: FailureDelays;
  readonly #key: Buffer;
  /** Keyed hashes of passwords that were right, by user name. */
  readonly #remembered = new Map<string, Buffer>();
  /** Hashes to run unknown names against. */
  readonly #decoys: readonly string[];
  readonly #queue: (() => void)[] = [];
  #running = 0;
  #isClosed = false;

  constructor(users: readonly User[], noAuthUser: string | null, env: { readonly clock: Clock; readonly entropy: Entropy }) {
    this.#users = new Map(users.map((user) => [user.name, user]));
    this.#noAuthUser = noAuthUser === null ? undefined : this.#users.get(noAuthUser);
    this.#delays = new FailureDelays(env.clock, env.entropy);
    this.#key = env.entropy.bytes(32);
    this.#decoys = users.flatMap((user) => user.passwordHash ?? []);
  }

  /** Aborting gives up the place in the queue; the answer is then "busy". */
  async authenticate(login: Login, signal: AbortSignal): Promise<Verdict> {
    if (login.user === null) return this.#admitNobody(login.door);
    const password = login.password ?? "";
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX)
      return refuse("wrong", "the password is longer than any password can be");
    const early = this.#answerAtOnce(login, login.user, password);
    if (early !== undefined) return early;
    if (this.#queue.length >= WAITING_MAX) return refuse("busy", `${WAITING_MAX} logins are waiting already`);
    await this.#enter();
    try {
      if (signal.aborted || this.#isClosed) return refuse("busy", "the peer left before its turn");
      return this.#answerAtOnce(login, login.user, password) ?? (await this.#verify(login, login.user, password));
    } finally {
      this.#leave();
    }
  }

  /** Forgets the passwords it remembered; whoever still waits is sent away. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#remembered.clear();
  }

  #admitNobody(door: DoorKind): Verdict {
    const user = this.#noAuthUser;
    if (user === undefined) return refuse("nobody", "no user name was shown, and no_auth_user is not set");
    if (!user.doors.includes(door))
      return refuse("nobody", `no user name was shown, and no_auth_user may not come in by ${door}`);
    return { ok: true, user, isAnonymous: true };
  }

  #answerAtOnce({ address, door }: Login, name: string, password: string): Verdict | undefined {
    const wait = this.#delays.wait(address, name);
    if (wait > 0) return refuse("wait", `too many failed logins, the next one is looked at in ${Math.ceil(wait / 1000)} s`);
    const remembered = this.#remembered.get(name);
    const digest = this.#digest(name, password);
    if (remembered === undefined || !timingSafeEqual(remembered, digest)) return undefined;
    return this.#admit(this.#users.get(name)!, address, door);
  }

  async #verify({ address, door }: Login, name: string, password: string): Promise<Verdict> {
    const user = this.#users.get(name);
    const hash = user?.passwordHash ?? this.#decoyFor(name);
    const isRight = hash !== undefined && (await verifyPassword(hash, password));
    if (isRight && typeof user?.passwordHash === "string") {
      this.#remembered.set(name, this.#digest(name, password));
      return this.#admit(user, address, door);
    }
    this.#delays.onFailure(address, name);
    if (user === undefined) return refuse("wrong", "there is no such user");
    return refuse("wrong", user.passwordHash === null ? "this user has no password and cannot log in" : "the password is wrong");
  }

  #admit(user: User, address: string, door: DoorKind): Verdict {
    this.#delays.onSuccess(address, user.name);
    if (!user.doors.includes(door)) return refuse("wrong", `this user may not come in by ${door}`);
    return { ok: true, user, isAnonymous: false };
  }

  /** The same name always meets the same hash, so that asking twice tells nothing. */
  #decoyFor(name: string): string | undefined {
    return this.#decoys[this.#digest(name, "").readUInt32BE(0) % Math.max(1, this.#decoys.length)];
  }

  #digest(name: string, password: string): Buffer {
    return createHmac("sha256", this.#key).update(`${name.length}\n${name}\n${password}`).digest();
  }

  async #enter(): Promise<void> {
    if (this.#running < RUNS_MAX) {
      this.#running += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push(resolve);
    await promise; // the slot is handed over, not freed
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

function refuse(why: "wrong" | "nobody" | "wait" | "busy", words: string): Verdict {
  return { ok: false, why, words };
}
