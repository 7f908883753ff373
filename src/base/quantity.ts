// Durations and sizes as people write them: "250ms", "30s", "14d"; "64KiB", "1GiB". One whole number, one unit, no blanks.
//
// Parsing gives milliseconds or bytes; formatting picks the largest unit that divides without rest, so that
// parse(format(n)) === n for every whole n.

import type { Millis } from "./clock.ts";

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

export const DURATION_PATTERN = "^\\d+(ms|s|m|h|d)$";
export const SIZE_PATTERN = "^\\d+(B|KiB|MiB|GiB|TiB)$";

/** Milliseconds, or undefined if the text is not a duration or too large to count exactly. */
export function tryDuration(text: string): Millis | undefined {
  return parse(text, DURATION_PATTERN, DURATION_UNITS);
}

/** Bytes, or undefined if the text is not a size or too large to count exactly. */
export function trySize(text: string): number | undefined {
  return parse(text, SIZE_PATTERN, SIZE_UNITS);
}

/** `ms` is a whole number, 0 or more. */
export function formatDuration(ms: Millis): string {
  return format(ms, DURATION_UNITS);
}

/** `bytes` is a whole number, 0 or more. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS);
}

function parse(text: string, pattern: string, units: Readonly<Record<string, number>>): number | undefined {
  const unit = new RegExp(pattern).exec(text)?.[1];
  if (unit === undefined) return undefined;
  const value = Number(text.slice(0, -unit.length)) * units[unit]!;
  return Number.isSafeInteger(value) ? value : undefined;
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const [smallest, ...larger] = Object.entries(units);
  if (value === 0) return `0${smallest![0]}`;
  const [name, factor] = larger.findLast(([, each]) => value % each === 0) ?? smallest!;
  return `${value / factor}${name}`;
}
