// What one user may publish and receive: lists of allowed and denied filters, checked on the concrete subject.
// Deny beats allow; no allow list means everything (as in nats-server).

import { subjectMatches } from "#core/subject.ts";

export interface PermissionList {
  /** null: everything that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

export interface Permissions {
  readonly publish: PermissionList;
  readonly subscribe: PermissionList;
}

export const UNRESTRICTED: PermissionList = Object.freeze({ allow: null, deny: [] });

/** May the literal `subject` pass? Live, retained, will and replayed messages are all asked here. */
export function permits(list: PermissionList, subject: string): boolean {
  if (list.deny.some((filter) => subjectMatches(filter, subject))) return false;
  return list.allow === null || list.allow.some((filter) => subjectMatches(filter, subject));
}
