// The settings as the page changes them: shown without secrets, validated whole, written with the file's generations, and taken back
// unless confirmed where a mistake could lock its author out. What can be is in force at once (live-settings.ts), the rest at a restart.
//
//   write ─▶ on flash ─▶ in force ─┬─▶ risky: the page opens anew, sessions end ── 90 s ──▶ not confirmed: taken back, in force
//                          │       └─▶ else: done
//                          └─ failed: the parts are as they were, so is the file, and the author hears why

import { createHash } from "node:crypto";
import type { Low } from "lowdb";
import type { Clock, Millis } from "#base/clock.ts";
import { isObject } from "#base/decode.ts";
import type { Disk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import { type Fault, formatFault } from "#base/fault.ts";
import type { Log } from "#base/log.ts";
import type { Json } from "#base/schema.ts";
import { applyOverrides, settle } from "#config/apply-overrides.ts";
import { type Config, type ConfigContext, parseConfig } from "#config/config.ts";
import { diffSettings } from "#config/diff-settings.ts";
import { hashPasswords } from "#config/hash-passwords.ts";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { brokenFault } from "#config/load-config.ts";
import { mergeSecrets } from "#config/merge-secrets.ts";
import type { Override } from "#config/overrides.ts";
import { redactSettings } from "#config/redact.ts";
import { type SettingsDocument, SettingsFile } from "#config/settings-file.ts";
import type { Proposal, SettingsDesk, SettingsView } from "#web/server/desks.ts";
import { WEB_APPLY, WEB_CONFLICT, WEB_FAULTS, WEB_ROLE, WebRefusal } from "#web/server/errors.ts";
import { inForce } from "./in-force.ts";
import { KnownHashes } from "./known-hashes.ts";
import type { LiveDesk, LivePlan } from "./live-settings.ts";
import { lockedFault } from "./locked-fault.ts";
import { removeUnconfirmed, writeUnconfirmed } from "./unconfirmed.ts";

const CONFIRM_WITHIN_MS: Millis = 90_000;
/** So long the answer to the change may take before the page that sends it closes. */
const FAREWELL_MS: Millis = 500;
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
  /** The new settings run: this daemon was started with them, or took them over. */
  readonly isInForce: boolean;
  /** Whoever asks now has come in by them. */
  mayConfirm: boolean;
  readonly until: Millis;
  readonly timer: Disposable;
}

export class SettingsKeeper implements SettingsDesk {
  readonly #deps: SettingsKeeperDeps;
  #inForce: string; // the document that runs, all of it
  #live: LiveDesk | undefined;
  #farewell: Disposable | undefined;
  #pending: Pending | undefined;
  readonly #hashes = new KnownHashes();
  /** A write failed, and settings.unconfirmed may be there without a change that waits. */
  #isMarkStray = false;
  #turn: Promise<unknown> = Promise.resolve(); // changes run one after the other

  constructor(deps: SettingsKeeperDeps) {
    this.#deps = deps;
    this.#inForce = revisionOf(deps.settings.data);
    if (deps.unconfirmed !== undefined) this.#await(deps.unconfirmed, true);
  }

  /** From now on changes come into force while the spoke runs, where they can. */
  attach(live: LiveDesk): void {
    this.#live = live;
  }

