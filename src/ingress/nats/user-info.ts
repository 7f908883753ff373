// What `$SYS.REQ.USER.INFO` tells a client of itself, with nats-server's field names.

import type { User } from "#access/authenticator.ts";
import type { GroupFilter, PermissionList, ResponsePermission } from "#access/permissions.ts";
import { displaySubject } from "#core/subject.ts";

const NANOSECONDS_PER_MS = 1_000_000;

/** Without permissions for who may do all. */
export function userInfoOf({ name, account, permissions }: User): Record<string, unknown> {
  const { publish, subscribe, responses } = permissions;
  const isFree = isUnrestricted(publish) && isUnrestricted(subscribe) && responses == null;
  const shown = {
    publish: listOf(publish),
    subscribe: listOf(subscribe),
    ...(responses == null ? {} : { responses: responsesOf(responses) }),
  };
  return { user: name, account, ...(isFree ? {} : { permissions: shown }) };
}

function isUnrestricted({ allow, deny, denyGroups = [] }: PermissionList): boolean {
  return allow === null && deny.length + denyGroups.length === 0;
}

function listOf({ allow, deny, allowGroups = [], denyGroups = [] }: PermissionList): Record<string, unknown> {
  const denied = filtersOf(deny, denyGroups);
  return {
    ...(allow === null ? {} : { allow: filtersOf(allow, allowGroups) }),
    ...(denied.length === 0 ? {} : { deny: denied }),
  };
}

function filtersOf(plain: readonly string[], groups: readonly GroupFilter[]): string[] {
  return [...plain, ...groups.map(({ filter, group }) => `${filter} ${group}`)].map(displaySubject);
}

/** -1 is no limit. */
function responsesOf({ max, expires }: ResponsePermission): Record<string, number> {
  const finite = (value: number, unit: number) => (Number.isFinite(value) ? value * unit : -1);
  return { max: finite(max, 1), ttl: finite(expires, NANOSECONDS_PER_MS) };
}
