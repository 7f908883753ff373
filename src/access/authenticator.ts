// Who is at the door: name and password, token, nkey or user JWT → user with permissions.
//
//   password, token     wait? ─▶ remembered? ─▶ slot (2 at once) ─▶ scrypt, bcrypt ─▶ remember, or count the failure
//   nkey, JWT           wait? ─▶ signature ─▶ count the failure
//   certificate         TLS has verified it: which user does it name?
//
// An unknown name costs what a wrong password costs: one scrypt run against somebody else's hash, whose result is thrown away.
// A password that was right is remembered as a keyed hash, in memory only, so that a thousand devices that come back
// after a power cut do not cost a thousand scrypt runs.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { BcryptVerifier, isBcryptHash } from "./bcrypt.ts";
import type { CertificateNames } from "./certificate-names.ts";
import { type DistinguishedName, sameNames, tryDistinguishedName } from "./distinguished-name.ts";
import { type BlockedAddress, FailureDelays } from "./failure-delays.ts";
import { isPublicNkey, verifyNkey } from "./nkey-text.ts";
import type { AccountOptions } from "./options.ts";
import { verifyPassword } from "./password.ts";
import type { Permissions } from "./permissions.ts";
import { checkUserJwt, type JwtLimits, type JwtPresented, type TrustedKey } from "./user-jwt.ts";

/** scrypt runs at once: they share the runtime's four threads with the disk. */
const RUNS_MAX = 2;
/** Attempts that wait for a run; more are sent away. */
const WAITING_MAX = 1024;
const PASSWORD_BYTES_MAX = 1024;
/** Names of a certificate in the log. */
const NAMES_CHARS_MAX = 300;

/** Stands for the name of somebody who shows a token; settings cannot hold it, since names have no control characters. */
const TOKEN = "\0token";

export type DoorKind = "mqtt" | "nats";

export interface User {
  readonly name: string;
  readonly account: string;
  /** null: nobody can log in as this user. */
  readonly passwordHash: string | null;
  readonly tokenHash?: string | null;
  /** Public key, `U…`. */
  readonly nkey?: string | null;
  readonly doors: readonly DoorKind[];
  readonly permissions: Permissions;
  /** Of a user who came with a JWT. */
  readonly limits?: JwtLimits;
  /** For `UserQuotas`: absent or null is no limit. */
  readonly maxConnections?: number | null;
  readonly publishRate?: number | null;
}

export interface Login {
  readonly door: DoorKind;
  /** null: the peer shows no name. */
  readonly user: string | null;
  readonly password: string | null;
  readonly address: string;
}

/** A signature made with an nkey over what we asked to be signed. */
export interface KeyLogin {
  readonly door: DoorKind;
  readonly nkey: string;
  /** base64, with or without padding. */
  readonly signature: string | null;
  readonly nonce: string | null;
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
  const { users, trusted } = whoMayComeIn(settings);
  return new Authenticator(users, settings.noAuthUser, env, trusted);
}

/** For `Authenticator.change`. */
export function whoMayComeIn(settings: Pick<AccessSettings, "accounts">): {
  readonly users: readonly User[];
  readonly trusted: readonly TrustedKey[];
} {
  const users = settings.accounts.flatMap((account) =>
    account.users.map((user) => ({
      name: user.user,
      account: account.name,
      passwordHash: user.password?.reveal() ?? null,
      tokenHash: user.token?.reveal() ?? null,
      nkey: user.nkey,
      doors: (["mqtt", "nats"] as const).filter((door) => user[door]),
      permissions: user.permissions,
      maxConnections: user.maxConnections,
      publishRate: user.publishRate,
    })),
  );
  const trusted = settings.accounts.flatMap(({ name, trustedKeys, revocations }) =>
    trustedKeys.map((key) => ({ key, account: name, revocations })),
  );
  return { users, trusted };
}

export class Authenticator implements Disposable {
  #users: ReadonlyMap<string, User> = new Map();
  #byNkey: ReadonlyMap<string, User> = new Map();
  #tokenUser: User | undefined;
  /** By public key. */
  #trusted: ReadonlyMap<string, TrustedKey> = new Map();
  /** Users that are named by the subject of a certificate. */
  #byDn: readonly (readonly [DistinguishedName, User])[] = [];
  #noAuthUser: User | undefined;
  readonly #noAuthName: string | null;
  readonly #clock: Clock;
  readonly #bcrypt = new BcryptVerifier();
  readonly #delays: FailureDelays;
  readonly #key: Buffer;
  /** Keyed hashes of passwords that were right, by user name. */
  readonly #remembered = new Map<string, Buffer>();
  /** Hashes to run unknown names against. */
  #decoys: readonly string[] = [];
  readonly #queue: (() => void)[] = [];
  #running = 0;
  #isClosed = false;

