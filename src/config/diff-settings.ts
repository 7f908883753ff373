// What differs between two settings documents, key by key, fit to be shown.

import { isObject } from "#base/decode.ts";
import { formatPath, type Path } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";
import { redactSettings } from "./redact.ts";

export interface SettingsChange {
  readonly path: string;
  /** Absent: the key was not there. Secrets are ***. */
  readonly before?: Json;
  readonly after?: Json;
}

const CHANGES_MAX = 500;

export function diffSettings(before: unknown, after: unknown): readonly SettingsChange[] {
  const changes: SettingsChange[] = [];
  compare([before, redactSettings(before)], [after, redactSettings(after)], [], changes);
  return changes.slice(0, CHANGES_MAX);
}

/** A value as it is, and as it may be shown. */
type Pair = readonly [raw: unknown, shown: unknown];

function compare(before: Pair, after: Pair, path: Path, changes: SettingsChange[]): void {
  if (isSame(before[0], after[0]) || changes.length >= CHANGES_MAX) return;
  if (isObject(before[0]) && isObject(after[0])) {
    const keys = new Set([...Object.keys(before[0]), ...Object.keys(after[0])]);
    for (const key of keys) compare(childOf(before, key), childOf(after, key), [...path, key], changes);
  } else if (Array.isArray(before[0]) && Array.isArray(after[0]) && before[0].length === after[0].length) {
    for (const i of before[0].keys()) compare(childOf(before, i), childOf(after, i), [...path, i], changes);
  } else {
    const [old, fresh] = [before[1] as Json | undefined, after[1] as Json | undefined];
    changes.push({
      path: formatPath(path),
      ...(old === undefined ? {} : { before: old }),
      ...(fresh === undefined ? {} : { after: fresh }),
    });
  }
}

function childOf([raw, shown]: Pair, key: string | number): Pair {
  const of = (value: unknown): unknown => {
    if (Array.isArray(value)) return value[key as number];
    return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  };
  return [of(raw), of(shown)];
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
