// A hub that has as many links as it may. What binds leaves is the account's limit; max_connections does not (tried on 2.10.27 and 2.15.1).

import { PetioleError } from "#base/errors.ts";
import { DOCTOR_HUB_FULL } from "../errors.ts";
import type { Trouble } from "../finding.ts";

const FULL = /maximum connections exceeded|maximum account active connections|maximum leafnode|leafnode connections? exceeded/i;
const TEXT_CHARS_MAX = 200;

/** `text`: what the hub said, or the fault that was made of it. undefined: it is about something else. */
export function fullTrouble(text: unknown, target: string): Trouble | undefined {
  const words = text instanceof PetioleError ? text.message : typeof text === "string" ? text : "";
  const said = FULL.exec(words)?.[0];
  if (said === undefined) return undefined;
  return {
    code: DOCTOR_HUB_FULL,
    cause: `hub ${target} takes no more: ${said.slice(0, TEXT_CHARS_MAX)}`,
    remedy:
      "raise the number of leaf connections that the account may have at the hub (max_leafnodes; in a JWT: leaf), or end links that nobody needs",
  };
}
