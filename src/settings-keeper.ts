// The settings as the page changes them: shown without secrets, validated whole, written with the file's generations, and taken back
// unless confirmed where a mistake could lock its author out.
//
// Nothing is applied to the running daemon: a change comes into force at the next start, and everybody is told so.

import { createHash } from "node:crypto";
import type { Low } from "lowdb";
import type { Clock, Millis } from "#base/clock.ts";
import { isObject } from "#base/decode.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import { type Fault, formatFault, formatPath } from "#base/fault.ts";
import type { Log } from "#base/log.ts";
import type { Json } from "#base/schema.ts";
import { settle } from "#config/apply-overrides.ts";
import { type ConfigContext, parseConfig } from "#config/config.ts";
import { diffSettings } from "#config/diff-settings.ts";
import { hashPasswords } from "#config/hash-passwords.ts";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { mergeSecrets } from "#config/merge-secrets.ts";
import type { Override } from "#config/overrides.ts";
import { redactSettings } from "#config/redact.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import type { Proposal, SettingsDesk, SettingsView } from "#web/server/desks.ts";
import { WEB_CONFLICT, WEB_FAULTS, WEB_ROLE, WebRefusal } from "#web/server/errors.ts";
import { removeUnconfirmed, writeUnconfirmed } from "./unconfirmed.ts";

const CONFIRM_WITHIN_MS: Millis = 90_000;
/** A mistake in these can keep everybody from the page. */
const RISKY_KEYS = ["web", "firewall"];

export interface SettingsKeeperDeps {
  readonly settings: Low<SettingsDocument>;
  readonly overrides: readonly Override[];
  readonly context: ConfigContext;
  /** What the settings were before those that run now and are not confirmed. */
  readonly unconfirmed: SettingsDocument | undefined;
  readonly env: { readonly clock: Clock; readonly disk: Disk; readonly entropy: Entropy; readonly log: Log };
  /** Ends the daemon in good order, for its supervisor to start it anew. */
  restart(): void;
}

interface Pending {
  readonly previous: SettingsDocument;
  /** This daemon was started with the new settings. */
  readonly isInForce: boolean;
  readonly until: Millis;
  readonly timer: Disposable;
}

export class SettingsKeeper implements SettingsDesk {
  readonly #deps: SettingsKeeperDeps;
  readonly #atStart: string;
  #pending: Pending | undefined;
  /** A write failed, and settings.unconfirmed may be there without a change that waits. */
  #isMarkStray = false;
  /** Changes run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: SettingsKeeperDeps) {
    this.#deps = deps;
    this.#atStart = revisionOf(deps.settings.data);
    if (deps.unconfirmed !== undefined) this.#await(deps.unconfirmed, true);
  }

  async view(): Promise<SettingsView> {
    await this.#inTurn(() => this.#deps.settings.read());
    const { settings, overrides, env } = this.#deps;
    const revision = revisionOf(settings.data);
    const pending = this.#pending;
    return {
      document: redactSettings(settings.data),
      revision,
      overridden: overrides.map(({ path, variable }) => ({ path: formatPath(path), variable })),
      restart_needed: revision !== this.#atStart,
      pending:
        pending === undefined
          ? null
          : { in_force: pending.isInForce, reverts_in_seconds: Math.max(0, Math.ceil((pending.until - env.clock.now()) / 1000)) },
    };
  }

  schema(): Json {
    return settingsJsonSchema();
  }

  async check(document: unknown): Promise<Proposal> {
    await this.#inTurn(() => this.#deps.settings.read());
    return this.#propose(document).proposal;
  }

  write(document: unknown, revision: string, mayRisk: boolean): Promise<Proposal> {
    return this.#inTurn(async () => {
      await this.#deps.settings.read();
      if (revision !== revisionOf(this.#deps.settings.data))
        throw conflict("the settings have changed since you loaded them; load them anew");
      const judged = this.#propose(document);
      const { risky } = judged.proposal;
      if (risky.length > 0 && !mayRisk)
        throw new WebRefusal(403, WEB_ROLE, `${risky.join(" and ")} can only be changed by an owner`);
      return await this.#put(judged);
    });
  }

  /** A whole document with its secrets in it, from a backup. */
  replace(document: SettingsDocument): Promise<Proposal> {
    return this.#inTurn(() => this.#put(this.#judge(document, [], [])));
  }

