// The log: one line an event, plain words first, facts behind as key=value. No secrets: callers redact, `Secret` values print as ***.

import type { Clock } from "./clock.ts";
import { timestamp } from "./clock.ts";

export type Level = "debug" | "info" | "warn" | "error";
export type Facts = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  /** The same log, each line marked with the part that speaks. */
  part(name: string): Log;
}

export interface LogLine {
  readonly wall: number;
  readonly level: Level;
  readonly part: string;
  readonly message: string;
  readonly facts: Facts;
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** What a log lets through, and may be told while it is in use. */
export interface LogGate {
  least: Level;
}

/** A log that hands every line at or above `least` to `write`. */
export function createLog(clock: Clock, least: Level | LogGate, write: (line: LogLine) => void, part = "petiole"): Log {
  const gate = typeof least === "string" ? { least } : least;
  const say =
    (level: Level) =>
    (message: string, facts: Facts = {}) => {
      if (RANK[level] >= RANK[gate.least]) write({ wall: clock.wall(), level, part, message, facts });
    };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    part: (name) => createLog(clock, gate, write, name),
  };
}

/** `2026-11-22T02:36:36.123Z warn  uplink  hub gone  url=tls://…` */
export function formatLine(line: LogLine): string {
  const facts = Object.entries(line.facts)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === "string" ? quoteIfNeeded(value) : JSON.stringify(value)}`)
    .join(" ");
  return `${timestamp(line.wall)} ${line.level.padEnd(5)} ${line.part.padEnd(7)} ${oneLine(line.message)}${facts ? `  ${facts}` : ""}`;
}

/** Control characters from outside must not forge lines or move a terminal's cursor. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being removed
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function quoteIfNeeded(value: string): string {
  return /^[\w.:/@*>$+#-]+$/.test(value) ? value : JSON.stringify(oneLine(value));
}

/** Says nothing; for tests that do not look at the log. */
export function silentLog(): Log {
  const nothing = () => undefined;
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, part: () => log };
  return log;
}
