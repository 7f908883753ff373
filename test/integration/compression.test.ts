// S2 on real links: who compresses and at which level, both ways, and that every byte comes through as it was.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { FLAG_DURABLE } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { CompressionMode } from "#uplink/compression.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { Shaper } from "../support/shaper.ts";
import { LocalClient, openRig, type Rig } from "../support/uplink-rig.ts";

const OUR_MODES = ["off", "accept", "s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"] as const;
/** As nats-server's configuration names them; `s2_uncompressed` it refuses there. */
const HUB_MODES = ["not_supported", "off", "accept", "s2_auto", "s2_fast", "s2_better", "s2_best"] as const;

/** Leaf-node protocol notes, 7.2: what CONNECT says of us. */
function modeWanted(ours: CompressionMode, hubs: (typeof HUB_MODES)[number]): string {
  if (hubs === "not_supported") return "not supported";
  if (ours === "off" || hubs === "off" || (ours === "accept" && hubs === "accept")) return "off";
  if (ours === "accept") return hubs === "s2_auto" ? "s2_fast" : hubs;
  return ours;
}

/** What the hub then uses for what it sends. */
function hubLevelWanted(ours: CompressionMode, hubs: (typeof HUB_MODES)[number]): RegExp {
  const agreed = modeWanted(ours, hubs);
  if (hubs === "not_supported") return /^not supported$/;
  if (agreed === "off") return /^(off|accept)$/;
  const theirs = hubs === "accept" ? (ours === "s2_auto" ? "s2_fast" : ours) : hubs;
  return theirs === "s2_auto" ? /^s2_(uncompressed|fast|better|best)$/ : new RegExp(`^${theirs}$`);
}

async function hubLevel(hub: Hub, name: string): Promise<string> {
  const { leafs } = (await hub.server.monitor("/leafz")) as { leafs: { name: string; compression: string }[] };
  return leafs.findLast((leaf) => leaf.name === name)?.compression ?? "not listed";
}

const random = seededRandom(11);
const noise = (bytes: number) => Buffer.from(Uint8Array.from({ length: bytes }, () => random() * 256));
const readings = (bytes: number) =>
  Buffer.from('{"sensor":"boiler-7","celsius":71.25,"ok":true}\n'.repeat(Math.ceil(bytes / 48)).slice(0, bytes));

interface Sent {
  readonly payload: Buffer;
  readonly tag: string | null;
}

/** Publishes on `from` and resolves with what `to` heard of it, once it has heard as many. */
async function carry(from: NatsConnection, to: NatsConnection, subject: string, messages: readonly Sent[]): Promise<void> {
  const heard: Msg[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = to.subscribe(subject, {
    callback: (_, message) => {
      if (message.data.length === 0) {
        message.respond(); // to untilWanted
        return;
      }
      heard.push(message);
      if (heard.length === messages.length) resolve();
    },
  });
  await to.flush();
  await untilWanted(from, subject);
  for (const [i, { payload, tag }] of messages.entries()) {
    const lines = headers();
    lines.set("Tag", tag ?? "");
    from.publish(subject, payload, tag === null ? {} : { headers: lines });
    if (i % 100 === 99) await from.flush();
  }
  await from.flush();
  await Promise.race([promise, late(() => `heard ${heard.length} of ${messages.length} on ${subject}`)]);
  subscription.unsubscribe();
  assert.equal(heard.length, messages.length);
  for (const [i, { payload, tag }] of messages.entries()) {
    assert.ok(payload.equals(heard[i]!.data), `message ${i} of ${payload.length} bytes on ${subject} came as it was`);
    assert.equal(heard[i]!.headers?.get("Tag") ?? null, tag);
  }
}

async function late(words: () => string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 20_000).unref());
  throw new Error(words());
}

/** On subjects of their own: the hub may still have the interest of another link in `up.>`. */
async function bothWays(rig: Rig, hub: Hub, messages: readonly Sent[], token = "a"): Promise<void> {
  const spokeSide = await rig.connect();
  const hubSide = await hub.connect();
  await Promise.all([carry(spokeSide, hubSide, `up.${token}`, messages), carry(hubSide, spokeSide, `down.${token}`, messages)]);
}

