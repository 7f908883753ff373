// `confirm: stored` against real streams: what is safe, what waits for a stream, what never will be taken, and what a cluster must not lose.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import type { Json } from "#base/schema.ts";
import type { StatusReport } from "#status/report.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { meshed, startCluster } from "../support/cluster.ts";
import { CLIENT, type Hub, LEAF, startHub } from "../support/hub.ts";
import { DEVICE, startSpoke, type TestSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };
/** Publishes that wait for their acknowledgement at the same time. */
const IN_FLIGHT = 20;

for (const version of TESTED_LINES) {
  test(`hub ${version}: what a stream has stored is safe, and nothing is written to flash`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    // Nothing can be committed before the stream has answered: what is acknowledged, it has stored.
    await using spoke = await startStored(hub, "10s");
    await publish(spoke, "sensors/a", 300);
    assert.equal(await stream.count(), 300);
    const { depth, commits, flash_bytes: flash, delivered } = outboxOf(await spoke.until("all is done", isEmpty));
    assert.deepEqual({ depth, commits, flash, delivered }, { depth: 0, commits: 0, flash: 0, delivered: 300 });
    await nats.close();
  });

  test(`hub ${version}: somebody listens but no stream stores: it stays on flash, and goes when the stream is made`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    nats.subscribe("sensors.>", { callback: () => undefined });
    await nats.flush();
    await using spoke = await startStored(hub);
    await publish(spoke, "sensors/a", 50);
    const { depth, flash_bytes: flash } = outboxOf(spoke.spoke.report());
    assert.equal(depth, 50);
    assert.ok(flash > 0, "safe by flash");
    const waiting = await spoke.until("it is told why they wait", (report) => outboxOf(report).suspended.length > 0);
    assert.equal(outboxOf(waiting).suspended[0]!.subject, "sensors.a");
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await spoke.until("all is delivered", isEmpty);
    assert.deepEqual(await sorted(stream), numbers(50));
    assert.equal(outboxOf(spoke.spoke.report()).suspended.length, 0);
    await nats.close();
  });

  test(`hub ${version}: nobody listens at all: it stays on flash, and goes when the stream is made`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    await using spoke = await startStored(hub);
    await publish(spoke, "sensors/a", 50);
    assert.equal(outboxOf(spoke.spoke.report()).depth, 50);
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await spoke.until("all is delivered", isEmpty);
    assert.deepEqual(await sorted(stream), numbers(50));
    await nats.close();
  });

  test(`hub ${version}: a full stream that discards new holds them back, and takes them when there is room`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 1, { discard: "new", max_msgs: 30 });
    await using spoke = await startStored(hub);
    await publish(spoke, "sensors/a", 50);
    const full = await spoke.until("the stream is found full", (report) => outboxOf(report).suspended.length > 0);
    assert.match(outboxOf(full).suspended[0]!.why, /full|maximum messages/i);
    assert.equal(await stream.count(), 30);
    const first = await stream.payloads();
    await stream.update({ max_msgs: 1_000 });
    await spoke.until("all is delivered", isEmpty);
    assert.deepEqual(
      [...first].sort(byNumber),
      (await sorted(stream)).filter((each) => first.includes(each)),
    );
    assert.deepEqual(await sorted(stream), numbers(50));
    assert.deepEqual(outboxOf(spoke.spoke.report()).losses, []);
    await nats.close();
  });

  test(`hub ${version}: what is too large for the stream is refused and counted, the rest goes on`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 1, { max_msg_size: 1_000 });
    await using spoke = await startStored(hub);
    await using device = await spoke.device();
    for (let i = 0; i < 10; i++) {
      const payload = i % 3 === 0 ? "x".repeat(2_000) : String(i);
      await device.publishAsync("sensors/a", payload, { qos: 1 });
    }
    const report = outboxOf(await spoke.until("all is settled", isEmpty));
    assert.deepEqual(await sorted(stream), ["1", "2", "4", "5", "7", "8"]);
    assert.deepEqual(
      report.losses.map(({ reason, messages }) => [reason, messages]),
      [["refused", 4]],
    );
    assert.ok(spoke.log.some((line) => line.includes("message size exceeds maximum allowed")));
    await nats.close();
  });

  test(`hub ${version} that lets us hear no inbox: nothing is sent, it stays on flash, and status says why`, async () => {
    const leaf = { ...LEAF, permissions: { subscribe: ["cmd.>"] } };
    await using hub = await startHub({ version, jetstream: true, users: [CLIENT, leaf] });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using spoke = await startStored(hub);
    await publish(spoke, "sensors/a", 5);
    const report = outboxOf(await spoke.until("it says why", (each) => outboxOf(each).suspended.length > 0));
    assert.match(report.suspended[0]!.why, /inbox/i);
    assert.deepEqual([report.depth, await stream.count()], [5, 0]);
    await nats.close();
  });

  test(`hub ${version}: nobody here sees an answer, and nobody here can make one`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 1, { discard: "new", max_msgs: 1 });
    const replies: string[] = [];
    nats.subscribe("sensors.>", { callback: (_, message) => void replies.push(message.reply ?? "") });
    await nats.flush();
    await using spoke = await startStored(hub, "25ms", {
      listen: "127.0.0.1:0",
      accounts: [{ name: "EDGE", users: [{ user: DEVICE.user, password: DEVICE.password, nats: true }] }],
    });
    const servers = `127.0.0.1:${spoke.spoke.natsEndpoint!.port}`;
    const local = await connect({ servers, user: DEVICE.user, pass: DEVICE.password });
    const seen: string[] = [];
    for (const filter of [">", "_INBOX.>"])
      local.subscribe(filter, { callback: (_, message) => void seen.push(message.subject) });
    await local.flush();
    await publish(spoke, "sensors/a", 2);
    const [first, second] = await untilTwo(replies);
    assert.match(first, /^_INBOX\.[0-9a-z]{22}\.2\.1$/);
    // Not even one who knows the inbox: the hub sends nothing back to us that came from us.
    local.publish(second, '{"stream":"SENSORS","seq":1}');
    await local.flush();
    await spoke.until("the second waits", (report) => outboxOf(report).suspended.length > 0 && outboxOf(report).depth === 1);
    await stream.update({ max_msgs: 10 });
    await spoke.until("all is delivered", isEmpty);
    assert.deepEqual(await sorted(stream), ["0", "1"]);
    const inbox = first.replace(/\.\d+\.\d+$/, ".");
    assert.deepEqual(
      seen.filter((subject) => subject.startsWith(inbox) && subject !== second),
      [],
      "no answer of the stream",
    );
    assert.ok(seen.includes("sensors.a"), "it does see what is for it");
    await local.close();
    await nats.close();
  });

  test(`cluster ${version}: a rolling restart under load loses nothing acknowledged`, async (t) => {
    await using cluster = await startCluster(3, { version, jetstream: true });
    const nats = await cluster.hubs[0]!.connect({ maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 3);
    await using spoke = await startSpoke({
      remote: { urls: cluster.hubs.map((hub) => hub.leafUrl), ...LOGIN },
      settings: settingsFor("25ms"),
    });
    await spoke.untilReady();
    await using device = await spoke.device();
    const acked: string[] = [];
    let next = 0;
    let isOver = false;
    const publisher = async () => {
      while (!isOver) {
        const payload = String(next++);
        await device.publishAsync("sensors/a", payload, { qos: 1 });
        acked.push(payload);
        await new Promise((resolve) => setTimeout(resolve, 5)); // thousands are enough
      }
    };
    const load = Promise.all(Array.from({ length: IN_FLIGHT }, publisher));
    load.catch(() => undefined); // awaited below; if the test fails before that, its own error is the one to show
    for (const hub of cluster.hubs) {
      await progress(acked);
      await hub.server.restart();
      await Promise.all(cluster.hubs.map((each) => meshed(each, { others: 2, peers: 3 })));
      await spoke.untilReady();
    }
    await progress(acked);
    isOver = true;
    await load;
    await spoke.until("all is delivered", isEmpty);
    const payloads = await stream.payloads();
    const held = new Set(payloads);
    assert.deepEqual(
      acked.filter((each) => !held.has(each)),
      [],
      "acknowledged and not stored",
    );
    assert.equal(held.size, payloads.length, "the stream dropped every double");
    assert.deepEqual(outboxOf(spoke.spoke.report()).losses, []);
    t.diagnostic(
      `${acked.length} acknowledged, ${payloads.length} stored, over ${spoke.spoke.report().remotes[0]!.link.connects} links`,
    );
    await nats.close();
  });
}

