// A line of the log, taken apart: `2026-11-22T15:04:05.678Z warn  uplink  cannot reach hub  url=tls://…`. Pure.

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

export interface Line {
  /** Counts up: what the list knows it by. */
  readonly id: number;
  readonly at: string;
  readonly level: Level;
  readonly part: string;
  readonly words: string;
  /** As it came. */
  readonly whole: string;
}

const LINE = /^(\S+) (debug|info|warn|error) +(\S+) +(.*)$/s;

export function parseLine(whole: string, id: number): Line {
  const [, at = "", level = "info", part = "", words = whole] = LINE.exec(whole) ?? [];
  return { id, at, level: level as Level, part, words, whole };
}

export function isShown({ level, whole }: Line, least: Level, needle: string): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least) && whole.toLowerCase().includes(needle.trim().toLowerCase());
}
