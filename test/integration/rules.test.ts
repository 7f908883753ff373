// The owner's rules at a real hub, after an outage: who goes first, what is marked as history, what was too old, what was thinned.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { startSpoke } from "../support/spoke.ts";

const THINNED = 60;
const RULES = [
  { subjects: ["alarms.>"], class: "alarm" },
  { subjects: ["live.>"], class: "telemetry", order: "live_first" },
  { subjects: ["brief.>"], class: "state", max_age: "1s" },
  { subjects: ["thin.>"], class: "bulk", thin_after: { age: "1s", interval: "1h" } },
  { subjects: [">"] },
];

for (const version of TESTED_LINES) {
  test(`hub ${version}: after an outage alarms come first, the rest by class; old ones are marked, expired or thinned, as their rules say`, async () => {
    await using hub = await startHub({ version });
    await using cutter = await LinkCutter.before(hub.server.port("leaf"));
    const outbox = { free_reserve: "0B", max_bytes: "1MiB", rules: RULES };
    await using spoke = await startSpoke({ remote: { urls: [cutter.through(hub.leafUrlAs(LEAF))] }, settings: { outbox } });
    const app = await hub.connect();
    const arrived: { readonly subject: string; readonly isHistorical: boolean }[] = [];
    const note = {
      callback: (_: unknown, message: { subject: string; headers?: { get(name: string): string } }) => {
        arrived.push({ subject: message.subject, isHistorical: message.headers?.get("Petiole-Historical") === "1" });
      },
    };
    for (const filter of ["alarms.>", "live.>", "brief.>", "thin.>"]) app.subscribe(filter, note);
    await app.flush();
    await using device = await spoke.device();
    await spoke.untilReady();
    await device.publishAsync("live/a", "before", { qos: 1 });
    await spoke.until("the interest is known", () => arrived.length === 1);

    cutter.cut();
    await spoke.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    const publish = (topic: string, count: number, payload = "x") =>
      Promise.all(Array.from({ length: count }, () => device.publishAsync(topic, payload, { qos: 1 })));
    await publish("brief/a", 3);
    for (let i = 0; i < THINNED; i++) await publish("thin/a", 1, randomBytes(1500).toString("hex")); // nothing for S2: segments must fill
    await publish("live/a", 4);
    const lost = (reason: string) => {
      const losses = spoke.spoke.report().remotes[0]!.outbox.losses.filter((loss) => loss.reason === reason);
      return losses.reduce((sum, { messages }) => sum + messages, 0);
    };
    await spoke.until("old messages are thinned", () => lost("thinned") >= THINNED / 3);
    await publish("alarms/a", 3);

    arrived.length = 0;
    cutter.heal();
    await spoke.until("everything is delivered", ({ remotes }) => {
      return remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0;
    });
    const left = THINNED - lost("thinned");
    const subjects = () => arrived.map(({ subject }) => subject);
    await spoke.until("all that is left has arrived", () => arrived.length === 3 + 4 + left);
    assert.equal(lost("expired"), 3);
    assert.deepEqual(subjects().slice(0, 3), ["alarms.a", "alarms.a", "alarms.a"]);
    assert.ok(subjects().indexOf("live.a") < subjects().indexOf("thin.a"), "telemetry before bulk");
    for (const { subject, isHistorical } of arrived) assert.equal(isHistorical, subject === "live.a", subject);

    await device.publishAsync("live/a", "fresh", { qos: 1 });
    await spoke.until("the fresh one arrives", () => arrived.length === 8 + left);
    assert.deepEqual(arrived.at(-1), { subject: "live.a", isHistorical: false });
  });
}
