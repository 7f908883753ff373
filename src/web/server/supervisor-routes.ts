// The board's supervisor: what it is doing, and what an owner may ask it for.

import { PetioleError } from "#base/errors.ts";
import { fields, required } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import type { SupervisorDesk } from "./desks.ts";
import { WEB_SUPERVISOR, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import type { Session } from "./sessions.ts";

const hostnameBody = fields({
  hostname: required(
    text("1 to 63 of a-z, 0-9 and inner hyphens", { pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" }),
    "name of the board on its network",
  ),
});

export function supervisorRoutes(parts: Parts): readonly Route[] {
  const { audit } = parts;
  const desk = (): SupervisorDesk => {
    if (parts.supervisor != null) return parts.supervisor;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "no supervisor here: this device does not run balenaOS, or we may not ask it");
  };
  const asked = async (
    action: string,
    { session, address }: { readonly session: Session | undefined; readonly address: string },
    ask: () => Promise<void>,
    detail?: string,
  ): Promise<Answer> => {
    const entry = { action, user: session!.user, address };
    // Before it is done: afterwards there may be nobody left to write it down.
    await audit.note({ ...entry, outcome: "done", ...(detail === undefined ? {} : { detail }) });
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof PetioleError) || error instanceof WebRefusal) throw error;
      await audit.note({ ...entry, outcome: "refused", detail: error.message });
      throw new WebRefusal(error.code === "SUPERVISOR_LOCKED" ? 409 : 502, WEB_SUPERVISOR, error.message);
    }
    return jsonAnswer(202, { asked: action });
  };
  return [
    route({
      method: "GET",
      path: "/api/supervisor",
      least: "viewer",
      run: async () => jsonAnswer(200, { supervisor: (await parts.supervisor?.state()) ?? null }),
    }),
    route({
      method: "POST",
      path: "/api/supervisor/reboot",
      least: "owner",
      run: (call) => asked("reboot", call, () => desk().reboot()),
    }),
    route({
      method: "POST",
      path: "/api/supervisor/shutdown",
      least: "owner",
      run: (call) => asked("shutdown", call, () => desk().shutdown()),
    }),
    route({
      method: "POST",
      path: "/api/supervisor/hostname",
      least: "owner",
      body: hostnameBody,
      run: (call) => asked("host name", call, () => desk().rename(call.body.hostname), call.body.hostname),
    }),
  ];
}
