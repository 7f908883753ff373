// Users, trail, log, backups, restart, factory reset, static files, and HTTPS with the device's own certificate.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import * as tls from "node:tls";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { systemDisk } from "#base/disk.ts";
import { createLog } from "#base/log.ts";
import { fingerprintOf, ownCertificateFile } from "#web/server/own-certificate.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { OWNER, startWebDevice, TECHNICIAN, VIEWER } from "../../support/web-device.ts";

test("owners make, change and remove users, whose sessions end with it; the last owner stays", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  const added = await owner.post("/api/users", { user: "new.one", role: "viewer", password: "quite new password" });
  assert.equal(added.status, 201);
  assert.ok(!added.text.includes("scrypt") && !added.text.includes("quite new"));
  const fresh = await device.loggedIn({ user: "new.one", password: "quite new password" });
  assert.equal((await fresh.get("/api/logs")).status, 403);
  assert.equal((await owner.put("/api/users/new.one", { role: "technician" })).status, 200);
  assert.equal((await fresh.get("/api/status")).status, 401, "the old role's session has ended");
  const again = await device.loggedIn({ user: "new.one", password: "quite new password" });
  assert.equal((await again.get("/api/logs")).status, 200);
  assert.equal((await owner.delete("/api/users/new.one")).status, 200);
  assert.equal((await again.get("/api/status")).status, 401);
  assert.equal((await owner.delete("/api/users/new.one")).status, 404);
  assert.equal(
    (await owner.post("/api/users", { user: OWNER.user, role: "viewer", password: "quite new password" })).status,
    409,
  );
  for (const answer of [
    await owner.delete(`/api/users/${OWNER.user}`),
    await owner.put(`/api/users/${OWNER.user}`, { role: "viewer" }),
  ])
    assert.deepEqual([answer.status, answer.json.error.code], [409, "WEB_CONFLICT"]);
});

test("the trail tells who did what from where, survives a restart, and is for owners", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  await device.browser().post("/api/session", { user: "victor", password: "not the password" });
  await owner.put(`/api/users/${VIEWER.user}`, { role: "technician" });
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  const { lines } = (await (await again.loggedIn(OWNER)).get("/api/audit?count=4")).json;
  assert.deepEqual(
    lines.map(({ action, outcome, user, address, detail }: Record<string, string>) => [action, outcome, user, address, detail]),
    [
      ["login", "done", "olga", "127.0.0.1", undefined],
      ["user changed", "done", "olga", "127.0.0.1", "vera, technician"],
      ["login", "refused", "victor", "127.0.0.1", undefined],
      ["login", "done", "olga", "127.0.0.1", undefined],
    ],
  );
  assert.match(lines[0].at, /^2026-01-01T00:00:0/);
});

test("the log's last lines are there, as many as asked for", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const log = createLog(device.clock, "info", (line) => device.tail.add(line));
  for (let i = 0; i < 1500; i++) log.info(`line ${i}`);
  const technician = await device.loggedIn(TECHNICIAN);
  const { lines } = (await technician.get("/api/logs?count=3")).json;
  assert.deepEqual(
    lines.map((line: string) => line.slice(-9)),
    ["line 1497", "line 1498", "line 1499"],
  );
  for (const [count, wanted] of [
    ["1000", 1000],
    ["1001", 200],
    ["-1", 200],
    ["x", 200],
    ["", 200],
  ] as const)
    assert.equal((await technician.get(`/api/logs?count=${count}`)).json.lines.length, wanted, count);
});

const PASSPHRASE = "a long enough passphrase";

test("a backup brings settings, secrets and users to another device, and none of the keys", async () => {
  await using old = await startWebDevice({
    settings: { server_name: "gw-old", accounts: [{ name: "EDGE", users: [{ user: "pump", password: "password-of-pump" }] }] },
  });
  const owner = await old.claimed();
  await fs.writeFile(path.join(old.dataDir, "secrets/hub.creds"), "creds of the hub");
  await fs.writeFile(path.join(old.dataDir, "secrets/outbox.key"), "key of the outbox, never to leave");
  const backup = await owner.post("/api/backup", { passphrase: PASSPHRASE, password: OWNER.password });
  assert.equal(backup.status, 200, backup.text);
  for (const secret of ["creds of the hub", "key of the outbox", "gw-old", "scrypt"])
    assert.ok(!backup.bytes.includes(secret), secret);

  await using fresh = await startWebDevice({ isNew: true });
  const first = await fresh.claimed();
  const base64 = backup.bytes.toString("base64");
  const restore = (passphrase: string, text = base64) =>
    first.post("/api/restore", { passphrase, password: OWNER.password, backup: text });
  const wrong = await restore("another long passphrase");
  assert.deepEqual([wrong.status, wrong.json.error.code], [400, "WEB_BACKUP"]);
  const flipped = Buffer.from(backup.bytes);
  flipped[flipped.length - 20]! ^= 1;
  assert.equal((await restore(PASSPHRASE, flipped.toString("base64"))).status, 400);
  assert.equal((await restore(PASSPHRASE, Buffer.from("PETIOLE-BACKUP").toString("base64"))).status, 400);
  const restored = await restore(PASSPHRASE);
  assert.equal(restored.status, 200, restored.text);
  assert.equal((await first.get("/api/status")).status, 401, "they are other users now");
  await fresh.loggedIn(TECHNICIAN);
  const read = (name: string) => fs.readFile(path.join(fresh.dataDir, name), "utf8");
  assert.equal(await read("secrets/hub.creds"), "creds of the hub");
  assert.equal(JSON.parse(await read("settings.json")).server_name, "gw-old");
  await assert.rejects(read("secrets/outbox.key"), { code: "ENOENT" });
});

