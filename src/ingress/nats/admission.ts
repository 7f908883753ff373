// Whether a CONNECT is let in, as whom, into which account. The client hears "Authorization Violation" whatever the reason;
// the sentence is for the log.

import type { User, Verdict } from "#access/authenticator.ts";
import type { CertificateNames } from "#access/certificate-names.ts";
import type { AccountRouter } from "#router/router.ts";
import type { ConnectRequest } from "./connect-request.ts";
import type { NatsContext } from "./context.ts";

export type Admission =
  | { readonly ok: true; readonly user: User; readonly account: AccountRouter }
  | { readonly ok: false; readonly words: string };

/** The way a client came: what it must have signed, and by which door. */
export interface Arrival {
  readonly address: string;
  readonly isWebSocket: boolean;
  readonly nonce: string | null;
  /** The names in its certificate, where they say who comes (verify_and_map); null: there are none. */
  readonly certificate?: CertificateNames | null | undefined;
}

export async function admit(
  request: ConnectRequest,
  arrival: Arrival,
  context: NatsContext,
  signal: AbortSignal,
): Promise<Admission> {
  const verdict = await judge(request, arrival, context, signal);
  if (!verdict.ok) return verdict;
  const account = context.account(verdict.user.account);
  if (account === undefined) return { ok: false, words: `there is no account "${verdict.user.account}"` };
  return { ok: true, user: verdict.user, account };
}

/** Who shows several credentials is judged by the first, in nats-server's order. */
async function judge(
  request: ConnectRequest,
  arrival: Arrival,
  { authenticator }: NatsContext,
  signal: AbortSignal,
): Promise<Verdict> {
  const { user, password, token, nkey, jwt, signature } = request;
  const { address, certificate } = arrival;
  const door = "nats";
  if (jwt !== null) return authenticator.authenticateJwt({ jwt, signature, ...arrival });
  if (nkey !== null) return authenticator.authenticateKey({ door, nkey, signature, ...arrival });
  if (certificate !== undefined)
    return await authenticator.authenticateCertificate({ door, password, address }, certificate, signal);
  if (token !== null) return await authenticator.authenticateToken(door, token, address, signal);
  if (user === null && password !== null)
    return { ok: false, why: "wrong", words: "it shows a password and no user name; local clients log in with both" };
  return await authenticator.authenticate({ door, user, password, address }, signal);
}
