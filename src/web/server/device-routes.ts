// The device: its state, its log, its audit trail, backups, restart and factory reset.

import { fields, required } from "#base/schema.ts";
import { parsedText, secretText } from "#base/schema-text.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { BACKUP_BYTES_MAX, PASSPHRASE_CHARS_MIN } from "./backup.ts";
import { clearedCookie } from "./cookie.ts";
import type { DeviceDesk } from "./desks.ts";
import { WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { mustKnowPassword } from "./session-routes.ts";

const LINES_MAX = 1000;
const BACKUP_BASE64_MAX = Math.ceil(BACKUP_BYTES_MAX / 3) * 4;

const passphrase = () =>
  required(
    secretText(`a passphrase of at least ${PASSPHRASE_CHARS_MIN} characters`, (text) =>
      [...text].length < PASSPHRASE_CHARS_MIN ? "four words in a row are easy to remember and hard to guess" : undefined,
    ),
    "passphrase",
  );
const password = () => required(secretText("your password"), "your password, once more");

const backupBody = fields({ passphrase: passphrase(), password: password() });
const restoreBody = fields({
  passphrase: passphrase(),
  password: password(),
  backup: required(
    parsedText("the backup's bytes in base64", { bytesMax: BACKUP_BASE64_MAX, pattern: "^[A-Za-z0-9+/]+={0,2}$" }, (value) => ({
      value: Buffer.from(value, "base64"),
    })),
    "backup",
  ),
});
const resetBody = fields({ password: password() });

export function deviceRoutes(parts: Parts): readonly Route[] {
  const { audit, users, sessions } = parts;
  const desk = (): DeviceDesk => {
    if (parts.device !== null) return parts.device;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon cannot do that: it was started without a data directory of its own");
  };
  const restarting = (): Answer => {
    parts.afterAnswer(() => desk().restart());
    return jsonAnswer(202, { restarting: true });
  };
  return [
    route({ method: "GET", path: "/api/status", least: "viewer", run: async () => jsonAnswer(200, parts.report()) }),
    route({
      method: "GET",
      path: "/api/logs",
      least: "technician",
      run: async ({ query }) => jsonAnswer(200, { lines: parts.tail.last(countIn(query)) }),
    }),
    route({
      method: "GET",
      path: "/api/audit",
      least: "owner",
      run: async ({ query }) => jsonAnswer(200, { lines: await audit.last(countIn(query)) }),
    }),
    route({
      method: "POST",
      path: "/api/backup",
      least: "owner",
      body: backupBody,
      async run(call) {
        await mustKnowPassword(parts, call, call.body.password.reveal(), "backup");
        const body = await desk().exportBackup(call.body.passphrase.reveal());
        await audit.note({ action: "backup", outcome: "done", user: call.session!.user, address: call.address });
        const headers = {
          "Content-Type": "application/octet-stream",
          "Content-Disposition": 'attachment; filename="petiole.backup"',
          "Cache-Control": "no-store",
        };
        return { status: 200, headers, body };
      },
    }),
    route({
      method: "POST",
      path: "/api/restore",
      least: "owner",
      body: restoreBody,
      bodyBytesMax: BACKUP_BASE64_MAX + 4096,
      async run(call) {
        await mustKnowPassword(parts, call, call.body.password.reveal(), "restore");
        const restored = await desk().restoreBackup(call.body.backup, call.body.passphrase.reveal());
        if (restored.users !== undefined) {
          await users.restore(restored.users);
          sessions.endAll(); // they are other users now
        }
        await audit.note({ action: "restore", outcome: "done", user: call.session!.user, address: call.address });
        const pending = (await parts.settings?.view())?.pending ?? null;
        return jsonAnswer(200, { applied: "at restart", logged_out: restored.users !== undefined, pending });
      },
    }),
    route({
      method: "POST",
      path: "/api/restart",
      least: "technician",
      async run({ session, address }) {
        desk();
        await audit.note({ action: "restart", outcome: "done", user: session!.user, address });
        return restarting();
      },
    }),
    route({
      method: "POST",
      path: "/api/reset",
      least: "owner",
      body: resetBody,
      async run(call) {
        await mustKnowPassword(parts, call, call.body.password.reveal(), "factory reset");
        await audit.note({ action: "factory reset", outcome: "done", user: call.session!.user, address: call.address });
        await desk().requestReset();
        sessions.endAll();
        const answer = restarting();
        return { ...answer, headers: { ...answer.headers, "Set-Cookie": clearedCookie(call.isSecure) } };
      },
    }),
  ];
}

function countIn(query: URLSearchParams): number {
  const count = Number(query.get("count") ?? 200);
  return Number.isInteger(count) && count >= 1 && count <= LINES_MAX ? count : 200;
}