  constructor(
    users: readonly User[],
    noAuthUser: string | null,
    env: { readonly clock: Clock; readonly entropy: Entropy },
    trusted: readonly TrustedKey[] = [],
  ) {
    this.#clock = env.clock;
    this.#delays = new FailureDelays(env.clock, env.entropy);
    this.#key = env.entropy.bytes(32);
    this.#noAuthName = noAuthUser;
    this.change(users, trusted);
  }

  /**
   * Other users, from now on. Failures stay counted, and a password that was right stays remembered for whoever has it still. Who is in
   * already is not looked at again: the doors do that.
   */
  change(users: readonly User[], trusted: readonly TrustedKey[]): void {
    const hashes = new Map([...this.#remembered.keys()].map((name) => [name, this.#hashOf(name)]));
    this.#trusted = new Map(trusted.map((one) => [one.key, one]));
    this.#byDn = users.flatMap((user) => {
      const dn = user.name.includes("=") ? tryDistinguishedName(user.name) : undefined;
      return dn === undefined ? [] : [[dn, user] as const];
    });
    this.#users = new Map(users.map((user) => [user.name, user]));
    this.#byNkey = new Map(users.flatMap((user) => (user.nkey == null ? [] : [[user.nkey, user] as const])));
    this.#tokenUser = users.find(({ tokenHash }) => tokenHash != null);
    this.#noAuthUser = this.#noAuthName === null ? undefined : this.#users.get(this.#noAuthName);
    this.#decoys = users.flatMap((user) => user.passwordHash ?? []);
    for (const [name, hash] of hashes) if (this.#hashOf(name) !== hash) this.#remembered.delete(name);
  }

  /** Whether anybody may come in by signing what we ask. */
  get wantsSignatures(): boolean {
    return this.#byNkey.size > 0 || this.#trusted.size > 0;
  }

  /** Addresses whose logins are not looked at now, for a packet filter or the page. At most a few thousand. */
  blockedAddresses(): Iterable<BlockedAddress> {
    return this.#delays.blockedAddresses();
  }

  /** For sessions that wait for their user: nobody is let in by this. */
  userNamed(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** By a token alone. */
  async authenticateToken(door: DoorKind, token: string, address: string, signal: AbortSignal): Promise<Verdict> {
    const user = this.#tokenUser;
    if (user === undefined) return refuse("wrong", "it shows a token, and no user has one");
    return await this.#authenticate({ door, user: TOKEN, password: token, address }, TOKEN, signal);
  }

  authenticateKey({ door, nkey, signature, nonce, address }: KeyLogin): Verdict {
    const user = this.#byNkey.get(nkey);
    if (!isPublicNkey(nkey, "U")) return refuse("wrong", "it shows an nkey that is no user's public key");
    const wait = this.#delays.wait(address, nkey);
    if (wait > 0) return refuseToLook(wait);
    const isRight =
      nonce !== null && signature !== null && verifyNkey(nkey, Buffer.from(nonce), Buffer.from(signature, "base64url"));
    if (user !== undefined && isRight) return this.#admit(user, nkey, address, door);
    this.#delays.onFailure(address, nkey);
    return refuse("wrong", user === undefined ? "no user has the nkey it shows" : "its signature does not fit the nkey it shows");
  }

  /** For local NATS clients only. */
  authenticateJwt(shown: JwtPresented): Verdict {
    if (this.#trusted.size === 0) return refuse("wrong", "it shows a JWT, and no account has trusted_keys");
    const wait = this.#delays.wait(shown.address, shown.jwt);
    if (wait > 0) return refuseToLook(wait);
    const verdict = checkUserJwt(shown, this.#trusted, this.#clock.wall());
    if (verdict.ok)
      return this.#admit({ ...verdict.user, passwordHash: null, doors: ["nats"] }, shown.jwt, shown.address, "nats");
    this.#delays.onFailure(shown.address, shown.jwt);
    return refuse("wrong", verdict.words);
  }

  /**
   * By the names in a certificate that TLS has verified; which of them may name a user, and in which order, is nats-server's rule. A user
   * who has a password must show that, too; a name beside it does not count.
   */
  async authenticateCertificate(
    login: Omit<Login, "user">,
    names: CertificateNames | null,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const { door, address } = login;
    const verdict = this.#judgeCertificate(door, names, address);
    if (!verdict.ok || verdict.user.passwordHash === null) return verdict;
    return await this.#authenticate({ ...login, user: verdict.user.name }, verdict.user.name, signal);
  }

  #judgeCertificate(door: DoorKind, names: CertificateNames | null, address: string): Verdict {
    if (names === null) return refuse("wrong", "it shows no certificate that could name a user");
    const { emails, dnsNames, uris, subject, dn } = names;
    for (const name of [...emails, ...dnsNames, ...uris]) {
      const user = this.#users.get(name);
      if (user?.doors.includes(door)) return this.#admit(user, name, address, door);
    }
    const user = this.#users.get(subject) ?? (dn === undefined ? undefined : this.#userOfDn(dn));
    if (user !== undefined) return this.#admit(user, subject, address, door);
    const shown = [...emails, ...dnsNames, ...uris, subject].filter((name) => name !== "").map((name) => JSON.stringify(name));
    return refuse(
      "wrong",
      `no user has a name of its certificate: ${shown.join(", ").slice(0, NAMES_CHARS_MAX) || "it has none"}`,
    );
  }

  /** Aborting gives up the place in the queue; the answer is then "busy". */
  async authenticate(login: Login, signal: AbortSignal): Promise<Verdict> {
    if (login.user === null) return this.#admitNobody(login.door);
    return await this.#authenticate(login, login.user, signal);
  }

  async #authenticate(login: Login, name: string, signal: AbortSignal): Promise<Verdict> {
    const password = login.password ?? "";
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX)
      return refuse("wrong", "the password is longer than any password can be");
    const early = this.#answerAtOnce(login, name, password);
    if (early !== undefined) return early;
    if (this.#queue.length >= WAITING_MAX) return refuse("busy", `${WAITING_MAX} logins are waiting already`);
    await this.#enter();
    try {
      if (signal.aborted || this.#isClosed) return refuse("busy", "the peer left before its turn");
      return this.#answerAtOnce(login, name, password) ?? (await this.#verify(login, name, password));
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
    if (wait > 0) return refuseToLook(wait);
    const remembered = this.#remembered.get(name);
    const digest = this.#digest(name, password);
    if (remembered === undefined || !timingSafeEqual(remembered, digest)) return undefined;
    return this.#admit(this.#userOf(name)!, name, address, door);
  }

  async #verify({ address, door }: Login, name: string, password: string): Promise<Verdict> {
    const user = this.#userOf(name);
    const own = this.#hashOf(name);
    const hash = own ?? this.#decoyFor(name);
    const isRight = hash !== undefined && (await this.#verifyHash(hash, password));
    if (this.#userOf(name) !== user) return refuse("busy", "the users have changed meanwhile");
    if (isRight && user !== undefined && typeof own === "string") {
      this.#remembered.set(name, this.#digest(name, password));
      return this.#admit(user, name, address, door);
    }
    this.#delays.onFailure(address, name);
    if (name === TOKEN) return refuse("wrong", "the token is wrong");
    if (user === undefined) return refuse("wrong", "there is no such user");
    return refuse("wrong", user.passwordHash === null ? "this user has no password and cannot log in" : "the password is wrong");
  }

  #hashOf(name: string): string | null | undefined {
    const user = this.#userOf(name);
    return name === TOKEN ? user?.tokenHash : user?.passwordHash;
  }

  #userOf(name: string): User | undefined {
    return name === TOKEN ? this.#tokenUser : this.#users.get(name);
  }

  #verifyHash(hash: string, password: string): Promise<boolean> {
    return isBcryptHash(hash) ? this.#bcrypt.verify(hash, password) : verifyPassword(hash, password);
  }

  #userOfDn(dn: DistinguishedName): User | undefined {
    const text = dn.join();
    const found = this.#byDn.find(([name]) => name.join() === text) ?? this.#byDn.find(([name]) => sameNames(name, dn));
    return found?.[1];
  }

  /** `identity`: what failures were counted by. */
  #admit(user: User, identity: string, address: string, door: DoorKind): Verdict {
    this.#delays.onSuccess(address, identity);
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

function refuseToLook(wait: Millis): Verdict {
  return refuse("wait", `too many failed logins, the next one is looked at in ${Math.ceil(wait / 1000)} s`);
}

function refuse(why: "wrong" | "nobody" | "wait" | "busy", words: string): Verdict {
  return { ok: false, why, words };
}
