// Whether a CONNECT is let in, as whom, into which account. The client hears "Authorization Violation" whatever the reason;
// the sentence is for the log.

import type { User } from "#access/authenticator.ts";
import type { AccountRouter } from "#router/router.ts";
import type { ConnectRequest } from "./connect-request.ts";
import type { NatsContext } from "./context.ts";

export type Admission =
  | { readonly ok: true; readonly user: User; readonly account: AccountRouter }
  | { readonly ok: false; readonly words: string };

export async function admit(
  request: ConnectRequest,
  address: string,
  context: NatsContext,
  signal: AbortSignal,
): Promise<Admission> {
  if (request.user === null && request.otherCredential !== null)
    return { ok: false, words: `it shows a ${request.otherCredential}; local clients log in with user and password` };
  if (request.user === null && request.password !== null)
    return { ok: false, words: "it shows a password and no user name; local clients log in with both" };
  const login = { door: "nats", user: request.user, password: request.password, address } as const;
  const verdict = await context.authenticator.authenticate(login, signal);
  if (!verdict.ok) return verdict;
  const account = context.account(verdict.user.account);
  if (account === undefined) return { ok: false, words: `there is no account "${verdict.user.account}"` };
  return { ok: true, user: verdict.user, account };
}
