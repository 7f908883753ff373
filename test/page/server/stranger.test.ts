// The page's server read as a stranger's: what happens between two awaits, and what a role may do by a detour.

import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { type Disk, systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { EventStreams } from "#web/server/event-streams.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { Sessions } from "#web/server/sessions.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { LiveReader, startLiveDevice } from "../../support/live-device.ts";
import { OWNER, startWebDevice, TECHNICIAN } from "../../support/web-device.ts";

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
