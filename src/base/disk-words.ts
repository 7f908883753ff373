// What the disk's faults mean to a person: what is there, and what to do about it. The system's own words ("EISDIR: illegal operation
// on a directory, read") name neither.

import { PetioleError, type Remedy, systemCode } from "./errors.ts";

export interface DiskWords {
  /** Said of a path: "/data/outbox: is a file where a folder is wanted". */
  readonly found: string;
  readonly remedy: string;
  /** Whether waiting may help. */
  readonly kind: Remedy;
}

/** undefined: no fault that a person could have met. */
export function diskWords(error: unknown): DiskWords | undefined {
  return WORDS[systemCode(error) ?? ""];
}

/**
 * The fault `code` in words: `action` could not be done, for what the disk said as `cause`. A path in `cause` that `action` does not
 * name is named: it is the one that stands in the way.
 */
export function diskFault(code: string, action: string, cause: unknown): PetioleError {
  const words = diskWords(cause) ?? UNKNOWN;
  const path = pathOf(cause);
  const place = path === undefined || action.endsWith(path) ? "" : `${path} `;
  return new PetioleError(code, `${action}: ${place}${words.found}; ${words.remedy}`, { remedy: words.kind, cause });
}

function pathOf(error: unknown): string | undefined {
  return error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
}

const UNKNOWN: DiskWords = {
  found: "the disk refuses it",
  remedy: "look into the system's log for what it says of the disk",
  kind: "backoff",
};

const DENIED: DiskWords = {
  found: "is not for the user that runs petiole",
  remedy: "give it to that user (chown), or run petiole as its owner",
  kind: "never",
};
const FULL: DiskWords = { found: "is on a disk without room", remedy: "make room on it", kind: "backoff" };
const TOO_MANY_FILES: DiskWords = {
  found: "cannot be opened, too many files are open",
  remedy: "raise the limit of open files (ulimit -n), or end what holds them",
  kind: "backoff",
};

const WORDS: Readonly<Record<string, DiskWords>> = {
  ENOENT: { found: "is not there", remedy: "make it, or correct the path", kind: "never" },
  ENOTDIR: { found: "is a file where a folder is wanted", remedy: "move it away, or correct the path", kind: "never" },
  EISDIR: { found: "is a folder where a file is wanted", remedy: "move it away", kind: "never" },
  EEXIST: {
    found: "is not a folder, but perhaps a link that leads nowhere",
    remedy: "move it away, or correct the path",
    kind: "never",
  },
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: {
    found: "is on a disk that is read-only",
    remedy: "mount it writable; a card that turned read-only by itself is worn out or damaged, replace it",
    kind: "never",
  },
  ENOSPC: FULL,
  EDQUOT: FULL,
  EIO: {
    found: "cannot be read or written, the disk itself fails",
    remedy: "check the card and its contacts, and replace it if that stays",
    kind: "backoff",
  },
  ELOOP: { found: "leads in a circle of links", remedy: "remove the links that point at each other", kind: "never" },
  ENAMETOOLONG: { found: "is a longer name than the disk takes", remedy: "choose a shorter path", kind: "never" },
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
};
