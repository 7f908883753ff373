// Whether a CONNECT is let in: client id, will, who it is, into which account. Every refusal has a reason code for the client
// and a sentence for the log.

import type { User, Verdict } from "#access/authenticator.ts";
import { permits } from "#access/permissions.ts";
import { randomToken } from "#base/entropy.ts";
import { ProtocolError } from "#base/errors.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Broker, Client } from "./broker.ts";
import { type ConnectRequest, NEVER_EXPIRES } from "./connect-packet.ts";
import { MQTT_TOPIC_REFUSED } from "./errors.ts";
import { REASON } from "./reason-codes.ts";
import { prepareWill, type Will } from "./will.ts";

/** Longest client id taken, in characters. The standard asks for 23. */
const CLIENT_ID_MAX = 512;

export interface Admitted {
  readonly ok: true;
  readonly clientId: string;
  readonly user: User;
  readonly account: AccountRouter;
  readonly will: Will | null;
  /** As it was asked for, brought down to `mqtt.max_session_expiry`. */
  readonly expirySeconds: number;
}

export type Admission = Admitted | { readonly ok: false; readonly reason: number; readonly words: string };

const REASON_OF = {
  wrong: REASON.badCredentials,
  nobody: REASON.notAuthorized,
  wait: REASON.serverBusy,
  busy: REASON.serverBusy,
} as const;

/** Throws a ProtocolError where the standard wants the connection closed without an answer. */
export async function admit(request: ConnectRequest, client: Client, broker: Broker, signal: AbortSignal): Promise<Admission> {
  if (request.authenticationMethod !== null) {
    const words = `it asks for the authentication method "${request.authenticationMethod.slice(0, 40)}"; only user and password are spoken`;
    return refuse(REASON.badAuthenticationMethod, words); // [MQTT5-4.12.0-1]
  }
  const idFault = faultOfClientId(request);
  if (idFault !== undefined) return refuse(REASON.clientIdNotValid, idFault);
  const will = request.will === null ? null : tryWill(request.will);
  if (typeof will === "string") return refuse(REASON.topicNameInvalid, will);
  if (will !== null && will.payload.length + will.headers.length > broker.limits.maxPayload) {
    const words = `its will has more than the ${broker.limits.maxPayload} bytes that limits.max_payload allows`;
    return refuse(REASON.packetTooLarge, words);
  }
  const verdict = await authenticate(request, client, broker, signal);
  if (!verdict.ok) return refuse(REASON_OF[verdict.why], verdict.words);
  const { user } = verdict;
  const accountName = verdict.isAnonymous ? broker.options.account : user.account;
  const account = broker.account(accountName);
  if (account === undefined) return refuse(REASON.notAuthorized, `there is no account "${accountName}"`);
  if (will !== null && !permits(user.permissions.publish, will.subject)) {
    return refuse(REASON.notAuthorized, `the user's permissions forbid a will on "${displaySubject(will.subject)}"`);
  }
  const clientId = request.clientId === "" ? `auto-${randomToken(broker.entropy, 20)}` : request.clientId;
  return { ok: true, clientId, user, account, will, expirySeconds: expiryOf(request, broker) };
}

/** What is longer than we keep sessions is brought down; "never" is longer. */
export function cappedExpiry(seconds: number, { options }: Pick<Broker, "options">): number {
  return Math.min(seconds === NEVER_EXPIRES ? Number.POSITIVE_INFINITY : seconds, Math.floor(options.maxSessionExpiry / 1000));
}

function expiryOf({ sessionExpirySeconds }: ConnectRequest, broker: Broker): number {
  return cappedExpiry(sessionExpirySeconds, broker);
}

async function authenticate(
  { user, password }: ConnectRequest,
  { address, facts }: Client,
  { authenticator }: Broker,
  signal: AbortSignal,
): Promise<Verdict> {
  const login = { door: "mqtt", password: password?.toString("utf8") ?? null, address } as const;
  if (facts.certificateNames !== null) return await authenticator.authenticateCertificate(login, facts.certificateNames, signal);
  return await authenticator.authenticate({ ...login, user }, signal);
}

/** [MQTT-3.1.3-7, MQTT-3.1.3-8] */
function faultOfClientId({ clientId, isClean, version }: ConnectRequest): string | undefined {
  if (clientId === "" && version === 3) return "its client id is empty, which MQTT 3.1 does not allow";
  if (clientId === "" && version === 4 && !isClean) return "its client id is empty, which needs a clean session";
  return clientId.length > CLIENT_ID_MAX ? `its client id has more than ${CLIENT_ID_MAX} characters` : undefined;
}

/** 3.1.1 has no return code for a will topic; "not authorized" comes nearest. */
function tryWill(request: NonNullable<ConnectRequest["will"]>): Will | string {
  try {
    return prepareWill(request);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === MQTT_TOPIC_REFUSED) return error.message;
    throw error;
  }
}

function refuse(reason: number, words: string): Admission {
  return { ok: false, reason, words };
}