  /** Somebody has written the file by hand and says so (SIGHUP). What cannot be taken is told, and what ran before runs on. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const { settings, env } = this.#deps;
      const broken = await this.#brokenFile();
      await settings.read();
      const isFit = broken === undefined && (await this.#effective(settings.data, false)) !== undefined;
      if (!isFit || this.#pending !== undefined) {
        const faults = broken === undefined ? '"petiole check" lists its faults' : formatFault(broken);
        const because = this.#pending === undefined ? faults : "a change waits for its confirmation";
        env.log.warn(`the settings file is not taken over: ${because}`);
        return;
      }
      if ((await this.#hash(settings.data)) > 0) await settings.write(); // plain passwords do not stay on flash
      await this.#clearStray();
      const config = await this.#effective(settings.data);
      const plan = config && this.#live?.plan(config);
      if (plan === undefined) return; // the spoke has gone
      await this.#bringIntoForce(config!, plan, settings.data);
      if (plan.atRestart.length > 0) env.log.warn("some of the settings wait for a restart", { keys: plan.atRestart.join(",") });
      if (plan.now.includes("web")) await this.#live?.reopenPage();
    });
  }

  async view(): Promise<SettingsView> {
    await this.#inTurn(() => this.#deps.settings.read());
    const { settings, overrides, env } = this.#deps;
    const revision = revisionOf(settings.data);
    const pending = this.#pending;
    return {
      document: redactSettings(settings.data),
      revision,
      overridden: inForce(settings.data, overrides),
      restart_needed: revision !== this.#inForce,
      pending:
        pending === undefined
          ? null
          : { in_force: pending.isInForce, reverts_in_seconds: Math.max(0, Math.ceil((pending.until - env.clock.now()) / 1000)) },
    };
  }

  /** What comes back unless somebody confirms; undefined: nothing waits. */
  get previous(): SettingsDocument | undefined {
    return this.#pending?.previous;
  }

  schema(): Json {
    return settingsJsonSchema();
  }

