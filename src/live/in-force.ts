// What environment variables decide, as it counts, for whoever looks at the settings: secrets as ***, and of two variables that name the
// same key the later one, which wins (config/overrides.ts).

import { formatPath, type Path } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";
import { applyOverrides } from "#config/apply-overrides.ts";
import type { Override } from "#config/overrides.ts";
import { redactSettings } from "#config/redact.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import type { SettingsView } from "#web/server/desks.ts";

export function inForce(document: SettingsDocument, overrides: readonly Override[]): SettingsView["overridden"] {
  const whole = redactSettings(applyOverrides(document, overrides).document);
  const last = new Map(overrides.map(({ path, variable }) => [formatPath(path), { path, variable }]));
  return [...last].map(([path, each]) => ({ path, variable: each.variable, value: valueAt(whole, each.path) }));
}

function valueAt(json: Json, path: Path): Json {
  let at: Json = json;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return null;
    at = (at as { readonly [key: string | number]: Json })[step] ?? null;
  }
  return at;
}
