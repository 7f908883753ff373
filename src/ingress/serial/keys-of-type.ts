// One object whose `type` decides which other keys it may have. All keys stand in one schema, null by default; a key that belongs to
// another type is a fault, so that nobody believes in a setting that does nothing.

import type { Report } from "#base/fault.ts";
import { camelCase } from "#base/schema.ts";

/** For each type the keys of its own, as the file spells them. A key with `!` at its end must be there. */
export type KeysOfTypes = Readonly<Record<string, readonly string[]>>;

/** Reports foreign and missing keys of `value`, an object decoded by `fields`. */
export function checkKeysOfType(
  value: { readonly type?: string | undefined; readonly [key: string]: unknown },
  keysOf: KeysOfTypes,
  report: Report,
): void {
  const { type } = value;
  if (type === undefined) return;
  const own = keysOf[type] ?? [];
  for (const key of new Set(Object.values(keysOf).flat().map(plain))) {
    const isSet = value[camelCase(key)] !== null && value[camelCase(key)] !== undefined;
    if (isSet && !own.some((each) => plain(each) === key)) {
      const types = Object.keys(keysOf).filter((each) => keysOf[each]!.some((other) => plain(other) === key));
      report.fault([key], {
        wanted: `no such key with type "${type}"`,
        found: "one",
        remedy: `take it out, or choose type ${types.map((each) => `"${each}"`).join(" or ")}`,
      });
    }
  }
  for (const key of own) {
    if (key.endsWith("!") && value[camelCase(plain(key))] === null) {
      report.fault([plain(key)], {
        wanted: `a value for type "${type}"`,
        found: "nothing",
        remedy: "this type cannot do without",
      });
    }
  }
}

function plain(key: string): string {
  return key.endsWith("!") ? key.slice(0, -1) : key;
}
