// Why a change of the settings is not in force.

import { explain, isFault, PetioleError } from "#base/errors.ts";

export const LIVE_FAILED = "LIVE_FAILED";
export const LIVE_FILTER = "LIVE_FILTER";
/** Neither the new one nor the old one can be opened. */
export const LIVE_GONE = "LIVE_GONE";

/** `cause`: of the step that failed. A bug is no fault: it is thrown as it is. */
export function liveError(cause: unknown): PetioleError {
  if (!isFault(cause)) throw cause;
  const isGone = cause instanceof PetioleError && cause.code === LIVE_GONE;
  const rest = isGone ? "all but one part is as it was before" : "what was before it is back";
  const message = `the change could not be brought into force, and ${rest}: ${explain(cause)}`;
  return new PetioleError(LIVE_FAILED, message, { remedy: "never", cause });
}
