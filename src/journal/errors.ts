// What can go wrong with a journal, each with a stable code and a sentence an owner can act on.
// Rot and torn writes are no errors: they are survived and reported (recovery.ts).

import { diskWords } from "#base/disk-words.ts";
import { PetioleError, type Remedy, systemCode } from "#base/errors.ts";

const REMEDY = {
  /** The folder cannot be used at all, or the start could not be counted durably. */
  JOURNAL_OPEN_FAILED: "backoff",
  /** There is no room for what must be written. */
  JOURNAL_DISK_FULL: "backoff",
  /** Nothing of the group counts as written; it may be tried again. */
  JOURNAL_APPEND_FAILED: "retry",
  /** A segment cannot be read now; it may be tried again. */
  JOURNAL_READ_FAILED: "backoff",
  /** A segment could not be written anew without what is given up; the old one stands. */
  JOURNAL_REWRITE_FAILED: "backoff",
  /** The key file is not what it must be: a person has to look. */
  JOURNAL_KEY_REFUSED: "never",
  /** The key file cannot be read, written or erased now. */
  JOURNAL_KEY_FAILED: "backoff",
  /** Used after it was closed. */
  JOURNAL_CLOSED: "never",
} as const satisfies Readonly<Record<string, Remedy>>;

export type JournalCode = keyof typeof REMEDY;

export const JOURNAL_CODES = Object.keys(REMEDY) as readonly JournalCode[];

export class JournalError extends PetioleError {
  override readonly name = "JournalError";
  declare readonly code: JournalCode;

  constructor(code: JournalCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { remedy: REMEDY[code], ...(options.cause === undefined ? {} : { cause: options.cause }) });
  }
}

/** A fault of a change to the disk in plain words. */
export function changeFailed(
  code: Exclude<JournalCode, "JOURNAL_CLOSED" | "JOURNAL_READ_FAILED">,
  what: string,
  cause: unknown,
): JournalError {
  const system = systemCode(cause);
  if (system === "ENOSPC" || system === "EDQUOT") {
    return new JournalError("JOURNAL_DISK_FULL", `${what}: the disk is full; free some space, or lower outbox.max_bytes`, {
      cause,
    });
  }
  if (system === "EROFS")
    return new JournalError(code, `${what}: the disk is read-only; a worn card does that, replace it`, { cause });
  const words = system === "EIO" ? undefined : diskWords(cause);
  if (words !== undefined) return new JournalError(code, `${what}: ${placeOf(cause)} ${words.found}; ${words.remedy}`, { cause });
  return new JournalError(code, `${what}: the disk refuses; check the card and its cable, then the system's log`, { cause });
}

/** What stands in the way: of a renaming, the new name. */
function placeOf(cause: unknown): string {
  const { path, dest } = cause as { readonly path?: unknown; readonly dest?: unknown };
  if (typeof dest === "string") return dest;
  return typeof path === "string" ? path : "a file";
}
