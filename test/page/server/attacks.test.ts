// What strangers on the same network try.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { OWNER, startWebDevice, VIEWER, type WebDevice } from "../../support/web-device.ts";

/** Sends bytes as they are; resolves with all that comes until the server closes. */
async function raw(device: WebDevice, bytes: string): Promise<string> {
  const socket = net.connect(device.port, "127.0.0.1");
  socket.setEncoding("latin1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  const closed = closing(socket); // a reset is an answer, too
  // Whoever announced more than they send is waited for a while: time passes as soon as there is an answer.
  socket.once("data", () => setImmediate(() => device.clock.advance(31_000)));
  socket.write(bytes);
  await closed;
  return answer;
}

/** Not events.once: that rejects at a reset, which is a way to close like any other here. */
function closing(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => void socket.on("error", () => undefined).once("close", () => resolve()));
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

test("a name that is not the device's own is refused, so that no foreign name can be rebound to it", async () => {
  await using device = await startWebDevice({ web: { allowed_hosts: ["panel.example.com"] } });
  const browser = device.browser();
  const { port } = device;
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1.evil.example",
    "192.0.2.8",
    "localhost.evil.example",
    "gw-test.evil",
    "[::1",
    "127.0.0.1@evil.example",
    "127.0.0.1/evil",
    "evil example",
    "gw-test:80:80",
  ]) {
    for (const path of ["/", "/api/session"]) {
      const answer = await browser.get(path, { Host: host });
      assert.ok([400, 421].includes(answer.status), `${JSON.stringify(host)} ${path}: ${answer.status}`);
      assert.ok(!answer.text.includes("claimed"), host);
    }
  }
  const empty = await raw(device, "GET /api/session HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n");
  assert.equal(statusOf(empty), 421);
  for (const host of [
    "127.0.0.1",
    `127.0.0.1:${port}`,
    "192.0.2.7",
    "[fe80::1]",
    "[FE80:0:0:0:0:0:0:1]:80",
    "localhost",
    "gw-test",
    "GW-Test.local",
    "gw-host.local.",
    "panel.example.com:443",
  ]) {
    assert.equal((await browser.get("/api/session", { Host: host })).status, 200, host);
  }
});

test("guesses become slow for the address and for the user, and the wait does not grow while it is waited", async () => {
  await using device = await startWebDevice();
  const guess = (user: string) => device.browser().post("/api/session", { user, password: "not the password" });
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) statuses.push((await guess("victor")).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429]);
  const waiting = await guess("victor");
  assert.equal(waiting.headers["retry-after"], "1");
  assert.equal(waiting.json.error.code, "WEB_WAIT");
  assert.equal((await guess("somebody-else")).status, 429, "the address waits, whoever it says it is");
  assert.equal(
    (await device.browser().post("/api/session", VIEWER)).status,
    429,
    "a user who was never here from this address waits, too",
  );
  device.clock.advance(1_000);
  assert.equal((await guess("victor")).status, 401);
  assert.equal((await guess("victor")).headers["retry-after"], "2");
  device.clock.advance(2_000);
  assert.equal((await device.browser().post("/api/session", VIEWER)).status, 200, "the right password after the wait");
});

test("a user who has logged in from an address is not locked out by who guesses there at other names", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  await device.loggedIn(VIEWER);
  for (let i = 0; i < 5; i++) await device.browser().post("/api/session", { user: "victor", password: "not the password" });
  assert.equal((await device.browser().post("/api/session", VIEWER)).status, 200);
});

test("many guesses at once are not all looked at", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const body = { user: "victor", password: "not the password" };
  const answers = await Promise.all(Array.from({ length: 12 }, () => device.browser().post("/api/session", body)));
  const looked = answers.filter(({ status }) => status === 401).length;
  assert.ok(looked >= 1 && looked <= 4, `${looked} were checked`);
  assert.ok(answers.every(({ status }) => status === 401 || status === 429));
});

test("the answer to a wrong name and to a wrong password is the same", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const [name, password] = [
    await device.browser().post("/api/session", { user: "nobody", password: "not the password" }),
    await device.browser().post("/api/session", { user: OWNER.user, password: "not the password" }),
  ];
  assert.deepEqual([name.status, name.text], [password.status, password.text]);
});

test("a session planted before the login is not the one after it, and an old one ends with a new login", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const victim = device.browser();
  victim.cookie = `petiole=${"P".repeat(43)}`;
  await victim.post("/api/session", VIEWER);
  assert.ok(!victim.cookie.includes("PPPP"));
  const first = victim.cookie;
  await victim.post("/api/session", VIEWER);
  assert.notEqual(victim.cookie, first);
  const stale = device.browser();
  stale.cookie = first;
  assert.equal((await stale.get("/api/status")).status, 401);
});

