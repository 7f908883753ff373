// What the hub's streams hold, asked over a leaf link of real servers: with a domain and without, from a cluster, and where it cannot be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { Reconciliation } from "#outbox/reconcile/reconcile.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import { HubViewOf } from "#uplink/hub-view.ts";
import { Inbox } from "#uplink/inbox.ts";
import { Link } from "#uplink/link.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { startCluster } from "../support/cluster.ts";
import { CLIENT, type Hub, LEAF, startHub, type User } from "../support/hub.ts";
import { linkEnv } from "../support/link-env.ts";
import { remoteFrom } from "../support/link-harness.ts";
import { DoubtfulLaneFake } from "../support/scripted-jetstream.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

const HOUR = 3_600_000;

for (const version of TESTED_LINES) {
  for (const domain of [null, "hub"]) {
    test(`hub ${version}, ${domain === null ? "no domain" : "with a domain"}: ids of ours are found among thousands, and no consumer stays`, async () => {
      await using hub = await startHub({ version, jetstream: true, config: { jetstream: domain === null ? {} : { domain } } });
      const nats = await hub.connect();
      await HubStream.create(nats, "SENSORS", ["sensors.>"]);
      await HubStream.create(nats, "ALARMS", ["alarms.*"]);
      await hold(nats, "sensors.a", 1, 1500);
      await hold(nats, "sensors.b", 1501, 1600);
      await hold(nats, "alarms.a", 1601, 1601);
      await hold(nats, "sensors.elsewhere", 1700, 1800);
      await using it = await openAsking(hub);
      const report = await it.run(["sensors.a", "sensors.b"], ["alarms.a"]);
      assert.deepEqual([report.result, report.text, report.streams, report.scanned, report.found], ["done", "", 2, 1601, 1601]);
      assert.deepEqual(it.found, [`3: ${range(1, 1601)}`]);
      assert.deepEqual([await consumers(nats, "SENSORS"), await consumers(nats, "ALARMS")], [0, 0]);
    });
  }

  test(`hub ${version}: a short doubt is left to the stream's window, and a stream that renames is looked through whole`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    const renames = { subject_transform: { src: "sensors.>", dest: "kept.>" } };
    await create(nats, { name: "SENSORS", subjects: ["sensors.>"], duplicate_window: 60e9, ...renames });
    await hold(nats, "sensors.a", 1, 10);
    await using it = await openAsking(hub);
    assert.equal((await it.run(["sensors.a"], [], 5_000)).result, "in_time");
    assert.equal((await it.run(["sensors.a"], [])).result, "done");
    assert.deepEqual(it.found, [`3: ${range(1, 10)}`]);
  });

  test(`hub ${version}: a work queue cannot be looked through, and that is said; the rest is`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    const nats = await hub.connect();
    await create(nats, { name: "QUEUE", subjects: ["jobs.>"], retention: "workqueue" });
    await HubStream.create(nats, "SENSORS", ["sensors.>"]);
    await hold(nats, "sensors.a", 1, 3);
    await using it = await openAsking(hub);
    const report = await it.run(["sensors.a"], ["jobs.a"]);
    assert.deepEqual([report.result, it.found], ["partial", [`3: ${range(1, 3)}`]]);
    assert.match(report.text, /^stream QUEUE: consumer in pull mode requires/);
  });

  const limited: readonly [string, User["permissions"]][] = [
    ["no leave to publish to $JS.API.>", { publish: ["sensors.>"] }],
    ["no leave to hear an inbox", { subscribe: ["cmd.>"] }],
    ["an inbox that is denied", { subscribe: { deny: ["_INBOX.>"] } }],
  ];
  for (const [what, permissions] of limited) {
    test(`hub ${version}, ${what}: nothing is asked, the link stays, and it is said at once`, async () => {
      const leaf = { ...LEAF, permissions: permissions! };
      await using hub = await startHub({ version, jetstream: true, users: [CLIENT, leaf] });
      await HubStream.create(await hub.connect(), "SENSORS", ["sensors.>"]);
      await using it = await openAsking(hub);
      const report = await it.run(["sensors.a"], []);
      assert.equal(report.result, "impossible");
      assert.match(report.text, /permissions/);
      assert.ok(report.took < 1_000, `${report.took} ms`);
      assert.equal(it.downs, 0);
    });
  }

  test(`hub ${version} without JetStream: nobody waits`, async () => {
    await using hub = await startHub({ version });
    await using it = await openAsking(hub);
    const report = await it.run(["sensors.a"], []);
    assert.deepEqual([report.result, report.took < 1_000], ["impossible", true]);
  });

  test(`hub ${version} that goes away in the middle: the answer is down, at once`, async () => {
    await using hub = await startHub({ version, jetstream: true });
    await HubStream.create(await hub.connect(), "SENSORS", ["sensors.>"]);
    await using it = await openAsking(hub);
    const running = it.run(["sensors.a"], []);
    await hub.server.stop();
    assert.equal((await running).result, "down");
  });

  test(`hub ${version}, cluster of three: what a replicated stream holds is found over any node`, async () => {
    await using cluster = await startCluster(3, { version, jetstream: true });
    const nats = await cluster.hubs[0]!.connect();
    await HubStream.create(nats, "SENSORS", ["sensors.>"], 3);
    await hold(nats, "sensors.a", 1, 200);
    for (const hub of cluster.hubs) {
      await using it = await openAsking(hub, `gw-${hub.server.name}`);
      const report = await it.run(["sensors.a"], []);
      assert.deepEqual([report.result, report.text, it.found], ["done", "", [`3: ${range(1, 200)}`]]);
    }
    assert.equal(await consumers(nats, "SENSORS"), 0);
  });
}

