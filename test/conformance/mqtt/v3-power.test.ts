// Sessions on the store as it is, over a disk that loses its power: QoS 1 and 2 both ways, through broken connections and restarts.
//
//   writer ──QoS 1, 2──▶ broker ──QoS 1, 2──▶ reader        both keep their own state, as the standard wants of them
//
// Whatever happens in between: a QoS 2 message arrives once, a QoS 1 message at least once, the first of each in order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreRig } from "../../conformance/store/store-rig.ts";
import { turn } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { connect, MqttDoor, puback, pubcomp, publish, pubrec, pubrel, RawClient, subscribe } from "../../wire/mqtt/harness.ts";
import { next } from "./five.ts";

interface Sent {
  readonly payload: string;
  readonly qos: 1 | 2;
  isReleased: boolean;
}

/** A device that follows the standard and never forgets. */
class Device {
  /** What it was sent, in order. */
  readonly got: string[] = [];
  readonly unacknowledged = new Map<number, Sent>();
  readonly #clientId: string;
  readonly #unreleased = new Set<number>();
  readonly #answers: () => boolean;
  #client: RawClient | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lastId = 0;
  #wasKept = false;

  /** `answers`: whether it finds the time to answer a message before its connection breaks. */
  constructor(clientId: string, answers: () => boolean) {
    this.#clientId = clientId;
    this.#answers = answers;
  }

