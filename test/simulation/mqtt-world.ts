// A world of one MQTT broker: the real store over a disk that loses what was not synced, four devices, and dice. In it the devices connect,
// vanish, publish and acknowledge as the dice fall, and the power goes at any moment.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { Authenticator } from "#access/authenticator.ts";
import type { Entropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { ByteStream, Net } from "#base/net.ts";
import { type MqttIngress, openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import type { Store } from "#store/store.ts";
import { StoreRig } from "../conformance/store/store-rig.ts";
import { turn } from "../support/fake-clock.ts";
import { mqttSettings } from "../support/mqtt-settings.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { USERS } from "../wire/mqtt/harness.ts";
import { Publisher, Subscriber } from "./mqtt-devices.ts";

const LIVES = 25;
const TOPICS = ["a/pump", "a/valve"] as const;

class World {
  readonly rig = new StoreRig();
  readonly #entropy: Entropy;
  readonly publishers = [new Publisher("pump", TOPICS[0]), new Publisher("valve", TOPICS[1])];
  readonly subscribers = [new Subscriber("logger"), new Subscriber("display")];
  #store: Store | undefined;
  #ingress: MqttIngress | undefined;
  #accept: (stream: ByteStream) => void = () => undefined;

  constructor(random: () => number) {
    const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));
    this.#entropy = { random, bytes };
  }

  async start(): Promise<void> {
    const { clock } = this.rig;
    const entropy = this.#entropy;
    this.#store = await this.rig.open();
    const net: Net = {
      dial: () => Promise.reject(new Error("nobody dials here")),
      listen: async (endpoint, onStream) => {
        this.#accept = onStream;
        return { endpoint, [Symbol.asyncDispose]: async () => undefined };
      },
    };
    const deps = {
      env: { clock, net, entropy, log: silentLog() },
      authenticator: new Authenticator(USERS, "anyone", { clock, entropy }),
      accounts: new Map([["EDGE", new AccountRouter("EDGE", entropy)]]),
      limits: { maxPayload: 1_048_576, maxPending: 16_777_216, writeDeadline: 10_000 },
      keeping: this.#store,
    };
    const settings = mqttSettings({ listen: { host: "test", port: 1 }, maxConnectRate: null });
    this.#ingress = await openMqtt(settings, deps, new AbortController().signal);
    this.#store.release();
  }

  dial(device: Publisher | Subscriber): void {
    device.dial((stream: Duplex) => this.#accept(stream));
  }

  /** The lights go out: the broker says no more, the devices notice. */
  async cut(): Promise<void> {
    this.rig.disk.powerCut();
    for (const device of [...this.publishers, ...this.subscribers]) device.vanish();
    await this.stop();
  }

  async stop(): Promise<void> {
    const ended = this.#ingress?.[Symbol.asyncDispose]();
    await this.rig.clock.pass(3_000);
    await ended;
    await this.#store?.[Symbol.asyncDispose]();
  }
}

/** Plays `LIVES` lives and one without dice, in which all that is owed is delivered; then looks what came. Returns how much was published. */
export async function playMqttWorld(seed: number): Promise<number> {
  const random = seededRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const world = new World(seededRandom(seed + 1));
  const { publishers, subscribers, rig } = world;
  const devices = [...publishers, ...subscribers];
  await world.start();
  for (const subscriber of subscribers) world.dial(subscriber);
  while (!subscribers.every(({ isSubscribed }) => isSubscribed)) await rig.clock.pass(30);
  await world.cut();
  for (let life = 0; life < LIVES; life++) {
    await world.start();
    for (const device of devices) world.dial(device);
    for (let step = below(120); step > 0; step--) {
      const dice = random();
      if (dice < 0.4) publishers[below(2)]!.publish();
      else if (dice < 0.7) subscribers[below(2)]!.acknowledge(1 + below(5));
      else if (dice < 0.75) devices[below(4)]!.vanish();
      else if (dice < 0.85) {
        const device = devices[below(4)]!;
        if (!device.isConnected) world.dial(device);
      } else await rig.clock.pass(below(30));
      if (random() < 0.5) await turn();
    }
    await world.cut();
  }
  await world.start();
  for (const device of devices) world.dial(device);
  for (let round = 0; round < 400; round++) {
    await rig.clock.pass(30);
    for (const subscriber of subscribers) subscriber.acknowledge(100);
    const isOver = publishers.every(({ unfinished }) => unfinished === 0) && subscribers.every(({ owed }) => owed === 0);
    if (isOver && round > 100) break;
  }
  await world.stop();
  for (const subscriber of subscribers) judge(subscriber, publishers);
  return publishers.reduce((sum, { published }) => sum + published, 0);
}

function judge(subscriber: Subscriber, publishers: readonly Publisher[]): void {
  assert.deepEqual(subscriber.breaches, []);
  for (const { topic, acknowledged, published } of publishers) {
    assert.equal(acknowledged.size, published);
    for (const number of acknowledged) {
      const times = subscriber.got.get(`${topic} ${number}`) ?? 0;
      assert.ok(times > 0, `${topic} ${number} was acknowledged and lost`);
      if (number % 2 === 0) assert.equal(times, 1, `${topic} ${number} at QoS 2`);
    }
  }
}
