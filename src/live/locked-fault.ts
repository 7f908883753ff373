// A key that an environment variable decides is not changed by the page: the change would not show.

import { type Fault, formatPath } from "#base/fault.ts";
import type { Override } from "#config/overrides.ts";

export function lockedFault(path: string, overrides: readonly Override[]): Fault | undefined {
  const lock = overrides.find((each) => {
    const place = formatPath(each.path);
    return path === place || path.startsWith(`${place}.`) || path.startsWith(`${place}[`);
  });
  if (lock === undefined) return undefined;
  const remedy = `change ${lock.variable} instead`;
  return { path, kind: "invalid", wanted: "no change", found: "a key that an environment variable decides", remedy };
}
