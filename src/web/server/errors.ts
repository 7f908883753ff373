// Why the page's server refuses. Each becomes an HTTP status, and a JSON body with the code, a sentence and a remedy.

import { PetioleError } from "#base/errors.ts";
import type { Fault } from "#base/fault.ts";

export const WEB_LISTEN_FAILED = "WEB_LISTEN_FAILED";
export const WEB_CERTIFICATE = "WEB_CERTIFICATE";
export const WEB_USERS_DAMAGED = "WEB_USERS_DAMAGED";
export const WEB_HOST = "WEB_HOST";
export const WEB_ORIGIN = "WEB_ORIGIN";
export const WEB_TOKEN = "WEB_TOKEN";
export const WEB_UNCLAIMED = "WEB_UNCLAIMED";
export const WEB_CLAIMED = "WEB_CLAIMED";
export const WEB_NOT_LOGGED_IN = "WEB_NOT_LOGGED_IN";
export const WEB_LOGIN_FAILED = "WEB_LOGIN_FAILED";
export const WEB_ROLE = "WEB_ROLE";
export const WEB_WAIT = "WEB_WAIT";
export const WEB_BUSY = "WEB_BUSY";
export const WEB_NOT_FOUND = "WEB_NOT_FOUND";
export const WEB_METHOD = "WEB_METHOD";
export const WEB_BODY = "WEB_BODY";
export const WEB_TOO_LARGE = "WEB_TOO_LARGE";
export const WEB_FAULTS = "WEB_FAULTS";
export const WEB_CONFLICT = "WEB_CONFLICT";
export const WEB_APPLY = "WEB_APPLY";
export const WEB_BACKUP = "WEB_BACKUP";
export const WEB_UNAVAILABLE = "WEB_UNAVAILABLE";
export const WEB_SUPERVISOR = "WEB_SUPERVISOR";
export const WEB_SECRET_NAME = "WEB_SECRET_NAME";

export interface RefusalFacts {
  readonly faults?: readonly Fault[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is a no. The message may be shown to anyone who asked. */
export class WebRefusal extends PetioleError {
  readonly status: number;
  readonly faults: readonly Fault[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, facts: RefusalFacts = {}) {
    super(code, message, { remedy: "never" });
    this.status = status;
    this.faults = facts.faults ?? [];
    this.headers = facts.headers ?? {};
  }
}