/** A link with an inbox, and nothing else of a spoke. Ready when it resolves. */
async function openAsking(hub: Hub, name = "gw-asking") {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-asking"));
  const env = linkEnv();
  await ensureDirectory(env.disk, folder.path);
  const interest = scope.use(await HubInterest.open(folder.path, { ...env, log: silentLog() }, () => undefined));
  const view = new HubViewOf(interest, { denyImports: [], denyExports: [] }, 1024 * 1024, env.clock);
  const state = { downs: 0, lanes: [] as readonly DoubtfulLaneFake[] };
  const inbox: Inbox = new Inbox({
    ...env,
    view,
    carrier: () => link.carrier,
    onAnswer: () => undefined,
    hasJetStream: () => true,
  });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const nothing = () => undefined;
  const link: Link = new Link(
    remoteFrom({ urls: [hub.leafUrlAs(LEAF)] }),
    { serverName: name, dataDir: folder.path, account: "EDGE" },
    env,
    {
      writeInterest: (out, info) => {
        view.learn(info);
        if (!view.hearsAll(inbox.filter)) return;
        out.text(`LS+ ${inbox.filter}\r\n`);
        link.carrier!.inbox = inbox.prefix;
      },
      onReady: () => {
        interest.complete();
        resolve();
      },
      onDown: () => {
        interest.clear();
        inbox.onDown();
        state.downs += 1;
      },
      onBatch: (batch) => void inbox.sift(batch),
      onInterest: (filter, queue) => void interest.add(filter, queue),
      onInterestGone: (filter, queue) => void interest.remove(filter, queue),
      onRejected: nothing,
      onReceipt: nothing,
      onRoom: nothing,
    },
  );
  scope.use(link);
  link.start();
  await ready;
  const owned = scope.move();
  const reconciliation = new Reconciliation(inbox, "dev", { ...env, log: silentLog() });
  return {
    get downs() {
      return state.downs;
    },
    /** What was told to the lane of telemetry. */
    get found() {
      return state.lanes[2]!.found;
    },
    run: (some: readonly string[], others: readonly string[], elapsed = HOUR) => {
      state.lanes = [
        new DoubtfulLaneFake(others),
        new DoubtfulLaneFake([]),
        new DoubtfulLaneFake(some),
        new DoubtfulLaneFake([]),
      ];
      return reconciliation.run({ elapsed, lanes: state.lanes });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Ids of telemetry, epoch 3, from one seq through another, all acknowledged by the stream. */
async function hold(nats: NatsConnection, subject: string, from: number, through: number): Promise<void> {
  const asks = Array.from({ length: through - from + 1 }, (_, i) => {
    const head = headers();
    head.set("Nats-Msg-Id", `dev-3-telemetry-${from + i}`);
    return nats.request(subject, "x".repeat(500), { headers: head, timeout: 10_000 });
  });
  for (const answer of await Promise.all(asks)) assert.equal(answer.json<{ error?: unknown }>().error, undefined);
}

async function create(nats: NatsConnection, config: { readonly name: string; readonly [key: string]: unknown }): Promise<void> {
  const defaults = { retention: "limits", storage: "file", num_replicas: 1 };
  const answer = await nats.request(`$JS.API.STREAM.CREATE.${config.name}`, JSON.stringify({ ...defaults, ...config }));
  assert.equal(answer.json<{ error?: unknown }>().error, undefined);
}

async function consumers(nats: NatsConnection, stream: string): Promise<number> {
  const answer = await nats.request(`$JS.API.STREAM.INFO.${stream}`, "", { timeout: 5_000 });
  return answer.json<{ state: { consumer_count: number } }>().state.consumer_count;
}

function range(from: number, through: number): string {
  return Array.from({ length: through - from + 1 }, (_, i) => from + i).join(" ");
}
