// Several remotes in one spoke, on real hubs: accounts stay apart, hubs stay apart, and one that is down holds up nobody.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { suite, test } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { collect, settles } from "../support/failover.ts";
import { ACCOUNT, type Hub, LEAF, startHub } from "../support/hub.ts";
import { DEVICE, startSpoke, type TestSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };
const QUICK = { reconnect: { min: "50ms", max: "500ms" }, ignore_discovered_servers: true };
const PLANT = { user: "device-2", password: "device-password-2" };
/** Kept whether or not anybody at a hub listens at the moment. */
const HOLD = { free_reserve: "0B", rules: [{ subjects: [">"], keep: "always" }] };
const RECONNECTS = { maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0 };

for (const version of TESTED_LINES) {
  suite(`nats-server ${version}`, { concurrency: 4 }, () => {
    test("two accounts on two hubs at once: neither readings nor commands of one are seen in the other", async () => {
      await using one = await startHub({ version, name: "one" });
      await using two = await startHub({ version, name: "two" });
      const [atOne, atTwo] = [await Ear.at(one), await Ear.at(two)];
      await using spoke = await startSpoke({
        settings: {
          accounts: [
            { name: "EDGE", users: [{ ...DEVICE }] },
            { name: "PLANT", users: [PLANT] },
          ],
          leafnodes: {
            remotes: [
              { urls: [one.leafUrl], ...LOGIN, ...QUICK },
              { urls: [two.leafUrl], ...LOGIN, ...QUICK, account: "PLANT" },
            ],
          },
        },
      });
      const { remotes } = await spoke.untilReady();
      assert.deepEqual(
        remotes.map(({ name, account, link }) => [name, account, link.hub_name]),
        [
          ["EDGE", "EDGE", "one"],
          ["PLANT", "PLANT", "two"],
        ],
      );
      await using edge = await spoke.device();
      await using plant = await spoke.device({ username: PLANT.user, password: PLANT.password });
      const commands: string[] = [];
      edge.on("message", (_, payload) => payload.length > 0 && commands.push(`edge ${payload}`));
      plant.on("message", (_, payload) => payload.length > 0 && commands.push(`plant ${payload}`));
      for (const device of [edge, plant]) await device.subscribeAsync("cmd/#", { qos: 1 });
      await edge.publishAsync("sensors/a", "from edge", { qos: 1 });
      await plant.publishAsync("sensors/a", "from plant", { qos: 1 });
      await settles(() => atOne.heard.length > 0 && atTwo.heard.length > 0, "both readings arrive");
      for (const ear of [atOne, atTwo]) await ear.untilWanted("cmd.>");
      atOne.nats.publish("cmd.x", "to edge");
      atTwo.nats.publish("cmd.x", "to plant");
      await settles(() => commands.length >= 2, "both commands arrive");
      await edge.publishAsync("sensors/a", "last of edge", { qos: 1 }); // behind whatever might still be on its way
      await plant.publishAsync("sensors/a", "last of plant", { qos: 1 });
      await settles(() => atOne.heard.length > 1 && atTwo.heard.length > 1, "the last arrive");
      assert.deepEqual(atOne.heard, ["from edge", "last of edge"]);
      assert.deepEqual(atTwo.heard, ["from plant", "last of plant"]);
      assert.deepEqual(commands.sort(), ["edge to edge", "plant to plant"]);
      assert.deepEqual(await fs.readdir(path.join(spoke.dataDir, "outbox")), ["EDGE", "PLANT"]);
    });

    test("one account on two hubs: local publishes reach both once, nothing passes from one hub to the other", async () => {
      await using one = await startHub({ version, name: "one" });
      await using two = await startHub({ version, name: "two" });
      const [atOne, atTwo] = [await Ear.at(one), await Ear.at(two)];
      await using spoke = await startSpoke({ settings: twins(one, two) });
      await spoke.untilReady();
      await using device = await spoke.device();
      const heard = await listen(device);
      await device.publishAsync("sensors/a", "local", { qos: 1 });
      for (const ear of [atOne, atTwo]) await ear.untilWanted("sensors.>");
      atOne.nats.publish("sensors.b", "from one");
      atTwo.nats.publish("sensors.b", "from two");
      await settles(() => heard.length >= 3, "the device hears its own and both hubs");
      await device.publishAsync("sensors/a", "last", { qos: 1 });
      await settles(() => [atOne, atTwo].every((ear) => ear.heard.includes("last")), "the last arrives at both");
      assert.deepEqual(atOne.heard.toSorted(), ["from one", "last", "local"]);
      assert.deepEqual(atTwo.heard.toSorted(), ["from two", "last", "local"]);
      assert.deepEqual(heard.toSorted(), ["from one", "from two", "last", "local"]);
      assert.deepEqual(spoke.spoke.report().health, { verdict: "ok", reasons: [] });
    });

    test("one account on two hubs that are linked themselves: everything comes a known number of times, nothing goes round", async () => {
      await using one = await startHub({ version, name: "one" });
      const remotes = [{ urls: [one.leafUrlAs(LEAF)], account: ACCOUNT }];
      await using two = await startHub({ version, name: "two", leafnodes: { host: "127.0.0.1", port: -1, remotes } });
      await one.server.logs(/lid:\d+/);
      const [atOne, atTwo] = [await Ear.at(one), await Ear.at(two)];
      await using spoke = await startSpoke({ settings: twins(one, two) });
      await spoke.untilReady();
      await using device = await spoke.device();
      const heard = await listen(device);
      for (const ear of [atOne, atTwo]) await ear.untilWanted("sensors.>");
      for (let i = 0; i < 20; i++) {
        await device.publishAsync("sensors/a", `local ${i}`, { qos: 1 });
        atOne.nats.publish("sensors.b", `one ${i}`);
        atTwo.nats.publish("sensors.b", `two ${i}`);
      }
      await settles(() => heard.length >= 140 && atOne.heard.length >= 80 && atTwo.heard.length >= 80, "all is heard");
      await new Promise((resolve) => setTimeout(resolve, 300)); // a loop would go round a thousand times
      const seen = { one: copies(atOne.heard), two: copies(atTwo.heard), device: copies(heard) };
      // What goes up goes up twice, so each hub has it from us and from its neighbour, and both hand it to the device again. What a hub
      // says comes down twice. Neither goes up again: a hub that hears itself through us would never stop.
      assert.deepEqual(seen, {
        one: { local: [2], one: [1], two: [1] },
        two: { local: [2], one: [1], two: [1] },
        device: { local: [3], one: [2], two: [2] },
      });
      for (const { link } of spoke.spoke.report().remotes) assert.deepEqual([link.state, link.connects], ["ready", 1]);
    });

    test("two remotes to one hub: the health report says that messages come twice, and what to do", async () => {
      await using hub = await startHub({ version });
      await using spoke = await startSpoke({ settings: twins(hub, hub) });
      await spoke.untilReady();
      const { verdict, reasons } = spoke.spoke.report().health;
      assert.equal(verdict, "degraded");
      assert.match(reasons.join("\n"), /remotes EDGE and second of account EDGE reach the same hub \(hub\): messages come twice/);
    });

    test("one hub down: the other is not held up, acknowledgements go on, and its outbox survives a restart of the spoke", async () => {
      await using folder = await tempFolder("petiole-remotes");
      await using one = await startHub({ version, name: "one" });
      await using two = await startHub({ version, name: "two" });
      const [toOne, toTwo] = [new Map<string, Set<string>>(), new Map<string, Set<string>>()];
      await collect(await one.connect(RECONNECTS), toOne);
      await collect(await two.connect(RECONNECTS), toTwo);
      const settings = { ...twins(one, two), outbox: HOLD };
      {
        await using spoke = await startSpoke({ settings, dataDir: folder.path });
        await spoke.untilReady();
        await using device = await spoke.device();
        await publish(device, 0, 50);
        await settles(() => toOne.size === 50 && toTwo.size === 50, "both have the first fifty");
        await two.server.kill();
        await spoke.until("the second link is down", ({ remotes }) => remotes[1]!.link.state !== "ready");
        await publish(device, 50, 250); // acknowledged with one hub away: it is on flash for that one
        await settles(() => toOne.size === 250, "the first has all at once");
        const { remotes, health } = spoke.spoke.report();
        const [first, second] = remotes.map(({ outbox }) => outbox.lanes[1]!);
        assert.ok(second!.last_seq - second!.confirmed_seq >= 200, "nothing of it is confirmed by the second");
        assert.equal(second!.committed_seq, second!.last_seq, "all of it is on flash for the second");
        assert.ok(first!.committed_seq <= second!.committed_seq);
        assert.match(health.reasons.join("\n"), /no link to the hub of second: .*200 messages wait/);
      }
      assert.deepEqual(await fs.readdir(path.join(folder.path, "outbox")), ["EDGE", "second"]);
      await two.server.restart();
      await using spoke = await startSpoke({ settings, dataDir: folder.path });
      await spoke.untilReady();
      await settles(() => toTwo.size === 250, "the second gets what it missed");
      await using device = await spoke.device();
      await publish(device, 250, 260);
      await settles(() => toOne.size === 260 && toTwo.size === 260, "both have the rest");
      for (const [payload, ids] of [...toOne, ...toTwo]) assert.equal(ids.size, 1, `${payload} came with ids ${[...ids]}`);
    });
  });
}