  confirm(): Promise<void> {
    return this.#inTurn(async () => {
      const pending = this.#mustPend();
      if (!pending.isInForce)
        throw conflict("the change is not in force yet: restart the device, log in again, and confirm then");
      await removeUnconfirmed(this.#deps.env.disk, this.#deps.context.dataDir);
      this.#settle();
    });
  }

  revert(): Promise<void> {
    return this.#inTurn(() => this.#takeBack(this.#mustPend()));
  }

  [Symbol.dispose](): void {
    this.#settle();
  }

  #propose(shown: unknown): Judged {
    const { document, faults } = mergeSecrets(shown, this.#deps.settings.data);
    const whole = isObject(document) ? (document as SettingsDocument) : undefined;
    return this.#judge(whole, faults, this.#deps.overrides);
  }

  /** `locks`: changes under these are faults. */
  #judge(document: SettingsDocument | undefined, known: readonly Fault[], locks: readonly Override[]): Judged {
    if (document === undefined) {
      const fault = { path: "", kind: "invalid" as const, wanted: "an object", found: "something else", remedy: "" };
      return { document: {}, proposal: { faults: [fault], changes: [], risky: [] } };
    }
    const { settings, overrides, context } = this.#deps;
    const faultsOf = (each: SettingsDocument) => parseConfig(each, context).faults;
    // As at the start: what the environment decides may be at fault in the document, and the other way round.
    const hasFit = known.length === 0 && settle(document, overrides, faultsOf).faults.length === 0;
    const changes = diffSettings(settings.data, document);
    const locked = changes.flatMap(({ path }) => lockedFault(path, locks) ?? []);
    const faults = hasFit ? locked : [...known, ...faultsOf(document), ...locked];
    const risky = RISKY_KEYS.filter((key) => changes.some(({ path }) => path === key || path.startsWith(`${key}.`)));
    return { document, proposal: { faults, changes, risky } };
  }

  async #put({ document, proposal }: Judged): Promise<Proposal> {
    const { settings, env, context } = this.#deps;
    const { faults, changes, risky } = proposal;
    if (faults.length > 0) throw new WebRefusal(400, WEB_FAULTS, faults.map(formatFault).join("; "), { faults });
    if (this.#pending !== undefined) throw conflict("an earlier change waits for confirmation; confirm or revert it first");
    if (changes.length === 0) return proposal;
    await hashPasswords(document, env.entropy);
    const previous = settings.data;
    const isStray = this.#isMarkStray;
    if (risky.length > 0) await writeUnconfirmed(env.disk, context.dataDir, { previous, starts: 0 });
    try {
      settings.data = document;
      await settings.write();
    } catch (error) {
      settings.data = previous;
      this.#isMarkStray = true;
      throw error; // what lies on flash is one of the two, whole, and the mark beside it; a start now would sort it out
    }
    this.#isMarkStray = false;
    if (isStray && risky.length === 0) await removeUnconfirmed(env.disk, context.dataDir);
    if (risky.length > 0) this.#await(previous, false);
    return proposal;
  }

  #await(previous: SettingsDocument, isInForce: boolean): void {
    const { clock, log } = this.#deps.env;
    const timer = clock.after(CONFIRM_WITHIN_MS, () => {
      void this.#inTurn(async () => {
        if (this.#pending?.timer !== timer) return; // confirmed, while this waited for its turn
        log.warn("nobody confirmed the settings change; the settings before it are back");
        await this.#takeBack(this.#pending);
      }).catch((error: unknown) => {
        if (!isFault(error)) throw error;
        log.error("an unconfirmed settings change could not be taken back; the next start tries again", {
          error: explain(error),
        });
      });
    });
    this.#pending = { previous, isInForce, until: clock.now() + CONFIRM_WITHIN_MS, timer };
  }

  async #takeBack({ previous, isInForce }: Pending): Promise<void> {
    const { settings, env, context } = this.#deps;
    settings.data = previous;
    await settings.write();
    await removeUnconfirmed(env.disk, context.dataDir);
    this.#settle();
    if (isInForce) this.#deps.restart();
  }

  #settle(): void {
    this.#pending?.timer[Symbol.dispose]();
    this.#pending = undefined;
  }

  #mustPend(): Pending {
    if (this.#pending === undefined) throw conflict("no change waits for confirmation");
    return this.#pending;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => undefined); // the caller hears of it
    return turn;
  }
}

interface Judged {
  /** With its secrets. */
  readonly document: SettingsDocument;
  readonly proposal: Proposal;
}

function revisionOf(document: SettingsDocument): string {
  return createHash("sha256").update(JSON.stringify(document)).digest("base64url").slice(0, 22);
}

function lockedFault(path: string, overrides: readonly Override[]): Fault | undefined {
  const lock = overrides.find((each) => {
    const place = formatPath(each.path);
    return path === place || path.startsWith(`${place}.`) || path.startsWith(`${place}[`);
  });
  if (lock === undefined) return undefined;
  const remedy = `change ${lock.variable} instead`;
  return { path, kind: "invalid", wanted: "no change", found: "a key that an environment variable decides", remedy };
}

function conflict(words: string): WebRefusal {
  return new WebRefusal(409, WEB_CONFLICT, words);
}
