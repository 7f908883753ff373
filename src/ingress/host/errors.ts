// What can go wrong while the device looks at itself.

import { PetioleError } from "#base/errors.ts";

/** A kernel file or a file system does not answer. It is asked again once it has. */
export const HOST_READING_HANGS = "HOST_READING_HANGS";

export function hangsError(what: string, patienceMs: number): PetioleError {
  return new PetioleError(HOST_READING_HANGS, `the system does not answer for ${what} within ${patienceMs} ms`, {
    remedy: "backoff",
  });
}
