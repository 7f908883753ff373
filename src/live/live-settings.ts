// Brings a change of the settings into force while the spoke runs, as far as that is safe. The rest waits for the next start.
//
//   accounts        users, their passwords and permissions: who is another now must log in anew       new or other accounts: at restart
//   mqtt, nats      closed in good order and opened anew: clients come again, sessions are on flash
//   serial, host    closed and opened anew
//   leafnodes       another link for the same outbox, which stays open; new remotes       a remote that goes or is renamed: at restart
//   outbox          rules, ages, when_full, larger limits       smaller limits, commit_interval, encryption: at restart
//   log_level       what is told from then on
//   firewall, web   the ruleset in one transaction; the page last of all, when its answer is out
//
// Each key is taken whole or left whole. A step that fails puts back what the steps before it did, and its fault is thrown. No step
// drops anything that was acknowledged: outboxes stay open, and MQTT's store is closed and opened with nothing in between. New rules and
// ages of the outbox may let messages go, which nothing brings back: so they come after every step that can fail.

import type { Authenticator, User } from "#access/authenticator.ts";
import { whoMayComeIn } from "#access/authenticator.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import type { Log, LogGate } from "#base/log.ts";
import type { Config } from "#config/config.ts";
import type { Parts } from "#parts.ts";
import type { AccountRouter } from "#router/router.ts";
import { type RemoteOptions, remoteName } from "#uplink/options.ts";
import { LIVE_FAILED, liveError } from "./live-errors.ts";
import type { Replaceable } from "./replaceable.ts";
import { isSameConfig } from "./same-config.ts";

/** In the settings' own words. Those of one line go together. */
const GROUPS = [
  ["accounts"],
  ["firewall"],
  ["mqtt"],
  ["listen", "tls", "websocket"],
  ["serial"],
  ["host"],
  ["leafnodes"],
  ["outbox"],
  ["log_level"],
  ["web"],
] as const;
const AT_RESTART = ["server_name", "no_auth_user", "monitor", "limits"] as const;

type ConfigKey = Exclude<keyof Config, "deviceId">;

export interface LivePlan {
  /** Top-level keys that come into force at once, and those that wait. */
  readonly now: readonly string[];
  readonly atRestart: readonly string[];
}

/** What the page asks. */
export interface LiveDesk {
  /** What runs now. */
  readonly running: Config;
  plan(next: Config): LivePlan;
  /** Puts `plan(next).now` in force; throws LIVE_FAILED when that failed, and what was is back. The page itself is opened anew by `reopenPage`. */
  apply(next: Config): Promise<void>;
  /** All sessions of the page end; whoever wants in comes by the way that is in force now. The answer: why it is not open, or null. */
  reopenPage(): Promise<string | null>;
}

export interface LiveDeps {
  readonly parts: Parts;
  readonly accounts: ReadonlyMap<string, AccountRouter>;
  readonly authenticator: Authenticator;
  readonly mqtt: Replaceable<Config>;
  readonly nats: Replaceable<Config>;
  readonly serial: Replaceable<Config>;
  readonly host: Replaceable<Config>;
  /** undefined: this machine has no packet filter to change. */
  readonly changeFilter: ((config: Config) => Promise<void>) | undefined;
  readonly log: Log;
  /** Aborted: the spoke closes. */
  readonly signal: AbortSignal;
  /** Absent: the log's level is not ours to change. */
  readonly logGate: LogGate | undefined;
  /** Opens a remote that was not there before. */
  addUplink(config: Config, remote: RemoteOptions): Promise<void>;
}

interface Step {
  readonly keys: readonly ConfigKey[];
  /** Keys that are changed by another step, and that this one looks at as they are to be. */
  readonly sees?: readonly string[];
  /** It runs for a change of those alone, too. */
  readonly isForSeen?: boolean;
  run(from: Config, to: Config): Promise<void>;
}

export class LiveSettings implements LiveDesk, AsyncDisposable {
  readonly #deps: LiveDeps;
  #running: Config;
  /** One change at a time. */
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(running: Config, deps: LiveDeps) {
    this.#running = running;
    this.#deps = deps;
  }

  /** What runs now: as the settings were at the start, with what has come into force since. */
  get running(): Config {
    return this.#running;
  }

