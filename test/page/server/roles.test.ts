// Every route against every role, and every changing route without its token and from another page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ROLES, type Role } from "#web/server/roles.ts";
import { allRoutes } from "#web/server/web.ts";
import { type Browser, OWNER, startWebDevice, TECHNICIAN, VIEWER, type WebDevice } from "../../support/web-device.ts";

/** What a route is for, written down a second time: a route whose least role changes by mistake is found here. */
const LEAST: Readonly<Record<string, Role | "anyone">> = {
  "GET /api/session": "anyone",
  "POST /api/session": "anyone",
  "POST /api/claim": "anyone",
  "DELETE /api/session": "viewer",
  "PUT /api/session/password": "viewer",
  "GET /api/status": "viewer",
  "GET /api/events": "viewer",
  "GET /api/settings/schema": "viewer",
  "GET /api/history": "viewer",
  "GET /api/messages": "technician",
  "POST /api/messages": "technician",
  "POST /api/test-message": "technician",
  "GET /api/subjects/explain": "viewer",
  "GET /api/doctor": "technician",
  "POST /api/doctor": "technician",
  "GET /api/ports": "technician",
  "GET /api/ports/events": "technician",
  "POST /api/ports/guess": "technician",
  "GET /api/serial/:name/frames": "technician",
  "GET /api/clients": "viewer",
  "DELETE /api/clients/mqtt/:name": "technician",
  "GET /api/about": "viewer",
  "GET /api/about/licences": "viewer",
  "GET /api/about/sbom": "viewer",
  "GET /api/secrets": "technician",
  "POST /api/secrets": "technician",
  "DELETE /api/secrets/:name": "technician",
  "GET /api/supervisor": "viewer",
  "POST /api/supervisor/reboot": "owner",
  "POST /api/supervisor/shutdown": "owner",
  "POST /api/supervisor/hostname": "owner",
  "GET /api/settings": "technician",
  "POST /api/settings/check": "technician",
  "PUT /api/settings": "technician",
  "GET /api/logs": "technician",
  "POST /api/restart": "technician",
  "POST /api/settings/confirm": "owner",
  "POST /api/settings/revert": "owner",
  "GET /api/users": "owner",
  "POST /api/users": "owner",
  "PUT /api/users/:name": "owner",
  "DELETE /api/users/:name": "owner",
  "GET /api/audit": "owner",
  "POST /api/backup": "owner",
  "POST /api/restore": "owner",
  "POST /api/reset": "owner",
};
const PROTECTED = Object.entries(LEAST).filter(([, least]) => least !== "anyone");

/** Of a refusal on the way in; a body at fault or a conflict means that the handler's door was open. */
const SHUT = new Set(["WEB_NOT_LOGGED_IN", "WEB_ROLE", "WEB_TOKEN", "WEB_ORIGIN", "WEB_HOST", "WEB_UNCLAIMED", "WEB_NOT_FOUND"]);

/** Nothing it asks for is well-formed, so nothing happens even where it is let in. */
async function knock(browser: Browser, entry: string, headers: Record<string, string | undefined> = {}): Promise<string> {
  const [method, path] = entry.split(" ") as [string, string];
  const place = path.replace(":name", "nobody-of-that-name");
  const body = method === "POST" || method === "PUT" ? "[]" : undefined;
  const answer = await browser.request(method, place, body, headers);
  return answer.json?.error?.code ?? `HTTP ${answer.status}`;
}

test("the table of routes and roles is what the server has", async () => {
  const parts = new Proxy({}, { get: () => ({}) }) as never;
  const routes = allRoutes(parts).map(({ method, path, least }) => [`${method} ${path}`, least] as const);
  assert.deepEqual(Object.fromEntries(routes), LEAST);
});

async function browserOf(device: WebDevice, role: Role): Promise<Browser> {
  return await device.loggedIn({ viewer: VIEWER, technician: TECHNICIAN, owner: OWNER }[role]);
}

test("each route lets in its least role and those above, and nobody else", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  for (const role of ROLES) {
    const browser = await browserOf(device, role);
    for (const [entry, least] of PROTECTED) {
      const mayEnter = ROLES.indexOf(role) >= ROLES.indexOf(least as Role);
      // One ends the session it is called with, one never ends its answer: they have tests of their own.
      if (mayEnter && (entry === "GET /api/events" || entry === "DELETE /api/session")) continue;
      const code = await knock(browser, entry);
      if (mayEnter)
        assert.ok(!SHUT.has(code) || (code === "WEB_NOT_FOUND" && entry.includes(":name")), `${role}, ${entry}: ${code}`);
      else assert.equal(code, "WEB_ROLE", `${role}, ${entry}`);
    }
  }
});

test("without a login, and with a session that never was, every protected route asks for a login", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  for (const cookie of ["", `petiole=${"A".repeat(43)}`, "petiole=", "petiole", "__Host-petiole=x"]) {
    const browser = device.browser();
    browser.cookie = cookie;
    for (const [entry] of PROTECTED) assert.equal(await knock(browser, entry), "WEB_NOT_LOGGED_IN", `${cookie} ${entry}`);
  }
});

test("every changing route wants the session's token, and takes no other's", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  const viewer = await device.loggedIn(VIEWER);
  for (const [entry] of PROTECTED.filter(([name]) => !name.startsWith("GET "))) {
    assert.equal(await knock(owner, entry, { "X-Petiole-CSRF": undefined }), "WEB_TOKEN", entry);
    assert.equal(await knock(owner, entry, { "X-Petiole-CSRF": "" }), "WEB_TOKEN", entry);
    assert.equal(await knock(owner, entry, { "X-Petiole-CSRF": viewer.csrf }), "WEB_TOKEN", entry);
  }
  assert.equal((await owner.get("/api/users")).json.users.length, 3, "nothing happened");
});

test("a request that another web page sent is refused, even with cookie and token", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  for (const [entry] of Object.entries(LEAST)) {
    for (const headers of [
      { Origin: "https://evil.example" },
      { Origin: "null" },
      { Origin: `http://127.0.0.1:${device.port + 1}` },
      { Origin: `https://127.0.0.1:${device.port}` },
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
    ] as Record<string, string>[]) {
      const code = await knock(owner, entry, headers);
      assert.equal(code, "WEB_ORIGIN", `${entry} ${JSON.stringify(headers)}`);
    }
  }
  const own = { Origin: `http://127.0.0.1:${device.port}`, "Sec-Fetch-Site": "same-origin" };
  assert.equal((await owner.get("/api/users", own)).status, 200);
});

test("a form's body is no JSON, so a form elsewhere cannot log anybody in", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/jsonx", ""]) {
    const answer = await device.browser().post("/api/session", OWNER, { "Content-Type": type === "" ? undefined : type });
    assert.equal(answer.status, 415, type);
    assert.equal(answer.headers["set-cookie"], undefined);
  }
});
