// Commands from a real hub, and from an MQTT device, down to a serial device and back.

import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { headers } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { Pty } from "../support/pty.ts";
import { startSpoke } from "../support/spoke.ts";

const MAIN = path.resolve(import.meta.dirname, "../../src/main.ts");
const awake = { timeout: 60_000 };

for (const version of TESTED_LINES) {
  test(
    `hub ${version}: a request reaches the device, its outcome or its answer comes back, a late one is refused`,
    awake,
    async () => {
      await using hub = await startHub({ version });
      await using plain = await Pty.open();
      await using asking = await Pty.open();
      const serial = [
        { name: "valve", match: { path: plain.path }, write_subject: "cmd.{name}", write_payload: { append: "\\n" } },
        {
          name: "scale",
          match: { path: asking.path },
          decode: { type: "text" },
          subject: "sensors.scale",
          write_subject: "cmd.{name}",
          write_answer: "5s",
        },
      ];
      await using spoke = await startSpoke({ remote: { urls: [hub.leafUrlAs(LEAF)] }, settings: { serial } });
      const app = await hub.connect();
      await spoke.untilReady();
      await spoke.until("both ports are open", (report) => report.serial.every(({ state }) => state === "open"));

      const request = async (subject: string, payload: string, deadline?: string) => {
        const block = headers();
        if (deadline !== undefined) block.set("Petiole-Deadline", deadline);
        return await app.request(subject, payload, { timeout: 10_000, headers: block });
      };
      const done = await request("cmd.valve", "OPEN 3", new Date(Date.now() + 5000).toISOString());
      assert.equal(done.headers?.get("Petiole-Outcome"), "ok");
      const { ok, port, bytes } = done.json<Record<string, unknown>>();
      assert.deepEqual([ok, port, bytes], [true, "valve", 7]);
      await plain.hears(/OPEN 3\n/);

      const answered = request("cmd.scale", "W?\n");
      await asking.hears(/W\?\n/);
      asking.write("21.5 kg\n");
      assert.equal((await answered).string(), "21.5 kg");

      const late = await request("cmd.valve", "CLOSE", "2020-01-01T00:00:00Z");
      assert.deepEqual([late.headers?.get("Petiole-Outcome"), late.json<{ ok: boolean }>().ok], ["SERIAL_LATE", false]);

      await asking.unplug();
      await spoke.until("the scale is gone", ({ serial: ports }) => ports[1]?.state !== "open");
      const absent = (await request("cmd.scale", "W?\n")).json<{ error: string; message: string }>();
      assert.equal(absent.error, "SERIAL_ABSENT");

      await using device = await spoke.device();
      await device.publishAsync("cmd/valve", "SHUT", { qos: 1 });
      await plain.hears(/OPEN 3\nSHUT\n/);
      assert.ok(!plain.heard.includes("CLOSE"), "what was refused was never written");
      const last = await spoke.until("the last command is done", ({ serial: ports }) => (ports[0]?.commands.done ?? 0) >= 2);
      const { commands } = last.serial[0]!;
      assert.deepEqual([commands.done, commands.refused, commands.late], [2, 1, 1]);
    },
  );
}

test("petiole serial list and listen, beside the daemon", awake, async () => {
  await using plain = await Pty.open();
  await using spoke = await startSpoke({ settings: { serial: [{ name: "meter", match: { path: plain.path } }] } });
  await spoke.until("the port is open", (report) => report.serial[0]?.state === "open");
  const run = (...words: readonly string[]) =>
    SpawnedProcess.start(process.execPath, [MAIN, "serial", ...words, "--data", spoke.dataDir]);
  await using list = await run("list", "--json");
  assert.equal((await list.exited).code, 0);
  const { devices } = JSON.parse(list.stdout) as { devices: { port: string | null; state: string | null }[] };
  assert.deepEqual(devices.find(({ port }) => port === "meter")?.state, "open");
  await using listening = await run("listen", "meter");
  await listening.says(/port meter at 9600 baud, through the daemon/);
  plain.write('{"n":7}\n');
  await listening.says(/sensors\.meter\.n {2}7\n/);
  listening.signal("SIGTERM");
  assert.equal((await listening.exited).code, 0);
  assert.equal(spoke.spoke.report().serial[0]!.opens, 1, "the daemon was not disturbed");
});
