// Puts secrets back into a document that was shown without them: where `***` stands, the secret that is there stays.
//
// A list's items are told apart by what names them (user, nkey, name), never by their place alone: whoever takes out the first user must
// not give the second one's password to the third. What cannot be put back is a fault: somebody must write the secret anew.

import { isObject } from "#base/decode.ts";
import { type Fault, formatPath, type Path } from "#base/fault.ts";
import type { Node } from "#base/schema.ts";
import { hideUserInfo, SECRET_SHOWN } from "#base/secret.ts";
import type { Draft } from "./schema-path.ts";
import { settingsSchema } from "./settings.ts";

/** What names an item of a list, the first that it has. */
const NAMES = ["user", "nkey", "name"] as const;
const FAULTS_MAX = 100;

export interface Merged {
  /** A copy. */
  readonly document: Draft;
  readonly faults: readonly Fault[];
}

/** `shown`: any JSON; `current`: the document that it was shown from. */
export function mergeSecrets(shown: unknown, current: unknown): Merged {
  const document = merge(settingsSchema.node, shown, current);
  const faults: Fault[] = [];
  findLeftOver(document, [], faults);
  return { document, faults };
}

function merge(node: Node | undefined, shown: unknown, current: unknown): Draft {
  if (typeof shown === "string") return restored(shown, current);
  if (Array.isArray(shown)) {
    const item = containerOf(node, "list");
    const before = Array.isArray(current) ? current : [];
    return shown.map((each, i) =>
      merge(item?.kind === "list" ? item.item : undefined, each, before[placeOf(each, i, shown, before)]),
    );
  }
  if (!isObject(shown)) return shown as Draft;
  const fields = containerOf(node, "fields");
  const merged: { [key: string]: Draft } = {};
  for (const [key, value] of Object.entries(shown)) {
    const field = fields?.kind === "fields" && Object.hasOwn(fields.fields, key) ? fields.fields[key] : undefined;
    const before = isObject(current) && Object.hasOwn(current, key) ? current[key] : undefined;
    // Not by assignment: "__proto__" is a key like any other here.
    const entry = { value: merge(field?.schema, value, before), enumerable: true, writable: true, configurable: true };
    Object.defineProperty(merged, key, entry);
  }
  return merged;
}

function restored(shown: string, current: unknown): Draft {
  if (shown === SECRET_SHOWN && current !== undefined) return structuredClone(current) as Draft;
  if (typeof current === "string" && shown !== current && hideUserInfo(current) === shown) return current;
  return shown;
}

/** Where in `before` the item stands; -1: it is new. */
function placeOf(item: unknown, place: number, items: readonly unknown[], before: readonly unknown[]): number {
  if (typeof item === "string") {
    const same = before.findIndex((each) => typeof each === "string" && hideUserInfo(each) === item);
    return same >= 0 || item !== SECRET_SHOWN ? same : samePlace(place, items, before);
  }
  if (!isObject(item)) return -1;
  const key = NAMES.find((name) => typeof item[name] === "string");
  if (key === undefined) return samePlace(place, items, before);
  return before.findIndex((each) => isObject(each) && each[key] === item[key]);
}

function samePlace(place: number, items: readonly unknown[], before: readonly unknown[]): number {
  return items.length === before.length ? place : -1;
}

function containerOf(node: Node | undefined, kind: "fields" | "list"): Node | undefined {
  switch (node?.kind) {
    case "nullable":
    case "mapped":
      return containerOf(node.inner, kind);
    case "either":
      return containerOf((kind === "list" ? node.list : node.object) ?? undefined, kind);
    default:
      return node?.kind === kind ? node : undefined;
  }
}

function findLeftOver(value: Draft, path: Path, faults: Fault[]): void {
  if (faults.length >= FAULTS_MAX) return;
  if (typeof value === "string") {
    if (value !== SECRET_SHOWN && !value.includes(`//${SECRET_SHOWN}@`)) return;
    const remedy = "write it anew; *** keeps only a secret that was there before, in an entry of the same name";
    faults.push({ path: formatPath(path), kind: "invalid", wanted: "the secret itself", found: `"${SECRET_SHOWN}"`, remedy });
  } else if (Array.isArray(value)) for (const [i, each] of value.entries()) findLeftOver(each, [...path, i], faults);
  else if (isObject(value)) for (const [key, each] of Object.entries(value)) findLeftOver(each as Draft, [...path, key], faults);
}
