// How much of a filter's subjects pass a hub's lists, or are listened to. Pure.

import type { PermissionList } from "#access/permissions.ts";
import { filterCovers, filtersOverlap, isReserved } from "#core/subject.ts";

export type Coverage = "all" | "some" | "none";

/** null: no lists, so everything passes. `{}` means a user who may send nothing (uplink/hub-view.ts). */
export function permitted(filter: string, list: PermissionList | null): Coverage {
  if (list === null) return "all";
  const allow = list.allow === null && list.deny.length === 0 ? [] : list.allow;
  if (list.deny.some((denied) => filterCovers(denied, filter))) return "none";
  if (allow !== null && !allow.some((allowed) => filtersOverlap(allowed, filter))) return "none";
  const isCovered = allow === null || allow.some((allowed) => filterCovers(allowed, filter));
  return isCovered && !list.deny.some((denied) => filtersOverlap(denied, filter)) ? "all" : "some";
}

/** Is anybody there for any subject of `filter`? The servers' own filters say nothing about readings. */
export function isWanted(filter: string, interest: Iterable<string>): boolean {
  for (const wanted of interest) if (!(isReserved(wanted) && !isReserved(filter)) && filtersOverlap(wanted, filter)) return true;
  return false;
}
