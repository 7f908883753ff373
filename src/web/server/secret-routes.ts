// Credentials, keys and certificates: put there, listed and removed, never shown.

import { jsonAnswer } from "./answer.ts";
import type { SecretsDesk } from "./desks.ts";
import { WEB_BODY, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { hasRole } from "./roles.ts";
import { type Route, route } from "./route.ts";

const SECRET_BYTES_MAX = 64 * 1024;
/** A content of nothing but quotes and line ends doubles as JSON; six-fold is the worst. */
const BODY_BYTES_MAX = 6 * SECRET_BYTES_MAX + 4096;
/** By hand: a schema's texts have no line ends. */
function secretIn(body: unknown): { readonly name: string; readonly content: Buffer } {
  const { name, content } = (typeof body === "object" && body !== null ? body : {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || typeof content !== "string")
    throw new WebRefusal(400, WEB_BODY, 'the body wants "name" and "content", both texts');
  const bytes = Buffer.from(content, "utf8");
  if (bytes.length >= 1 && bytes.length <= SECRET_BYTES_MAX) return { name, content: bytes };
  throw new WebRefusal(400, WEB_BODY, `the file has ${bytes.length} bytes; wanted 1 to ${SECRET_BYTES_MAX}`);
}

export function secretRoutes(parts: Parts): readonly Route[] {
  const { audit } = parts;
  const desk = (): SecretsDesk => {
    if (parts.secrets != null) return parts.secrets;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon was started without a data directory of its own");
  };
  return [
    route({
      method: "GET",
      path: "/api/secrets",
      least: "technician",
      run: async () => jsonAnswer(200, { secrets: await desk().list(), reserved: desk().reserved }),
    }),
    route<unknown>({
      method: "POST",
      path: "/api/secrets",
      least: "technician",
      bodyBytesMax: BODY_BYTES_MAX,
      async run({ body, session, address }) {
        const { name, content } = secretIn(body);
        try {
          const written = await desk().write(name, content, hasRole(session!.role, "owner"));
          await audit.note({ action: "secret stored", outcome: "done", user: session!.user, address, detail: name });
          return jsonAnswer(201, written);
        } finally {
          content.fill(0);
        }
      },
    }),
    route({
      method: "DELETE",
      path: "/api/secrets/:name",
      least: "technician",
      async run({ name, session, address }) {
        await desk().remove(name);
        await audit.note({ action: "secret removed", outcome: "done", user: session!.user, address, detail: name });
        return jsonAnswer(200, { removed: name });
      },
    }),
  ];
}
