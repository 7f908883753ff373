// What the outbox and the uplink ask about the hub: does it listen, and may this subject pass? Answered from its interest, its INFO and
// the owner's deny lists. On hubs that check nothing (2.10) this is the only place that enforces the hub's lists (spec §14.1).

import { type PermissionList, permits } from "#access/permissions.ts";
import type { Clock } from "#base/clock.ts";
import { filterCovers, filtersOverlap, isWildcard, subjectMatches } from "#core/subject.ts";
import type { HubView, Listening } from "#outbox/hub-view.ts";
import { Answers, isImportReply } from "./answers.ts";
import type { HubInfo } from "./hub-info.ts";
import type { HubInterest } from "./hub-interest.ts";
import { isSystem } from "./unannounced.ts";

/** Subjects remembered that a hub refused although its lists did not show it. */
const REFUSED_MAX = 256;

export interface DenyLists {
  readonly denyImports: readonly string[];
  readonly denyExports: readonly string[];
}

type Shown = Pick<HubInfo, "importPermissions" | "exportPermissions" | "maxPayload" | "version">;

export class HubViewOf implements HubView {
  readonly answers: Answers;
  readonly #interest: HubInterest;
  #own: DenyLists;
  readonly #ownMaxPayload: number;
  /** Refused with the lists as they are now. */
  readonly #refused = new Set<string>();
  #imports: PermissionList | null = null;
  #exports: PermissionList | null = null;
  #shown = "";
  #hubMaxPayload = Number.POSITIVE_INFINITY;

  constructor(interest: HubInterest, own: DenyLists, maxPayload: number, clock: Clock) {
    this.#interest = interest;
    this.#own = own;
    this.#ownMaxPayload = maxPayload;
    this.answers = new Answers(clock, (subject) => this.#isDenied(subject));
  }

  /** Other lists of our own, between two links. */
  change(own: DenyLists): void {
    this.#own = own;
    this.#refused.clear();
  }

  /** A new link's INFO. */
  learn({ version, importPermissions, exportPermissions, maxPayload }: Shown): void {
    const shown = JSON.stringify([version, importPermissions, exportPermissions]);
    if (shown !== this.#shown) this.#refused.clear();
    this.#shown = shown;
    this.#imports = importPermissions;
    this.#exports = exportPermissions === null ? null : strict(exportPermissions);
    this.#hubMaxPayload = maxPayload;
    this.answers.learn({ version, imports: importPermissions, exports: exportPermissions });
  }

  /** Permissions belong to one connection; the payload limit is kept as the best guess for the next. */
  forget(): void {
    this.#imports = null;
    this.#exports = null;
    this.answers.forget();
  }

  get payloadBytesMax(): number {
    return Math.min(this.#ownMaxPayload, this.#hubMaxPayload);
  }

  listening(subject: string, servedGroups: readonly string[]): Listening {
    return this.#interest.listening(subject, servedGroups);
  }

  groups(subject: string, servedGroups: readonly string[]): readonly string[] {
    return this.#interest.groups(subject, servedGroups);
  }

  mayExport(subject: string): boolean {
    if (this.#isDenied(subject) || this.#refused.has(subject) || isSystem(subject)) return false;
    if (this.#exports === null || isExempt(subject)) return true;
    return permits(this.#exports, subject);
  }

  /**
   * May local interest be announced? A literal outside the hub's import list would end the link (spec §14.1); a wildcard is narrowed
   * by the hub itself.
   */
  mayAnnounce(filter: string): boolean {
    if (isSystem(filter) || this.#own.denyImports.some((denied) => filterCovers(denied, filter))) return false;
    return this.#imports === null || isWildcard(filter) || permits(this.#imports, filter);
  }

  /**
   * Does the hub let all of `filter` come to us? Unlike `mayAnnounce` it asks whether the hub would leave anything out, or refuse.
   * The filter is a literal subject, or one with a wildcard at its end.
   */
  hearsAll(filter: string): boolean {
    if (!this.mayAnnounce(filter) || this.#own.denyImports.some((denied) => filtersOverlap(denied, filter))) return false;
    if (this.#imports === null) return true;
    const { allow, deny } = this.#imports;
    const isAllowed = allow === null || allow.some((allowed) => filterCovers(allowed, filter));
    return isAllowed && !deny.some((denied) => filtersOverlap(denied, filter));
  }

  /** May a message from the hub be given to anybody here? */
  mayDeliver(subject: string): boolean {
    return !isSystem(subject) && !this.#own.denyImports.some((denied) => subjectMatches(denied, subject));
  }

  /**
   * The hub has ended the link because of what we published. Its text as in -ERR. Returns what was learnt, for the log; null: nothing.
   * Call it before `forget`.
   */
  onRefused(text: string): string | null {
    const subject = /^Permissions Violation for Publish to "(.+)"$/.exec(text)?.[1];
    if (subject === undefined) return null;
    if (this.answers.onRefused(subject))
      return "the hub does not let us answer requests (allow_responses); answers outside its publish list stay here from now on";
    if (!this.mayExport(subject)) return null;
    if (this.#refused.size >= REFUSED_MAX) this.#refused.clear();
    this.#refused.add(subject);
    return "the hub refuses a subject although its INFO did not show it; it stays here from now on";
  }

  #isDenied(subject: string): boolean {
    return this.#own.denyExports.some((denied) => subjectMatches(denied, subject));
  }
}

/** INFO shows `{}` for a user who may only answer requests: nothing is allowed (seen on 2.15.1). */
function strict(exports: PermissionList): PermissionList {
  return exports.allow === null && exports.deny.length === 0 ? { allow: [], deny: [] } : exports;
}

/** What every hub lets pass whatever its lists say (seen on 2.15.1; `$JS.FC.` and `_GR_.` are not among it). */
function isExempt(subject: string): boolean {
  return isImportReply(subject) || subject.startsWith("$JS.ACK.");
}
