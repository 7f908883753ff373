// `confirm: auto` against real hubs: where a stream takes a subject nothing goes missing however slow the stream is, and where none
// does nothing waits for one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Json } from "#base/schema.ts";
import type { StatusReport } from "#status/report.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { startCluster } from "../support/cluster.ts";
import { CLIENT, type Hub, LEAF, startHub } from "../support/hub.ts";
import { DEVICE, startSpoke, type TestSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

const BACKLOG = 100_000;
/** A hub that lets few messages wait for a stream drops the rest without a word; 2.10 knows no limit, and keeps them in memory. */
const TIGHT = { "2.10": {}, "2.15": { max_buffered_msgs: 500 } };
/** Each message is on the hub's disk before it says so. */
const SLOW = { sync_interval: "always" };
const SLOW_BACKLOG = 12_000;
const CLUSTER_BACKLOG = 8_000;
/** A leaf that may publish anything but to the API of JetStream. */
const DENIED = { ...LEAF, permissions: { publish: { deny: ["$JS.API.>"] } } };
/** Where it fails over to. */
const PLAIN = [
  ["without", {}],
  ["that keeps its own from us", { jetstream: true, users: [CLIENT, DENIED] }],
] as const;

for (const version of TESTED_LINES) {
  test(`hub ${version}: a backlog drained at full speed into a stream that lets little wait arrives whole`, async (t) => {
    await using hub = await startHub({ version, jetstream: true, config: { jetstream: TIGHT[version] } });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using spoke = await startAuto(hub);
    await hub.server.stop();
    await fill(spoke, BACKLOG);
    await hub.server.restart();
    const startedAt = performance.now();
    const stutter = async () => {
      for (let i = 1; i < 4; i++) {
        await stream.holds((BACKLOG * i) / 5);
        hub.server.pause();
        await new Promise((resolve) => setTimeout(resolve, 300));
        hub.server.resume();
      }
    };
    await Promise.all([stutter(), stream.holds(BACKLOG, 60_000)]);
    t.diagnostic(`${BACKLOG} in ${Math.round(performance.now() - startedAt)} ms`);
    const report = await spoke.until("the backlog is done", isEmpty);
    assert.equal(await stream.count(), BACKLOG);
    assert.deepEqual(outboxOf(report).losses, []);
    await nats.close();
  });

  test(`hub ${version}: what waits in a hub for its slow stream when the hub is killed is sent again`, async (t) => {
    await using hub = await startHub({ version, jetstream: true, config: { jetstream: SLOW } });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using spoke = await startAuto(hub);
    await hub.server.stop();
    await fill(spoke, SLOW_BACKLOG);
    await hub.server.restart();
    await stream.holds(SLOW_BACKLOG / 10);
    await hub.server.kill();
    await hub.server.restart();
    const startedAt = performance.now();
    await stream.holds(SLOW_BACKLOG, 60_000);
    t.diagnostic(`the rest in ${Math.round(performance.now() - startedAt)} ms`);
    await spoke.until("the backlog is done", isEmpty);
    assert.equal(await stream.count(), SLOW_BACKLOG, "each of them once");
    await nats.close();
  });
  test(`hub ${version}: a stream made beside a subscriber is waited for from then on, one that is deleted no more`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const replies: string[] = [];
    nats.subscribe("sensors.a", { callback: (_, { reply = "" }) => void replies.push(reply) });
    await nats.flush();
    await using spoke = await startAuto(hub);
    const local = await connectTo(spoke);
    const publish = async (count: number) => {
      for (let i = 0; i < count; i++) local.publish("sensors.a", String(i));
      await local.flush();
      await spoke.until("all is done", (report) => isEmpty(report) && replies.length > 0);
      return replies.splice(0);
    };
    assert.ok((await publish(5)).every((reply) => reply === ""));
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    assert.deepEqual(
      (await spoke.until("it is known", ({ remotes }) => remotes[0]!.outbox.streams?.names.length === 1)).health.reasons,
      [],
    );
    assert.ok((await publish(5)).every((reply) => reply.startsWith("_INBOX.")));
    assert.equal(await stream.count(), 5);
    await nats.request("$JS.API.STREAM.DELETE.SENSORS", "");
    await spoke.until("that is known", ({ remotes }) => remotes[0]!.outbox.streams?.names.length === 0);
    assert.ok((await publish(5)).every((reply) => reply === ""));
    assert.deepEqual(outboxOf(spoke.spoke.report()).suspended, []);
    await local.close();
    await nats.close();
  });

  test(`hub ${version} that keeps the API of JetStream from us: nothing waits for a stream, though one takes it`, async () => {
    await using hub = await startHub({ version, jetstream: true, users: [CLIENT, DENIED] });
    const nats = await hub.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using spoke = await startAuto(hub);
    await hub.server.stop();
    await fill(spoke, 1_000);
    await hub.server.restart();
    const startedAt = performance.now();
    const report = await spoke.until("the backlog is done", isEmpty);
    const ms = performance.now() - startedAt;
    await stream.holds(1_000);
    assert.equal(await stream.count(), 1_000);
    assert.ok(ms < 10_000, `it took ${Math.round(ms)} ms`);
    assert.deepEqual([outboxOf(report).suspended, outboxOf(report).streams?.names], [[], []]);
    await nats.close();
  });

  test(`three hubs ${version}: a stream of three replicas loses its leader and our hub under a backlog: all of it, once`, async () => {
    await using cluster = await startCluster(3, { version, jetstream: true });
    const [first, second] = cluster.hubs;
    const nats = await first!.connect();
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 3);
    await using spoke = await startAuto(second!, {}, undefined, [first!.leafUrl]);
    const known = ({ remotes }: StatusReport) => remotes[0]!.outbox.streams?.names.length === 1;
    const local = await connectTo(spoke);
    local.publish("sensors.0", "first");
    await local.flush();
    await spoke.until("the stream is known", known);
    await nats.request("$JS.API.STREAM.LEADER.STEPDOWN.SENSORS", "", { timeout: 5_000 });
    const filling = fill(spoke, CLUSTER_BACKLOG, false);
    await stream.holds(CLUSTER_BACKLOG / 4, 60_000);
    await second!.server.kill();
    await filling;
    await stream.holds(CLUSTER_BACKLOG + 1, 60_000); // three servers that store, and their leader just lost: slow on a busy machine
    await spoke.until("the backlog is done", isEmpty);
    assert.equal(await stream.count(), CLUSTER_BACKLOG + 1, "each of them once");
    assert.deepEqual(outboxOf(spoke.spoke.report()).losses, []);
    await local.close();
    await nats.close();
  });

  for (const [what, options] of PLAIN) {
    test(`hub ${version} with JetStream fails over to one ${what}, and back: nothing waits there, nothing is lost here`, async () => {
      await using hub = await startHub({ version, jetstream: true });
      await using plain = await startHub({ version, name: "plain", ...options });
      const nats = await hub.connect();
      const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
      await plain.server.stop(); // one at a time, so that there is no choice
      await using spoke = await startAuto(hub, {}, undefined, [plain.leafUrl]);
      await fill(spoke, 500, false);
      await stream.holds(500);
      await spoke.until("all is done", isEmpty);
      await hub.server.stop();
      await plain.server.restart();
      const other = await plain.connect();
      let heard = 0;
      other.subscribe("sensors.>", { callback: () => void (heard += 1) });
      await other.flush();
      await spoke.until("the other hub", ({ remotes }) => remotes[0]!.link.hub_name === "plain");
      await fill(spoke, 500, false);
      await spoke.until("all is delivered", (report) => isEmpty(report) && heard === 500);
      await hub.server.restart();
      await plain.server.stop();
      await fill(spoke, 500, false);
      await stream.holds(1_000, 30_000);
      await spoke.until("all is done", isEmpty);
      assert.deepEqual([await stream.count(), outboxOf(spoke.spoke.report()).losses], [1_000, []]);
      await other.close();
      await nats.close();
    });
  }

  test(`hub ${version} without JetStream, with a listener to everything: a backlog found at a start goes at once`, async () => {
    await using folder = await tempFolder("petiole-data");
    await using hub = await startHub({ version });
    {
      await using spoke = await startAuto(hub, {}, folder.path);
      await hub.server.stop();
      await fill(spoke, 1_000);
    }
    await hub.server.restart();
    const nats = await hub.connect();
    nats.subscribe(">", { callback: () => undefined });
    await nats.flush();
    const startedAt = performance.now();
    await using spoke = await startAuto(hub, {}, folder.path);
    await spoke.until("all is delivered", isEmpty);
    const ms = performance.now() - startedAt;
    assert.ok(ms < 8_000, `it took ${Math.round(ms)} ms`);
    await nats.close();
  });
}

