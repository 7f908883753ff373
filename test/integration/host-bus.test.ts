// Our questions on a real message bus of our own.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { systemBus } from "#ingress/host/bus/system-bus.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

const DAEMON = "/usr/bin/dbus-daemon";
const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const skip = existsSync(DAEMON) ? false : `there is no ${DAEMON}`;

test("a real bus lets us in, answers, and says that nobody of a name is there", { timeout: 30_000, skip }, async () => {
  await using folder = await tempFolder("petiole-bus");
  const place = `${folder.path}/bus`;
  await using daemon = await SpawnedProcess.start(DAEMON, [
    "--session",
    "--nofork",
    "--print-address",
    `--address=unix:path=${place}`,
  ]);
  await daemon.says(/unix:path/, 10_000);
  const bus = systemBus([`${folder.path}/nothing`, place]);
  const [names] = (await bus.call({ ...BUS, member: "ListNames" })) ?? [];
  assert.ok(
    Array.isArray(names) && names.includes("org.freedesktop.DBus") && names.some((name) => String(name).startsWith(":1.")),
  );
  const [id] = (await bus.call({ ...BUS, member: "GetId" })) ?? [];
  assert.match(String(id), /^[0-9a-f]{32}$/);
  const modems = { destination: "org.freedesktop.ModemManager1", path: "/", interface: "a.b", member: "GetManagedObjects" };
  assert.equal(await bus.call(modems), undefined, "nobody is started for our sake");
  const asked = execFileSync("dbus-send", [
    `--bus=unix:path=${place}`,
    "--dest=org.freedesktop.DBus",
    "--print-reply",
    "/",
    "org.freedesktop.DBus.ListNames",
  ]);
  assert.equal(String(asked).match(/":1\.\d+"/g)?.length, 1, "of ours, no connection is left: the one is its own");
});

test("no bus, one that refuses and one that says nothing are no answer", { timeout: 30_000 }, async () => {
  await using folder = await tempFolder("petiole-bus");
  assert.equal(await systemBus([`${folder.path}/nothing`]).call({ ...BUS, member: "GetId" }), undefined);
  for (const greeting of [
    "REJECTED KERBEROS_V4\r\n",
    "OK 1234\r\nl\u0002\u0001\u0001\u00ff\u00ff\u00ff\u00ff12345678901234567890",
    undefined,
  ]) {
    const place = `${folder.path}/bus`;
    const server = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      if (greeting !== undefined) socket.write(greeting, "latin1");
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(place, resolve);
    await promise;
    assert.equal(await systemBus([place]).call({ ...BUS, member: "GetId" }), undefined, String(greeting));
    server.close();
  }
});
