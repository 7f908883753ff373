// What one user may publish and receive: lists of allowed and denied filters, checked on the concrete subject.
// Deny beats allow; no allow list means everything (as in nats-server).
//
// Filters of a queue group ("jobs.> workers") say who may share a subject's messages. They count for members of a group alone:
//
//   allow  ["jobs.>", "jobs.> v1.*"]   everybody may listen alone, members of v1.… may share, members of other groups may not
//   allow  ["jobs.> workers"]          the group `workers` may, nobody may listen alone
//   deny   ["jobs.> *.dev"]            no group of this name may; who listens alone may

import type { Millis } from "#base/clock.ts";
import { filterCovers, isValidFilter, subjectMatches } from "#core/subject.ts";

/** A filter for the members of a queue group; `group` may hold wildcards. */
export interface GroupFilter {
  readonly filter: string;
  readonly group: string;
}

export interface PermissionList {
  /** null: everything that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
  /** Only where `allow` is a list. Absent: none. */
  readonly allowGroups?: readonly GroupFilter[];
  readonly denyGroups?: readonly GroupFilter[];
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

/**
 * May somebody listen to all of `filter`, alone (null) or as a member of `group`? What is only partly denied is taken out message by
 * message (`denies`).
 */
export function permitsFilter(list: PermissionList, filter: string, group: string | null): boolean {
  if (list.deny.some((denied) => filterCovers(denied, filter)) || isOfGroup(list.denyGroups, filter, group) === true)
    return false;
  if (list.allow === null) return true;
  return isOfGroup(list.allowGroups, filter, group) ?? list.allow.some((allowed) => filterCovers(allowed, filter));
}

/** Is the literal `subject` denied to who listens alone (null) or as a member of `group`? */
export function denies(list: PermissionList, subject: string, group: string | null): boolean {
  return list.deny.some((filter) => subjectMatches(filter, subject)) || isOfGroup(list.denyGroups, subject, group) === true;
}

/** A permission as settings and JWTs write it: a filter, and a blank and a queue group behind it perhaps. Undefined: it is none. */
export function tryGroupFilter(text: string): string | GroupFilter | undefined {
  const [filter = "", group, ...more] = text.match(/[^ \t]+/g) ?? []; // not by trim: a byte 0xA0 may be the end of a letter
  if (more.length > 0 || !isValidFilter(filter)) return undefined;
  if (group === undefined) return filter;
  return isValidFilter(group) ? Object.freeze({ filter, group }) : undefined;
}

/** `allow` null: everything that is not denied. */
export function permissionListOf(
  allow: readonly (string | GroupFilter)[] | null,
  deny: readonly (string | GroupFilter)[],
): PermissionList {
  const [allowGroups, denyGroups] = [groupsOf(allow ?? []), groupsOf(deny)];
  return Object.freeze({
    allow: allow === null ? null : plainOf(allow),
    deny: plainOf(deny),
    ...(allowGroups.length === 0 ? {} : { allowGroups }),
    ...(denyGroups.length === 0 ? {} : { denyGroups }),
  });
}

/** Undefined: nothing here is about this filter, or about groups. */
function isOfGroup(filters: readonly GroupFilter[] | undefined, wanted: string, group: string | null): boolean | undefined {
  if (filters === undefined || group === null) return undefined;
  const about = filters.filter(({ filter }) => filterCovers(filter, wanted));
  return about.length === 0 ? undefined : about.some((one) => one.group === group || filterCovers(one.group, group));
}

function plainOf(filters: readonly (string | GroupFilter)[]): readonly string[] {
  return Object.freeze(filters.filter((each) => typeof each === "string"));
}

function groupsOf(filters: readonly (string | GroupFilter)[]): readonly GroupFilter[] {
  return Object.freeze(filters.filter((each) => typeof each !== "string"));
}
