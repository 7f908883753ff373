// The spoke and a cluster of hubs: rolling restarts under load, and what a hub says when another one joins.
// A node that dies under us: uplink.test.ts.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { type Cluster, meshed, startCluster } from "../support/cluster.ts";
import { LEAF } from "../support/hub.ts";
import { startSpoke } from "../support/spoke.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };
/** QoS 1 publishes that wait for their acknowledgement at the same time. */
const IN_FLIGHT = 20;

for (const version of TESTED_LINES) {
  // `confirm: accepted` promises nothing for what a node took in its last moments (DESIGN §4.3): from the signal to the end of the link.
  test(`cluster ${version}: a rolling restart under load loses nothing acknowledged but what our own node took while it stopped`, async (t) => {
    await using cluster = await startCluster(3, { version });
    await using listeners = await Listeners.open(cluster);
    await using spoke = await startSpoke({ remote: { urls: cluster.hubs.map((hub) => hub.leafUrl), ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    const link = () => spoke.spoke.report().remotes[0]!.link;
    const promised: number[] = [];
    let isOurNodeStopping = false;
    let acknowledged = 0;
    let next = 0;
    let isOver = false;
    const publisher = async () => {
      while (!isOver) {
        const value = next++;
        await device.publishAsync("sensors/a", String(value), { qos: 1 });
        acknowledged += 1;
        if (!isOurNodeStopping) promised.push(value);
      }
    };
    const load = Promise.all(Array.from({ length: IN_FLIGHT }, publisher));
    load.catch(() => undefined); // awaited below; if the test fails before that, its own error is the one to show
    let restartsOfOurs = 0;
    for (const hub of cluster.hubs) {
      await progress(promised);
      const { connects, hub_name: ours } = link();
      isOurNodeStopping = ours === hub.server.name;
      await hub.server.stop();
      if (isOurNodeStopping) {
        restartsOfOurs += 1;
        await spoke.until(
          "the link is lost",
          ({ remotes: [remote] }) => remote!.link.hub_name !== ours || remote!.link.connects > connects,
        );
        isOurNodeStopping = false;
      }
      await progress(promised); // with two nodes
      await hub.server.restart();
      await Promise.all(cluster.hubs.map((each) => meshed(each, { others: cluster.hubs.length - 1 })));
      await listeners.all();
      await spoke.until("the link is ready", ({ remotes: [remote] }) => remote!.link.state === "ready");
    }
    await progress(promised);
    isOver = true;
    await load;
    assert.ok(restartsOfOurs > 0, "none of the nodes was ours");
    assert.ok(link().connects > restartsOfOurs, `${link().connects} connects`);
    await listeners.heard(promised);
    assert.deepEqual(spoke.spoke.report().remotes[0]!.outbox.losses, []);
    const last = acknowledged - promised.length;
    t.diagnostic(`${acknowledged} acknowledged over ${link().connects} links, ${last} of them by a node that was stopping`);
  });

  test(`cluster ${version}: a server that joins is told to the leaves by INFO, and so is its end`, async () => {
    await using cluster = await startCluster(2, { version });
    await using leaf = await RawLeaf.dial(cluster.hubs[0]!.server.port("leaf"));
    const before = (await leaf.info()).leafnode_urls ?? [];
    assert.equal(before.length, 2);
    leaf.says(`CONNECT ${JSON.stringify({ version: "2.15.1", name: "raw", user: LEAF.user, pass: LEAF.password, protocol: 1 })}`);
    assert.equal((await leaf.info()).connect_info, true);
    const third = await cluster.join();
    const address = `127.0.0.1:${third.server.port("leaf")}`;
    await leaf.infoWhere("the new server is in it", (urls) => urls.length === 3 && urls.includes(address));
    await third.server.kill();
    await leaf.infoWhere("it is gone again", (urls) => urls.length === 2 && !urls.includes(address));
  });
}

/** A stock client on each node, back on it as soon as it runs again: what one misses while its node is away, the others hear. */
class Listeners implements AsyncDisposable {
  readonly #heard = new Set<number>();
  readonly #connections: Awaited<ReturnType<Cluster["hubs"][number]["connect"]>>[] = [];

  static async open(cluster: Cluster): Promise<Listeners> {
    const listeners = new Listeners();
    for (const hub of cluster.hubs) {
      const nats = await hub.connect({ maxReconnectAttempts: -1, reconnectTimeWait: 50, ignoreClusterUpdates: true });
      nats.subscribe("sensors.>", { callback: (_, message) => void listeners.#heard.add(Number(message.string())) });
      listeners.#connections.push(nats);
    }
    await listeners.all();
    return listeners;
  }

  /** Resolves when each of them is connected and its node has its subscription. */
  async all(): Promise<void> {
    const end = performance.now() + 10_000;
    for (const nats of this.#connections) {
      for (;;) {
        const error = await nats.flush().then(
          () => undefined,
          (reason: Error) => reason,
        );
        if (error === undefined) break;
        if (performance.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10)); // it was cut off and comes back
      }
    }
  }

  /** Resolves when every one of these has been heard by one of them. */
  async heard(values: readonly number[]): Promise<void> {
    const end = performance.now() + 10_000;
    for (;;) {
      const missing = values.filter((value) => !this.#heard.has(value));
      if (missing.length === 0) return;
      assert.ok(
        performance.now() < end,
        `acknowledged and never heard: ${missing.length} of ${values.length}, such as ${missing.slice(0, 10)}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map((nats) => nats.close()));
  }
}

/** Resolves when the load has come 100 messages further. */
async function progress(acknowledged: readonly number[]): Promise<void> {
  const wanted = acknowledged.length + 100;
  const end = performance.now() + 20_000;
  while (acknowledged.length < wanted) {
    assert.ok(performance.now() < end, "the device's publishes are acknowledged no more");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Info {
  readonly connect_info?: boolean;
  readonly leafnode_urls?: readonly string[];
}

/** A leaf connection line by line: what hubs say before any of our own code has read it. */
class RawLeaf implements AsyncDisposable {
  readonly #socket: net.Socket;
  #text = "";
  #onMore: () => void = () => undefined;

  static async dial(port: number): Promise<RawLeaf> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new RawLeaf(socket);
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket.setEncoding("latin1").on("error", () => undefined);
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#onMore();
    });
  }

  says(line: string): void {
    this.#socket.write(`${line}\r\n`);
  }

  /** The next INFO; PINGs on the way are answered. */
  async info(): Promise<Info> {
    const end = performance.now() + 10_000;
    while (performance.now() < end) {
      for (let at = this.#text.indexOf("\r\n"); at >= 0; at = this.#text.indexOf("\r\n")) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + 2);
        if (line.startsWith("INFO ")) return JSON.parse(line.slice(5)) as Info;
        if (line === "PING") this.says("PONG");
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - performance.now());
        this.#onMore = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    throw new Error("no INFO within 10 s");
  }

  async infoWhere(what: string, isTrue: (urls: readonly string[]) => boolean): Promise<void> {
    const seen: (readonly string[])[] = [];
    for (let i = 0; i < 20; i++) {
      const { leafnode_urls: urls = [] } = await this.info().catch(() =>
        assert.fail(`no INFO where ${what}: ${JSON.stringify(seen)}`),
      );
      if (isTrue(urls)) return;
      seen.push(urls);
    }
    assert.fail(`no INFO where ${what}: ${JSON.stringify(seen)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}