test("backup, restore and reset ask for the password once more", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  for (const [route, body] of [
    ["/api/backup", { passphrase: PASSPHRASE }],
    ["/api/restore", { passphrase: PASSPHRASE, backup: "AAAA" }],
    ["/api/reset", {}],
  ] as const) {
    const answer = await owner.post(route, { ...body, password: "not the password" });
    assert.deepEqual([answer.status, answer.json.error.code], [403, "WEB_LOGIN_FAILED"], route);
  }
  await assert.rejects(fs.stat(path.join(device.dataDir, "factory-reset")), { code: "ENOENT" });
});

test("a factory reset erases keys, secrets, users, settings and outbox at the next start, and what is not ours stays", async () => {
  await using device = await startWebDevice({ settings: { server_name: "gw-sold" } });
  const owner = await device.claimed();
  const place = (name: string) => path.join(device.dataDir, name);
  await fs.mkdir(place("outbox/EDGE/alarm"), { recursive: true });
  await fs.writeFile(place("outbox/EDGE/alarm/1.segment"), "readings");
  await fs.writeFile(place("secrets/outbox.key"), "k".repeat(32), { mode: 0o600 });
  await fs.writeFile(place("photo.jpg"), "not ours");
  assert.equal((await owner.post("/api/reset", { password: OWNER.password })).status, 202);
  assert.equal((await owner.get("/api/status")).status, 401);
  device.clock.advance(500);
  assert.equal(device.restarts(), 1);
  await device.web[Symbol.asyncDispose]();
  await using again = await startWebDevice({ dataDir: device.dataDir });
  assert.deepEqual((await again.browser().get("/api/session")).json, { claimed: false, session: null });
  assert.match(again.claimCode(), /-/);
  for (const name of [
    "outbox",
    "mqtt",
    "secrets/outbox.key",
    "secrets/web-users.json",
    "settings.json",
    "settings.json.last",
    "factory-reset",
  ])
    await assert.rejects(fs.stat(place(name)), { code: "ENOENT" }, name);
  assert.equal(await fs.readFile(place("photo.jpg"), "utf8"), "not ours");
});

test("the placeholder is served whole, compressed as the browser likes, and once", async () => {
  await using device = await startWebDevice({ isNew: true });
  const browser = device.browser();
  const plain = await browser.get("/");
  assert.equal(plain.headers["content-type"], "text/html; charset=utf-8");
  assert.ok(!/<script|style=|<style|\son\w+=|https?:/i.test(plain.text), "nothing that the content policy forbids");
  const br = await browser.get("/", { "Accept-Encoding": "gzip, deflate, br" });
  assert.equal(br.headers["content-encoding"], "br");
  assert.deepEqual(brotliDecompressSync(br.bytes), plain.bytes);
  const gz = await browser.get("/", { "Accept-Encoding": "gzip, br;q=0" });
  assert.equal(gz.headers["content-encoding"], "gzip");
  assert.deepEqual(gunzipSync(gz.bytes), plain.bytes);
  const known = await browser.get("/", { "Accept-Encoding": "br", "If-None-Match": String(br.headers["etag"]) });
  assert.deepEqual([known.status, known.bytes.length], [304, 0]);
  assert.equal((await browser.get("/", { "If-None-Match": String(br.headers["etag"]) })).status, 200, "another form");
  assert.equal((await browser.request("HEAD", "/", undefined)).bytes.length, 0);
  assert.equal((await browser.request("POST", "/", "{}")).status, 405);
});

test("with tls self-signed the device makes its certificate, keeps it, and answers by HTTPS only", async () => {
  await using folder = await tempFolder("petiole-web");
  const fingerprints: (string | null)[] = [];
  for (let start = 0; start < 2; start++) {
    await using device = await startWebDevice({ dataDir: folder.path, isNew: true, web: { tls: "self-signed" } });
    fingerprints.push(device.web.fingerprint);
    const socket = tls.connect({ port: device.port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const shown = new X509Certificate(socket.getPeerX509Certificate()!.raw);
    assert.equal(shown.fingerprint256, device.web.fingerprint);
    assert.equal(await fingerprintOf(systemDisk(), ownCertificateFile(folder.path)), shown.fingerprint256);
    for (const name of ["gw-test", "gw-test.local", "gw-host", "localhost"]) assert.equal(shown.checkHost(name), name);
    assert.equal(shown.checkIP("192.0.2.7"), "192.0.2.7");
    const body = JSON.stringify({ code: start === 0 ? device.claimCode() : "", ...OWNER });
    const head = `Host: gw-test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nOrigin: https://gw-test\r\nConnection: close`;
    socket.setEncoding("utf8");
    let answer = "";
    socket.on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.write(`POST /api/claim HTTP/1.1\r\n${head}\r\n\r\n${body}`);
    await once(socket, "close");
    if (start === 0)
      assert.match(answer, /^Set-Cookie: __Host-petiole=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure\r$/m);
    else assert.match(answer, /^HTTP\/1\.1 4/);
    await assert.rejects(device.browser().get("/"), "no plain HTTP on that port");
  }
  assert.equal(fingerprints[0], fingerprints[1]);
});
