// Whether a CONNECT is let in: client id, will, who it is, into which account. Every refusal has a return code for the client
// and a sentence for the log.

import type { User } from "#access/authenticator.ts";
import { permits } from "#access/permissions.ts";
import { randomToken } from "#base/entropy.ts";
import { ProtocolError } from "#base/errors.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Broker } from "./broker.ts";
import type { ConnectRequest } from "./control-packets.ts";
import { MQTT_TOPIC_REFUSED } from "./errors.ts";
import {
  CONNACK_BAD_CREDENTIALS,
  CONNACK_IDENTIFIER_REJECTED,
  CONNACK_NOT_AUTHORIZED,
  CONNACK_SERVER_UNAVAILABLE,
} from "./packet.ts";
import { prepareWill, type Will } from "./will.ts";

/** Longest client id taken, in characters. The standard asks for 23. */
const CLIENT_ID_MAX = 512;

export interface Admitted {
  readonly ok: true;
  readonly clientId: string;
  readonly user: User;
  readonly account: AccountRouter;
  readonly will: Will | null;
}

export type Admission = Admitted | { readonly ok: false; readonly returnCode: number; readonly words: string };

const CODE_OF = {
  wrong: CONNACK_BAD_CREDENTIALS,
  nobody: CONNACK_NOT_AUTHORIZED,
  wait: CONNACK_SERVER_UNAVAILABLE,
  busy: CONNACK_SERVER_UNAVAILABLE,
} as const;

/** Throws a ProtocolError where the standard wants the connection closed without an answer. */
export async function admit(request: ConnectRequest, address: string, broker: Broker, signal: AbortSignal): Promise<Admission> {
  const idFault = faultOfClientId(request);
  if (idFault !== undefined) return refuse(CONNACK_IDENTIFIER_REJECTED, idFault);
  const will = request.will === null ? null : tryWill(request.will);
  if (typeof will === "string") return refuse(CONNACK_NOT_AUTHORIZED, will);
  const login = { door: "mqtt", user: request.user, password: request.password, address } as const;
  const verdict = await broker.authenticator.authenticate(login, signal);
  if (!verdict.ok) return refuse(CODE_OF[verdict.why], verdict.words);
  const { user } = verdict;
  const accountName = verdict.isAnonymous ? broker.options.account : user.account;
  const account = broker.account(accountName);
  if (account === undefined) return refuse(CONNACK_NOT_AUTHORIZED, `there is no account "${accountName}"`);
  if (will !== null && !permits(user.permissions.publish, will.subject)) {
    return refuse(CONNACK_NOT_AUTHORIZED, `the user's permissions forbid a will on "${displaySubject(will.subject)}"`);
  }
  const clientId = request.clientId === "" ? `auto-${randomToken(broker.entropy, 20)}` : request.clientId;
  return { ok: true, clientId, user, account, will };
}

/** [MQTT-3.1.3-7, MQTT-3.1.3-8] */
function faultOfClientId({ clientId, isClean, protocol }: ConnectRequest): string | undefined {
  if (clientId === "" && protocol === "3.1") return "its client id is empty, which MQTT 3.1 does not allow";
  if (clientId === "" && !isClean) return "its client id is empty, which needs a clean session";
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

function refuse(returnCode: number, words: string): Admission {
  return { ok: false, returnCode, words };
}