function settingsFor(commitInterval: string) {
  const rule = { subjects: [">"], class: "telemetry", keep: "always", confirm: "stored", order: "strict" };
  return { outbox: { free_reserve: "0B", commit_interval: commitInterval, rules: [rule] } };
}

/** Ready, with everything to be stored. */
async function startStored(hub: Hub, commitInterval = "25ms", more: Readonly<Record<string, Json>> = {}): Promise<TestSpoke> {
  const spoke = await startSpoke({
    remote: { urls: [hub.leafUrl], ...LOGIN },
    settings: { ...settingsFor(commitInterval), ...more },
  });
  await spoke.untilReady();
  return spoke;
}

/** Numbers at QoS 1; resolves when all are acknowledged. */
async function publish(spoke: TestSpoke, topic: string, count: number): Promise<void> {
  await using device = await spoke.device();
  let next = 0;
  const lane = async () => {
    while (next < count) await device.publishAsync(topic, String(next++), { qos: 1 });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

function outboxOf(report: StatusReport) {
  return report.remotes[0]!.outbox;
}

function isEmpty(report: StatusReport): boolean {
  return outboxOf(report).depth === 0;
}

async function sorted(stream: HubStream): Promise<string[]> {
  return (await stream.payloads()).sort(byNumber);
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

async function progress(list: readonly unknown[]): Promise<void> {
  const wanted = list.length + 200;
  await until(() => list.length >= wanted);
}

async function untilTwo(list: readonly string[]): Promise<[string, string]> {
  await until(() => list.length >= 2);
  return [list[0]!, list[1]!];
}

async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, "it does not get on");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