/** One account, two remotes. */
function twins(one: Hub, two: Hub) {
  return {
    leafnodes: {
      remotes: [
        { urls: [one.leafUrl], ...LOGIN, ...QUICK },
        { urls: [two.leafUrl], ...LOGIN, ...QUICK, name: "second" },
      ],
    },
  };
}

/** A client of a hub that writes down every reading. */
class Ear {
  readonly nats: NatsConnection;
  readonly #hub: Hub;
  readonly heard: string[] = [];

  static async at(hub: Hub): Promise<Ear> {
    const ear = new Ear(hub, await hub.connect());
    await ear.nats.flush();
    return ear;
  }

  private constructor(hub: Hub, nats: NatsConnection) {
    this.#hub = hub;
    this.nats = nats;
    nats.subscribe("sensors.>", {
      callback: (_, message) => void this.heard.push(message.string()),
    });
  }

  /** Resolves when the hub has heard from the spoke that somebody wants `filter`. */
  async untilWanted(filter: string): Promise<void> {
    const end = performance.now() + 10_000;
    for (;;) {
      const { leafs } = (await this.#hub.server.monitor("/leafz?subs=1")) as { leafs?: Record<string, string[]>[] };
      if (leafs?.some((leaf) => leaf["subscriptions_list"]?.includes(filter))) return;
      assert.ok(performance.now() < end, `the hub never heard that somebody wants ${filter}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

type Device = Awaited<ReturnType<TestSpoke["device"]>>;

async function listen(device: Device): Promise<string[]> {
  const heard: string[] = [];
  device.on("message", (_, payload) => payload.length > 0 && heard.push(String(payload))); // probes are empty
  await device.subscribeAsync("sensors/#", { qos: 1 });
  return heard;
}

async function publish(device: Device, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, i) => String(from + i));
  await Promise.all(numbers.map((number) => device.publishAsync("sensors/a", number, { qos: 1 })));
}

/** How often each message came, by who said it: the different numbers that occur. */
function copies(heard: readonly string[]): Record<string, number[]> {
  const counts = new Map<string, number>();
  for (const each of heard) counts.set(each, (counts.get(each) ?? 0) + 1);
  const by = (who: string) => [...new Set([...counts].filter(([text]) => text.startsWith(who)).map(([, count]) => count))].sort();
  return { local: by("local"), one: by("one"), two: by("two") };
}
