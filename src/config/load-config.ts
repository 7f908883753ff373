// From files and environment to the configuration to run with.
//
//   settings.json ─ parses, validates? ─ yes ─▶ + overrides ─▶ Config
//                        │ no
//                        ▼
//   .last, .1, .2 ─ the first that validates ─▶ + overrides ─▶ Config, and the faults of settings.json are told
//
// A device that has run before always starts (DESIGN §1.5): whatever was at fault is in `faults` and `warnings`, and `source`
// tells what runs instead. A first settings file with faults has nothing to fall back on: then there is no config.

import * as path from "node:path";
import { Low } from "lowdb";
import type { Disk } from "#base/disk.ts";
import { diskFault } from "#base/disk-words.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain } from "#base/errors.ts";
import { type Fault, formatPath } from "#base/fault.ts";
import { applyOverrides, settle } from "./apply-overrides.ts";
import { type Config, type ConfigContext, parseConfig } from "./config.ts";
import { hashPasswords } from "./hash-passwords.ts";
import { openIdentity } from "./identity.ts";
import { type Environment, type Override, readOverrides } from "./overrides.ts";
import { settingsSchema } from "./settings.ts";
import { type SettingsDocument, SettingsFile, type Version } from "./settings-file.ts";

export interface LoadOptions {
  readonly dataDir: string;
  /** Default: settings.json in the data directory. Its copies lie beside it. */
  readonly settingsFile?: string;
  readonly env: Environment;
  readonly disk: Disk;
  readonly entropy: Entropy;
}

export interface Overridden {
  readonly path: string;
  readonly variable: string;
}

export interface LoadedConfig {
  /** undefined: nothing to run with; `faults` says why. */
  readonly config: Config | undefined;
  /** Name of the file the configuration comes from, or "defaults". */
  readonly source: string;
  /** Keys that an environment variable decides. */
  readonly overridden: readonly Overridden[];
  /** For the log, at the start and loudly. */
  readonly warnings: readonly string[];
  /** What was asked for and does not run. Not empty does not mean that nothing runs. */
  readonly faults: readonly Fault[];
  /** The document as it lies on flash (without overrides), for whoever edits it. */
  readonly settings: Low<SettingsDocument>;
}

export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { disk, entropy, env } = options;
  const dataDir = path.resolve(options.dataDir);
  const identity = await openIdentity(disk, entropy, dataDir);
  const context: ConfigContext = { deviceId: identity.deviceId, dataDir };
  const file = new SettingsFile(disk, options.settingsFile ?? path.join(dataDir, "settings.json"));
  const warnings = [...identity.warnings];
  const overrides = readOverrides(env, settingsSchema.node);

  const current = await file.current();
  const chosen = await choose(file, current, overrides.list, context);
  const faults = [...overrides.faults, ...chosen.faults];
  if (chosen.version === undefined) {
    return { config: undefined, source: "none", overridden: [], warnings, faults, settings: new Low(file, {}) };
  }

  const document = structuredClone(documentOf(chosen.version));
  const settings = new Low(file, document);
  if (chosen.version !== current) {
    file.reject(current);
    warnings.push(fallbackWarning(file, current, chosen.version));
  }
  const hashed = await hashPasswords(document, entropy);
  warnings.push(...hashed.warnings);
  if (chosen.version === current) warnings.push(...(await keep(file, settings, current, hashed.count > 0)));

  const applied = applyOverrides(document, chosen.overrides).document;
  warnings.push(...(await hashPasswords(applied, entropy)).warnings);
  const { config } = parseConfig(applied, context);
  const overridden = chosen.overrides.map((each) => ({ path: formatPath(each.path), variable: each.variable }));
  return { config, source: sourceOf(chosen.version), overridden, warnings, faults, settings };
}

interface Choice {
  readonly version: Version | undefined;
  readonly overrides: readonly Override[];
  readonly faults: readonly Fault[];
}

/** The first version that is fit to run, and the overrides that fit it. */
async function choose(
  file: SettingsFile,
  current: Version,
  overrides: readonly Override[],
  context: ConfigContext,
): Promise<Choice> {
  const first = judge(current, overrides, context);
  if (first.version !== undefined) return first;
  for (const copy of await file.copies()) {
    const next = judge(copy, overrides, context);
    if (next.version !== undefined) return { ...next, faults: first.faults };
  }
  if (current.state !== "broken" || !(await file.hasHistory())) return first;
  const last = judge({ name: current.name, state: "absent" }, overrides, context);
  return { ...last, faults: first.faults };
}

function judge(version: Version, overrides: readonly Override[], context: ConfigContext): Choice {
  if (version.state === "broken") return { version: undefined, overrides: [], faults: [brokenFault(version)] };
  const alone = parseConfig(documentOf(version), context);
  const settled = settle(documentOf(version), overrides, (document) => parseConfig(document, context).faults);
  const isFit = settled.faults.length === 0 || alone.config !== undefined;
  return { version: isFit ? version : undefined, overrides: settled.kept, faults: settled.faults };
}

function documentOf(version: Version): SettingsDocument {
  return version.state === "whole" ? version.document : {};
}

function sourceOf(version: Version): string {
  return version.state === "whole" ? version.name : "defaults";
}

export function brokenFault(version: Version & { state: "broken" }): Fault {
  const { at, name, reason } = version;
  if (at === undefined) {
    const remedy = version.remedy ?? "write one JSON object, or delete the file for the defaults";
    return { path: "", kind: "invalid", wanted: `JSON in ${name}`, found: `that it ${reason}`, remedy };
  }
  const wanted = `${at.wanted} at line ${at.line}, column ${at.column} of ${name}`;
  return { path: "", kind: "invalid", wanted, found: at.found, remedy: "" };
}

function brokenWords({ reason, remedy }: Version & { state: "broken" }): string {
  return remedy === undefined ? `is damaged or mistyped (${reason})` : reason;
}

function fallbackWarning(file: SettingsFile, current: Version, chosen: Version): string {
  const why = current.state === "broken" ? brokenWords(current) : "has faults";
  const runs =
    chosen.state === "whole" ? `the last good settings run instead (${chosen.name})` : "no good copy is left, the defaults run";
  const rest = `${file.path} is left as it is: "petiole check" tells what to mend`;
  const doubt = chosen.state === "whole" && !chosen.isListed ? "; its checksum is missing or differs, so look it over" : "";
  return `${file.path} ${why}; ${runs}${doubt}. ${rest}`;
}

/** Writes hashes back in place of plain passwords, or just keeps a copy of what was accepted. Returns warnings. */
async function keep(
  file: SettingsFile,
  settings: Low<SettingsDocument>,
  current: Version,
  mustWrite: boolean,
): Promise<string[]> {
  try {
    if (mustWrite) await settings.write();
    else if (current.state === "whole") await file.accept(current.bytes);
    return [];
  } catch (error) {
    const what = mustWrite ? "replace the plain passwords by their hashes" : "keep a copy of the settings";
    return [explain(diskFault("", `cannot ${what} in ${path.dirname(file.path)}`, error))];
  }
}
