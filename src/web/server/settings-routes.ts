// The settings by the page: read, try, write, and confirm what could lock somebody out.

import { jsonAnswer } from "./answer.ts";
import type { Proposal, SettingsDesk } from "./desks.ts";
import { WEB_BODY, WEB_ROLE, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { hasRole } from "./roles.ts";
import { type Route, route } from "./route.ts";

const SETTINGS_BYTES_MAX = 1024 * 1024 + 4096;

/** The desk validates it by the settings' own schema. */
function asIs(body: unknown): { readonly document: unknown; readonly revision: string } {
  if (typeof body !== "object" || body === null || !("document" in body) || !("revision" in body))
    throw new WebRefusal(400, WEB_BODY, 'the body wants "document" and "revision"');
  if (typeof body.revision !== "string") throw new WebRefusal(400, WEB_BODY, '"revision" wants a text');
  return { document: body.document, revision: body.revision };
}

export function settingsRoutes(parts: Parts): readonly Route[] {
  const { audit } = parts;
  const desk = (): SettingsDesk => {
    if (parts.settings !== null) return parts.settings;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon was started without a settings file to change");
  };
  return [
    route({ method: "GET", path: "/api/settings", least: "technician", run: async () => jsonAnswer(200, await desk().view()) }),
    route({ method: "GET", path: "/api/settings/schema", least: "viewer", run: async () => jsonAnswer(200, desk().schema()) }),
    route<unknown>({
      method: "POST",
      path: "/api/settings/check",
      least: "technician",
      bodyBytesMax: SETTINGS_BYTES_MAX,
      run: async ({ body }) => jsonAnswer(200, await desk().check(asIs(body).document)),
    }),
    route<unknown>({
      method: "PUT",
      path: "/api/settings",
      least: "technician",
      bodyBytesMax: SETTINGS_BYTES_MAX,
      async run({ session, address, body }) {
        const { document, revision } = asIs(body);
        const { user, role } = session!;
        let proposal: Proposal;
        try {
          proposal = await desk().write(document, revision, hasRole(role, "owner"));
        } catch (error) {
          if (error instanceof WebRefusal && error.code === WEB_ROLE)
            await audit.note({ action: "settings changed", outcome: "refused", user, address, detail: error.message });
          throw error;
        }
        const detail = proposal.changes.map(({ path }) => path).join(", ");
        await audit.note({ action: "settings changed", outcome: "done", user, address, detail });
        const applied = proposal.at_restart.length === 0 ? "now" : "at restart";
        return jsonAnswer(200, { ...proposal, applied, ...(await desk().view()) });
      },
    }),
    ...(["confirm", "revert"] as const).map((action) =>
      route({
        method: "POST",
        path: `/api/settings/${action}`,
        least: "owner",
        async run({ session, address }) {
          await desk()[action]();
          await audit.note({ action: `settings ${action}ed`, outcome: "done", user: session!.user, address });
          return jsonAnswer(200, await desk().view());
        },
      }),
    ),
  ];
}