/** Resolves when whoever listens there answers. */
async function untilWanted(nats: NatsConnection, subject: string): Promise<void> {
  const end = performance.now() + 15_000;
  for (;;) {
    const isAnswered = await nats.request(subject, "", { timeout: 500 }).then(
      () => true,
      () => false, // nobody there yet, or it is slow
    );
    if (isAnswered) return;
    if (performance.now() > end) throw new Error(`nobody listens to ${subject}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const NOISE = noise(100_000);
const READINGS = readings(700_000);
const VARIED: readonly Sent[] = [
  { payload: readings(100), tag: null },
  { payload: NOISE, tag: "noise" },
  { payload: READINGS, tag: "readings" },
  { payload: noise(1), tag: "one" },
];

for (const version of TESTED_LINES) {
  suite(`hub ${version}`, { concurrency: 4 }, () => {
    for (const hubs of HUB_MODES) {
      test(`${hubs} at the hub: each of our modes comes to what the protocol says, and carries every byte both ways`, async () => {
        await using hub = await startHub({ version, leafnodes: { compression: hubs } });
        await Promise.all(OUR_MODES.map((ours) => agreesAndCarries(hub, hubs, ours)));
      });
    }

    for (const tls of ["none", "upgrade", "first"] as const) {
      test(`TLS ${tls} with S2: 2,000 messages of random sizes each way, byte for byte, in order`, async () => {
        await using hub = await startHub({ version, tls, leafnodes: { compression: "s2_fast" } });
        const block = tls === "none" ? null : { handshake_first: tls === "first", ca_file: hub.ca! };
        await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)], tls: block, compression: "s2_better" });
        const sizes = Array.from({ length: 2000 }, () => 1 + Math.floor(random() ** 6 * 100_000));
        const pick = (size: number) => (random() < 0.3 ? NOISE.subarray(0, size) : READINGS.subarray(0, size));
        await bothWays(
          rig,
          hub,
          sizes.map((size, i) => ({ payload: pick(size), tag: random() < 0.5 ? null : `n${i}` })),
        );
        const { link } = rig.uplink.status();
        assert.deepEqual(
          [link.isTls, link.compression, link.connects],
          [tls !== "none", { mode: "s2_better", level: "better" }, 1],
        );
        assert.ok(link.bytesOut < link.plainBytesOut * 0.7, `${link.bytesOut} of ${link.plainBytesOut} bytes`);
        assert.ok(link.bytesIn < link.plainBytesIn * 0.7, `${link.bytesIn} of ${link.plainBytesIn} bytes`);
        assert.match(await hubLevel(hub, "gw-rig"), /^s2_fast$/);
      });

      test(`TLS ${tls}: a wrong password is named as one, whether the hub says so in S2 or in clear`, async () => {
        for (const hubs of ["s2_fast", "off"]) {
          await using hub = await startHub({ version, tls, leafnodes: { compression: hubs } });
          const url = hub.leafUrlAs({ user: LEAF.user, password: "wrong" });
          const block = tls === "none" ? null : { handshake_first: tls === "first", ca_file: hub.ca! };
          await using spoke = new LinkHarness(remoteFrom({ urls: [url], tls: block }));
          spoke.link.start();
          await spoke.hears(/^down$/);
          assert.equal(spoke.link.status().lastError?.code, "LEAF_AUTH_REJECTED", hubs);
          assert.deepEqual(spoke.heard, ["rejected Authorization Violation", "down"]);
        }
      });
    }

    test("s2_auto goes by the round trip that the link shows, up and down again, with traffic running and nothing lost", async () => {
      // The hub's own thresholds lie elsewhere: what it does at the same time is its business.
      const compression = { mode: "s2_auto", rtt_thresholds: ["15ms", "45ms", "90ms"] };
      await using hub = await startHub({ version, leafnodes: { compression }, config: { ping_interval: "1s" } });
      await using shaper = await Shaper.before(hub.server.port("leaf"));
      await using rig = await openRig({ urls: [shaper.through(hub.leafUrlAs(LEAF))], compression: OUR_THRESHOLDS });
      const hubSide = await hub.connect();
      const wentUp = await TrafficCount.of(hubSide, "up.>");
      const spokeSide = await rig.connect();
      const cameDown = await TrafficCount.of(spokeSide, "down.>");
      await untilWanted(hubSide, "down.a");
      await untilWanted(spokeSide, "up.a");
      const { door, batch } = { door: rig.account.open(new LocalClient(rig.account)), batch: new BatchBuilder() };
      let published = 0;
      const levels: string[] = [];
      for (const [roundTrip, wanted] of ROUND_TRIPS) {
        shaper.set({ up: { delay: roundTrip / 2 }, down: { delay: roundTrip / 2 } });
        const end = performance.now() + 15_000;
        while (rig.uplink.status().link.compression!.level !== wanted && performance.now() < end) {
          batch.beginOwn();
          for (let i = 0; i < 20; i++) {
            batch.add({ subject: "up.a", payload: READINGS.subarray(0, 200), flags: FLAG_DURABLE });
            hubSide.publish("down.a", READINGS.subarray(0, 200));
            published += 1;
          }
          door.publish(batch);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        levels.push(rig.uplink.status().link.compression!.level!);
      }
      assert.deepEqual(
        levels,
        ROUND_TRIPS.map(([, wanted]) => wanted),
      );
      await wentUp.reaches(published);
      await cameDown.reaches(published);
      assert.equal(rig.uplink.status().link.connects, 1);
      assert.equal(rig.uplink.status().outbox.losses.length, 0);
    });

    test("rtt_thresholds of the owner count, and 0 skips a level", async () => {
      await using hub = await startHub({ version });
      const cases = [
        [["5s", "6s", "7s"], "uncompressed"],
        [["0ms", "5s", "6s"], "fast"],
        [["0ms", "0ms", "5s"], "better"],
        [["0ms", "0ms", "0ms"], "best"],
        [[], "best"],
      ] as const;
      for (const [rtt_thresholds, level] of cases) {
        const compression = { mode: "s2_auto", rtt_thresholds: [...rtt_thresholds] };
        await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)], compression });
        await rig.until("a round trip was measured", () => rig.uplink.status().link.rttMs !== null);
        assert.deepEqual(rig.uplink.status().link.compression, { mode: "s2_auto", level });
      }
    });
  });
}

async function agreesAndCarries(hub: Hub, hubs: (typeof HUB_MODES)[number], ours: CompressionMode): Promise<void> {
  await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)], compression: ours }, { name: `gw-${ours}` });
  const wanted = modeWanted(ours, hubs);
  const { compression } = rig.uplink.status().link;
  assert.equal(compression?.mode, wanted, ours);
  assert.equal(compression.level !== null, wanted.startsWith("s2_"), ours);
  await bothWays(rig, hub, VARIED, ours);
  assert.match(await hubLevel(hub, `gw-${ours}`), hubLevelWanted(ours, hubs), ours);
  const { link } = rig.uplink.status();
  const level = link.compression!.level;
  if (wanted !== "s2_auto" && level !== null) assert.equal(`s2_${level}`, wanted);
  if (level === null) assert.deepEqual([link.bytesOut, link.bytesIn], [link.plainBytesOut, link.plainBytesIn]);
  else if (wanted !== "s2_auto" && level !== "uncompressed")
    assert.ok(link.bytesOut < link.plainBytesOut / 2, `${link.bytesOut} of ${link.plainBytesOut} bytes`);
  assert.equal(link.connects, 1);
}

/** Round trips in milliseconds, and the level that each must come to. */
const ROUND_TRIPS = [
  [0, "uncompressed"],
  [60, "fast"],
  [140, "better"],
  [300, "best"],
  [0, "uncompressed"],
] as const;
/** Wide, so that a machine with much else to do still shows what it is about. */
const OUR_THRESHOLDS = { mode: "s2_auto", rtt_thresholds: ["40ms", "110ms", "220ms"] };

/** How many messages came. */
class TrafficCount {
  #count = 0;

  static async of(nats: NatsConnection, filter: string): Promise<TrafficCount> {
    const traffic = new TrafficCount();
    nats.subscribe(filter, {
      callback: (_, message) => {
        if (message.data.length > 0) traffic.#count += 1;
        else message.respond(); // to untilWanted
      },
    });
    await nats.flush();
    return traffic;
  }

  async reaches(count: number): Promise<void> {
    const end = performance.now() + 10_000;
    while (this.#count < count && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(this.#count, count);
  }
}
