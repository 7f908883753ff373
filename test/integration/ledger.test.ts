// What becomes of messages that are lost: the hub hears of it, status shows it, and it is all there after a restart.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { formatStatus } from "../../src/cli/status.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };
const RULES = [{ subjects: [">"], keep: "durable", no_interest: "hold", max_age: "1s" }];

interface Told {
  readonly subject?: string;
  readonly server_name?: string;
  readonly remote?: string;
  readonly account?: string;
  readonly [field: string]: unknown;
}

for (const version of TESTED_LINES) {
  test(`hub ${version}: what grew too old is told on $PETIOLE.<server_name>.ledger, and known after a restart`, async () => {
    await using hub = await startHub({ version });
    const nats = await hub.connect();
    const told = nats.subscribe("$PETIOLE.*.ledger", { max: 2 });
    nats.subscribe("sensors.>");
    await nats.flush();
    await using cutter = await LinkCutter.before(hub.server.port("leaf"));
    await using folder = await tempFolder("petiole-ledger");
    const options = {
      dataDir: folder.path,
      remote: { urls: [cutter.through(hub.leafUrl)], ...LOGIN },
      settings: { outbox: { free_reserve: "0B", rules: RULES } },
    };
    {
      await using spoke = await startSpoke(options);
      await spoke.untilReady();
      cutter.cut();
      await spoke.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
      await using device = await spoke.device();
      for (let i = 0; i < 3; i++) await device.publishAsync("sensors/a", `${i}`, { qos: 1 });
      await device.publishAsync("sensors/a", "not kept", { qos: 0 });
      await spoke.until("they are on flash", ({ remotes }) => remotes[0]!.outbox.depth === 3);
      await pause(1100); // they must grow too old
      cutter.heal();
      const heard = (await Array.fromAsync(told)).map((each): Told => ({ subject: each.subject, ...each.json<Told>() }));
      for (const { subject, server_name, remote, account } of heard)
        assert.deepEqual([subject, server_name, remote, account], ["$PETIOLE.gw-test.ledger", "gw-test", "EDGE", "EDGE"]);
      assert.deepEqual(
        heard.map((each: Told) => ["reason", "class", "messages", "from_seq", "through_seq"].map((field) => each[field])).sort(),
        [
          ["expired", "state", 3, 1, 3],
          ["link_down", null, 1, null, null],
        ],
      );
      const report = await spoke.until("it is delivered or lost", ({ remotes }) => remotes[0]!.outbox.depth === 0);
      assert.equal(report.health.verdict, "ok", "too old is what its owner wanted");
    }
    await using again = await startSpoke(options);
    const report = await again.untilReady();
    const losses = report.remotes[0]!.outbox.losses.map(({ reason, class: urgency, messages }) => [reason, urgency, messages]);
    assert.deepEqual(losses.sort(), [
      ["expired", "state", 3],
      ["link_down", null, 1],
    ]);
    assert.match(formatStatus(report), /3 state messages of outbox\.rules\[0\] grew older than max_age/);
    await nats.close();
  });
}

test("a healthy spoke without losses has no ledger, and nobody can forge one", async () => {
  await using hub = await startHub({ version: TESTED_LINES[0] });
  const nats = await hub.connect();
  const heard: string[] = [];
  nats.subscribe(">", { callback: (_, message) => void heard.push(message.subject) });
  await nats.flush();
  await using folder = await tempFolder("petiole-ledger");
  {
    await using spoke = await startSpoke({ dataDir: folder.path, remote: { urls: [hub.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    await device.publishAsync("$PETIOLE/gw-test/ledger", "{}", { qos: 0 });
    await device.publishAsync("sensors/a", "1", { qos: 1 });
    await spoke.until("it is delivered", ({ remotes }) => remotes[0]!.outbox.delivered === 1);
  }
  assert.ok(!(await readdir(`${folder.path}/outbox/EDGE`)).includes("ledger"));
  assert.ok(!heard.some((subject) => subject.startsWith("$PETIOLE.")), heard.join(" "));
  await nats.close();
});
