// One settings document → one frozen `Config`. Pure: no file, no environment.

import { decode } from "#base/decode.ts";
import type { Fault } from "#base/fault.ts";
import { type Settings, settingsSchema } from "./settings.ts";

/** Everything the spoke runs by: the settings document in camelCase (durations in ms, sizes in bytes), and who we are. */
export interface Config extends Omit<Settings, "serverName"> {
  readonly serverName: string;
  readonly deviceId: string;
}

export interface ConfigContext {
  readonly deviceId: string;
  /** Where relative file paths in the settings start. */
  readonly dataDir: string;
}

export type ParsedConfig =
  | { readonly config: Config; readonly faults: readonly [] }
  | { readonly config: undefined; readonly faults: readonly Fault[] };

/** `document`: any JSON. Never throws for what is in it. */
export function parseConfig(document: unknown, context: ConfigContext): ParsedConfig {
  const decoded = decode(settingsSchema, withoutEditorKey(document), context.dataDir);
  if (!("value" in decoded)) return { config: undefined, faults: decoded.faults };
  const serverName = decoded.value.serverName ?? `petiole-${context.deviceId}`;
  return { config: Object.freeze({ ...decoded.value, serverName, deviceId: context.deviceId }), faults: [] };
}

/** Editors find the schema by a `$schema` key; it says nothing to us. */
function withoutEditorKey(document: unknown): unknown {
  if (typeof document !== "object" || document === null || !Object.hasOwn(document, "$schema")) return document;
  return Object.fromEntries(Object.entries(document).filter(([key]) => key !== "$schema"));
}