  async comes(door: MqttDoor): Promise<void> {
    const client = await RawClient.dial(door.ingress.endpoint.port);
    this.#client = client;
    client.send(connect({ clientId: this.#clientId, isClean: false }));
    await client.receives(this.#wasKept ? "20 02 01 00" : "20 02 00 00");
    this.#wasKept = true;
    for (const [packetId, { payload, qos, isReleased }] of this.unacknowledged)
      client.send(isReleased ? pubrel(packetId) : publish("a/x", payload, { packetId, qos, dup: true }));
    this.#reading = this.#read(client).catch(() => undefined); // it ends with the connection
  }

  publish(payload: string, qos: 1 | 2): void {
    do this.#lastId = (this.#lastId % 40) + 1;
    while (this.unacknowledged.has(this.#lastId));
    const packetId = this.#lastId;
    this.unacknowledged.set(packetId, { payload, qos, isReleased: false });
    this.#client?.send(publish("a/x", payload, { packetId, qos }));
  }

  send(bytes: Buffer): void {
    this.#client?.send(bytes);
  }

  async breaks(): Promise<void> {
    this.#client?.socket.destroy();
    this.#client = undefined;
    await this.#reading;
  }

  async #read(client: RawClient): Promise<void> {
    for (;;) {
      const { first, body } = await next(client);
      if (first >> 4 === 3) this.#onPublish(client, first, body);
      else if (first !== 0x90) this.#onAnswer(client, first, body.readUInt16BE(0));
    }
  }

  #onPublish(client: RawClient, first: number, body: Buffer): void {
    const at = 2 + body.readUInt16BE(0);
    const packetId = body.readUInt16BE(at);
    const isNew = (first & 6) === 2 || !this.#unreleased.has(packetId);
    if (isNew) this.got.push(body.toString("utf8", at + 2));
    if ((first & 6) === 4) this.#unreleased.add(packetId);
    if (this.#answers()) client.send((first & 6) === 2 ? puback(packetId) : pubrec(packetId));
  }

  #onAnswer(client: RawClient, first: number, packetId: number): void {
    const sent = this.unacknowledged.get(packetId);
    switch (first >> 4) {
      case 6:
        this.#unreleased.delete(packetId);
        client.send(pubcomp(packetId));
        return;
      case 5:
        assert.equal(sent?.qos, 2, `PUBREC for ${packetId}`);
        sent!.isReleased = true;
        client.send(pubrel(packetId));
        return;
      case 4:
        assert.equal(sent?.qos, 1, `PUBACK for ${packetId}`);
    }
    this.unacknowledged.delete(packetId);
  }
}

/** The clock goes on while something is waited for, and with it the store. */
async function meanwhile<T>(rig: StoreRig, work: PromiseLike<T>): Promise<T> {
  let isOver = false;
  const ended = Promise.resolve(work).finally(() => {
    isOver = true;
  });
  ended.catch(() => undefined); // told by the await below
  while (!isOver) {
    await rig.clock.pass(1);
    await turn();
  }
  return await ended;
}

async function passUntil(rig: StoreRig, isTrue: () => boolean): Promise<void> {
  for (let i = 0; !isTrue(); i++) {
    assert.ok(i < 20_000, "it never came to that");
    await rig.clock.pass(1);
    await turn();
  }
}

for (const seed of [1])
  test(`MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.4.0-1, MQTT-4.6.0-1: QoS 2 once, QoS 1 at least once, in order, through power cuts (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const below = (end: number) => Math.floor(random() * end);
    const rig = new StoreRig();
    const writer = new Device("writer", () => true);
    const reader = new Device("reader", () => random() < 0.9);
    let published = 0;
    let isSubscribed = false;
    for (let life = 0; life < 12; life++) {
      const store = await meanwhile(rig, rig.open());
      const door = await MqttDoor.open({ stages: false, keeping: store, clock: rig.clock, settings: { maxInflight: 8 } });
      store.release();
      for (let visit = 0; visit < 4; visit++) {
        await meanwhile(rig, writer.comes(door));
        if (visit !== 2) await meanwhile(rig, reader.comes(door));
        if (!isSubscribed) {
          reader.send(subscribe(1, ["a/#", 2]));
          await passUntil(rig, () => store.safe >= 1 && door.router.subscriptions > 0 && store.status().staged === 0);
          isSubscribed = true;
        }
        for (let i = below(12); i > 0; i--) {
          if (writer.unacknowledged.size >= 30) break;
          published += 1;
          const qos = random() < 0.5 ? 1 : 2;
          writer.publish(`${qos}:${published}`, qos);
          if (random() < 0.4) await rig.clock.pass(below(30));
        }
        for (let i = below(6); i > 0; i--) await rig.clock.pass(below(30));
        if (random() < 0.6) await meanwhile(rig, writer.breaks());
        if (random() < 0.6) await meanwhile(rig, reader.breaks());
        if (visit === 3) break;
        await meanwhile(rig, Promise.all([writer.breaks(), reader.breaks()]));
      }
      if (life % 3 !== 2) rig.disk.powerCut(); // else it is closed in good order
      await Promise.all([writer.breaks(), reader.breaks()]);
      await meanwhile(rig, door[Symbol.asyncDispose]());
      await meanwhile(rig, store[Symbol.asyncDispose]());
    }
    assert.ok(published > 150);
    const all = Array.from({ length: published }, (_, i) => i + 1);
    const store = await meanwhile(rig, rig.open());
    const door = await MqttDoor.open({ stages: false, keeping: store, clock: rig.clock });
    while (writer.unacknowledged.size > 0 || new Set(reader.got).size < all.length || door.ingress.sessions().queued > 0) {
      await meanwhile(rig, Promise.all([writer.breaks(), reader.breaks()]));
      await meanwhile(rig, Promise.all([writer.comes(door), reader.comes(door)]));
      await rig.clock.pass(500);
    }
    for (const qos of ["1", "2"]) {
      const got = reader.got.filter((payload) => payload.startsWith(qos)).map((payload) => Number(payload.slice(2)));
      if (qos === "2") assert.equal(new Set(got).size, got.length, `a QoS 2 message came twice: ${got}`);
      const firsts = [...new Set(got)];
      assert.deepEqual(
        firsts,
        firsts.toSorted((a, b) => a - b),
        `QoS ${qos} out of order`,
      );
    }
    assert.deepEqual(
      [...new Set(reader.got.map((payload) => Number(payload.slice(2))))].sort((a, b) => a - b),
      all,
    );
    await Promise.all([writer.breaks(), reader.breaks()]);
    await meanwhile(rig, door[Symbol.asyncDispose]());
    await meanwhile(rig, store[Symbol.asyncDispose]());
  });
