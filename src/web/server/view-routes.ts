// What is only looked at: the past, local clients (who may be shown the door), and what this device is made of.

import { jsonAnswer } from "./answer.ts";
import type { AboutDesk, ClientsDesk, PastDesk } from "./desks.ts";
import { WEB_BODY, WEB_NOT_FOUND, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";

/** Of each kind, in one answer. */
const CLIENTS_MAX = 1_000;

export function viewRoutes(parts: Parts): readonly Route[] {
  const { audit } = parts;
  const past = (): PastDesk => parts.past ?? unavailable("nothing of the past is kept here");
  const clients = (): ClientsDesk => parts.clients ?? unavailable("this daemon has no doors for clients");
  const about = (): AboutDesk => parts.about ?? unavailable("this daemon does not know what it is made of");
  return [
    route({
      method: "GET",
      path: "/api/history",
      least: "viewer",
      async run({ query }) {
        const span = query.get("span") ?? "10m";
        if (span !== "10m" && span !== "24h") throw new WebRefusal(400, WEB_BODY, '"span" wants 10m or 24h');
        return jsonAnswer(200, await past().history(span));
      },
    }),
    route({
      method: "GET",
      path: "/api/clients",
      least: "viewer",
      run: async () => jsonAnswer(200, clients().list(CLIENTS_MAX)),
    }),
    route({
      method: "DELETE",
      path: "/api/clients/mqtt/:name",
      least: "technician",
      async run({ name, query, session, address }) {
        const forgets = query.get("session") === "1";
        if (!clients().endMqtt(name, forgets))
          throw new WebRefusal(404, WEB_NOT_FOUND, "no MQTT client has this id, and no session is kept for it");
        const action = forgets ? "MQTT session ended" : "MQTT client disconnected";
        await audit.note({ action, outcome: "done", user: session!.user, address, detail: name });
        return jsonAnswer(200, { disconnected: true, session_forgotten: forgets });
      },
    }),
    route({
      method: "GET",
      path: "/api/about",
      least: "viewer",
      run: async () => jsonAnswer(200, { ...(await about().view()), fingerprint: parts.fingerprint }),
    }),
    route({
      method: "GET",
      path: "/api/about/licences",
      least: "viewer",
      run: async () => fileAnswer(await about().licences(), "text/plain; charset=utf-8"),
    }),
    route({
      method: "GET",
      path: "/api/about/sbom",
      least: "viewer",
      run: async () => fileAnswer(await about().sbom(), "application/vnd.cyclonedx+json"),
    }),
  ];
}

function fileAnswer(body: Buffer | undefined, type: string) {
  if (body === undefined) throw new WebRefusal(404, WEB_UNAVAILABLE, "this build carries no such file");
  return { status: 200, headers: { "Content-Type": type, "Cache-Control": "no-store" }, body };
}

function unavailable(words: string): never {
  throw new WebRefusal(503, WEB_UNAVAILABLE, words);
}