test("the cookie is for this page alone, and no script can read it", async () => {
  await using device = await startWebDevice({ isNew: true });
  const answer = await device.browser().post("/api/claim", { code: device.claimCode(), ...OWNER });
  assert.match(String(answer.headers["set-cookie"]), /^petiole=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
});

test("a session ends when it is idle, when it is old, at the logout, and with a new password", async () => {
  await using device = await startWebDevice({ web: { session_idle: "15m", session_max: "1h" } });
  await device.claimed();
  const idle = await device.loggedIn(VIEWER);
  device.clock.advance(14 * 60_000);
  assert.equal((await idle.get("/api/status")).status, 200);
  device.clock.advance(15 * 60_000);
  assert.equal((await idle.get("/api/status")).status, 401, "idle");
  const polling = await device.loggedIn(VIEWER);
  for (let i = 0; i < 3; i++) {
    device.clock.advance(6 * 60_000);
    const { status } = await polling.get("/api/status", { "X-Petiole-Unattended": "1" });
    assert.equal(status, i < 2 ? 200 : 401, "what the page asks for by itself keeps nobody logged in");
  }
  const old = await device.loggedIn(VIEWER);
  for (let i = 0; i < 4; i++) {
    device.clock.advance(14 * 60_000);
    assert.equal((await old.get("/api/status")).status, 200);
  }
  device.clock.advance(5 * 60_000);
  assert.equal((await old.get("/api/status")).status, 401, "old, though used all the time");
  const out = await device.loggedIn(VIEWER);
  const kept = out.cookie;
  assert.equal((await out.delete("/api/session")).status, 200);
  out.cookie = kept;
  assert.equal((await out.get("/api/status")).status, 401, "logged out");
  const [here, there] = [await device.loggedIn(VIEWER), await device.loggedIn(VIEWER)];
  const fresh = "eight blue bottles";
  const wrong = await here.put("/api/session/password", { password: "not the password", new_password: fresh });
  assert.equal(wrong.status, 403);
  assert.equal((await here.put("/api/session/password", { password: VIEWER.password, new_password: fresh })).status, 200);
  assert.equal((await here.get("/api/status")).status, 200, "who changed it stays");
  assert.equal((await there.get("/api/status")).status, 401, "everybody else goes");
  assert.equal((await device.browser().post("/api/session", VIEWER)).status, 401, "the old password");
});

test("one user's sessions are bounded: the ninth ends the first", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const all = [];
  for (let i = 0; i < 9; i++) all.push(await device.loggedIn(VIEWER));
  assert.equal((await all[0]!.get("/api/status")).status, 401);
  for (const browser of all.slice(1)) assert.equal((await browser.get("/api/status")).status, 200);
});