  /** Reads as what runs at the moment of reading. */
  view(): Config {
    return new Proxy({} as Config, { get: (_, key) => this.#running[key as keyof Config] });
  }

  plan(next: Config): LivePlan {
    const changed = (key: string) => !isSameConfig(this.#running[camel(key)], next[camel(key)]);
    const now: string[] = [];
    const atRestart: string[] = AT_RESTART.filter(changed);
    for (const group of GROUPS) {
      const keys = group.filter(changed);
      if (keys.length > 0) (this.#isLive(group[0], next) ? now : atRestart).push(...keys);
    }
    return { now, atRestart };
  }

  apply(next: Config): Promise<void> {
    const turn = this.#turn.then(() => this.#apply(next));
    this.#turn = turn.catch(() => undefined); // the caller hears of it
    return turn;
  }

  /** Resolves when the change that is under way is over; there is none after it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
  }

  async #apply(next: Config): Promise<void> {
    this.#mustBeOpen();
    const { now } = this.plan(next);
    const before = this.#running;
    const done: { readonly step: Step; readonly from: Config; readonly to: Config }[] = [];
    try {
      for (const step of this.#steps()) {
        const keys = step.keys.filter((key) => now.some((name) => camel(name) === key));
        const { sees = [], isForSeen = false } = step;
        if (keys.length === 0 && !(isForSeen && now.some((name) => sees.includes(name)))) continue;
        this.#mustBeOpen();
        const from = this.#running;
        const to = { ...from, ...Object.fromEntries(keys.map((key) => [key, next[key]])) };
        await step.run(from, { ...to, ...pick(next, sees, now) });
        this.#running = to;
        done.unshift({ step, from, to });
      }
      if (now.includes("web")) this.#running = { ...this.#running, web: next.web };
    } catch (error) {
      this.#mustBeOpen();
      this.#running = before;
      for (const { step, from, to } of done) await this.#putBack(step, to, from);
      throw liveError(error);
    }
    if (now.length > 0) this.#deps.log.info("settings are in force", { keys: now.join(",") });
  }

  #mustBeOpen(): void {
    if (this.#isClosed || this.#deps.signal.aborted)
      throw new PetioleError(LIVE_FAILED, "the daemon is stopping, and takes no change any more");
  }

  async reopenPage(): Promise<string | null> {
    const { page } = this.#deps.parts;
    await page?.change(this.#running.web);
    return page?.report()?.fault ?? null;
  }

  async #putBack(step: Step, from: Config, to: Config): Promise<void> {
    try {
      await step.run(from, to);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#deps.log.error("a part could not be put back as it was", { keys: step.keys.join(","), error: explain(error) });
    }
  }

  #isLive(group: (typeof GROUPS)[number][0], next: Config): boolean {
    const { parts, accounts, changeFilter } = this.#deps;
    const before = this.#running;
    const hasAccount = (name: string) => accounts.has(name);
    switch (group) {
      case "accounts":
        return isSameConfig(namesOf(before), namesOf(next)) && isSameNobody(before, next);
      case "outbox": {
        const { maxBytes, maxMessages, commitInterval, encryption } = before.outbox;
        const wanted = next.outbox;
        const isNoSmaller = wanted.maxBytes >= maxBytes && wanted.maxMessages >= maxMessages;
        return isNoSmaller && wanted.commitInterval === commitInterval && wanted.encryption === encryption;
      }
      case "leafnodes": {
        const { remotes } = next.leafnodes;
        const stays = (old: RemoteOptions) => remotes.some((one) => isSameOutbox(one, old));
        const isOneNew = remotes.length - before.leafnodes.remotes.length <= 1; // one that was added is not taken out again
        return isOneNew && remotes.every(({ account }) => hasAccount(account)) && before.leafnodes.remotes.every(stays);
      }
      case "mqtt":
        return next.mqtt === null || hasAccount(next.mqtt.account);
      case "log_level":
        return this.#deps.logGate !== undefined;
      case "firewall":
        return changeFilter !== undefined;
      case "web":
        return parts.page !== null;
      default:
        return true;
    }
  }

  #steps(): readonly Step[] {
    const { mqtt, nats, serial, host } = this.#deps;
    return [
      { keys: ["accounts"], run: this.#changeUsers },
      { keys: ["firewall"], sees: DOORS, isForSeen: true, run: this.#changeFilter }, // opens doors that are about to be there
      { keys: ["mqtt"], sees: ["outbox"], run: (from, to) => mqtt.change(from, to) }, // its store keeps the same reserve free
      { keys: ["listen", "tls", "websocket"], run: (from, to) => nats.change(from, to) },
      { keys: ["serial"], run: (from, to) => serial.change(from, to) },
      { keys: ["host"], run: (from, to) => host.change(from, to) },
      { keys: ["leafnodes"], run: this.#changeLinks },
      { keys: ["outbox"], run: this.#changeOutboxes },
      { keys: ["logLevel"], run: this.#changeLog },
    ];
  }

  readonly #changeUsers = async (from: Config, to: Config): Promise<void> => {
    const { authenticator, accounts, parts } = this.#deps;
    const { users, trusted } = whoMayComeIn(to);
    const old = whoMayComeIn(from);
    const before = new Map(old.users.map((user) => [user.name, user]));
    const after = new Map(users.map((user) => [user.name, user]));
    const keysOf = (list: typeof trusted, account: string) => list.filter((one) => one.account === account);
    const isChanged = (user: User) => {
      if (before.has(user.name)) return !isSameConfig(before.get(user.name), after.get(user.name));
      return !isSameConfig(keysOf(old.trusted, user.account), keysOf(trusted, user.account)); // it came with a JWT
    };
    authenticator.change(users, trusted);
    parts.nats?.revoke(isChanged);
    parts.mqtt?.onUsersChanged(isChanged);
    for (const account of accounts.values()) account.forgetRoutes();
  };

  readonly #changeOutboxes = async (_from: Config, { outbox }: Config): Promise<void> => {
    for (const uplink of this.#deps.parts.uplinks) await uplink.outbox.change(outbox);
  };

  readonly #changeLog = async (_from: Config, { logLevel }: Config): Promise<void> => {
    if (this.#deps.logGate !== undefined) this.#deps.logGate.least = logLevel;
  };

  readonly #changeFilter = async (_from: Config, to: Config): Promise<void> => {
    await this.#deps.changeFilter?.(to);
  };

  /** The one that is new comes first: it may fail, a link that is opened anew does not. */
  readonly #changeLinks = async (from: Config, to: Config): Promise<void> => {
    const { parts, addUplink } = this.#deps;
    const oldOf = (remote: RemoteOptions) => from.leafnodes.remotes.find((one) => isSameOutbox(one, remote));
    const { remotes } = to.leafnodes;
    const uplinkOf = (remote: RemoteOptions) => parts.uplinks.find(({ name }) => name === remoteName(remote));
    // Never a second outbox in one folder, whatever was tried before.
    for (const remote of remotes.filter((one) => oldOf(one) === undefined))
      await (uplinkOf(remote)?.relink(remote) ?? addUplink(to, remote));
    for (const remote of remotes) {
      const old = oldOf(remote);
      if (old === undefined || isSameConfig(old, remote)) continue;
      await uplinkOf(remote)!.relink(remote);
    }
  };
}

/** Keys whose doors the packet filter opens. */
const DOORS: readonly string[] = ["mqtt", "listen", "websocket", "web"];

function pick(next: Config, keys: readonly string[], among: readonly string[]): Partial<Config> {
  return Object.fromEntries(keys.filter((key) => among.includes(key)).map((key) => [camel(key), next[camel(key)]]));
}

/** Keys of the settings are snake_case, those of a `Config` are not. */
function camel(key: string): ConfigKey {
  return key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as ConfigKey;
}

function namesOf({ accounts }: Config): readonly string[] {
  return accounts.map(({ name }) => name);
}

/** By which doors one comes in who shows no name: the doors have asked when they opened. */
function isSameNobody(before: Config, next: Config): boolean {
  const doorsOf = ({ accounts, noAuthUser }: Config) => {
    const nobody = accounts.flatMap(({ users }) => users).find(({ user }) => user === noAuthUser);
    return nobody === undefined ? "" : `${nobody.mqtt} ${nobody.nats}`;
  };
  return doorsOf(before) === doorsOf({ ...next, noAuthUser: before.noAuthUser });
}

function isSameOutbox(one: RemoteOptions, other: RemoteOptions): boolean {
  return remoteName(one) === remoteName(other) && one.account === other.account;
}
