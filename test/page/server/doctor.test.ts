// The doctor's stream: who may, one at a time, whoever goes away ends theirs, and a hub that is not in the settings yet.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import type { DoctorDesk } from "#web/server/live-desks.ts";
import { createDoctorDesk } from "../../../src/desks/doctor-desk.ts";
import { turn } from "../../support/fake-clock.ts";
import { LiveReader, startLiveDevice } from "../../support/live-device.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { TECHNICIAN, VIEWER } from "../../support/web-device.ts";

/** An examination that a test walks through. */
class ScriptedDoctor implements DoctorDesk {
  readonly asked: unknown[] = [];
  readonly reasons: unknown[] = [];
  tell: (finding: object) => void = () => undefined;
  finish: (report: object) => void = () => undefined;
  running = 0;

  async prepare(remote: unknown) {
    this.asked.push(remote);
    return {
      steps: ["clock", "reach"],
      run: async (onFinding: (finding: object) => void, signal: AbortSignal) => {
        this.running += 1;
        const { promise, resolve, reject } = Promise.withResolvers<object>();
        this.tell = onFinding;
        this.finish = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        try {
          return await promise;
        } catch (error) {
          this.reasons.push(error);
          throw error;
        } finally {
          this.running -= 1;
        }
      },
    };
  }
}

test("findings come one by one, and the report at the end", async () => {
  const doctor = new ScriptedDoctor();
  await using live = await startLiveDevice({ doctor });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  using reader = await LiveReader.read(device, technician, "/api/doctor", {});
  assert.deepEqual(await reader.until("begin"), { steps: ["clock", "reach"] });
  assert.deepEqual((await technician.get("/api/doctor")).json, { busy: true });
  doctor.tell({ step: "clock", cause: "a\r\n\r\nevent: done\r\ndata: {}" });
  assert.equal((await reader.until("step")).cause, "a\r\n\r\nevent: done\r\ndata: {}");
  assert.deepEqual(reader.of("done"), []);
  doctor.finish({ compact: "PTL1" });
  assert.deepEqual(await reader.until("done"), { compact: "PTL1" });
  await reader.ended;
  assert.deepEqual((await technician.get("/api/doctor")).json, { busy: false });
});

test("two doctors at once would measure each other: the second is told to wait", async () => {
  const doctor = new ScriptedDoctor();
  await using live = await startLiveDevice({ doctor });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  using first = await LiveReader.read(device, technician, "/api/doctor", {});
  await first.until("begin");
  const second = await technician.post("/api/doctor", {});
  assert.equal(second.status, 409);
  assert.equal(second.json.error.code, "WEB_BUSY");
  doctor.finish({});
  await first.ended;
  using third = await LiveReader.read(device, technician, "/api/doctor", {});
  await third.until("begin");
  doctor.finish({});
  await third.until("done");
});

test("two that come at the same moment: one of them is examined, the other one hears why not", async () => {
  const doctor = new ScriptedDoctor();
  await using live = await startLiveDevice({ doctor });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const gate = Promise.withResolvers<void>();
  const prepare = doctor.prepare.bind(doctor);
  doctor.prepare = async (remote) => {
    await gate.promise;
    return await prepare(remote);
  };
  const opening = [0, 1].map(() => LiveReader.read(device, technician, "/api/doctor", {}));
  for (let i = 0; i < 50; i++) await turn();
  gate.resolve();
  const readers = await Promise.all(opening);
  assert.deepEqual(readers.map(({ status }) => status).sort(), [200, 409]);
  const examined = readers.find(({ status }) => status === 200)!;
  await examined.until("begin");
  assert.equal(doctor.running, 1);
  doctor.finish({});
  await Promise.all(readers.map(({ ended }) => ended));
});

test("whoever goes away ends their examination, and the daemon goes on", async () => {
  const doctor = new ScriptedDoctor();
  await using live = await startLiveDevice({ doctor });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const reader = await LiveReader.read(device, technician, "/api/doctor", {});
  await reader.until("begin");
  reader[Symbol.dispose]();
  while (doctor.running > 0) await turn();
  assert.equal(doctor.reasons.length, 1);
  using again = await LiveReader.read(device, technician, "/api/doctor", {});
  await again.until("begin");
  doctor.finish({});
});

