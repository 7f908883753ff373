// The spoke and real hubs: every server line, every way of TLS, and what goes wrong between them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { startCluster } from "../support/cluster.ts";
import { CLIENT, LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { startSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };

for (const version of TESTED_LINES) {
  for (const tls of ["none", "upgrade", "first"] as const) {
    test(`hub ${version}, TLS ${tls}: readings go up, commands come down, and the hub knows us by name`, async () => {
      await using hub = await startHub({ version, tls });
      await using nats = disposable(await hub.connect());
      const readings = nats.subscribe("sensors.>");
      await nats.flush();
      const block = tls === "none" ? null : { handshake_first: tls === "first", ca_file: hub.ca! };
      await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN, tls: block } });
      await spoke.untilReady();
      await using device = await spoke.device();
      await device.subscribeAsync("cmd/#", { qos: 1 });
      await device.publishAsync("sensors/a/temp", "21.5", { qos: 1 });
      const [reading] = await take(readings, 1);
      assert.deepEqual([reading!.subject, reading!.string()], ["sensors.a.temp", "21.5"]);
      assert.match(reading!.headers!.get("Nats-Msg-Id"), /^[0-9a-z]{10}-1-state-1$/);
      assert.match(reading!.headers!.get("Petiole-Time"), /^20\d\d-\d\d-\d\dT/);

      const { promise: command, resolve } = Promise.withResolvers<string>();
      device.on("message", (topic, payload) => payload.length > 0 && resolve(`${topic}=${payload}`)); // probes are empty
      await hub.server.monitor("/leafz"); // the interest is there once the subscription was acknowledged and a round trip went by
      await untilInterest(nats, "cmd.x");
      nats.publish("cmd.x", "open");
      assert.equal(await command, "cmd/x=open");

      const { leafs } = (await hub.server.monitor("/leafz")) as { leafs: Record<string, unknown>[] };
      assert.equal(leafs.length, 1);
      assert.equal(leafs[0]!["account"], "APP");
      if (version === "2.15") assert.deepEqual([leafs[0]!["name"], leafs[0]!["is_isolated"]], ["gw-test", true]);
      assert.equal(spoke.spoke.report().remotes[0]!.link.tls, tls !== "none");
    });
  }

  test(`hub ${version}: what is published while the link is cut arrives afterwards, once, in order`, async () => {
    await using hub = await startHub({ version, tls: "first", jetstream: true });
    await using nats = disposable(await hub.connect());
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await using cutter = await LinkCutter.before(hub.server.port("leaf"));
    await using spoke = await startSpoke({
      remote: { urls: [cutter.through(hub.leafUrl)], ...LOGIN, tls: { handshake_first: true, ca_file: hub.ca! } },
    });
    await spoke.untilReady();
    await using device = await spoke.device();
    const wanted: string[] = [];
    const publish = async (count: number) => {
      const acks: Promise<unknown>[] = [];
      for (let i = 0; i < count; i++) {
        wanted.push(String(wanted.length));
        acks.push(device.publishAsync("sensors/a", wanted.at(-1)!, { qos: 1 }));
      }
      await Promise.all(acks); // acknowledged with the link and without it
    };
    await publish(300);
    for (let round = 0; round < 3; round++) {
      cutter.cut();
      await spoke.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
      await publish(300);
      const { last_seq, confirmed_seq, committed_seq } = spoke.spoke.report().remotes[0]!.outbox.lanes[1]!;
      assert.ok(last_seq - confirmed_seq >= 300, "nothing of it is confirmed");
      assert.equal(committed_seq, last_seq, "all of it is on flash");
      cutter.heal();
      await publish(50);
      await spoke.until(
        "the backlog is gone",
        ({ remotes }) => remotes[0]!.outbox.depth === 0 && remotes[0]!.link.state === "ready",
      );
    }
    await stream.holds(wanted.length);
    assert.deepEqual(await stream.payloads(), wanted);
  });

  test(`hub ${version} restarts: interest both ways is restored, and the stream loses nothing while it recovers`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const stream = await HubStream.create(await hub.connect({ maxReconnectAttempts: -1, reconnectTimeWait: 100 }), "SENSORS", [
      "sensors.>",
    ]);
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    await device.subscribeAsync("cmd/#");
    const { promise: command, resolve } = Promise.withResolvers<string>();
    device.on("message", (_, payload) => payload.length > 0 && resolve(String(payload))); // probes are empty
    for (let i = 0; i < 100; i++) await device.publishAsync("sensors/a", String(i), { qos: 1 });
    // What the hub took in its last moment may die in its stream's queue: `confirm: accepted` promises no more (DESIGN §4.3).
    await stream.holds(100);
    await hub.server.stop();
    await Promise.all(Array.from({ length: 300 }, (_, i) => device.publishAsync("sensors/a", String(100 + i), { qos: 1 })));
    await hub.server.restart();
    await spoke.until("the link is back", ({ remotes }) => remotes[0]!.link.connects >= 2 && remotes[0]!.link.state === "ready");
    for (let i = 400; i < 500; i++) await device.publishAsync("sensors/a", String(i), { qos: 1 });
    await stream.holds(500);
    assert.deepEqual(
      await stream.payloads(),
      Array.from({ length: 500 }, (_, i) => String(i)),
    );
    await using nats = disposable(await hub.connect());
    await untilInterest(nats, "cmd.x");
    nats.publish("cmd.x", "again");
    assert.equal(await command, "again");
  });

  test(`hub ${version}, a cluster of three: the node we hang on dies, the next one takes over, nothing is lost`, async () => {
    await using cluster = await startCluster(3, { version, jetstream: true });
    const urls = cluster.hubs.map((hub) => hub.leafUrl);
    const nats = await cluster.hubs[2]!.connect({ maxReconnectAttempts: -1 });
    const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"], 3);
    await using spoke = await startSpoke({ remote: { urls, ...LOGIN, no_randomize: true } });
    await spoke.untilReady();
    assert.equal(spoke.spoke.report().remotes[0]!.link.url, urls[0]);
    await using device = await spoke.device();
    for (let i = 0; i < 200; i++) await device.publishAsync("sensors/a", String(i), { qos: 1 });
    await stream.holds(200);
    await cluster.hubs[0]!.server.kill();
    await Promise.all(Array.from({ length: 400 }, (_, i) => device.publishAsync("sensors/a", String(200 + i), { qos: 1 })));
    const { remotes } = await spoke.until(
      "another node has us",
      ({ remotes: [remote] }) => remote!.link.state === "ready" && remote!.link.url !== urls[0],
    );
    assert.ok(urls.slice(1).includes(remotes[0]!.link.url));
    await stream.holds(600, 30_000);
    assert.deepEqual(
      (await stream.payloads()).map(Number).sort((a, b) => a - b),
      Array.from({ length: 600 }, (_, i) => i),
    );
    await nats.close();
  });

  test(`hub ${version}: a queue group at the hub gets each message once, a local listener as well`, async () => {
    await using hub = await startHub({ version });
    await using nats = disposable(await hub.connect());
    const seen: string[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    for (let member = 0; member < 2; member++) {
      nats.subscribe("jobs.>", {
        queue: "workers",
        callback: (_, message) => {
          seen.push(message.string());
          if (seen.length === 50) resolve();
        },
      });
    }
    await nats.flush();
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    for (let i = 0; i < 50; i++) await device.publishAsync("jobs/x", String(i), { qos: (i % 2) as 0 | 1 });
    await all;
    await nats.flush();
    assert.equal(new Set(seen).size, 50);
    assert.equal(seen.length, 50);
  });

  test(`hub ${version}: what the hub's permissions forbid is never sent, the link stays, and it is counted`, async () => {
    const leaf = { ...LEAF, permissions: { publish: { allow: ["sensors.>"] } } };
    await using hub = await startHub({ version, users: [CLIENT, leaf] });
    await using nats = disposable(await hub.connect());
    const everything = nats.subscribe(">");
    await nats.flush();
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    await device.publishAsync("secret/a", "no", { qos: 1 });
    await device.publishAsync("sensors/a", "yes", { qos: 1 });
    const [first] = await take(everything, 1);
    assert.equal(first!.subject, "sensors.a");
    const { link, outbox } = spoke.spoke.report().remotes[0]!;
    assert.deepEqual([link.state, link.connects], ["ready", 1]);
    assert.equal(outbox.losses.find(({ reason }) => reason === "not_permitted")?.messages, 1);
  });

  test(`hub ${version}: a wrong password is said in plain words, retried slowly, and local traffic goes on`, async () => {
    await using hub = await startHub({ version });
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], user: LEAF.user, password: "wrong-password" } });
    const { remotes } = await spoke.until(
      "the hub refuses",
      ({ remotes: [remote] }) => remote!.link.last_error?.code === "LEAF_AUTH_REJECTED",
    );
    assert.match(remotes[0]!.link.last_error!.message, /does not accept these credentials/);
    assert.doesNotMatch(spoke.log.join("\n"), /wrong-password/);
    await using listener = await spoke.device({ clientId: "listener" });
    const { promise, resolve } = Promise.withResolvers<string>();
    listener.on("message", (_, payload) => resolve(String(payload)));
    await listener.subscribeAsync("local/#");
    await using device = await spoke.device({ clientId: "talker" });
    await device.publishAsync("local/a", "hello", { qos: 1 });
    assert.equal(await promise, "hello");
  });

  test(`hub ${version} that does not advertise its leaf port is taken for one all the same`, async () => {
    await using hub = await startHub({ version, leafnodes: { no_advertise: true } });
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrlAs(LEAF)] } });
    await spoke.untilReady();
    const { urls } = spoke.spoke.report().remotes[0]!.link;
    assert.deepEqual(
      urls.map(({ configured }) => configured),
      [true],
    );
  });

  test(`hub ${version}: the client port is told from the leaf port`, async () => {
    await using hub = await startHub({ version });
    await using spoke = await startSpoke({ remote: { urls: [hub.server.clientUrl.replace(/\/\/.*@/, "//")], ...LOGIN } });
    const { remotes } = await spoke.until("the port is recognised", ({ remotes: [remote] }) => remote!.link.last_error !== null);
    assert.equal(remotes[0]!.link.last_error!.code, "LEAF_WRONG_PORT");
  });

  test(`hub ${version}: traffic that only local devices want is acknowledged and never fills the card`, async () => {
    await using hub = await startHub({ version });
    await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    for (let i = 0; i < 200; i++) await device.publishAsync("room/lamp", String(i), { qos: 1 });
    const { outbox } = spoke.spoke.report().remotes[0]!;
    assert.deepEqual([outbox.depth, outbox.flash_bytes, outbox.lanes.map((lane) => lane.last_seq)], [0, 0, [0, 0, 0, 0]]);
    assert.equal(outbox.losses.find(({ reason }) => reason === "no_interest")?.messages, 200);
  });

  test(`hub ${version}: two spokes of one name throw each other out, are told so, and do not hammer`, async () => {
    await using hub = await startHub({ version });
    await using one = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    await one.untilReady();
    await using two = await startSpoke({ remote: { urls: [hub.leafUrl], ...LOGIN } });
    const { remotes } = await one.until(
      "the clash is named",
      ({ remotes: [remote] }) => remote!.link.last_error?.code === "LEAF_DUPLICATE",
    );
    assert.match(remotes[0]!.link.last_error!.message, /another device uses the same server_name/);
    assert.ok(two.spoke.report().remotes[0]!.link.connects <= 2);
  });
}

/** The next `count` messages of a subscription. */
async function take<T>(subscription: AsyncIterable<T> & { unsubscribe(): void }, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const message of subscription) {
    taken.push(message);
    if (taken.length === count) break;
  }
  subscription.unsubscribe();
  return taken;
}

function disposable<T extends { close(): Promise<void> }>(nats: T): T & AsyncDisposable {
  return Object.assign(nats, { [Symbol.asyncDispose]: () => nats.close() });
}

/** Resolves when the hub has heard that somebody wants `subject`: until then a request is told that nobody answers. */
async function untilInterest(
  nats: Awaited<ReturnType<Awaited<ReturnType<typeof startHub>>["connect"]>>,
  subject: string,
): Promise<void> {
  for (let i = 0; ; i++) {
    const probe = subject.replace(/[^.]+$/, `probe${i}`);
    const answer = await nats.request(probe, "", { timeout: 50 }).catch((error: Error) => error);
    if (!(answer instanceof Error) || !/no responders/i.test(answer.message)) return;
    assert.ok(i < 200, `the hub never heard that somebody wants ${subject}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
