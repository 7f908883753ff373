// The whole uplink over bad links, in simulated time: what a modem in a basement does in ten minutes takes seconds here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { systemResolver } from "#base/resolver.ts";
import type { Json } from "#base/schema.ts";
import { openTimeKeeper, type TimeKeeper } from "#base/time-keeper.ts";
import { FLAG_DURABLE } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { outboxOptions } from "#outbox/options.ts";
import { AccountRouter } from "#router/router.ts";
import { openS2Codec } from "#s2/codec.ts";
import { openUplink } from "#uplink/uplink.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { remoteFrom } from "../support/link-harness.ts";
import { MemoryHub } from "../support/memory-hub.ts";
import { RecordingOrigin } from "../support/router-fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type NetShape, ShapedNet } from "../support/shaped-net.ts";

/** 50 kbit/s and 500 ms of round trip, behind a modem with a large buffer, as they have. */
const BASEMENT: NetShape = {
  up: { rate: 50_000, delay: 250, bufferBytes: 256 * 1024, packetBytes: 600 },
  down: { rate: 50_000, delay: 250, bufferBytes: 256 * 1024, packetBytes: 600 },
};

const RULES = [
  { subjects: ["alarms.>"], class: "alarm", keep: "always" },
  { subjects: ["live.>"], keep: "never" },
  { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
  { subjects: [">"] },
];

class World implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly disk = new FakeDisk({ seed: 1 });
  readonly net: ShapedNet;
  readonly router: AccountRouter;
  hub!: MemoryHub;
  uplink!: Awaited<ReturnType<typeof openUplink>>;
  time!: TimeKeeper;
  /** Paused publishers, as an MQTT client would be. */
  readonly origin = new RecordingOrigin("mqtt");
  readonly sentAt = new Map<string, number>();
  readonly #random = seededRandom(7);
  readonly #batch = new BatchBuilder();
  readonly #entropy = {
    random: this.#random,
    bytes: (count: number) => Buffer.from(Array.from({ length: count }, () => Math.floor(this.#random() * 256))),
  };

  private constructor(shape: NetShape) {
    this.net = new ShapedNet(this.clock, shape);
    this.router = new AccountRouter("EDGE", this.#entropy);
  }

  static async open(shape: NetShape, remote: { readonly [key: string]: Json } = {}): Promise<World> {
    const world = new World(shape);
    world.hub = await MemoryHub.listen(world.net, world.clock, { interest: [">"] });
    const outbox = decode(outboxOptions, { free_reserve: "0B", rules: RULES }, "/data");
    assert.ok("value" in outbox);
    await ensureDirectory(world.disk, "/data");
    const env = {
      clock: world.clock,
      disk: world.disk,
      net: world.net,
      entropy: world.#entropy,
      log: silentLog(),
      tty: { list: () => Promise.reject(new Error("none")), open: () => Promise.reject(new Error("none")) } as never,
    };
    const deps = {
      account: world.router,
      outbox: outbox.value,
      serverName: "gw-1",
      deviceId: "dev",
      dataDir: "/data",
      maxPayload: 1024 * 1024,
      codec: openS2Codec(),
      resolver: systemResolver(env),
      time: (world.time = await openTimeKeeper("/data", env)),
    };
    const options = remoteFrom({ urls: [world.hub.url], compression: "off", reconnect: { min: "1s", max: "60s" }, ...remote });
    world.uplink = await openUplink(options, deps, env, new AbortController().signal);
    world.uplink.start();
    await world.net.until("the link is ready", () => world.uplink.link.isReady);
    return world;
  }

  publish(subject: string, id: string, bytes: number): void {
    this.#batch.beginOwn();
    this.#batch.add({ subject, payload: Buffer.from(id.padEnd(bytes)), flags: FLAG_DURABLE });
    this.sentAt.set(id, this.clock.now());
    this.#door.publish(this.#batch);
  }

  readonly #door = (() => {
    const world = this;
    let door: ReturnType<AccountRouter["open"]> | undefined;
    return {
      publish(batch: BatchBuilder) {
        door ??= world.router.open(world.origin);
        door.publish(batch);
      },
    };
  })();

  /** Milliseconds from publish to the hub, of what arrived and begins so. */
  delays(prefix: string): number[] {
    return this.hub.arrivals
      .map(({ payload, at }) => ({ id: payload.toString().trimEnd(), at }))
      .filter(({ id }) => id.startsWith(prefix))
      .map(({ id, at }) => at - this.sentAt.get(id)!)
      .sort((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.uplink[Symbol.asyncDispose]();
    await this.net.pass(5000); // its goodbye
    await closing;
    await this.time[Symbol.asyncDispose]();
    await this.hub[Symbol.asyncDispose]();
    await this.net[Symbol.asyncDispose]();
  }
}

test("ten minutes at 50 kbit/s with twice as much offered: no flap, alarms within five seconds, memory flat", async () => {
  await using world = await World.open(BASEMENT);
  const { net, uplink, hub } = world;
  let stagedBytesMax = 0;
  let underWayMax = 0;
  let alarms = 0;
  for (let second = 0; second < 600; second++) {
    // 12,500 bytes a second and more, of which the line takes half.
    for (let i = 0; i < 25; i++) {
      world.publish(`sensors.s${i}`, `t${second}-${i}`, 430);
      if (i === 12 && second % 3 === 0) world.publish("alarms.fire", `a${alarms++}`, 120);
      await net.pass(40);
    }
    const { outbox, link } = uplink.status();
    stagedBytesMax = Math.max(stagedBytesMax, outbox.stagedBytes);
    underWayMax = Math.max(underWayMax, link.flow?.underWay ?? 0);
  }
  const { link, outbox } = uplink.status();
  assert.equal(hub.connects.length, 1, `no flap; ${JSON.stringify(link.lastError)}`);
  await net.pass(6000);
  const delays = world.delays("a");
  assert.equal(delays.length, alarms, "every alarm arrived, once");
  const p99 = delays[Math.ceil(delays.length * 0.99) - 1]!;
  assert.ok(p99 <= 5000, `p99 of alarms: ${p99} ms`);
  assert.ok(stagedBytesMax < 256 * 1024, `${stagedBytesMax} bytes staged`);
  assert.ok(underWayMax < 24 * 1024, `${underWayMax} bytes under way`);
  assert.ok(outbox.depth > 5000, "the rest waits on flash");
  const used = hub.arrivals.reduce(
    (sum, { payload, headers, subject }) => sum + payload.length + headers.length + subject.length + 20,
    0,
  );
  assert.ok(used / (600 * 6250) > 0.8, `${Math.round((used / (600 * 6250)) * 100)} % of the line were used`);
  assert.equal(outbox.losses.length, 0);
});

test("a line that stalls for 15 seconds again and again keeps its link, and everything arrives once", async () => {
  await using world = await World.open(BASEMENT);
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 10; i++) world.publish("sensors.a", `t${round}-${i}`, 300);
    await world.net.pass(500);
    world.net.stall();
    await world.net.pass(15_000);
    world.net.heal();
    await world.net.pass(20_000);
  }
  assert.equal(world.uplink.status().outbox.depth, 0);
  assert.equal(world.hub.arrivals.length, 60);
  assert.equal(world.hub.connects.length, 1);
});

test("half-open, our direction only: the hub goes on sending, and the link is rebuilt all the same", async () => {
  await using world = await World.open(BASEMENT);
  world.net.halfOpen("up");
  world.publish("sensors.a", "t0", 100);
  for (let i = 0; i < 2000 && world.uplink.link.isReady; i++) {
    if (i % 20 === 0) world.hub.publishes("cmd.x", `still here ${i}`);
    await world.net.pass(250);
  }
  assert.equal(world.uplink.link.status().lastError?.code, "LEAF_UNHEARD");
  world.net.heal();
  await world.net.until("the message has arrived", () => world.delays("t").length === 1, 240_000);
});

test("half-open both ways is noticed within a minute and a half with nothing to send, within one by whoever sends", async () => {
  for (const [isSending, limit] of [
    [false, 90_000],
    [true, 60_000],
  ] as const) {
    await using world = await World.open(BASEMENT);
    world.net.halfOpen();
    if (isSending) world.publish("live.x", "sent into the void", 100); // kept by no rule, so nobody waits for it
    await world.net.until("the link is given up", () => !world.uplink.link.isReady, limit);
    assert.equal(world.uplink.link.status().lastError?.code, "LEAF_STALE");
  }
});

test("a message of a megabyte over the same line takes its minutes, and is not taken for a dead link", async () => {
  await using world = await World.open({ ...BASEMENT, up: { ...BASEMENT.up, bufferBytes: 4 * 1024 * 1024 } });
  world.publish("sensors.a", "t0", 1_000_000);
  await world.net.until("it has arrived", () => world.delays("t").length === 1, 400_000);
  await world.net.pass(10_000);
  assert.equal(world.hub.connects.length, 1);
  assert.equal(world.uplink.status().outbox.depth, 0);
});

test("what is not kept is dropped and counted while the line is full, and passes when it is not", async () => {
  await using world = await World.open(BASEMENT);
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 40; i++) {
      world.publish("live.x", `l${second}-${i}`, 430);
      await world.net.pass(25);
    }
  }
  const { outbox, link } = world.uplink.status();
  assert.equal(world.hub.connects.length, 1);
  assert.ok(link.flow!.underWay < 32 * 1024, `${link.flow!.underWay} bytes under way`);
  const dropped = outbox.losses.find(({ reason }) => reason === "link_slow")?.messages ?? 0;
  assert.ok(dropped > 200, `${dropped} dropped`);
  await world.net.pass(10_000);
  assert.equal(world.hub.arrivals.length + dropped, 1200, "the rest arrived");
});