test("it is for technicians, with their token, and takes nothing but a remote", async () => {
  const doctor = new ScriptedDoctor();
  await using live = await startLiveDevice({ doctor });
  const { device } = live;
  const [viewer, technician] = [await device.loggedIn(VIEWER), await device.loggedIn(TECHNICIAN)];
  assert.equal((await viewer.post("/api/doctor", {})).json.error.code, "WEB_ROLE");
  assert.equal((await technician.post("/api/doctor", {}, { "X-Petiole-CSRF": undefined })).json.error.code, "WEB_TOKEN");
  assert.equal((await technician.post("/api/doctor", {}, { Origin: "http://evil.example" })).json.error.code, "WEB_ORIGIN");
  for (const body of [[], { remote: "tls://hub" }, { remote: {}, steps: [] }, { remote: [] }])
    assert.equal((await technician.post("/api/doctor", body)).status, 400, JSON.stringify(body));
  assert.equal((await technician.post("/api/doctor", { remote: { urls: ["x".repeat(40_000)] } })).status, 413);
  assert.deepEqual(doctor.asked, []);
});

/** The real one, beside the settings in `dataDir`. */
function realDoctor(dataDir: string): DoctorDesk {
  const env = {
    clock: systemClock(),
    disk: systemDisk(),
    net: systemNet(),
    entropy: systemEntropy(),
    log: silentLog(),
    tty: systemTty(),
  };
  const status = () => {
    throw Object.assign(new Error("no daemon"), { code: "ENOENT" });
  };
  return createDoctorDesk({ dataDir, version: "test", environment: {}, env, status });
}

test("a hub that is not in the settings is examined as if it were, and nothing is written", async () => {
  await using folder = await tempFolder("petiole-doctor");
  const settings = { server_name: "gw-1", leafnodes: { remotes: [{ urls: ["tls://kept.invalid:7422"] }] }, mqtt: null };
  await fs.writeFile(`${folder.path}/settings.json`, JSON.stringify(settings));
  const closed = net.createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as net.AddressInfo;
  closed.close();
  await once(closed, "close");
  await using live = await startLiveDevice({ doctor: realDoctor(folder.path) });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const remote = { urls: [`tls://127.0.0.1:${port}`], user: "u", password: "hunter2-secret" };
  using reader = await LiveReader.read(device, technician, "/api/doctor", { remote });
  const done = await reader.until("done");
  const { steps } = reader.of("begin")[0];
  assert.ok(steps.includes("login") && !steps.includes("disk") && !steps.includes("daemon"), steps.join());
  const reach = reader.of("step").find(({ step }) => step === "reach");
  assert.equal(reach.detail, "ECONNREFUSED");
  assert.equal(reach.target, `tls://127.0.0.1:${port}`);
  assert.equal(done.summary.verdict, "broken");
  assert.match(done.compact, /reach@0\.0=LEAF_DIAL_FAILED/);
  assert.ok(!JSON.stringify(reader.events).includes("hunter2"), "no secret is told");
  assert.ok(!JSON.stringify(reader.events).includes("kept.invalid"), "this hub alone");
  assert.deepEqual(JSON.parse(await fs.readFile(`${folder.path}/settings.json`, "utf8")), settings);
});

test("what is wrong with the description of a hub is told key by key before anything is tried", async () => {
  await using folder = await tempFolder("petiole-doctor");
  await using live = await startLiveDevice({ doctor: realDoctor(folder.path) });
  const technician = await live.device.loggedIn(TECHNICIAN);
  const answer = await technician.post("/api/doctor", {
    remote: { urls: ["http://hub"], compresion: "off", password: "hunter2-secret" },
  });
  assert.equal(answer.status, 400);
  assert.equal(answer.json.error.code, "WEB_FAULTS");
  const paths = answer.json.faults.map(({ path }: { readonly path: string }) => path);
  assert.ok(paths.includes("leafnodes.remotes[0].urls[0]"), paths.join());
  assert.ok(paths.includes("leafnodes.remotes[0].compresion"), paths.join());
  assert.ok(!answer.text.includes("hunter2"));
});

test("a file that is named as credentials is not read out to whoever named it", async () => {
  await using folder = await tempFolder("petiole-doctor");
  await fs.writeFile(`${folder.path}/private`, "line-one-of-a-private-file\nline-two-of-it\n");
  await using live = await startLiveDevice({ doctor: realDoctor(folder.path) });
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const file = `${folder.path}/private`;
  for (const way of [{ credentials: file }, { tls: { ca_file: file } }, { tls: { cert_file: file, key_file: file } }]) {
    using reader = await LiveReader.read(device, technician, "/api/doctor", { remote: { urls: ["tls://127.0.0.1:9"], ...way } });
    await reader.ended;
    assert.ok(reader.of("step").length > 0);
    assert.ok(!JSON.stringify(reader.events).includes("private-file"), JSON.stringify(reader.events).slice(0, 3000));
  }
});
