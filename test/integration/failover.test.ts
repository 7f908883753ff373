// Several URLs to real hubs: which is dialled when one dies, what a cluster tells of itself, and how refusals are answered.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as path from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { LameDuck } from "#uplink/lame-duck.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { startCluster } from "../support/cluster.ts";
import { collect, Fleet, isReadyOn, Publisher, sameMembers, settles, urlsOf } from "../support/failover.ts";
import { HttpProxy } from "../support/http-proxy.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { RawNatsClient } from "../support/nats-client.ts";
import { startSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };
const GOSSIP = { ignore_discovered_servers: false };
/** Short enough for a test, long enough to see how many leave at once. */
/** What nobody listens to for a moment is kept, not dropped. */
const HOLD = { free_reserve: "0B", rules: [{ subjects: [">"], keep: "always" }] };
const RECONNECTS = { maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0 };
const LAME_DUCK = { lame_duck_duration: "30s", lame_duck_grace_period: "8s" };

for (const version of TESTED_LINES) {
  suite(`nats-server ${version}`, { concurrency: 4 }, () => {
    test("one URL of a cluster is enough: the others are learnt, used, forgotten and learnt again, the configured one comes first", async () => {
      await using cluster = await startCluster(3, { version });
      const [first] = cluster.hubs;
      const urls = cluster.hubs.map((hub) => hub.leafUrl);
      await using spoke = await startSpoke({ remote: { urls: [first!.leafUrlAs(LEAF)], ...GOSSIP } });
      await using deaf = await startSpoke({
        remote: { urls: [first!.leafUrl], ...LOGIN, ignore_discovered_servers: true },
        settings: { server_name: "gw-deaf" },
      });
      await spoke.until("it knows all three", (report) => sameMembers(urlsOf(report), urls));
      await deaf.untilReady();
      const added = await cluster.join();
      urls.push(added.leafUrl);
      await spoke.until("it has heard of the fourth", (report) => sameMembers(urlsOf(report), urls));

      await first!.server.kill();
      await spoke.until("it goes on with a gossiped one", (report) => isReadyOn(report, urls.slice(1)));
      await spoke.until("the dead one is gossip no more, but stays configured", (report) => urlsOf(report).length === 4);
      const { link } = (await deaf.until("the deaf one fails", ({ remotes }) => remotes[0]!.link.urls[0]!.failures_in_row > 2))
        .remotes[0]!;
      assert.deepEqual([link.urls.length, link.hub_id, link.urls[0]!.url], [1, null, first!.leafUrl]);

      await first!.server.restart();
      await deaf.untilReady();
      const used = cluster.hubs.find((hub) => hub.leafUrl === spoke.spoke.report().remotes[0]!.link.url)!;
      assert.notEqual(used, first, "a link that works is not left without no_randomize");
      await used.server.kill();
      await spoke.until("the configured one comes first", (report) => isReadyOn(report, [first!.leafUrl]));
    });

    test("behind a proxy, gossiped hubs are dialled through the proxy and never past it", async () => {
      await using cluster = await startCluster(2, { version });
      await using proxy = await HttpProxy.listen();
      const [first, second] = cluster.hubs;
      await using spoke = await startSpoke({
        remote: { urls: [first!.leafUrl], ...LOGIN, ...GOSSIP, proxy: { url: proxy.url } },
      });
      await spoke.until("it knows both", (report) => isReadyOn(report, [first!.leafUrl]) && urlsOf(report).length === 2);
      const { server_name } = spoke.spoke.report();
      const ports = [...(await leafPortsOf(first!, server_name))];
      await first!.server.kill();
      await spoke.until("it goes on with the other", (report) => isReadyOn(report, [second!.leafUrl]));
      assert.ok(proxy.targets.includes(`127.0.0.1:${second!.server.port("leaf")}`), String(proxy.targets));
      ports.push(...(await leafPortsOf(second!, server_name)));
      assert.deepEqual([ports.length, proxy.tunnels], [2, 2]);
      assert.ok(
        ports.every((port) => proxy.ports.has(port)),
        "every leaf connection came by the proxy",
      );
    });

    test("a TLS cluster gossips bare addresses: they must carry the name of the URL they were heard on", async () => {
      await using folder = await tempFolder("petiole-localhost");
      const tls = await selfSignedFor("localhost", folder.path);
      const leafnodes = { tls: { ...tls, handshake_first: true } };
      await using cluster = await startCluster(2, { version, leafnodes });
      const [first, second] = cluster.hubs.map((hub) => hub.server.port("leaf"));
      const remote = { ...LOGIN, ...GOSSIP, tls: { handshake_first: true, ca_file: tls.cert_file } };
      await using spoke = await startSpoke({ remote: { ...remote, urls: [`tls://localhost:${first}`] } });
      const told = `tls://127.0.0.1:${second!}`;
      await spoke.until("it knows the other", (report) => urlsOf(report).includes(told));
      await cluster.hubs[0]!.server.kill();
      const report = await spoke.until("it goes on with the other", (each) => isReadyOn(each, [told]));
      assert.equal(report.remotes[0]!.link.tls, true);
    });

    test("sixty spokes spread over three hubs, with no_randomize they all begin with the first", async () => {
      await using cluster = await startCluster(3, { version });
      const urls = cluster.hubs.map((hub) => hub.leafUrl);
      const counts = async () =>
        await Promise.all(cluster.hubs.map(async ({ server }) => Number((await server.monitor("/leafz"))["leafnodes"])));
      {
        await using fleet = new Fleet(60, { urls, ...LOGIN });
        await fleet.ready();
        for (const count of await counts()) assert.ok(count >= 6 && count <= 36, `spread ${await counts()}`); // four sigma
      }
      await using ordered = new Fleet(10, { urls, ...LOGIN, no_randomize: true });
      await ordered.ready();
      assert.deepEqual(
        ordered.urls(),
        Array.from({ length: 10 }, () => urls[0]!),
      );
    });

    test("return_to_first: the first hub dies and comes back, the link goes and returns, nothing acknowledged is lost meanwhile", async () => {
      await using first = await startHub({ version, name: "first" });
      await using second = await startHub({ version, name: "second" });
      const arrived = new Map<string, Set<string>>();
      for (const hub of [first, second]) await collect(await hub.connect(RECONNECTS), arrived);
      await using spoke = await startSpoke({
        remote: {
          urls: [first.leafUrl, second.leafUrl],
          ...LOGIN,
          no_randomize: true,
          reconnect: { min: "50ms", max: "500ms", return_to_first: "1s" },
        },
        settings: { outbox: HOLD },
      });
      await spoke.until("it begins with the first", (report) => isReadyOn(report, [first.leafUrl]));
      await using publisher = await Publisher.start(spoke);
      await publisher.acknowledged(100);
      await publisher.pause(); // what a dying hub has taken and not passed on is lost with it (DESIGN §4.3)
      await settles(() => arrived.size === publisher.count, "the first hub has passed on all");
      await first.server.kill();
      publisher.resume();
      await spoke.until("it goes to the second", (report) => isReadyOn(report, [second.leafUrl]));
      await publisher.acknowledged(publisher.count + 100);
      await first.server.restart();
      const restartedAt = performance.now();
      await spoke.until("it returns to the first", (report) => isReadyOn(report, [first.leafUrl]));
      assert.ok(performance.now() - restartedAt >= 1000, "not before the first has answered for a second");
      await publisher.acknowledged(publisher.count + 100);
      await publisher.pause();
      await settles(() => arrived.size === publisher.count, "all of it has arrived");
      for (const [payload, ids] of arrived) assert.equal(ids.size, 1, `${payload} came with ids ${[...ids]}`);
      assert.match(spoke.log.join("\n"), /going back to the first URL/);
    });

    test("a first URL that dies again during the soak does not draw the link to it", async () => {
      await using first = await startHub({ version, name: "first" });
      await using second = await startHub({ version, name: "second" });
      await first.server.kill();
      const reconnect = { min: "50ms", max: "500ms", return_to_first: "8s" };
      const remote = { urls: [first.leafUrl, second.leafUrl], ...LOGIN, no_randomize: true, reconnect };
      await using spoke = await startSpoke({ remote });
      await spoke.until("it is on the second", (report) => isReadyOn(report, [second.leafUrl]));
      await first.server.restart();
      await settles(() => leavesOf(first) > 0, "the first is looked at"); // a connection that closes at once
      await first.server.kill();
      const seen = leavesOf(first);
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      const { link } = spoke.spoke.report().remotes[0]!;
      assert.deepEqual([link.url, link.connects, link.state], [second.leafUrl, 1, "ready"]);
      assert.equal(leavesOf(first), seen);
    });

    // ── lame duck ───────────────────────────────────────────────────────────────────────────────────────────────────────

    test(`lame duck: ${version === "2.15" ? "seen by its closed listener, and left before it hangs up" : "not to be told from a deleted stream, so it is left when it hangs up"}`, async () => {
      await using leaving = await startHub({ version, name: "leaving", jetstream: true, config: LAME_DUCK });
      await using other = await startHub({ version, name: "other" });
      const nats = await leaving.connect({ reconnect: false });
      await HubStream.create(nats, "ORDERS", ["orders.>"]);
      await using spoke = new LinkHarness(remoteFrom({ urls: [leaving.leafUrl], ...LOGIN }));
      spoke.link.start();
      await spoke.hears(/^ready$/);
      const duck = new LameDuck({ random: () => 0.1 });
      duck.onUp(performance.now());
      lameDuck(leaving);
      await spoke.hears(/^ls- orders\.> null$/);
      duck.onInterestGone("orders.>", performance.now());
      const advice: string[] = [];
      while (!spoke.heard.includes("down") && advice.at(-1) !== "leave") {
        const now = performance.now();
        const next = duck.advice(now);
        if (next !== undefined) advice.push(next);
        if (next === "probe-own") duck.onProbe(now, await answers(leaving));
        if (next === "probe-other") duck.onProbe(now, await answers(other));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (version === "2.15") {
        assert.deepEqual(advice, ["probe-own", "probe-own", "probe-other", "leave"]);
        assert.equal(spoke.link.status().state, "ready", "it left of its own will");
      } else assert.deepEqual(advice, ["probe-own"]);
    });

    // 2.10 goes on accepting leaves until it ends: the test before shows that there is nothing to be seen there.
    if (version === "2.15")
      test("lame duck: the link leaves a node that takes nothing new before it is thrown out", async () => {
        await using leaving = await startHub({ version, name: "leaving", jetstream: true, config: LAME_DUCK });
        await using other = await startHub({ version, name: "other" });
        await HubStream.create(await leaving.connect({ reconnect: false }), "ORDERS", ["orders.>"]);
        await using spoke = await startSpoke({
          remote: { urls: [leaving.leafUrl, other.leafUrl], ...LOGIN, no_randomize: true },
        });
        await spoke.until("it begins with the first", (report) => isReadyOn(report, [leaving.leafUrl]));
        lameDuck(leaving);
        await spoke.until("it is on the other", (report) => isReadyOn(report, [other.leafUrl]));
        assert.match(spoke.log.join("\n"), /leaving it early/);
        assert.doesNotMatch(spoke.log.join("\n"), /link lost/);
      });

    test("lame duck: a spoke with another URL is over there when the node has gone, and nothing acknowledged is lost", async () => {
      await using cluster = await startCluster(2, { version, config: LAME_DUCK });
      const [leaving, other] = cluster.hubs;
      const arrived = new Map<string, Set<string>>();
      await collect(await other!.connect(), arrived);
      await using spoke = await startSpoke({
        remote: { urls: [leaving!.leafUrl, other!.leafUrl], ...LOGIN, no_randomize: true },
        settings: { outbox: HOLD },
      });
      await spoke.until("it begins with the first", (report) => isReadyOn(report, [leaving!.leafUrl]));
      await using publisher = await Publisher.start(spoke);
      await publisher.acknowledged(50);
      lameDuck(leaving!);
      await spoke.until("it is on the other", (report) => isReadyOn(report, [other!.leafUrl]));
      await publisher.acknowledged(publisher.count + 50);
      await publisher.pause();
      await settles(() => arrived.size === publisher.count, "all of it has arrived");
    });
  });
}

/** Leaf connections a hub has accepted since it started. */
function leavesOf(hub: Hub): number {
  return new Set(hub.server.log.match(/lid:\d+/g)).size;
}

/** Where a spoke's leaf connections come from, as the hub sees it. Others may dial it too, by a port that was another hub's a moment ago. */
async function leafPortsOf({ server }: Hub, name: string): Promise<number[]> {
  const { leafs } = (await server.monitor("/leafz")) as {
    readonly leafs: readonly { readonly name: string; readonly port: number }[];
  };
  return leafs.filter((leaf) => leaf.name === name).map(({ port }) => port);
}

function lameDuck(hub: Hub): void {
  process.kill(Number(/^\[(\d+)\]/m.exec(hub.server.log)![1]), "SIGUSR2");
}

async function answers(hub: Hub): Promise<boolean> {
  return await RawNatsClient.dial(hub.server.port("leaf")).then(
    async (leaf) => {
      await leaf[Symbol.asyncDispose]();
      return true;
    },
    () => false,
  );
}

async function selfSignedFor(name: string, folder: string): Promise<{ cert_file: string; key_file: string }> {
  const [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"];
  const named = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  await promisify(execFile)("openssl", ["req", "-x509", ...made, ...named, "-keyout", key, "-out", cert]);
  return { cert_file: cert, key_file: key };
}