/** By a local NATS client; resolves when all are in the outbox. */
async function fill(spoke: TestSpoke, count: number, isHeld = true): Promise<void> {
  const local = await connectTo(spoke);
  const payload = Buffer.alloc(120, "x");
  for (let sent = 0; sent < count; ) {
    for (const end = Math.min(count, sent + 1_000); sent < end; sent++) local.publish(`sensors.${sent % 10}`, payload);
    await local.flush();
  }
  if (isHeld) await spoke.until("all are kept", (report) => outboxOf(report).depth === count);
  await local.close();
}

function connectTo(spoke: TestSpoke): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${spoke.spoke.natsEndpoint!.port}`, user: DEVICE.user, pass: DEVICE.password });
}

async function startAuto(
  hub: Hub,
  rule: { readonly [key: string]: Json } = {},
  dataDir?: string,
  otherUrls: readonly string[] = [],
): Promise<TestSpoke> {
  const spoke = await startSpoke({
    ...(dataDir === undefined ? {} : { dataDir }),
    remote: {
      urls: [hub.leafUrl, ...otherUrls],
      user: LEAF.user,
      password: LEAF.password,
      reconnect: { min: "50ms", max: "200ms" },
    },
    settings: {
      listen: "127.0.0.1:0",
      host: null, // its readings, which nobody here listens to, would count as lost in a test that takes half a minute
      accounts: [{ name: "EDGE", users: [{ user: DEVICE.user, password: DEVICE.password, nats: true, mqtt: true }] }],
      outbox: {
        free_reserve: "0B",
        rules: [
          { subjects: ["sensors.>"], class: "telemetry", keep: "always", ...rule },
          { subjects: [">"], keep: "never" },
        ],
      },
    },
  });
  await spoke.untilReady();
  return spoke;
}

function outboxOf(report: StatusReport) {
  return report.remotes[0]!.outbox;
}

function isEmpty(report: StatusReport): boolean {
  return outboxOf(report).depth === 0;
}
