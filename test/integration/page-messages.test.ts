// What the page says of messages, on real hubs: what would become of one, what became of one sent by hand, and what a test message proves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import { outboxOptions } from "#outbox/options.ts";
import type { MessageDesk } from "#web/server/live-desks.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { createMessageDesk } from "../../src/desks/message-desk.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { HubStream } from "../support/stream.ts";
import { openRig, type Rig } from "../support/uplink-rig.ts";

const RULES = [
  { subjects: ["stored.>", "petiole.>"], class: "alarm", keep: "always", confirm: "stored" },
  { subjects: ["kept.>"], class: "telemetry", keep: "always", confirm: "accepted" },
  { subjects: ["never.>"], class: "bulk", keep: "never", confirm: "accepted" },
  { subjects: [">"], class: "state", keep: "durable", confirm: "accepted", no_interest: "drop" },
];
const BUDGET_MS = 5_000;

async function rigOn(hub: Hub): Promise<Rig> {
  return await openRig({ urls: [hub.leafUrlAs(LEAF)], ignore_discovered_servers: true }, { outbox: { rules: RULES } });
}

function deskOf(rig: Rig): MessageDesk {
  const outbox = decode(outboxOptions, { rules: RULES });
  if (!("value" in outbox)) throw new Error(JSON.stringify(outbox.faults));
  const limits = { maxPayload: 1024 * 1024, maxConnections: 10, maxPending: 1024 * 1024, writeDeadline: 10_000 };
  const accounts = new Map([["EDGE", rig.account]]);
  return createMessageDesk({
    config: { outbox: outbox.value, limits, serverName: "gw rig" },
    accounts,
    uplinks: () => [rig.uplink],
    clock: systemClock(),
  });
}

async function outcomeOf(desk: MessageDesk, rig: Rig, subject: string, isKept = false, budget = BUDGET_MS): Promise<string> {
  const message = { subject, headers: Buffer.alloc(0), payload: Buffer.from("x"), isKept, reply: "" };
  const [hub] = await desk.send(rig.account, message, budget, new AbortController().signal);
  return hub!.outcome;
}

for (const version of TESTED_LINES) {
  test(`hub ${version}: what became of a message sent by hand is told as it is`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const heard: string[] = [];
    nats.subscribe("heard.>", { callback: (_error, { subject }) => void heard.push(subject) });
    nats.subscribe("kept.heard", { callback: () => undefined });
    nats.subscribe("never.heard", { callback: () => undefined });
    nats.subscribe("stored.nowhere", { callback: () => undefined });
    await nats.flush();
    await HubStream.create(nats, "STORED", ["stored.here"]);
    await using rig = await rigOn(hub);
    const desk = deskOf(rig);
    const [view] = desk.outlook(rig.account, "heard.a");
    assert.deepEqual(view, { remote: "EDGE", is_linked: true, listening: "now", may_pass: true });
    assert.equal(desk.outlook(rig.account, "unheard")[0]!.listening, "never");
    assert.equal(await outcomeOf(desk, rig, "heard.a", true), "delivered");
    assert.deepEqual(heard, ["heard.a"], "and it is there");
    assert.equal(await outcomeOf(desk, rig, "heard.b"), "sent", "nobody confirms what is not kept");
    assert.equal(await outcomeOf(desk, rig, "unheard", true), "no_interest");
    assert.equal(await outcomeOf(desk, rig, "kept.heard"), "delivered", "kept always, whoever sends it");
    assert.equal(await outcomeOf(desk, rig, "kept.unheard"), "held");
    assert.equal(await outcomeOf(desk, rig, "never.heard", true), "sent");
    assert.equal(await outcomeOf(desk, rig, "stored.here"), "delivered", "the stream has answered");
    assert.equal(await outcomeOf(desk, rig, "stored.nowhere", false, 700), "awaited");
    await hub.server.stop();
    await rig.until("the link is down", () => !rig.uplink.link.isReady);
    assert.equal(await outcomeOf(desk, rig, "kept.heard"), "stored");
    assert.equal(await outcomeOf(desk, rig, "never.heard"), "link_down");
    await nats.close().catch(() => undefined);
  });

  test(`hub ${version}: a test message proves both halves where somebody listens and JetStream answers, and says so where not`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    await using rig = await rigOn(hub);
    const desk = deskOf(rig);
    const depth = () => rig.uplink.outbox.status().depth;
    const proved = async () => {
      const { subject, remotes } = await desk.test(BUDGET_MS, new AbortController().signal);
      assert.equal(subject, "petiole.test.gw_rig");
      const { there, back, rtt_ms: rtt } = remotes[0]!;
      return { there: there.by, back: back.by, hasRtt: rtt !== null };
    };
    assert.deepEqual(await proved(), { there: "pong", back: "message", hasRtt: true });
    assert.equal(depth(), 0, "nothing waits for a listener");
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "TESTS", ["petiole.test.>"]);
    await rig.until("the hub listens", () => desk.outlook(rig.account, "petiole.test.gw_rig")[0]!.listening === "now");
    assert.deepEqual(await proved(), { there: "message", back: "message", hasRtt: true });
    assert.equal(await stream.count(), 1);
    await hub.server.stop();
    await rig.until("the link is down", () => !rig.uplink.link.isReady);
    assert.deepEqual(await proved(), { there: null, back: null, hasRtt: false });
    assert.equal(depth(), 0);
    await nats.close().catch(() => undefined);
  });
}

test("without JetStream only PING and PONG come back, and no losses are counted for the attempt", async () => {
  await using hub = await startHub({ version: TESTED_LINES[0]! });
  await using rig = await rigOn(hub);
  const desk = deskOf(rig);
  const { remotes } = await desk.test(BUDGET_MS, new AbortController().signal);
  assert.equal(remotes[0]!.there.by, "pong");
  assert.equal(remotes[0]!.back.by, "pong");
  assert.match(remotes[0]!.back.text, /no JetStream/);
  assert.deepEqual(rig.uplink.outbox.losses.list(), []);
});
