// The page's server read as a stranger's: what happens between two awaits, and what a role may do by a detour.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import * as net from "node:net";
import { test } from "node:test";
import { type Disk, systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { deviceRoutes } from "#web/server/device-routes.ts";
import { EventStreams } from "#web/server/event-streams.ts";
import { LogTail } from "#web/server/log-tail.ts";
import type { Parts } from "#web/server/parts.ts";
import { sessionRoutes } from "#web/server/session-routes.ts";
import { Sessions } from "#web/server/sessions.ts";
import { Users } from "#web/server/users.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { LiveReader, startLiveDevice } from "../../support/live-device.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { OWNER, startWebDevice, TECHNICIAN, VIEWER, writeUsers } from "../../support/web-device.ts";

/** A disk on which the audit trail waits for a test. */
class SlowTrail {
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;
  waiting = 0;
  readonly disk: Disk;

  constructor() {
    const real = systemDisk();
    this.disk = {
      ...real,
      open: async (path, mode) => {
        const file = await real.open(path, mode);
        if (!path.endsWith("/audit/trail")) return file;
        const datasync = file.datasync.bind(file);
        return Object.assign(file, {
          datasync: async () => {
            this.waiting += 1;
            await this.#gate;
            await datasync();
          },
        });
      },
    };
  }

  stop(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
    this.waiting = 0;
  }

  go(): void {
    this.#open();
    this.#gate = undefined;
  }
}

test("somebody who is removed while their login is being written down does not get in, and the daemon stays up", async () => {
  const trail = new SlowTrail();
  await using device = await startWebDevice({ disk: trail.disk });
  const owner = await device.loggedIn(OWNER);
  trail.stop();
  const login = device.browser().post("/api/session", TECHNICIAN);
  while (trail.waiting === 0) await turn();
  const removal = owner.delete(`/api/users/${TECHNICIAN.user}`);
  while ((await owner.get("/api/users")).text.includes(TECHNICIAN.user)) await turn();
  trail.go();
  assert.equal((await removal).status, 200);
  const answer = await login;
  assert.equal(answer.status, 401, answer.text);
  assert.equal(answer.headers["set-cookie"], undefined);
});

test("somebody whose password is changed while their login is being written down does not get in with the old one", async () => {
  const trail = new SlowTrail();
  await using device = await startWebDevice({ disk: trail.disk });
  const owner = await device.loggedIn(OWNER);
  trail.stop();
  const before = (await owner.get("/api/users")).text;
  const login = device.browser().post("/api/session", TECHNICIAN);
  while (trail.waiting === 0) await turn();
  device.clock.advance(1_000); // so that the list shows another time
  const change = owner.put(`/api/users/${TECHNICIAN.user}`, { password: "another lamp tractor" });
  while ((await owner.get("/api/users")).text === before) await turn();
  trail.go();
  assert.equal((await change).status, 200);
  assert.equal((await login).status, 401);
});

test("a technician cannot change the page's certificate by the detour of the file that it lies in", async () => {
  await using device = await startWebDevice({
    settings: { web: { tls: { cert_file: "secrets/page.pem", key_file: "secrets/page.key" } } },
  });
  const technician = await device.loggedIn(TECHNICIAN);
  const answer = await technician.post("/api/secrets", { name: "page.key", content: "mine" });
  assert.equal(answer.status, 403, answer.text);
  assert.equal((await technician.post("/api/secrets", { name: "hub.creds", content: "mine" })).status, 201);
  const owner = await device.loggedIn(OWNER);
  assert.equal((await owner.post("/api/secrets", { name: "page.key", content: "theirs" })).status, 201);
});

test("a file that is in use is not removed, however the settings spell its path, or a variable does", async () => {
  await using device = await startWebDevice({
    settings: {
      leafnodes: {
        remotes: [{ urls: ["tls://a.example:7422"], credentials: "secrets/../secrets/hub.creds", account: "EDGE" }],
      },
    },
  });
  const technician = await device.loggedIn(TECHNICIAN);
  assert.equal((await technician.post("/api/secrets", { name: "hub.creds", content: "x" })).json.in_use, true);
  assert.equal((await technician.delete("/api/secrets/hub.creds")).status, 409);

  await using fleet = await startWebDevice({
    environment: { HUB_CREDENTIALS: "secrets/fleet.creds", HUB_URLS: '["tls://a.example:7422"]' },
  });
  const other = await fleet.loggedIn(TECHNICIAN);
  assert.equal((await other.post("/api/secrets", { name: "fleet.creds", content: "x" })).json.in_use, true);
  assert.equal((await other.delete("/api/secrets/fleet.creds")).status, 409);
});

test("nobody writes the trail full by sending messages, so that what they did before is gone", async () => {
  await using live = await startLiveDevice();
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  for (let i = 0; i < 150; i++) await technician.post("/api/messages", { subject: `s.${i}`, payload: "" });
  const owner = await device.loggedIn(OWNER);
  const lines = (await owner.get("/api/audit?count=1000")).json.lines as readonly { action: string; detail: string }[];
  const sent = lines.filter(({ action }) => action === "message sent");
  assert.ok(sent.length <= 40, `${sent.length} lines`);
  live.clock.advance(3_600_000);
  const again = await device.loggedIn(TECHNICIAN);
  await again.post("/api/messages", { subject: "last", payload: "" });
  const after = (await (await device.loggedIn(OWNER)).get("/api/audit?count=1000")).json.lines as typeof lines;
  const last = after.find(({ action }) => action === "message sent")!;
  assert.match(last.detail, new RegExp(`^last, 0 bytes; ${150 - sent.length} more `), "what was left out is counted");
});

test("whoever is gone before their stream begins leaves nothing behind", async () => {
  const gate = Promise.withResolvers<void>();
  let prepared = 0;
  const doctor = {
    async prepare() {
      prepared += 1;
      await gate.promise;
      const run = async (_: unknown, signal: AbortSignal): Promise<object> => {
        signal.throwIfAborted();
        return await new Promise(() => undefined);
      };
      return { steps: [], run };
    },
  };
  await using live = await startLiveDevice({ doctor });
  const { device, clock } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const pending = clock.pending;
  const leaving = new AbortController();
  const opening = LiveReader.open(device, technician, "/api/doctor", {}, leaving.signal).catch(() => undefined);
  while (prepared === 0) await turn();
  leaving.abort();
  await opening;
  for (let i = 0; i < 50; i++) await turn();
  gate.resolve();
  for (let i = 0; i < 50; i++) await turn();
  assert.deepEqual((await technician.get("/api/doctor")).json, { busy: false });
  assert.equal(clock.pending, pending);
});

test("a page whose session has ended and that does not read holds its connection no longer", () => {
  const clock = new FakeClock();
  const tail = new LogTail();
  const sessions = new Sessions({ idleMs: 10_000, maxMs: 60_000 }, clock, systemEntropy());
  using streams = new EventStreams(sessions, tail, () => ({}), clock);
  const responses = [0, 1_000].map((writableLength) => new QuietResponse(writableLength));
  for (const response of responses) {
    const { session } = sessions.open("vera", "viewer", "192.0.2.1");
    streams.open(response as unknown as ServerResponse, session);
  }
  clock.advance(12_000);
  assert.equal(streams.size, 0);
  clock.advance(10_000);
  assert.deepEqual(
    responses.map(({ ending }) => ending),
    ["ended", "destroyed"],
    "one hears that the session is over; the other one would never hear it",
  );
});

/** A response to somebody of whom so many bytes are unread. */
class QuietResponse {
  readonly writableLength: number;
  ending = "";
  #onClose: () => void = () => undefined;

  constructor(writableLength: number) {
    this.writableLength = writableLength;
  }

  writeHead(): void {
    // nobody reads
  }

  on(event: string, listener: () => void): this {
    if (event === "close") this.#onClose = listener;
    return this;
  }

  write(): boolean {
    return true;
  }

  end(): void {
    this.ending = "ended";
    if (this.writableLength === 0) this.#onClose();
  }

  destroy(): void {
    this.ending = "destroyed";
  }
}

/** A disk on which the file of that name waits for a test before it comes into its place. */
function holding(name: string): { readonly disk: Disk; readonly held: () => boolean; readonly go: () => void } {
  const real = systemDisk();
  const { promise, resolve } = Promise.withResolvers<void>();
  let isHeld = false;
  const rename: Disk["rename"] = async (from, to) => {
    if (to.endsWith(`/${name}`)) {
      isHeld = true;
      await promise;
    }
    await real.rename(from, to);
  };
  return { disk: { ...real, rename }, held: () => isHeld, go: resolve };
}

test("a page that closes leaves no change of its users behind: the next one reads them all, and no late request writes", async () => {
  const { disk, held, go } = holding("web-users.json");
  await using device = await startWebDevice({ disk });
  const owner = await device.loggedIn(OWNER);
  const removal = owner.delete(`/api/users/${TECHNICIAN.user}`).catch(() => undefined); // nobody hears of it
  while (!held()) await turn();
  let isClosed = false;
  const closing = device.web[Symbol.asyncDispose]().then(() => {
    isClosed = true;
  });
  for (let i = 0; i < 50; i++) await turn();
  assert.equal(isClosed, false);
  go();
  await closing;
  await removal;
  assert.equal((await Users.open(disk, device.dataDir)).find(TECHNICIAN.user), undefined);

  const users = await Users.open(disk, device.dataDir);
  await users[Symbol.asyncDispose]();
  await assert.rejects(users.remove(VIEWER.user), { code: "WEB_UNAVAILABLE" });
  assert.notEqual((await Users.open(disk, device.dataDir)).find(VIEWER.user), undefined);
});

test("a restart that was promised comes, also where the page closes before it is time", async () => {
  await using device = await startWebDevice();
  const technician = await device.loggedIn(TECHNICIAN);
  assert.equal((await technician.post("/api/restart")).status, 202);
  assert.equal(device.restarts(), 0);
  await device.web[Symbol.asyncDispose]();
  assert.equal(device.restarts(), 1);
  await device.clock.pass(10_000);
  assert.equal(device.restarts(), 1);
});

test("who is removed, or given another password, while theirs is being checked gets nothing by it", async () => {
  await using folder = await tempFolder();
  await writeUsers(folder.path);
  const [clock, entropy, disk] = [new FakeClock(), systemEntropy(), systemDisk()];
  const users = await Users.open(disk, folder.path);
  const sessions = new Sessions({ idleMs: 60_000, maxMs: 60_000 }, clock, entropy);
  let checked = Promise.withResolvers<boolean>();
  let backups = 0;
  const parts = {
    users,
    sessions,
    logins: { verify: () => checked.promise },
    audit: { note: async () => undefined },
    env: { clock, entropy, disk },
    device: { exportBackup: async () => Buffer.alloc(backups++) },
  } as unknown as Parts;
  const routes = [...deviceRoutes(parts), ...sessionRoutes(parts)];
  const ask = (path: string, { user }: typeof OWNER | typeof TECHNICIAN, body: object) => {
    const { session } = sessions.open(user, users.find(user)!.role, "192.0.2.1");
    const { run } = routes.find((each) => each.path === path && each.method !== "GET")!;
    return run({ session, address: "192.0.2.1", body } as never);
  };
  const secret = (text: string) => ({ reveal: () => text });

  const backup = ask("/api/backup", OWNER, { password: secret("x"), passphrase: secret("x") });
  sessions.endAllOf(OWNER.user); // by another owner
  checked.resolve(true);
  await assert.rejects(backup, { code: "WEB_NOT_LOGGED_IN" });
  assert.equal(backups, 0);

  checked = Promise.withResolvers();
  const change = ask("/api/session/password", TECHNICIAN, { password: secret("x"), newPassword: secret("mine again tractor") });
  const theirs = { ...users.find(VIEWER.user)!, ...users.find(TECHNICIAN.user)! }.password.replace(/.$/, "_");
  const before = users.change(TECHNICIAN.user, { password: theirs });
  checked.resolve(true);
  await assert.rejects(change, { code: "WEB_CONFLICT" });
  await before;
  assert.equal(users.find(TECHNICIAN.user)?.password, theirs);
  assert.equal((await Users.open(disk, folder.path)).find(TECHNICIAN.user)?.password, theirs);
});

test("live views that were asked for in one breath end with their connection, each of them", async () => {
  await using live = await startLiveDevice();
  const { device, clock } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const pending = clock.pending;
  const socket = net.connect(device.port, "127.0.0.1");
  const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${technician.cookie}\r\n\r\n`;
  socket.write(`${ask("/api/messages")}${ask("/api/messages")}${ask("/api/events")}`);
  await once(socket, "data");
  while (clock.pending < pending + 5) await turn(); // two views of two timers each, and what looks after both
  socket.destroy();
  for (let i = 0; i < 50; i++) await turn();
  assert.equal(clock.pending, pending);
});

test("a restore that finds no room for its files leaves the settings as they are", async () => {
  const real = systemDisk();
  let isFull = false;
  const open: Disk["open"] = async (path, mode) => {
    if (isFull && path.includes("/secrets/hub.creds"))
      throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    return await real.open(path, mode);
  };
  await using device = await startWebDevice({ disk: { ...real, open }, settings: { server_name: "gw-7" } });
  const owner = await device.loggedIn(OWNER);
  const [passphrase, password] = ["a long enough passphrase", OWNER.password];
  assert.equal((await owner.post("/api/secrets", { name: "hub.creds", content: "x" })).status, 201);
  const { bytes } = await owner.post("/api/backup", { passphrase, password });
  const { document, revision } = (await owner.get("/api/settings")).json;
  const renamed = { ...document, server_name: "gw-8" };
  assert.equal((await owner.put("/api/settings", { document: renamed, revision })).status, 200);
  const restore = () => owner.post("/api/restore", { passphrase, password, backup: bytes.toString("base64") });
  isFull = true;
  const refused = await restore();
  assert.equal(refused.status, 500, refused.text);
  assert.match(refused.json.error.message, /without room/);
  assert.match(device.log.at(-1)!, /could not answer a request.*ENOSPC/);
  assert.deepEqual((await owner.get("/api/settings")).json.document, renamed);
  isFull = false;
  const restored = await restore();
  assert.equal(restored.status, 200, restored.text);
  const again = await device.loggedIn(OWNER);
  assert.equal((await again.get("/api/settings")).json.document.server_name, "gw-7");
});

test("a file that the settings before an unconfirmed change name is kept, and changed by owners alone: they may come back", async () => {
  await using device = await startWebDevice({
    settings: { web: { tls: { cert_file: "secrets/page.pem", key_file: "secrets/page.key" } } },
  });
  const owner = await device.loggedIn(OWNER);
  for (const name of ["page.pem", "page.key"]) await owner.post("/api/secrets", { name, content: "x" });
  const { document, revision } = (await owner.get("/api/settings")).json;
  const changed = await owner.put("/api/settings", { document: { ...document, web: { tls: "self-signed" } }, revision });
  assert.equal(changed.status, 200, changed.text);
  assert.notEqual(changed.json.pending, null);
  const technician = await device.loggedIn(TECHNICIAN);
  assert.equal((await technician.delete("/api/secrets/page.key")).status, 409);
  assert.equal((await technician.post("/api/secrets", { name: "page.key", content: "mine" })).status, 403);
  assert.equal((await technician.get("/api/secrets")).json.secrets[0].in_use, true);
});

test("a disk without room is told of in the answer to a change, and in the log: the request is not said to have broken off", async () => {
  const real = systemDisk();
  const rename: Disk["rename"] = async (from, to) => {
    if (to.endsWith("/web-users.json")) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    await real.rename(from, to);
  };
  await using device = await startWebDevice({ disk: { ...real, rename } });
  const owner = await device.loggedIn(OWNER);
  const answer = await owner.put(`/api/users/${TECHNICIAN.user}`, { role: "viewer" });
  assert.deepEqual([answer.status, answer.json.error.code], [500, "WEB_UNAVAILABLE"], answer.text);
  assert.match(answer.json.error.message, /without room/);
  assert.match(device.log.at(-1)!, /could not answer a request.*ENOSPC/);
});