  async check(document: unknown): Promise<Proposal> {
    await this.#inTurn(() => this.#deps.settings.read());
    return (await this.#planned(this.#propose(document), false)).proposal;
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
      return await this.#put(await this.#planned(judged, true));
    });
  }

  /** A whole document from a backup, for the next start. `prepare`: its files, once nothing refuses it; without them it is not written. */
  replace(document: SettingsDocument, prepare: () => Promise<void>): Promise<Proposal> {
    return this.#inTurn(() => this.#put(this.#judge(document, [], []), prepare));
  }

  confirm(): Promise<void> {
    return this.#inTurn(async () => {
      const pending = this.#mustPend();
      if (!pending.isInForce)
        throw conflict("the change is not in force yet: restart the device, log in again, and confirm then");
      if (!pending.mayConfirm) throw conflict("the page is about to open anew: log in again, and confirm then");
      await this.#deps.settings.read(); // a take-back that the disk stopped half-way has left what was before
      if (revisionOf(this.#deps.settings.data) === revisionOf(pending.previous)) throw conflict("it is being taken back already");
      await removeUnconfirmed(this.#deps.env.disk, this.#deps.context.dataDir);
      this.#settle();
    });
  }

  revert(): Promise<void> {
    return this.#inTurn(() => this.#takeBack(this.#mustPend()));
  }

  [Symbol.dispose](): void {
    this.#live = undefined;
    this.#settle();
    this.#farewell?.[Symbol.dispose]();
  }

  /** Resolves when nothing is being changed any more. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  #propose(shown: unknown): Judged {
    const { document, faults } = mergeSecrets(shown, this.#deps.settings.data);
    const whole = isObject(document) ? (document as SettingsDocument) : undefined;
    return this.#judge(whole, faults, this.#deps.overrides);
  }

  /** Text that is no settings document: whoever reads it anyway gets the last good copy. undefined: it is one. */
  async #brokenFile(): Promise<Fault | undefined> {
    const { adapter } = this.#deps.settings;
    const version = adapter instanceof SettingsFile ? await adapter.current() : undefined;
    return version?.state === "broken" ? brokenFault(version) : undefined;
  }

  /** How many plain passwords it had. */
  async #hash(document: SettingsDocument): Promise<number> {
    return (await hashPasswords(document, this.#deps.env.entropy, this.#hashes.find(this.#live?.running))).count;
  }

  /** As it would run; undefined: it does not. `hashes`: with passwords that can be run with; it takes a while. */
  async #effective(document: SettingsDocument, hashes = true): Promise<Config | undefined> {
    const { overrides, context } = this.#deps;
    const { kept, faults } = settle(document, overrides, (each) => parseConfig(each, context).faults);
    if (faults.length > 0) return undefined;
    const applied = applyOverrides(document, kept).document;
    if (hashes) await this.#hash(applied);
    else await hashPasswords(applied, null, this.#hashes.find(this.#live?.running));
    return parseConfig(applied, context).config;
  }

  /** Throws WEB_APPLY; then what was before is in force. */
  async #bringIntoForce(config: Config, plan: LivePlan, document: SettingsDocument): Promise<void> {
    if (plan.now.length > 0) {
      try {
        await this.#live!.apply(config);
      } catch (error) {
        if (!isFault(error)) throw error;
        throw new WebRefusal(409, WEB_APPLY, explain(error));
      }
    }
    if (plan.atRestart.length === 0) this.#inForce = revisionOf(document);
  }

  /** `locks`: changes under these are faults. */
  #judge(document: SettingsDocument | undefined, known: readonly Fault[], locks: readonly Override[]): Judged {
    if (document === undefined) {
      const fault = { path: "", kind: "invalid" as const, wanted: "an object", found: "something else", remedy: "" };
      return { document: {}, proposal: { faults: [fault], changes: [], risky: [], now: [], at_restart: [] } };
    }
    const { settings, overrides, context } = this.#deps;
    const faultsOf = (each: SettingsDocument) => parseConfig(each, context).faults;
    // As at the start: what the environment decides may be at fault in the document, and the other way round.
    const hasFit = known.length === 0 && settle(document, overrides, faultsOf).faults.length === 0;
    const changes = diffSettings(settings.data, document);
    const locked = changes.flatMap(({ path }) => lockedFault(path, locks) ?? []);
    const faults = hasFit ? locked : [...known, ...faultsOf(document), ...locked];
    const risky = RISKY_KEYS.filter((key) => changes.some(({ path }) => path === key || path.startsWith(`${key}.`)));
    const keys = [...new Set(changes.map(({ path }) => path.split(/[.[]/, 1)[0]!))];
    return { document, proposal: { faults, changes, risky, now: [], at_restart: keys } };
  }

  /** Completes the proposal by what would come into force at once. For good: passwords are hashed on the way, in the document as well. */
  async #planned({ document, proposal }: Judged, isForGood: boolean): Promise<Planned> {
    if (this.#live === undefined || proposal.faults.length > 0 || proposal.changes.length === 0) return { document, proposal };
    if (isForGood) await this.#hash(document);
    const config = await this.#effective(document, isForGood);
    if (config === undefined) return { document, proposal }; // overrides do not fit: the next start sorts it out
    const { now, atRestart } = this.#live.plan(config);
    // A risky change is tried out whole: now, or by the next start.
    const waits = proposal.risky.length > 0 && atRestart.length > 0;
    const plan = waits ? { now: [], atRestart: [...now, ...atRestart] } : { now, atRestart };
    return { document, proposal: { ...proposal, now: plan.now, at_restart: plan.atRestart }, config, plan };
  }

  async #put({ document, proposal, config, plan }: Planned, prepare?: () => Promise<void>): Promise<Proposal> {
    const { settings, env, context } = this.#deps;
    const { faults, changes, risky } = proposal;
    if (faults.length > 0) throw new WebRefusal(400, WEB_FAULTS, faults.map(formatFault).join("; "), { faults });
    if (this.#pending !== undefined) throw conflict("an earlier change waits for confirmation; confirm or revert it first");
    await prepare?.();
    if (changes.length === 0) return proposal;
    await this.#hash(document);
    const previous = settings.data;
    const isRiskNow = plan !== undefined && plan.atRestart.length === 0;
    // A trial while we run is the one start that an unconfirmed change gets.
    this.#isMarkStray ||= risky.length > 0; // until the change waits
    if (risky.length > 0) await writeUnconfirmed(env.disk, context.dataDir, { previous, starts: isRiskNow ? 1 : 0 });
    try {
      settings.data = document;
      await settings.write();
    } catch (error) {
      settings.data = previous;
      throw error; // what lies on flash is one of the two, whole, and the mark beside it; a start now would sort it out
    }
    if (risky.length === 0) await this.#clearStray();
    if (plan !== undefined) {
      try {
        await this.#bringIntoForce(config!, plan, document);
      } catch (error) {
        settings.data = previous;
        await settings.write();
        await this.#clearStray();
        throw error;
      }
    }
    this.#isMarkStray = false;
    if (risky.length > 0) this.#await(previous, isRiskNow, !isRiskNow);
    const isPageOther = plan?.now.includes("web") === true; // the file was changed by hand before
    if ((risky.length > 0 && isRiskNow) || isPageOther) this.#reopenSoon();
    return proposal;
  }

  /** What a failed write left behind would take back, at the next start, whatever comes after it. */
  async #clearStray(): Promise<void> {
    if (!this.#isMarkStray) return;
    await removeUnconfirmed(this.#deps.env.disk, this.#deps.context.dataDir);
    this.#isMarkStray = false;
  }

  /** When the answer is out. A page that cannot be opened where it should be is back where it was. */
  #reopenSoon(): void {
    this.#farewell?.[Symbol.dispose]();
    this.#farewell = this.#deps.env.clock.after(FAREWELL_MS, () => {
      void this.#inTurn(async () => {
        const fault = (await this.#live?.reopenPage()) ?? null;
        const pending = this.#pending;
        if (pending === undefined) return;
        pending.mayConfirm = true;
        if (fault === null) return;
        this.#deps.env.log.warn("the page cannot be opened as the change wants it; the settings before it are back", { fault });
        await this.#takeBack(pending);
      }).catch((error: unknown) => this.#onRevertFailed(error));
    });
  }

  #onRevertFailed(error: unknown): void {
    if (!isFault(error)) throw error;
    const next = `tried again in ${CONFIRM_WITHIN_MS / 1000} s, and by the next start`;
    this.#deps.env.log.error(`an unconfirmed settings change could not be taken back; ${next}`, { error: explain(error) });
    const pending = this.#pending;
    this.#settle();
    if (pending !== undefined) this.#await(pending.previous, pending.isInForce, pending.mayConfirm);
  }

  #await(previous: SettingsDocument, isInForce: boolean, mayConfirm = true): void {
    const { clock, log } = this.#deps.env;
    const timer = clock.after(CONFIRM_WITHIN_MS, () => {
      void this.#inTurn(async () => {
        if (this.#pending?.timer !== timer) return; // confirmed, while this waited for its turn
        log.warn("nobody confirmed the settings change; the settings before it are back");
        await this.#takeBack(this.#pending);
      }).catch((error: unknown) => this.#onRevertFailed(error));
    });
    this.#pending = { previous, isInForce, mayConfirm, until: clock.now() + CONFIRM_WITHIN_MS, timer };
  }

  async #takeBack({ previous, isInForce }: Pending): Promise<void> {
    const { settings, env, context } = this.#deps;
    settings.data = previous;
    await settings.write();
    await removeUnconfirmed(env.disk, context.dataDir);
    this.#settle();
    if (isInForce && !(await this.#tryTakeOver(previous))) this.#deps.restart();
  }

  /** Back to what was, while we run. False: only a restart does it. */
  async #tryTakeOver(document: SettingsDocument): Promise<boolean> {
    const config = await this.#effective(document);
    const plan = config && this.#live?.plan(config);
    if (plan === undefined || plan.atRestart.length > 0) return false;
    try {
      await this.#bringIntoForce(config!, plan, document);
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
    this.#reopenSoon();
    return true;
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

/** Without a plan: all of it waits for the next start. */
interface Planned extends Judged {
  readonly config?: Config;
  readonly plan?: LivePlan;
}

function revisionOf(document: SettingsDocument): string {
  return createHash("sha256").update(JSON.stringify(document)).digest("base64url").slice(0, 22);
}

function conflict(words: string): WebRefusal {
  return new WebRefusal(409, WEB_CONFLICT, words);
}
