// One's own changes put on top of what somebody else saved meanwhile: what only one side changed is that side's, and where both changed
// the same value, one's own wins, to be looked at in the diff.

import { isObject, isSame, type Json } from "./json.ts";

export function rebase(base: Json | undefined, mine: Json | undefined, theirs: Json | undefined): Json | undefined {
  if (isSame(base, mine)) return theirs;
  if (isSame(base, theirs) || !isObject(mine) || !isObject(theirs)) return mine;
  const before = isObject(base) ? base : {};
  const keys = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
  return Object.fromEntries(
    [...keys].flatMap((key) => {
      const value = rebase(before[key], mine[key], theirs[key]);
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
}
