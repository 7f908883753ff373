// Local NATS clients behind a whole spoke, with a real nats-server as hub: what runs there runs here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager, jetstream as jetstreamOf } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { headers, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { natsJs } from "../support/nats-client.ts";
import { startSpoke, type TestSpoke } from "../support/spoke.ts";

const LOCAL = { user: "tool", password: "tool-password" } as const;

async function spokeOf(hub: Hub, more: Parameters<typeof startSpoke>[0] = {}): Promise<TestSpoke> {
  return await startSpoke({
    ...more,
    remote: { urls: [hub.leafUrlAs(LEAF)], ...more.remote },
    settings: {
      listen: "127.0.0.1:0",
      accounts: [{ name: "EDGE", users: [{ user: LOCAL.user, password: LOCAL.password, nats: true, mqtt: false }] }],
      ...more.settings,
    },
  });
}

function localClient(spoke: TestSpoke, options: NodeConnectionOptions = {}): Promise<NatsConnection & AsyncDisposable> {
  return natsJs(spoke.spoke.natsEndpoint!.port, { user: LOCAL.user, pass: LOCAL.password, ...options });
}

/** Asks again until somebody answers: interest takes a moment to cross the link. */
async function ask(connection: NatsConnection, subject: string, payload = ""): Promise<string> {
  const end = performance.now() + 10_000;
  for (;;) {
    try {
      return (await connection.request(subject, payload, { timeout: 2_000 })).string();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function jetstream(
  connection: NatsConnection,
  api: string,
  request: object | string = "",
): Promise<Record<string, unknown>> {
  const payload = typeof request === "string" ? request : JSON.stringify(request);
  const answer = (await connection.request(`$JS.API.${api}`, payload, { timeout: 5_000 })).json<Record<string, unknown>>();
  assert.equal(answer["error"], undefined, JSON.stringify(answer));
  return answer;
}

for (const version of ["2.10", "2.15"] as const) {
  test(`hub ${version}: requests cross the link both ways, with headers, and a request that nobody hears anywhere is told so`, async () => {
    await using hub = await startHub({ version });
    await using spoke = await spokeOf(hub);
    await spoke.untilReady();
    await using local = await localClient(spoke);
    const remote = await hub.connect();
    remote.subscribe("at.hub", {
      callback: (_, message) =>
        void message.respond(`${message.headers?.get("Trace")} ${message.string()}`, { headers: message.headers! }),
    });
    local.subscribe("at.spoke", { callback: (_, message) => void message.respond("from the spoke") });
    await Promise.all([remote.flush(), local.flush()]);
    assert.equal(await ask(remote, "at.spoke"), "from the spoke");
    const sent = headers();
    sent.set("Trace", "7");
    await ask(local, "at.hub");
    const answer = await local.request("at.hub", "hi", { headers: sent, timeout: 5_000 });
    assert.deepEqual([answer.string(), answer.headers?.get("Trace")], ["7 hi", "7"]);
    await assert.rejects(local.request("nobody.anywhere", "", { timeout: 10_000 }), /no responders/);
    assert.equal(spoke.spoke.report().nats?.clients, 1);
  });

  test(`hub ${version}: what a group's only member here publishes without echo goes to the group's members at the hub`, async () => {
    await using hub = await startHub({ version });
    await using spoke = await spokeOf(hub);
    await spoke.untilReady();
    await using deaf = await localClient(spoke, { noEcho: true });
    await using other = await localClient(spoke);
    const remote = await hub.connect();
    let [own, theirs, others] = [0, 0, 0];
    const isComplete = Promise.withResolvers<void>();
    remote.subscribe("jobs", {
      queue: "workers",
      callback: (_, message) => {
        theirs += 1;
        message.respond("hub");
        if (theirs === 101) isComplete.resolve();
      },
    });
    const worker = deaf.subscribe("jobs", { queue: "workers", callback: () => void (own += 1) });
    await Promise.all([remote.flush(), deaf.flush()]);
    assert.equal(await ask(deaf, "jobs"), "hub");
    theirs = 1; // those before may have been asked in vain
    for (let i = 0; i < 100; i++) deaf.publish("jobs", String(i));
    await isComplete.promise;
    assert.equal(own, 0);
    other.subscribe("jobs", {
      queue: "workers",
      callback: (_, message) => {
        others += 1;
        message.respond("here");
      },
    });
    await other.flush();
    for (let i = 0; i < 20; i++) assert.equal((await deaf.request("jobs", "", { timeout: 5_000 })).string(), "here");
    await deaf.flush();
    assert.deepEqual([own, theirs, others], [0, 101, 20]);
    worker.unsubscribe();
  });

  test(`hub ${version}: its JetStream works from a local client: a stream, publishing with acknowledgement, a pull consumer`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    await using spoke = await spokeOf(hub);
    await spoke.untilReady();
    await using local = await localClient(spoke);
    await ask(local, "$JS.API.INFO");
    await jetstream(local, "STREAM.CREATE.ORDERS", { name: "ORDERS", subjects: ["orders.>"], storage: "memory" });
    await ask(local, "orders.first", "0");
    for (let i = 1; i < 5; i++) {
      const answer = await local.request(`orders.${i}`, String(i), { timeout: 5_000 });
      const { stream, seq } = answer.json<{ stream: string; seq: number }>();
      assert.deepEqual([stream, seq], ["ORDERS", i + 1]);
    }
    const config = { durable_name: "tool", ack_policy: "explicit" };
    await jetstream(local, "CONSUMER.DURABLE.CREATE.ORDERS.tool", { stream_name: "ORDERS", config });
    const found: string[] = [];
    const inbox = local.subscribe("_INBOX.fetch", { max: 5 });
    local.publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.tool", JSON.stringify({ batch: 5 }), { reply: "_INBOX.fetch" });
    for await (const message of inbox) {
      found.push(`${message.subject}=${message.string()}`);
      await local.request(message.reply!, "+ACK", { timeout: 5_000 });
    }
    assert.deepEqual(found, ["orders.first=0", "orders.1=1", "orders.2=2", "orders.3=3", "orders.4=4"]);
    const { num_ack_pending } = await jetstream(local, "CONSUMER.INFO.ORDERS.tool");
    assert.equal(num_ack_pending, 0);
  });

  for (const domain of [undefined, "hub"] as const) {
    const where = domain === undefined ? "without a domain" : "with a domain";
    test(`hub ${version}: the JetStream, KV and object store libraries work from a local client, ${where}`, async () => {
      await using hub = await startHub({
        version,
        jetstream: true,
        ...(domain === undefined ? {} : { config: { jetstream: { domain } } }),
      });
      await using spoke = await spokeOf(hub);
      await spoke.untilReady();
      await using local = await localClient(spoke);
      await ask(local, domain === undefined ? "$JS.API.INFO" : `$JS.${domain}.API.INFO`);
      const options = domain === undefined ? {} : { domain };

      const manager = await jetstreamManager(local, options);
      await manager.streams.add({ name: "LOG", subjects: ["log.>"] });
      const js = jetstreamOf(local, options);
      for (let i = 0; i < 20; i++) assert.equal((await js.publish("log.a", String(i))).seq, i + 1);
      await manager.consumers.add("LOG", { durable_name: "tool", ack_policy: "explicit" });
      const consumer = await js.consumers.get("LOG", "tool");
      const found: string[] = [];
      for await (const message of await consumer.consume({ max_messages: 10 })) {
        found.push(message.string());
        assert.ok(await message.ackAck());
        if (found.length === 20) break;
      }
      assert.deepEqual(
        found,
        Array.from({ length: 20 }, (_, i) => String(i)),
      );
      const ordered = await js.consumers.get("LOG");
      assert.equal((await ordered.next())?.string(), "0");

      const settings = await new Kvm(js).create("settings");
      const watch = await settings.watch();
      await settings.put("interval", "30s");
      const revision = await settings.update("interval", "60s", (await settings.get("interval"))!.revision);
      assert.equal((await settings.get("interval"))?.string(), "60s");
      await settings.delete("interval", { previousSeq: revision });
      const history: string[] = [];
      for await (const entry of watch) {
        history.push(`${entry.operation} ${entry.string()}`);
        if (history.length === 3) break;
      }
      assert.deepEqual(history, ["PUT 30s", "PUT 60s", "DEL "]);

      const files = await new Objm(js).create("files");
      const image = new Uint8Array(300_000).map((_, i) => i % 251);
      await files.putBlob({ name: "image", options: { max_chunk_size: 65_536 } }, image);
      assert.deepEqual(await files.getBlob("image"), image);
    });
  }

  test(`hub ${version} is away: requests are told so at once, and a message with Petiole-Ack: safe is answered, then arrives`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    await using spoke = await spokeOf(hub, {
      settings: { outbox: { free_reserve: "0B", rules: [{ subjects: [">"], keep: "durable", no_interest: "hold" }] } },
    });
    await spoke.untilReady();
    await using local = await localClient(spoke);
    await ask(local, "$JS.API.INFO");
    await jetstream(local, "STREAM.CREATE.KEPT", { name: "KEPT", subjects: ["kept.>"] });
    await hub.server.kill();
    await spoke.until("the link is gone", (report) => report.remotes[0]!.link.state !== "ready");
    await assert.rejects(local.request("$JS.API.INFO", "", { timeout: 10_000 }), /no responders/);
    const safe = headers();
    safe.set("Petiole-Ack", "safe");
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => local.request("kept.reading", String(i), { headers: safe, timeout: 10_000 })),
    );
    assert.ok(answers.every((answer) => answer.string() === '{"safe":true}'));
    await hub.server.restart();
    await spoke.untilReady();
    await spoke.until("the outbox is empty", (report) => report.remotes[0]!.outbox.depth === 0);
    await ask(local, "$JS.API.STREAM.INFO.KEPT");
    const { state } = await jetstream(local, "STREAM.INFO.KEPT");
    assert.equal((state as { messages: number }).messages, 50);
  });
}

