// What we ask balena's supervisor, and what we make of its answers; against a stand-in on loopback.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { Secret } from "#base/secret.ts";
import { SupervisorError } from "#supervisor/errors.ts";
import { type Http, systemHttp } from "#supervisor/http.ts";
import { Supervisor, supervisorPlace } from "#supervisor/supervisor.ts";
import { FakeSupervisor } from "../support/fake-supervisor.ts";

const { signal } = new AbortController();
const inHaste: Http = (request, aborted) => systemHttp({ ...request, timeoutMs: 50 }, aborted);

function fails(code: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SupervisorError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    assert.doesNotMatch(`${error.message}${error.stack}`, /key-of-this-service|wrong-key/);
    return true;
  };
}

test("its place comes from the environment, and only whole", () => {
  const whole = { BALENA_SUPERVISOR_ADDRESS: "http://127.0.0.1:48484", BALENA_SUPERVISOR_API_KEY: "k", BALENA_APP_ID: "12" };
  const { address, key, appId } = supervisorPlace(whole)!;
  assert.deepEqual([address, key.reveal(), appId], ["http://127.0.0.1:48484", "k", 12]);
  assert.equal(supervisorPlace({ ...whole, BALENA_APP_ID: "twelve" })!.appId, null);
  assert.equal(supervisorPlace({ ...whole, BALENA_SUPERVISOR_ADDRESS: "file:///etc/passwd" }), undefined);
  assert.equal(supervisorPlace({ ...whole, BALENA_SUPERVISOR_API_KEY: "" }), undefined);
  assert.equal(supervisorPlace({}), undefined);
});

test("the state says whether an update is on its way", async () => {
  await using fake = await FakeSupervisor.start();
  const supervisor = new Supervisor(fake.place, systemHttp);
  const idle = { status: "Idle", commit: "abc", isUpdatePending: false, isUpdateDownloaded: false, downloadPercent: null };
  assert.deepEqual(await supervisor.state(signal), idle);
  fake.device = { status: "Downloading", commit: "", update_pending: true, update_downloaded: false, download_progress: 41 };
  assert.deepEqual(await supervisor.state(signal), {
    status: "Downloading",
    commit: null,
    isUpdatePending: true,
    isUpdateDownloaded: false,
    downloadPercent: 41,
  });
  fake.device = { surprise: true };
  assert.deepEqual(await supervisor.state(signal), { ...idle, status: "unknown", commit: null });
});

test("restart, reboot, shutdown and a new name are asked for in the supervisor's words", async () => {
  await using fake = await FakeSupervisor.start();
  const supervisor = new Supervisor(fake.place, systemHttp);
  await supervisor.restart(signal);
  await supervisor.reboot(signal);
  await supervisor.shutdown(signal);
  await supervisor.rename("gw-0042", signal);
  assert.deepEqual(fake.requests, [
    { method: "POST", path: "/v1/restart", body: { appId: 7 } },
    { method: "POST", path: "/v1/reboot", body: {} },
    { method: "POST", path: "/v1/shutdown", body: {} },
    { method: "PATCH", path: "/v1/device/host-config", body: { network: { hostname: "gw-0042" } } },
  ]);
});

test("a name that no network would take never leaves us", async () => {
  await using fake = await FakeSupervisor.start();
  const supervisor = new Supervisor(fake.place, systemHttp);
  for (const name of ["", "-a", "a-", "A", "a.b", "a b", "a\nb", "x".repeat(64), "ä"]) {
    await assert.rejects(supervisor.rename(name, signal), fails("SUPERVISOR_BAD_NAME", /cannot name the board/), name);
  }
  assert.equal(fake.requests.length, 0);
});

test("each refusal has its own code, and none shows the key", async () => {
  await using fake = await FakeSupervisor.start();
  const supervisor = new Supervisor(fake.place, systemHttp);
  fake.isLocked = true;
  await assert.rejects(supervisor.reboot(signal), fails("SUPERVISOR_LOCKED", /an update lock is held/));
  const stranger = new Supervisor({ ...fake.place, key: new Secret("wrong-key") }, systemHttp);
  await assert.rejects(stranger.state(signal), fails("SUPERVISOR_REFUSED", /label io\.balena\.features\.supervisor-api/));
  await assert.rejects(
    new Supervisor({ ...fake.place, appId: null }, systemHttp).restart(signal),
    fails("SUPERVISOR_UNCLEAR", /BALENA_APP_ID/),
  );
  fake.instead = { status: 500, body: "key-of-this-service" };
  await assert.rejects(supervisor.state(signal), fails("SUPERVISOR_UNCLEAR", /status 500/));
  for (const body of ["", "[", "null", "7", "<html>"]) {
    fake.instead = { status: 200, body };
    await assert.rejects(supervisor.state(signal), fails("SUPERVISOR_UNCLEAR", /no JSON object/), body);
  }
});

test("an answer that never ends, or never comes, or nobody there: unreachable, within its time", async () => {
  await using fake = await FakeSupervisor.start();
  fake.instead = { status: 200, body: "x".repeat(100_000) };
  await assert.rejects(new Supervisor(fake.place, systemHttp).state(signal), fails("SUPERVISOR_UNREACHABLE", /got no answer/));
  fake.instead = "silence";
  await assert.rejects(new Supervisor(fake.place, inHaste).state(signal), fails("SUPERVISOR_UNREACHABLE", /got no answer/));
  await fake[Symbol.asyncDispose]();
  await assert.rejects(new Supervisor(fake.place, systemHttp).state(signal), fails("SUPERVISOR_UNREACHABLE", /got no answer/));
});

test("an answer that would go on in another protocol is an answer we do not understand, and told at once", {
  timeout: 5_000,
}, async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tea\r\n\r\n"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const supervisor = new Supervisor({ address, key: new Secret("k"), appId: 1 }, systemHttp);
  await assert.rejects(supervisor.state(signal), fails("SUPERVISOR_UNCLEAR", /status 101/));
  server.close();
  await once(server, "close"); // our end hung up
});

test("when we are told to stop, that is the reason, not the supervisor", async () => {
  await using fake = await FakeSupervisor.start();
  fake.instead = "silence";
  const stop = new AbortController();
  const asked = new Supervisor(fake.place, systemHttp).state(stop.signal);
  stop.abort(new Error("stopping"));
  await assert.rejects(asked, /stopping/);
});
