// Which sessions there are, connected or not: how one begins, is taken over, comes back, is read from flash, and ends.
//
//   CONNECT ─ claim ─▶ another user has the id ──────────▶ refused
//                  ├─▶ the id is connected ──────────────▶ that connection ends ("taken-over")
//                  ├─▶ a session is kept, no clean start ─▶ it goes on: session present
//                  └─▶ else: the kept one, if any, ends ──▶ a new one
//
// A client id belongs to its user for as long as its session lives.

import type { User } from "#access/authenticator.ts";
import type { Entropy } from "#base/entropy.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Keeping, Mark } from "./keeping.ts";
import type { Mail } from "./mail.ts";
import { REASON } from "./reason-codes.ts";
import { restoreSessions } from "./restore-sessions.ts";
import type { SafetyQueue } from "./safety-queue.ts";
import { Session } from "./session.ts";
import type { SessionDeps } from "./session-deps.ts";
import { SessionFile } from "./session-file.ts";
import type { Will } from "./will.ts";

export interface SessionTableDeps {
  readonly keeping: Keeping;
  readonly safety: SafetyQueue;
  readonly mail: Mail;
  readonly entropy: Entropy;
  /** Sessions that outlive their connections. */
  readonly sessionsMax: number;
  readonly sessionsMaxPerUser: number;
  /** What a session in this account is made with. */
  depsOf(account: AccountRouter): Omit<SessionDeps, "onEnded">;
}

export interface Claim {
  readonly clientId: string;
  readonly user: User;
  readonly account: AccountRouter;
  /** Clean session, clean start. */
  readonly isClean: boolean;
  /** Infinity: never. 0: it ends with its connection. */
  readonly expirySeconds: number;
  readonly will: Will | null;
}

export type Claimed =
  | { readonly ok: true; readonly session: Session; readonly isPresent: boolean; readonly mark: Mark }
  | { readonly ok: false; readonly reason: number; readonly words: string };

export interface SessionFigures {
  readonly connected: number;
  /** Kept, and nobody there. */
  readonly away: number;
  readonly expired: number;
  readonly queued: number;
  readonly queuedBytes: number;
}

export class SessionTable {
  readonly #deps: SessionTableDeps;
  readonly #byId = new Map<string, Session>();
  #kept = 0;
  /** Of those, by user; no user has none. */
  readonly #keptByUser = new Map<string, number>();
  readonly #sessionDeps = new Map<AccountRouter, SessionDeps>();
  #lastNumber = 0;
  #expired = 0;
  #isClosing = false;

  constructor(deps: SessionTableDeps) {
    this.#deps = deps;
  }

  get(clientId: string): Session | undefined {
    return this.#byId.get(clientId);
  }

  all(): Iterable<Session> {
    return this.#byId.values();
  }

  figures(): SessionFigures {
    let connected = 0;
    let queued = 0;
    for (const session of this.#byId.values()) {
      if (session.isConnected) connected += 1;
      queued += session.deliveries.queued + session.deliveries.inflight;
    }
    const away = this.#byId.size - connected;
    return { connected, away, expired: this.#expired, queued, queuedBytes: this.#deps.mail.bytes };
  }

  /** Whether the id is somebody else's: asked before anything is done to the session that has it. */
  belongsToAnother(clientId: string, user: User): boolean {
    const session = this.#byId.get(clientId);
    return session !== undefined && session.user.name !== user.name;
  }

  /** An older connection with this id has been ended by now. */
  claim({ clientId, user, account, isClean, expirySeconds, will }: Claim): Claimed {
    const older = this.#byId.get(clientId);
    if (older !== undefined && !isClean && older.account === account) {
      return { ok: true, session: older, isPresent: true, mark: older.claim(user, expirySeconds, will) };
    }
    const isKept = expirySeconds > 0;
    const crowd = isKept ? this.#crowd(user, older?.file == null ? 0 : 1) : undefined;
    if (crowd !== undefined) return { ok: false, reason: REASON.quotaExceeded, words: crowd };
    if (isKept && this.#deps.keeping.isFull) {
      return { ok: false, reason: REASON.quotaExceeded, words: "there is no room on flash for a session that is kept" };
    }
    const ended = older?.end() ?? 0; // [MQTT-3.1.2-6, MQTT5-3.1.2-4]
    const session = this.#open({ clientId, user, account, file: isKept ? this.#newFile() : null });
    const mark = Math.max(ended, session.claim(user, expirySeconds, will));
    return { ok: true, session, isPresent: false, mark };
  }

  /** Takes over what the last life left. `accountOf`, `userOf`: as the settings are now. Returns how many came back. */
  restore(
    accountOf: (name: string) => AccountRouter | undefined,
    userOf: (name: string) => User | undefined,
    onDamaged: (key: string, words: string) => void,
  ): number {
    const { keeping, mail, entropy } = this.#deps;
    const open = (number: number, clientId: string, user: User, account: AccountRouter): Session | undefined => {
      if (this.#byId.has(clientId)) return undefined;
      return this.#open({ clientId, user, account, file: this.#fileOf(number) });
    };
    this.#lastNumber = restoreSessions({ keeping, mail, entropy, accountOf, userOf, open, onDamaged });
    return this.#byId.size;
  }

  /** Kept sessions stay on flash as they are; the others end. */
  close(): void {
    this.#isClosing = true;
    for (const session of [...this.#byId.values()]) session.suspend();
  }

  /** Why no more session may be kept; `own`: how many give way. An older one of this id is the user's own. */
  #crowd(user: User, own: 0 | 1): string | undefined {
    const { sessionsMax, sessionsMaxPerUser } = this.#deps;
    if (this.#kept - own >= sessionsMax)
      return `${sessionsMax} sessions are kept already, which is what mqtt.max_sessions allows`;
    if ((this.#keptByUser.get(user.name) ?? 0) - own < sessionsMaxPerUser) return undefined;
    return `user "${user.name}" has ${sessionsMaxPerUser} kept sessions already, which is what mqtt.max_sessions_per_user allows`;
  }

  #countKept(user: User, change: 1 | -1): void {
    this.#kept += change;
    const count = (this.#keptByUser.get(user.name) ?? 0) + change;
    if (count > 0) this.#keptByUser.set(user.name, count);
    else this.#keptByUser.delete(user.name);
  }

  #open(facts: {
    readonly clientId: string;
    readonly user: User;
    readonly account: AccountRouter;
    readonly file: SessionFile | null;
  }): Session {
    const session = new Session(facts, this.#depsOf(facts.account));
    this.#byId.set(facts.clientId, session);
    if (facts.file !== null) this.#countKept(facts.user, 1);
    return session;
  }

  /** The same object for all sessions of an account. */
  #depsOf(account: AccountRouter): SessionDeps {
    let deps = this.#sessionDeps.get(account);
    if (deps === undefined) {
      deps = { ...this.#deps.depsOf(account), onEnded: (session) => this.#onEnded(session) };
      this.#sessionDeps.set(account, deps);
    }
    return deps;
  }

  #onEnded(session: Session): void {
    if (this.#byId.get(session.clientId) === session) this.#byId.delete(session.clientId);
    if (session.file === null) return;
    this.#countKept(session.user, -1);
    if (session.isExpired && !this.#isClosing) this.#expired += 1;
  }

  #newFile(): SessionFile {
    this.#lastNumber += 1;
    return this.#fileOf(this.#lastNumber);
  }

  #fileOf(number: number): SessionFile {
    const { keeping, safety, mail } = this.#deps;
    return new SessionFile(number, { keeping, safety, mail });
  }
}
