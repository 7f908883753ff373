// The hub's JetStream from a stock client of the spoke: streams, consumers, key-value and object store, with a domain and without.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { createInbox, type Msg, RequestError, TimeoutError } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { openRig } from "../support/uplink-rig.ts";

const DOMAIN = "hub";

for (const version of TESTED_LINES) {
  const jetstreamHub = (domain: string | null) => {
    return startHub({ version, jetstream: true, ...(domain === null ? {} : { config: { jetstream: { domain } } }) });
  };

  // A hub with a domain is reached by its prefix and, from a spoke without JetStream of its own, without it.
  for (const [hubDomain, usedDomain] of [
    [null, null],
    [DOMAIN, DOMAIN],
    [DOMAIN, null],
  ] as const) {
    const title = `hub ${version}, ${hubDomain === null ? "no domain" : `domain "${hubDomain}", asked ${usedDomain === null ? "without it" : "by it"}`}`;
    const options = usedDomain === null ? {} : { domain: usedDomain };

    test(`${title}: publishes are acknowledged, doubles are told, expectations are checked, and no stream is told at once`, async () => {
      await using hub = await jetstreamHub(hubDomain);
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
      const nats = await rig.connect();
      const js = jetstream(nats, options);
      await createStream(await js.jetstreamManager());
      const first = await js.publish("orders.1", "one", { msgID: "m-1" });
      assert.deepEqual([first.stream, first.seq, first.duplicate], ["ORD", 1, false]);
      assert.deepEqual((await js.publish("orders.1", "one", { msgID: "m-1" })).duplicate, true);
      assert.equal((await js.publish("orders.2", "two", { expect: { lastSequence: 1, streamName: "ORD" } })).seq, 2);
      await assert.rejects(js.publish("orders.2", "three", { expect: { lastSequence: 1 } }), /wrong last sequence: 2/);
      await assert.rejects(js.publish("orders.2", "four", { expect: { streamName: "OTHER" } }), /expected stream does not match/);
      const started = performance.now();
      await assert.rejects(js.publish("nowhere.1", "lost", { retries: 0, timeout: 5000 }), isUnheard);
      assert.ok(performance.now() - started < 2000, "told at once, not after the timeout");
    });

    test(`${title}: a pull consumer gets messages under their own subjects, and its acks count`, async () => {
      await using hub = await jetstreamHub(hubDomain);
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
      const js = jetstream(await rig.connect(), options);
      const manager = await js.jetstreamManager();
      await createStream(manager);
      for (let i = 1; i <= 20; i++) await js.publish(`orders.${i}`, `order ${i}`);
      await manager.consumers.add("ORD", { durable_name: "pull", ack_policy: "explicit" });
      const consumer = await js.consumers.get("ORD", "pull");
      const seen: string[] = [];
      for await (const message of await consumer.fetch({ max_messages: 20, expires: 5000 })) {
        seen.push(`${message.subject}=${message.string()}`);
        assert.equal(await message.ackAck(), true, "the hub confirms the ack");
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 20 }, (_, i) => `orders.${i + 1}=order ${i + 1}`),
      );
      const { num_ack_pending, ack_floor } = await consumer.info();
      assert.deepEqual([num_ack_pending, ack_floor.stream_seq], [0, 20]);
      const next = consumer.next({ expires: 5000 });
      await js.publish("orders.late", "late");
      assert.equal((await next)?.subject, "orders.late", "one that waits is served");
    });

    test(`${title}: an ordered consumer and one with flow control get all of a stream in order`, async () => {
      await using hub = await jetstreamHub(hubDomain);
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
      const nats = await rig.connect();
      const js = jetstream(nats, options);
      const manager = await js.jetstreamManager();
      await createStream(manager);
      const publisher = jetstream(await hub.connect());
      const large = "x".repeat(60_000); // flow control begins at about a megabyte
      await Promise.all(Array.from({ length: 60 }, (_, i) => publisher.publish(`orders.${i % 7}`, large)));
      const ordered = await js.consumers.get("ORD");
      const iterator = await ordered.consume();
      let count = 0;
      for await (const message of iterator) {
        count += 1;
        assert.equal(message.seq, count);
        if (count === 60) break;
      }
      const deliverSubject = createInbox();
      const pushed = nats.subscribe(deliverSubject);
      await manager.consumers.add("ORD", {
        durable_name: "push",
        deliver_subject: deliverSubject,
        flow_control: true,
        idle_heartbeat: 1_000_000_000,
        ack_policy: "none",
      });
      let bytes = 0;
      let flowControls = 0;
      for await (const message of pushed) {
        if (message.headers?.code === 100) {
          if (message.reply !== "" && message.reply !== undefined) {
            flowControls += 1;
            message.respond(); // `$JS.FC.…`: without it the consumer stalls
          }
          continue;
        }
        assert.match(message.subject, /^orders\.\d$/, "not the deliver subject");
        bytes += message.data.length;
        if (bytes === 3_600_000) break;
      }
      assert.ok(flowControls > 0, "flow control was at work");
    });

    test(`${title}: a queue push consumer shows the stream's subject and a bare ack subject to one member each`, async () => {
      await using hub = await jetstreamHub(hubDomain);
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
      const nats = await rig.connect();
      const js = jetstream(nats, options);
      const manager = await js.jetstreamManager();
      await createStream(manager);
      const seen: Msg[] = [];
      const { promise: all, resolve } = Promise.withResolvers<void>();
      for (let member = 0; member < 3; member++) {
        nats.subscribe("push.q", {
          queue: "workers",
          callback: (_, message) => {
            seen.push(message);
            message.respond("+ACK");
            if (seen.length === 100) resolve();
          },
        });
      }
      await nats.flush();
      await manager.consumers.add("ORD", {
        durable_name: "q",
        deliver_subject: "push.q",
        deliver_group: "workers",
        ack_policy: "explicit",
      });
      for (let i = 0; i < 100; i++) await js.publish(`orders.${i}`, String(i));
      await all;
      assert.deepEqual(new Set(seen.map(({ subject }) => subject)).size, 100);
      for (const { subject, reply } of seen) {
        assert.match(subject, /^orders\.\d+$/);
        assert.match(reply!, /^\$JS\.ACK\.[^@]+$/);
      }
      await acknowledged(manager, "q", 100);
    });

    test(`${title}: a bucket is made, written, read, watched and emptied; objects larger than a chunk survive`, async () => {
      await using hub = await jetstreamHub(hubDomain);
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
      const nats = await rig.connect();
      const js = jetstream(nats, options);
      const kv = await new Kvm(js).create("settings", { history: 5 });
      const revision = await kv.put("gw.interval", "30s");
      const entry = await kv.get("gw.interval");
      assert.deepEqual([entry?.string(), entry?.revision, entry?.key], ["30s", revision, "gw.interval"]);
      await assert.rejects(kv.create("gw.interval", "again"), /wrong last sequence/);
      await kv.update("gw.interval", "60s", revision);
      assert.equal(await kv.get("gw.none"), null);
      const hubKv = await new Kvm(jetstream(await hub.connect())).open("settings");
      assert.equal((await hubKv.get("gw.interval"))?.string(), "60s", "it is the hub's bucket");
      const watched: string[] = [];
      const watcher = await kv.watch({ key: "gw.>" });
      await hubKv.put("gw.other", "from the hub");
      for await (const change of watcher) {
        watched.push(`${change.key}=${change.string()}`);
        if (watched.length === 2) break;
      }
      assert.deepEqual(watched, ["gw.interval=60s", "gw.other=from the hub"]);
      await kv.delete("gw.other");
      assert.equal((await kv.get("gw.other"))?.operation, "DEL");

      const objects = await new Objm(js).create("firmware");
      const blob = Buffer.alloc(300_000, "petiole");
      const info = await objects.putBlob({ name: "image" }, blob);
      assert.ok(info.chunks > 1);
      assert.deepEqual(Buffer.from((await objects.getBlob("image"))!), blob);
      const hubObjects = await new Objm(jetstream(await hub.connect())).open("firmware");
      assert.deepEqual(Buffer.from((await hubObjects.getBlob("image"))!), blob);
    });
  }

  test(`hub ${version}, cluster of three: KV and acknowledged publishes work whichever node leads`, async () => {
    await using cluster = await startCluster(3, { version, jetstream: true });
    for (const hub of cluster.hubs) {
      await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] }, { name: `gw-${hub.server.name}` });
      const js = jetstream(await rig.connect());
      const bucket = `b-${hub.server.name}`;
      const kv = await new Kvm(js).create(bucket, { replicas: 3 });
      const whileLed = <T>(ask: () => Promise<T>) => unlessLeaderless(cluster, `KV_${bucket}`, ask);
      for (let i = 0; i < 20; i++) await whileLed(() => kv.put(`k${i}`, String(i)));
      for (let i = 0; i < 20; i++) assert.equal((await whileLed(() => kv.get(`k${i}`)))?.string(), String(i));
    }
  });

  test(`hub ${version} without JetStream, or gone: who asks it is told so at once`, async () => {
    await using hub = await startHub({ version });
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const nats = await rig.connect();
    const started = performance.now();
    await assert.rejects(jetstreamManager(nats, { timeout: 5000 }));
    await assert.rejects(nats.request("$KV.settings.a", "x", { timeout: 5000 }), /no responders/);
    await hub.server.stop();
    await rig.until("the link is down", () => !rig.uplink.link.isReady);
    await assert.rejects(nats.request("$JS.API.INFO", "", { timeout: 5000 }), /no responders/);
    assert.ok(performance.now() - started < 4000, "at once");
  });
}

async function createStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({ name: "ORD", subjects: ["orders.>"] });
}

async function acknowledged(manager: JetStreamManager, consumer: string, count: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const { ack_floor } = await manager.consumers.info("ORD", consumer);
    if (ack_floor.stream_seq === count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`consumer ${consumer} never had ${count} acks`);
}

/**
 * Asks again where the stream lost its leader meanwhile: servers that get no time of the machine elect anew, and what came between
 * is gone. An election takes up to nine seconds, longer than the question waits.
 */
async function unlessLeaderless<T>(cluster: Cluster, stream: string, ask: () => Promise<T>): Promise<T> {
  const elected = new RegExp(`stream leader for '\\S+ > ${stream}'`, "g");
  const elections = () => cluster.hubs.flatMap(({ server }) => server.log.match(elected) ?? []).length;
  for (;;) {
    const before = elections();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      for (let i = 0; elections() === before; i++) {
        if (i === 500) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}
