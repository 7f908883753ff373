// How the last run ended that did not end well: why, when, and the last lines of its log. One small file in the data directory, replaced
// by the next: bounded, and written once in a crash.

import * as fs from "node:fs";
import { type Disk, readWhole, replaceWhole } from "#base/disk.ts";
import { isFault } from "#base/errors.ts";

export type CrashKind = "loop" | "disk" | "uplink" | "bug";

export interface CrashRecord {
  readonly kind: CrashKind;
  /** A sentence. */
  readonly reason: string;
  /** RFC 3339, by the device's own clock, which may have been wrong. */
  readonly at: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Runs in a row that ended like this, this one included. */
  readonly inRow: number;
  /** Oldest first. */
  readonly log: readonly string[];
}

export const crashFileName = "last-crash.json";

const RECORD_BYTES_MAX = 64 * 1024;
const REASON_CHARS_MAX = 4_000;
const LINES_MAX = 100;
const LINE_CHARS_MAX = 400;
const KINDS: readonly string[] = ["loop", "disk", "uplink", "bug"] satisfies readonly CrashKind[];

/** Within RECORD_BYTES_MAX, whatever it was told. */
export function encodeCrash(record: CrashRecord): Buffer {
  const reason = record.reason.slice(0, REASON_CHARS_MAX);
  let log = record.log.slice(-LINES_MAX).map((line) => line.slice(0, LINE_CHARS_MAX));
  for (;;) {
    const bytes = Buffer.from(`${JSON.stringify({ ...record, reason, log })}\n`);
    if (bytes.length <= RECORD_BYTES_MAX || log.length === 0) return bytes;
    log = log.slice(Math.ceil(log.length / 4)); // outside of ASCII a character is several bytes
  }
}

/** undefined for what is no such record, torn or of another version. */
export function tryDecodeCrash(bytes: Buffer): CrashRecord | undefined {
  let found: Partial<Record<keyof CrashRecord, unknown>> | null;
  try {
    found = JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined; // torn
  }
  if (typeof found !== "object" || found === null) return undefined;
  const { kind, reason, at, version, uptimeSeconds, inRow, log } = found;
  const isText = [reason, at, version].every((each) => typeof each === "string");
  const isNumber = [uptimeSeconds, inRow].every((each) => typeof each === "number" && Number.isFinite(each));
  const isLog = Array.isArray(log) && log.every((line) => typeof line === "string");
  if (!KINDS.includes(String(kind)) || !isText || !isNumber || !isLog) return undefined;
  return { ...found, reason: String(reason).slice(0, REASON_CHARS_MAX), log: log.slice(-LINES_MAX) } as CrashRecord;
}

/** undefined: none, or none that can be read. A crash that cannot be looked up stops no start. */
export async function readCrash(disk: Disk, dataDir: string): Promise<CrashRecord | undefined> {
  try {
    const bytes = await readWhole(disk, `${dataDir}/${crashFileName}`, RECORD_BYTES_MAX);
    return bytes === undefined ? undefined : tryDecodeCrash(bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined;
  }
}

export async function writeCrash(disk: Disk, dataDir: string, record: CrashRecord): Promise<void> {
  await replaceWhole(disk, dataDir, crashFileName, encodeCrash(record));
}

/** For a process that has no next turn of its event loop. Never throws: the end must not be kept away. */
export function writeCrashNow(dataDir: string, record: CrashRecord): void {
  const file = `${dataDir}/${crashFileName}`;
  try {
    fs.writeFileSync(`${file}.new`, encodeCrash(record), { mode: 0o600, flush: true });
    fs.renameSync(`${file}.new`, file);
  } catch {
    // what cannot be kept was said on standard error
  }
}
