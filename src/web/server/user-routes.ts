// The page's users: for owners.

import { timestamp } from "#base/clock.ts";
import { fields, nullable, oneOf, optional, required } from "#base/schema.ts";
import { secretText } from "#base/schema-text.ts";
import { jsonAnswer } from "./answer.ts";
import type { Parts } from "./parts.ts";
import { ROLES } from "./roles.ts";
import { type Route, route } from "./route.ts";
import { mustStillBeIn } from "./session-routes.ts";
import { newPasswordHash, userNameText } from "./users.ts";

const addBody = fields({
  user: required(userNameText(), "name"),
  role: required(oneOf(ROLES), "what they may do"),
  password: required(secretText("a password"), "password"),
});
const changeBody = fields({
  role: optional(nullable(oneOf(ROLES)), null, "what they may do"),
  password: optional(nullable(secretText("a password")), null, "password"),
});

export function userRoutes({ users, sessions, audit, env }: Parts): readonly Route[] {
  const list = () => users.list.map(({ user, role, since }) => ({ user, role, password_since: since }));
  return [
    route({ method: "GET", path: "/api/users", least: "owner", run: async () => jsonAnswer(200, { users: list() }) }),
    route({
      method: "POST",
      path: "/api/users",
      least: "owner",
      body: addBody,
      async run({ session, address, body: { user, role, password } }) {
        const hash = await newPasswordHash(user, password.reveal(), env.entropy);
        mustStillBeIn({ sessions }, session!);
        await users.add({ user, role, password: hash, since: timestamp(env.clock.wall()) });
        await audit.note({ action: "user added", outcome: "done", user: session!.user, address, detail: `${user}, ${role}` });
        return jsonAnswer(201, { users: list() });
      },
    }),
    route({
      method: "PUT",
      path: "/api/users/:name",
      least: "owner",
      body: changeBody,
      async run({ session, address, name, body: { role, password } }) {
        const secret =
          password === null
            ? {}
            : {
                password: await newPasswordHash(name, password.reveal(), env.entropy),
                since: timestamp(env.clock.wall()),
              };
        mustStillBeIn({ sessions }, session!);
        await users.change(name, { ...(role === null ? {} : { role }), ...secret });
        sessions.endAllOf(name);
        const detail = [name, role ?? "", password === null ? "" : "new password"].filter((each) => each !== "").join(", ");
        await audit.note({ action: "user changed", outcome: "done", user: session!.user, address, detail });
        return jsonAnswer(200, { users: list() });
      },
    }),
    route({
      method: "DELETE",
      path: "/api/users/:name",
      least: "owner",
      async run({ session, address, name }) {
        await users.remove(name);
        sessions.endAllOf(name);
        await audit.note({ action: "user removed", outcome: "done", user: session!.user, address, detail: name });
        return jsonAnswer(200, { users: list() });
      },
    }),
  ];
}
