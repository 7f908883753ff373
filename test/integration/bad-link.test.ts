// Real spokes over a real bad link to real hubs: what a modem in a basement does, at its own pace. The same for ten minutes, on
// simulated time: test/simulation/bad-link.test.ts. All cases run side by side, as most of each is waiting.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { seededRandom } from "../support/seeded-random.ts";
import type { NetShape } from "../support/shaped-net.ts";
import { Shaper } from "../support/shaper.ts";
import { startSpoke, type TestSpoke } from "../support/spoke.ts";

/** 50 kbit/s and 500 ms of round trip. */
const BASEMENT: NetShape = {
  up: { rate: 50_000, delay: 250, bufferBytes: 32 * 1024, packetBytes: 600 },
  down: { rate: 50_000, delay: 250, bufferBytes: 32 * 1024, packetBytes: 600 },
};
const RULES = [
  { subjects: ["alarms.>"], class: "alarm", keep: "always" },
  { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
  { subjects: [">"] },
];
const OFFERED_MS = 45_000;
const LOGIN = { user: LEAF.user, password: LEAF.password };

interface World extends AsyncDisposable {
  readonly hub: Hub;
  readonly shaper: Shaper;
  readonly spoke: TestSpoke;
  readonly device: Awaited<ReturnType<TestSpoke["device"]>>;
  /** First words of payloads at the hub, and when each came first. */
  readonly arrivals: Map<string, number>;
}

async function openWorld(version: (typeof TESTED_LINES)[number], shape: NetShape, compresses: boolean): Promise<World> {
  await using scope = new AsyncDisposableStack();
  const hub = scope.use(await startHub({ version, tls: compresses ? "first" : "none" }));
  const nats = await hub.connect();
  const arrivals = new Map<string, number>();
  await listen(nats, arrivals);
  const shaper = scope.use(await Shaper.before(hub.server.port("leaf"), shape));
  const tls = compresses ? { handshake_first: true, ca_file: hub.ca! } : null;
  const spoke = scope.use(
    await startSpoke({
      remote: { urls: [shaper.through(hub.leafUrl)], ...LOGIN, tls, compression: compresses ? "s2_auto" : "off" },
      settings: { outbox: { free_reserve: "0B", rules: RULES } },
    }),
  );
  await spoke.untilReady();
  const device = scope.use(await spoke.device());
  const owned = scope.move();
  return { hub, shaper, spoke, device, arrivals, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function listen(nats: NatsConnection, arrivals: Map<string, number>): Promise<void> {
  nats.subscribe(">", {
    callback: (_, message) => {
      const [name] = message.string().split(" ", 1);
      if (name !== undefined && !arrivals.has(name)) arrivals.set(name, performance.now());
    },
  });
  await nats.flush();
}

const linkOf = ({ spoke }: World) => spoke.spoke.report().remotes[0]!;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, withinMs: number, isTrue: () => boolean, context: () => unknown): Promise<void> {
  const end = performance.now() + withinMs;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms until ${what}: ${JSON.stringify(context())}`);
    await sleep(20);
  }
}

const random = seededRandom(3);
/** That S2 finds nothing in. */
const noise = (bytes: number) =>
  Buffer.from(Uint8Array.from({ length: bytes }, () => random() * 256))
    .toString("base64")
    .slice(0, bytes);

suite("bad links", { concurrency: 32 }, () => {
  for (const version of TESTED_LINES) {
    for (const compresses of [false, true]) {
      const how = compresses ? "TLS first and S2" : "in clear";
      test(`hub ${version}, ${how}, 50 kbit/s and 500 ms with twice as much offered: no flap, alarms within five seconds, little under way`, async () => {
        await using world = await openWorld(version, BASEMENT, compresses);
        const { device, arrivals } = world;
        const sentAt = new Map<string, number>();
        let underWayMax = 0;
        let stagedMax = 0;
        const start = performance.now();
        for (let turn = 0; performance.now() - start < OFFERED_MS; turn++) {
          // 25 readings a second of 500 bytes on the wire, of which the line takes half.
          while ((performance.now() - start) / 40 < turn) await sleep(5);
          void device.publishAsync(`sensors/s${turn % 25}`, `t${turn} ${noise(400)}`, { qos: 1 }).catch(() => undefined); // cut off at the end
          if (turn % 25 === 0) {
            sentAt.set(`a${turn}`, performance.now());
            void device.publishAsync("alarms/fire", `a${turn} ${noise(100)}`, { qos: 1 }).catch(() => undefined);
          }
          const { link, outbox } = linkOf(world);
          underWayMax = Math.max(underWayMax, link.flow?.under_way ?? 0);
          stagedMax = Math.max(stagedMax, outbox.staged_bytes);
        }
        await until(
          "every alarm is there",
          10_000,
          () => [...sentAt.keys()].every((name) => arrivals.has(name)),
          () => linkOf(world),
        );
        const delays = [...sentAt].map(([name, at]) => arrivals.get(name)! - at).sort((x, y) => x - y);
        const p99 = delays[Math.ceil(delays.length * 0.99) - 1]!;
        assert.ok(delays.length > 20 && p99 <= 5000, `p99 of ${delays.length} alarms: ${Math.round(p99)} ms`);
        const { link, outbox } = linkOf(world);
        assert.equal(link.connects, 1, JSON.stringify(link.last_error));
        assert.equal(link.state, "ready");
        assert.ok(underWayMax < 32 * 1024, `${underWayMax} bytes under way`);
        assert.ok(stagedMax < 512 * 1024, `${stagedMax} bytes staged`);
        assert.ok(outbox.depth > 100, `${outbox.depth} wait on flash: the line was full`);
        const used = world.shaper.bytesUp / ((performance.now() - start) * 6.25);
        assert.ok(used > 0.6, `${Math.round(used * 100)} % of the line were used`);
        assert.deepEqual(outbox.losses, []);
      });
    }

    test(`hub ${version}: a line that stalls for 12 seconds keeps its link, and everything arrives`, async () => {
      await using world = await openWorld(version, BASEMENT, true);
      const names = await publishMany(world, 20);
      world.shaper.stall();
      names.push(...(await publishMany(world, 20)));
      await sleep(12_000);
      world.shaper.heal();
      await untilArrived(world, names);
      assert.equal(linkOf(world).link.connects, 1);
    });

    test(`hub ${version}: resets again and again, in the middle of it all, lose nothing`, async () => {
      await using world = await openWorld(version, { up: { rate: 1_000_000, delay: 40 }, down: { delay: 40 } }, true);
      const names: string[] = [];
      for (let round = 1; round <= 5; round++) {
        names.push(...(await publishMany(world, 30)));
        world.shaper.reset();
        names.push(...(await publishMany(world, 30)));
        await until(
          "the link is back",
          30_000,
          () => linkOf(world).link.connects > round && linkOf(world).link.state === "ready",
          () => linkOf(world).link,
        );
      }
      await untilArrived(world, names);
      assert.deepEqual(linkOf(world).outbox.losses, []);
    });

    for (const direction of ["up", "down", "both"] as const) {
      test(`hub ${version}: half-open, ${direction}: noticed within a minute, and what was lost on the way is sent again`, async () => {
        await using world = await openWorld(version, { up: { delay: 50 }, down: { delay: 50 } }, true);
        const names = await publishMany(world, 20);
        await untilArrived(world, names);
        world.shaper.halfOpen(direction);
        names.push(...(await publishMany(world, 20)));
        await until(
          "the link is given up",
          60_000,
          () => linkOf(world).link.connects === 1 && linkOf(world).link.state !== "ready",
          () => linkOf(world).link,
        );
        await until(
          "the link is back",
          20_000,
          () => linkOf(world).link.connects === 2 && linkOf(world).link.state === "ready",
          () => linkOf(world).link,
        );
        assert.ok(world.spoke.log.some((line) => line.includes("LEAF_STALE")));
        await untilArrived(world, names);
        assert.deepEqual(linkOf(world).outbox.losses, []);
      });
    }

    for (const phase of ["securing", "awaiting-info", "agreeing", "joining", "syncing"] as const) {
      test(`hub ${version}: a line that goes dead while it is ${phase} is given up with that word, and the link comes about when it is back`, async () => {
        await using hub = await startHub({ version, tls: "first" });
        await using shaper = await Shaper.before(hub.server.port("leaf"), { up: { delay: 100 }, down: { delay: 100 } });
        const tls = { handshake_first: true, ca_file: hub.ca! };
        await using spoke = new LinkHarness(remoteFrom({ urls: [shaper.through(hub.leafUrlAs(LEAF))], tls }));
        const status = () => spoke.link.status();
        spoke.link.start();
        await until(`it is ${phase}`, 10_000, () => status().state === phase, status);
        shaper.drop();
        await until("it is given up", 60_000, () => spoke.heard.includes("down"), status);
        const { lastError } = status();
        assert.equal(lastError?.code, "LEAF_TIMEOUT");
        assert.match(lastError.message, WORDS[phase]);
        shaper.heal();
        await until("the link is ready", 60_000, () => status().state === "ready", status);
      });
    }
  }
});

const WORDS = {
  securing: /TLS handshake/,
  "awaiting-info": /said nothing/,
  agreeing: /agreeing/,
  joining: /joining/,
  syncing: /syncing/,
} as const;

let published = 0;

/** Kept ones, acknowledged by the spoke when this resolves; their names. */
async function publishMany({ device }: World, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, () => `m${published++}`);
  await Promise.all(names.map((name) => device.publishAsync("sensors/a", `${name} ${noise(100)}`, { qos: 1 })));
  return names;
}

async function untilArrived(world: World, names: readonly string[]): Promise<void> {
  const missing = () => names.filter((name) => !world.arrivals.has(name));
  await until(
    "everything is at the hub",
    40_000,
    () => missing().length === 0,
    () => [missing(), linkOf(world)],
  );
}
