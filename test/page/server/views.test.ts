// What the page looks at through the daemon itself: the past, clients, what the device is made of, its secrets.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { startWebDevice, TECHNICIAN, VIEWER } from "../../support/web-device.ts";

const CREDS = "-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n";

test("a secret is put there with mode 0600, listed without its content, and kept while settings name it", async () => {
  const remote = { urls: ["tls://hub.example.com:7422"], account: "EDGE", credentials: "secrets/hub.creds" };
  await using device = await startWebDevice({ settings: { leafnodes: { remotes: [remote] } } });
  const browser = await device.loggedIn(TECHNICIAN);
  const put = await browser.post("/api/secrets", { name: "hub.creds", content: CREDS });
  assert.deepEqual([put.status, put.json.path], [201, "secrets/hub.creds"], put.text);
  const file = path.join(device.dataDir, "secrets/hub.creds");
  assert.equal(await fs.readFile(file, "utf8"), CREDS);
  assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
  await browser.post("/api/secrets", { name: "old.key", content: "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n" });
  const { text, json } = await browser.get("/api/secrets");
  assert.ok(
    !text.includes("eyJ0") && !JSON.stringify(json.secrets).includes("web-users"),
    "neither contents nor what is the device's own",
  );
  assert.deepEqual(
    json.secrets.map(({ name, kind, in_use }: { name: string; kind: string; in_use: boolean }) => [name, kind, in_use]),
    [
      ["hub.creds", "creds", true],
      ["old.key", "key", false],
    ],
  );
  const refused = await browser.delete("/api/secrets/hub.creds");
  assert.deepEqual([refused.status, refused.json.error.code], [409, "WEB_CONFLICT"]);
  assert.equal((await browser.delete("/api/secrets/old.key")).status, 200);
  assert.equal((await browser.delete("/api/secrets/old.key")).status, 404);
});

test("no secret gets out of its folder, takes a name that is the device's own, or is too long", async () => {
  await using device = await startWebDevice();
  const browser = await device.loggedIn(TECHNICIAN);
  const before = await fs.readdir(path.join(device.dataDir, "secrets"));
  const names = [
    "../settings.json",
    "a/b",
    ".hidden",
    "",
    "UPPER",
    "x".repeat(65),
    "web-users.json",
    "outbox.key",
    "claim-code",
    "web-users.json.new",
    "a\0b",
  ];
  for (const name of names) {
    const { status } = await browser.post("/api/secrets", { name, content: "x" });
    assert.ok(status === 400 || status === 409, `${JSON.stringify(name)}: ${status}`);
  }
  for (const name of ["..%2Fsettings.json", "web-users.json", "%2e%2e", "%", "%ff"]) {
    const { status } = await browser.delete(`/api/secrets/${name}`);
    assert.equal(status, 404, name);
  }
  assert.equal((await browser.post("/api/secrets", { name: "big", content: "x".repeat(64 * 1024 + 1) })).status, 400);
  assert.equal((await browser.post("/api/secrets", { name: "empty", content: "" })).status, 400);
  assert.equal((await browser.post("/api/secrets", { name: "list", content: ["x"] })).status, 400);
  assert.deepEqual(await fs.readdir(path.join(device.dataDir, "secrets")), before);
});

test("about says what the device is made of, and a build without texts says so", async () => {
  await using device = await startWebDevice();
  const browser = await device.loggedIn(VIEWER);
  const { json } = await browser.get("/api/about");
  assert.equal(json.node, process.version);
  assert.equal(json.supervisor, null);
  assert.equal(json.fingerprint, null);
  assert.equal(json.licences, null);
  assert.equal((await browser.get("/api/about/licences")).status, 404);
  assert.deepEqual((await browser.get("/api/supervisor")).json, { supervisor: null });
});

test("a client id is found whatever is in it", async () => {
  const ended: [string, boolean][] = [];
  const clients = {
    list: () => ({ mqtt: [], nats: [], more: { mqtt: 0, nats: 0 } }),
    endMqtt: (id: string, forgets: boolean) => ended.push([id, forgets]) > 0 && id !== "nobody",
  };
  await using device = await startWebDevice({ clients });
  const browser = await device.loggedIn(TECHNICIAN);
  const id = "pümp/1 <b>%41</b>";
  assert.equal((await browser.delete(`/api/clients/mqtt/${encodeURIComponent(id)}?session=1`)).status, 200);
  assert.equal((await browser.delete("/api/clients/mqtt/plain")).status, 200);
  assert.equal((await browser.delete("/api/clients/mqtt/nobody")).status, 404);
  assert.deepEqual(ended, [
    [id, true],
    ["plain", false],
    ["nobody", false],
  ]);
});

test("a board with a supervisor is rebooted by its owner, and the reason why it will not is told", async () => {
  const asked: string[] = [];
  const { SupervisorError } = await import("#supervisor/errors.ts");
  const idle = {
    status: "Idle",
    commit: "abc",
    update_pending: false,
    update_downloaded: false,
    download_percent: null,
    fault: null,
  };
  const supervisor = {
    state: async () => idle,
    reboot: async () => {
      throw new SupervisorError("SUPERVISOR_LOCKED", "asked for a reboot, and an update lock is held");
    },
    shutdown: async () => void asked.push("shutdown"),
    rename: async (name: string) => void asked.push(name),
  };
  await using device = await startWebDevice({ supervisor });
  const owner = await device.claimed();
  assert.equal((await owner.get("/api/supervisor")).json.supervisor.status, "Idle");
  const locked = await owner.post("/api/supervisor/reboot");
  assert.deepEqual([locked.status, locked.json.error.code], [409, "WEB_SUPERVISOR"]);
  assert.equal((await owner.post("/api/supervisor/hostname", { hostname: "gw-7" })).status, 202);
  assert.equal((await owner.post("/api/supervisor/hostname", { hostname: "-no" })).status, 400);
  assert.equal((await owner.post("/api/supervisor/shutdown")).status, 202);
  assert.deepEqual(asked, ["gw-7", "shutdown"]);
});
