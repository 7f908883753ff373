// From the first boot to a device with an owner, and what holds before there is one.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { OWNER, startWebDevice } from "../../support/web-device.ts";

test("at the first boot a claim code of 80 bits stands in the log once and in a file that only we may read", async () => {
  await using device = await startWebDevice({ isNew: true });
  const code = device.claimCode();
  assert.match(code, /^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
  const file = path.join(device.dataDir, "secrets/claim-code");
  assert.equal(await fs.readFile(file, "utf8"), `${code}\n`);
  assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  assert.ok(!again.log.some((line) => line.includes("claim_code")), "not told a second time");
  assert.equal(await fs.readFile(file, "utf8"), `${code}\n`, "the label on the box stays right");
});

test("before there is an owner nothing answers but the page, the session and the claim", async () => {
  await using device = await startWebDevice({ isNew: true });
  const browser = device.browser();
  assert.equal((await browser.get("/")).status, 200);
  assert.deepEqual((await browser.get("/api/session")).json, { claimed: false, session: null });
  for (const [method, route] of [
    ["GET", "/api/status"],
    ["GET", "/api/settings"],
    ["GET", "/api/users"],
    ["GET", "/api/events"],
    ["POST", "/api/session"],
    ["POST", "/api/reset"],
  ] as const) {
    const answer = await browser.request(method, route, method === "POST" ? { user: "a", password: "b" } : undefined);
    assert.equal(answer.status, 403, `${method} ${route}`);
    assert.equal(answer.json.error.code, "WEB_UNCLAIMED", `${method} ${route}`);
  }
});

test("who types the claim code becomes the owner, however they type it; the code is spent", async () => {
  await using device = await startWebDevice({ isNew: true });
  const code = device.claimCode();
  const browser = device.browser();
  const typed = ` ${code.toUpperCase().replaceAll("-", " ").replaceAll("0", "O").replaceAll("1", "l")} `;
  const claimed = await browser.post("/api/claim", { code: typed, ...OWNER });
  assert.equal(claimed.status, 201, claimed.text);
  assert.deepEqual([claimed.json.session.user, claimed.json.session.role], ["olga", "owner"]);
  assert.equal((await browser.get("/api/status")).status, 200, "logged in at once");
  await assert.rejects(fs.stat(path.join(device.dataDir, "secrets/claim-code")), { code: "ENOENT" });
  const late = await device.browser().post("/api/claim", { code, user: "mallory", password: OWNER.password });
  assert.deepEqual([late.status, late.json.error.code], [409, "WEB_CLAIMED"]);
});

test("a wrong claim code is refused, a weak password too, and the right code still works afterwards", async () => {
  await using device = await startWebDevice({ isNew: true });
  const browser = device.browser();
  const wrong = await browser.post("/api/claim", { code: "0000-0000-0000-0000", ...OWNER });
  assert.deepEqual([wrong.status, wrong.json.error.code], [403, "WEB_LOGIN_FAILED"]);
  for (const password of ["short", "aaaaaaaaaaaaaaaa", "olga12345!"]) {
    const weak = await browser.post("/api/claim", { code: device.claimCode(), user: "olga", password });
    assert.equal(weak.status, 400, password);
    assert.equal(weak.json.faults[0].path, "password");
    assert.ok(!weak.text.includes(password), "the password is not echoed");
  }
  assert.equal((await browser.post("/api/claim", { code: device.claimCode(), ...OWNER })).status, 201);
});

test("of two who claim at once, one becomes the owner", async () => {
  await using device = await startWebDevice({ isNew: true });
  const code = device.claimCode();
  const answers = await Promise.all(
    ["anna", "boris"].map((user) => device.browser().post("/api/claim", { code, user, password: OWNER.password })),
  );
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 201).length, 1, String(statuses));
  const users = JSON.parse(await fs.readFile(path.join(device.dataDir, "secrets/web-users.json"), "utf8"));
  assert.equal(users.users.length, 1);
});

test("users survive a restart, sessions do not", async () => {
  await using device = await startWebDevice({ isNew: true });
  const owner = await device.claimed();
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  const stale = again.browser();
  stale.cookie = owner.cookie;
  assert.equal((await stale.get("/api/status")).status, 401);
  assert.equal((await (await again.loggedIn(OWNER)).get("/api/status")).status, 200);
});

test("a users file that rotted lets nobody in, neither logged in nor as a first owner", async () => {
  await using device = await startWebDevice({ isNew: true });
  await device.claimed();
  await device.web[Symbol.asyncDispose]();
  const file = path.join(device.dataDir, "secrets/web-users.json");
  for (const rot of ["", "{}", '{"version":1,"users":[]}', "\0\0\0\0"]) {
    await fs.writeFile(file, rot);
    await assert.rejects(startWebDevice({ dataDir: device.dataDir }), { code: "WEB_USERS_DAMAGED" }, JSON.stringify(rot));
  }
});

test("what the page keeps never holds a password in clear", async () => {
  await using device = await startWebDevice({ isNew: true });
  await device.claimed();
  const texts = [device.log.join("\n")];
  for (const name of ["secrets/web-users.json", "audit/trail"])
    texts.push(await fs.readFile(path.join(device.dataDir, name), "utf8"));
  for (const text of texts) assert.ok(!text.includes(OWNER.password));
});
