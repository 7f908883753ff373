// Lays overrides over a document, and finds out which of them spoil it.

import { type Fault, formatPath } from "#base/fault.ts";
import type { Override } from "./overrides.ts";
import { setAt } from "./schema-path.ts";
import { settingsSchema } from "./settings.ts";
import type { SettingsDocument } from "./settings-file.ts";

export interface Applied {
  /** A copy. */
  readonly document: SettingsDocument;
  readonly faults: readonly Fault[];
}

export function applyOverrides(document: SettingsDocument, overrides: readonly Override[]): Applied {
  const copy = structuredClone(document);
  const faults: Fault[] = [];
  for (const { path, value, variable } of overrides) {
    const obstacle = setAt(copy, settingsSchema.node, path, value);
    if (obstacle === undefined) continue;
    const wanted = `a place for the value of ${variable}`;
    faults.push({ path: formatPath(path), kind: "invalid", wanted, found: "none", remedy: obstacle });
  }
  return { document: copy, faults };
}

export interface Settled {
  /** Overrides that leave the document valid; all of them if `faults` is empty. */
  readonly kept: readonly Override[];
  /** Of the document with every override. */
  readonly faults: readonly Fault[];
}

/** All overrides if they fit; else as many as do, taken or left by top-level key (a user and a password come together). */
export function settle(
  document: SettingsDocument,
  overrides: readonly Override[],
  validate: (document: SettingsDocument) => readonly Fault[],
): Settled {
  const faultsWith = (list: readonly Override[]) => {
    const applied = applyOverrides(document, list);
    return [...applied.faults, ...validate(applied.document)].map((fault) => blame(fault, list));
  };
  const faults = faultsWith(overrides);
  if (faults.length === 0) return { kept: overrides, faults };

  const groups = Map.groupBy(overrides, (override) => String(override.path[0]));
  const taken = new Set<string>();
  const listOf = (names: ReadonlySet<string>) => overrides.filter((override) => names.has(String(override.path[0])));
  for (let grew = true; grew; ) {
    grew = false;
    for (const name of groups.keys()) {
      if (taken.has(name) || faultsWith(listOf(new Set([...taken, name]))).length > 0) continue;
      taken.add(name);
      grew = true; // a group that names an account may need another that brings it, so look at the others again
    }
  }
  return { kept: listOf(taken), faults };
}

/** Names the variable where a fault lies in what a variable set. */
export function blame(fault: Fault, overrides: readonly Override[]): Fault {
  const culprit = overrides.findLast(({ path }) => isUnder(fault.path, formatPath(path)));
  if (culprit === undefined || fault.remedy.includes(culprit.variable)) return fault;
  const remedy = `${fault.remedy === "" ? "" : `${fault.remedy} `}(set by the environment variable ${culprit.variable})`;
  return { ...fault, remedy };
}

function isUnder(path: string, root: string): boolean {
  return path === root || (path.startsWith(root) && /^[.[]/.test(path.slice(root.length)));
}