test("no path leads out of the page's files", async () => {
  await using device = await startWebDevice({ isNew: true });
  for (const path of [
    "/../secrets/claim-code",
    "/..%2fsecrets%2fclaim-code",
    "/%2e%2e/secrets/claim-code",
    "/....//secrets/claim-code",
    "//etc/passwd",
    "/\\..\\secrets\\claim-code",
    "/index.html%00.css",
    "/./index.html",
    "http://127.0.0.1/index.html",
    "*",
    "/.",
    "/__proto__",
    "/constructor",
  ]) {
    const answer = await raw(device, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    assert.ok([400, 404].includes(statusOf(answer)), `${path}: ${answer.slice(0, 40)}`);
    assert.ok(!answer.includes(device.claimCode()));
  }
});

test("a body that is too long is refused before it is read, whether it says its length or not", async () => {
  await using device = await startWebDevice({ isNew: true });
  const head = "POST /api/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
  assert.equal(statusOf(await raw(device, `${head}Content-Length: 999999999999\r\n\r\n{`)), 413);
  const chunk = `1000\r\n${"x".repeat(4096)}\r\n`;
  assert.equal(statusOf(await raw(device, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}`)), 413);
  const long = await device.browser().post("/api/claim", `"${"x".repeat(20_000)}"`);
  assert.equal(long.status, 413);
});

test("who sends far too much hears why, and one that never ends is put out", async () => {
  await using device = await startWebDevice({ isNew: true });
  const browser = device.browser();
  for (const size of [100_000, 3_000_000]) {
    const answer = await browser.post("/api/claim", `"${"x".repeat(size)}"`);
    assert.deepEqual([answer.status, answer.json.error.code], [413, "WEB_TOO_LARGE"], String(size));
  }
  const endless = net.connect(device.port, "127.0.0.1");
  const closed = closing(endless.resume());
  endless.write(
    "POST /api/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
  );
  const chunk = Buffer.alloc(64 * 1024, "x");
  const pour = () => {
    while (!endless.destroyed && endless.write(chunk));
  };
  endless.on("drain", pour);
  pour();
  await closed;
  assert.ok(endless.bytesWritten < 64 * 1024 * 1024, `${endless.bytesWritten} bytes were taken`);
});

test("a body that is no JSON, too deep, or of another shape is refused in words that do not repeat it", async () => {
  await using device = await startWebDevice({ isNew: true });
  const browser = device.browser();
  for (const body of [
    "{",
    "secret-word",
    `${"[".repeat(5000)}${"]".repeat(5000)}`,
    '{"code":"secret-word"',
    "null",
    "[]",
    '"secret-word"',
  ]) {
    const answer = await browser.post("/api/claim", body);
    assert.equal(answer.status, 400, body.slice(0, 20));
    assert.ok(!answer.text.includes("secret-word"), answer.text);
  }
  const faults = (await browser.post("/api/claim", { code: 1, user: "a b", passwort: "secret-word" })).json.faults;
  assert.deepEqual(
    faults.map(({ path }: { path: string }) => path).sort(),
    ["code", "password", "passwort", "user"],
    "every fault at once",
  );
  const own = await browser.post("/api/claim", '{"__proto__":{"code":"x"},"code":"x","user":"u","password":"p"}');
  assert.equal(own.status, 400);
});

test("a head that is too long, or that hides a second request, ends the connection", async () => {
  await using device = await startWebDevice();
  const get = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  assert.equal(statusOf(await raw(device, `${get}X: ${"x".repeat(9000)}\r\n\r\n`)), 431);
  assert.equal(statusOf(await raw(device, `GET /${"x".repeat(9000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)), 431);
  const both =
    "POST /api/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
  assert.equal(statusOf(await raw(device, both)), 400);
  assert.equal(statusOf(await raw(device, "GET / HTTP/1.1\r\n\r\n")), 400, "no host");
  assert.equal(statusOf(await raw(device, "\0\0\0\0\0\0\0\0\r\n\r\n")), 400);
});

test("nothing that a request brings gets into a header of the answer or a line of the trail", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  const evil = 'x\r\nSet-Cookie: petiole=evil\r\n\n{"at":"forged"}';
  for (const body of [
    { user: evil, password: "not the password" },
    { user: "x", password: evil },
  ]) {
    const answer = await device.browser().post("/api/session", body);
    assert.equal(answer.headers["set-cookie"], undefined);
  }
  const answer = await raw(
    device,
    "GET /api/users/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
  );
  assert.equal(statusOf(answer), 404);
  assert.ok(!/^set-cookie/im.test(answer));
  const { lines } = (await owner.get("/api/audit")).json;
  assert.ok(lines.every(({ at }: { at: string }) => at !== "forged"));
});

test("who sends its head or its body a byte at a time is put out, others are not kept waiting", async () => {
  await using device = await startWebDevice({ isNew: true });
  const slow = Array.from({ length: 20 }, () => net.connect(device.port, "127.0.0.1"));
  const closed = slow.map((socket) => closing(socket.resume()));
  await Promise.all(slow.map((socket) => once(socket, "connect")));
  const body = net.connect(device.port, "127.0.0.1");
  const bodyClosed = closing(body.resume());
  body.write("POST /api/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
  for (const socket of slow) socket.write("GET / HTTP/1.1\r\nX:");
  assert.equal((await device.browser().get("/")).status, 200);
  device.clock.advance(11_000);
  await Promise.all(closed);
  assert.equal(body.destroyed, false, "a body has longer");
  device.clock.advance(20_000);
  await bodyClosed;
  assert.equal((await device.browser().get("/")).status, 200);
});

test("every answer carries the headers that keep it out of others' frames, caches and scripts", async () => {
  await using device = await startWebDevice();
  const owner = await device.claimed();
  for (const path of ["/", "/placeholder.css", "/nothing", "/api/session", "/api/users", "/api/nothing"]) {
    const { headers } = await owner.get(path);
    const policy = String(headers["content-security-policy"]);
    assert.ok(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), path);
    assert.ok(!policy.includes("unsafe"), path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["x-frame-options"], "DENY", path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
    assert.equal(headers["access-control-allow-origin"], undefined, path);
    assert.equal(headers["x-powered-by"], undefined);
    assert.equal(headers["server"], undefined);
    if (path.startsWith("/api/")) assert.equal(headers["cache-control"], "no-store", path);
  }
});

test("one address has 32 connections at most, and who leaves makes room", async () => {
  await using device = await startWebDevice({ from: "192.0.2.50" });
  const sockets = Array.from({ length: 32 }, () => net.connect(device.port, "127.0.0.1").on("error", () => undefined));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const more = net.connect(device.port, "127.0.0.1");
  const moreClosed = closing(more);
  more.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  let answered = false;
  more.on("data", () => {
    answered = true;
  });
  await moreClosed;
  assert.equal(answered, false, "closed unread");
  const left = closing(sockets[0]!.resume());
  sockets[0]!.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  await left;
  assert.equal((await device.browser().get("/")).status, 200);
  for (const socket of sockets) socket.destroy();
});
