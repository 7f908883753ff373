// Claiming, logging in and out, and one's own password.

import { timestamp } from "#base/clock.ts";
import { fields, required } from "#base/schema.ts";
import { secretText, text } from "#base/schema-text.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { isClaimCode, removeClaimCode } from "./claim-code.ts";
import { clearedCookie, sessionCookie } from "./cookie.ts";
import { WEB_CLAIMED, WEB_CONFLICT, WEB_LOGIN_FAILED, WEB_NOT_LOGGED_IN, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { type Call, type Route, route } from "./route.ts";
import type { Session } from "./sessions.ts";
import { newPasswordHash, userNameText } from "./users.ts";

const password = () => required(secretText("a password"), "password");

const claimBody = fields({
  code: required(text("the claim code", { bytesMax: 64 }), "claim code"),
  user: required(userNameText(), "name"),
  password: password(),
});
const loginBody = fields({ user: required(text("a user name", { bytesMax: 64 }), "name"), password: password() });
const passwordBody = fields({ password: password(), new_password: password() });

export function sessionRoutes(parts: Parts): readonly Route[] {
  const { users, sessions, logins, audit, env } = parts;

  const opened = (user: string, call: Call<unknown>, status: number): Answer => {
    if (call.token !== undefined) sessions.end(call.token); // a login makes a new session, always
    const known = users.find(user);
    if (known === undefined) throw new WebRefusal(401, WEB_LOGIN_FAILED, "the user was removed meanwhile");
    const { token, session } = sessions.open(user, known.role, call.address);
    return jsonAnswer(status, { claimed: true, session: shown(session) }, { "Set-Cookie": sessionCookie(token, call.isSecure) });
  };

  return [
    route({
      method: "GET",
      path: "/api/session",
      least: "anyone",
      isOpenUnclaimed: true,
      run: async ({ session }) =>
        jsonAnswer(200, { claimed: users.isClaimed, session: session === undefined ? null : shown(session) }),
    }),
    route({
      method: "POST",
      path: "/api/claim",
      least: "anyone",
      isOpenUnclaimed: true,
      body: claimBody,
      async run(call) {
        const { address, body } = call;
        const { user } = body;
        const late = () =>
          new WebRefusal(409, WEB_CLAIMED, "this device has an owner already; log in, or let the owner make you a user");
        if (users.isClaimed) throw late();
        const code = parts.claimCode();
        // By address alone: nobody far away may lock out who stands before the device. 80 bits cannot be guessed anyway.
        const isRight = async () => code !== undefined && isClaimCode(body.code, code);
        if (!(await logins.attempt(address, `claim at ${address}`, isRight))) {
          await audit.note({ action: "claim", outcome: "refused", user, address });
          throw new WebRefusal(403, WEB_LOGIN_FAILED, 'this is not the claim code; "petiole status" on the device shows it');
        }
        const hash = await newPasswordHash(user, body.password.reveal(), env.entropy);
        if (!(await users.claim({ user, role: "owner", password: hash, since: timestamp(env.clock.wall()) }))) throw late();
        await removeClaimCode(env.disk, parts.dataDir);
        await audit.note({ action: "claim", outcome: "done", user, address });
        env.log.info("the device has an owner", { user, address });
        return opened(user, call, 201);
      },
    }),
    route({
      method: "POST",
      path: "/api/session",
      least: "anyone",
      body: loginBody,
      async run(call) {
        const { address, body } = call;
        const { user } = body;
        const known = users.find(user);
        if (!(await logins.verify(address, user, known?.password, body.password.reveal()))) {
          await audit.note({ action: "login", outcome: "refused", user, address });
          throw new WebRefusal(401, WEB_LOGIN_FAILED, "the user or the password is wrong");
        }
        await audit.note({ action: "login", outcome: "done", user, address });
        // While the password was checked, and this written down, the user may have been removed or given another one.
        if (users.find(user)?.password !== known?.password)
          throw new WebRefusal(401, WEB_LOGIN_FAILED, "the user or the password is wrong");
        return opened(user, call, 200);
      },
    }),
    route({
      method: "DELETE",
      path: "/api/session",
      least: "viewer",
      async run({ session, address, token, isSecure }) {
        sessions.end(token!);
        await audit.note({ action: "logout", outcome: "done", user: session!.user, address });
        return jsonAnswer(200, { claimed: true, session: null }, { "Set-Cookie": clearedCookie(isSecure) });
      },
    }),
    route({
      method: "PUT",
      path: "/api/session/password",
      least: "viewer",
      body: passwordBody,
      async run(call) {
        const { session, body } = call;
        const { user } = session!;
        const known = users.find(user)?.password;
        await mustKnowPassword(parts, call, body.password.reveal(), "password");
        if (body.password.reveal() === body.newPassword.reveal())
          throw new WebRefusal(409, WEB_CONFLICT, "the new password is the old one");
        const hash = await newPasswordHash(user, body.newPassword.reveal(), env.entropy);
        await users.change(user, { password: hash, since: timestamp(env.clock.wall()) }, known);
        sessions.endAllOf(user);
        await audit.note({ action: "password", outcome: "done", user, address: call.address });
        return opened(user, call, 200);
      },
    }),
  ];
}

/** For what cannot be undone: whoever found a phone unlocked must not do it. */
export async function mustKnowPassword(parts: Parts, call: Call<unknown>, password: string, action: string): Promise<void> {
  const { user } = call.session!;
  if (await parts.logins.verify(call.address, user, parts.users.find(user)?.password, password))
    return mustStillBeIn(parts, call.session!);
  await parts.audit.note({ action, outcome: "refused", user, address: call.address, detail: "wrong password" });
  throw new WebRefusal(403, WEB_LOGIN_FAILED, "the password is wrong");
}

/** After work that takes a while: whoever was removed, or made less than they were, asks in vain. */
export function mustStillBeIn({ sessions }: Pick<Parts, "sessions">, session: Session): void {
  if (!sessions.holds(session)) throw new WebRefusal(401, WEB_NOT_LOGGED_IN, "the session has ended meanwhile; log in anew");
}

function shown({ user, role, csrf }: Session): object {
  return { user, role, csrf };
}
