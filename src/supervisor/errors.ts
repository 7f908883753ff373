// What can go wrong between us and balena's supervisor.

import { PetioleError, type Remedy } from "#base/errors.ts";

const REMEDY = {
  /** Nobody answers at its address, or not in time. */
  SUPERVISOR_UNREACHABLE: "backoff",
  /** Our key is not, or no longer, good. */
  SUPERVISOR_REFUSED: "never",
  /** An update lock is held, ours or another service's. */
  SUPERVISOR_LOCKED: "backoff",
  /** A host name that no network would take. */
  SUPERVISOR_BAD_NAME: "never",
  /** It answered what we do not understand. */
  SUPERVISOR_UNCLEAR: "backoff",
} as const satisfies Readonly<Record<string, Remedy>>;

export type SupervisorCode = keyof typeof REMEDY;

export class SupervisorError extends PetioleError {
  override readonly name = "SupervisorError";
  declare readonly code: SupervisorCode;

  constructor(code: SupervisorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { remedy: REMEDY[code], ...(options.cause === undefined ? {} : { cause: options.cause }) });
  }
}