for (const domain of [undefined, "hub"] as const) {
  const where = domain === undefined ? "without a domain" : "with a domain";
  test(`JetStream's libraries are told at once that the hub is away, and go on when it is back, ${where}`, async () => {
    const config = domain === undefined ? {} : { config: { jetstream: { domain } } };
    await using hub = await startHub({ version: "2.15", jetstream: true, ...config });
    await using spoke = await spokeOf(hub);
    await spoke.untilReady();
    await using local = await localClient(spoke);
    const api = domain === undefined ? "$JS.API.INFO" : `$JS.${domain}.API.INFO`;
    await ask(local, api);
    const options = domain === undefined ? {} : { domain };
    const manager = await jetstreamManager(local, options);
    const js = jetstreamOf(local, options);
    await manager.streams.add({ name: "LOG", subjects: ["log.>"] });
    await manager.consumers.add("LOG", { durable_name: "tool", ack_policy: "explicit" });
    const consumer = await js.consumers.get("LOG", "tool");
    const kv = await new Kvm(js).create("settings");
    const files = await new Objm(js).create("files");
    const found: string[] = [];
    const isBegun = Promise.withResolvers<void>();
    const consuming = await consumer.consume({ max_messages: 10, idle_heartbeat: 1_000, expires: 2_000 });
    const isRead = (async () => {
      for await (const message of consuming) {
        found.push(message.string());
        await message.ackAck();
        isBegun.resolve();
        if (found.length === 2) return;
      }
    })();
    await js.publish("log.a", "before");
    await isBegun.promise;
    await hub.server.kill();
    await spoke.until("the link is gone", (report) => report.remotes[0]!.link.state !== "ready");
    const start = performance.now();
    const away = /no responders|jetstream is not enabled|503/i;
    await assert.rejects(js.publish("log.a", "while it was away"), away);
    await assert.rejects(manager.streams.info("LOG"), away);
    await assert.rejects(js.consumers.get("LOG", "tool"), away);
    await assert.rejects(kv.put("interval", "30s"), away);
    await assert.rejects(kv.get("interval"), away);
    await assert.rejects(files.putBlob({ name: "image" }, new Uint8Array(10)), away);
    assert.ok(performance.now() - start < 8_000, "told, not left waiting");
    await hub.server.restart();
    await spoke.untilReady();
    await ask(local, api);
    await js.publish("log.a", "after");
    await isRead;
    assert.deepEqual(found, ["before", "after"]);
    await kv.put("interval", "30s");
    assert.equal((await kv.get("interval"))?.string(), "30s");
  });
}

test("a local queue group is served before the hub's, and the hub's when the local one is gone", async () => {
  await using hub = await startHub({ version: "2.15" });
  await using spoke = await spokeOf(hub);
  await spoke.untilReady();
  await using local = await localClient(spoke);
  await using worker = await localClient(spoke);
  const remote = await hub.connect();
  remote.subscribe("work", { queue: "w", callback: (_, message) => void message.respond("hub") });
  await remote.flush();
  assert.equal(await ask(local, "work"), "hub");
  worker.subscribe("work", { queue: "w", callback: (_, message) => void message.respond("spoke") });
  await worker.flush();
  for (let i = 0; i < 20; i++) assert.equal((await local.request("work")).string(), "spoke");
  await worker.close();
  assert.equal(await ask(local, "work"), "hub");
});
