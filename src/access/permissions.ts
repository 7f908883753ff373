// What one user may publish and receive: lists of allowed and denied filters, checked on the concrete subject.
// Deny beats allow; no allow list means everything (as in nats-server).

import type { Millis } from "#base/clock.ts";
import { subjectMatches } from "#core/subject.ts";

export interface PermissionList {
  /** null: everything that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/** Answers that may be published on the reply subject of a request one was sent, whatever `publish` says. */
export interface ResponsePermission {
  /** To one request; infinite: any number. */
  readonly max: number;
  /** After the request; infinite: always. */
  readonly expires: Millis;
}

export interface Permissions {
  readonly publish: PermissionList;
  readonly subscribe: PermissionList;
  /** Absent or null: no answer is allowed that `publish` does not allow. */
  readonly responses?: ResponsePermission | null;
}

export const UNRESTRICTED: PermissionList = Object.freeze({ allow: null, deny: [] });

/** May the literal `subject` pass? Live, retained, will and replayed messages are all asked here. */
export function permits(list: PermissionList, subject: string): boolean {
  if (list.deny.some((filter) => subjectMatches(filter, subject))) return false;
  return list.allow === null || list.allow.some((filter) => subjectMatches(filter, subject));
}
