// What only 5.0 has, over power cuts: options of subscriptions, properties, expiries, wills whose delay runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ages } from "#ingress/mqtt/ages.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import { hex, MqttDoor, puback, pubrec, type RawClient } from "../../wire/mqtt/harness.ts";
import {
  comes5,
  connect5,
  disconnect5,
  MESSAGE_EXPIRY,
  nextConnack,
  nextPublish,
  publish5,
  SESSION_EXPIRY,
  string,
  suback5,
  subscribe5,
  u32,
  user,
  WILL_DELAY,
} from "./five.ts";

/** The broker dies, and another one finds what was on flash, `seconds` later. */
async function cut(door: MqttDoor, keeping: MemoryKeeping, seconds = 0): Promise<MqttDoor> {
  const left = keeping.cut();
  await door[Symbol.asyncDispose]();
  door.clock.advance(seconds * 1000);
  return await MqttDoor.open({ stages: false, keeping: left, clock: door.clock });
}

async function leaves(client: RawClient, ...goodbye: Parameters<typeof disconnect5>): Promise<void> {
  client.send(disconnect5(...goodbye));
  await client.isClosed();
}

test("options and identifiers of subscriptions outlive a power cut: no local, retain as published, retain handling", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  const first = await comes5(door, { clientId: "a", expiry: 600 });
  first.send(subscribe5(1, [["x", 1 | 4]], [hex("0b 07")]), subscribe5(2, [["y", 2 | 8]], [hex("0b ff 7f")]));
  await first.receives(Buffer.concat([suback5(1, 1), suback5(2, 2)]));
  first.vanish();
  await using after = await cut(door, keeping);
  await using again = await comes5(after, { clientId: "a", isClean: false, expiry: 600 }, true);
  again.send(publish5("x", "own", { packetId: 1 }));
  await again.receives(puback(1));
  await using writer = await comes5(after, { clientId: "writer" });
  writer.send(publish5("x", "1", { packetId: 1 }), publish5("y", "2", { packetId: 2, qos: 2, retain: true }));
  const [x, y] = [await nextPublish(again), await nextPublish(again)];
  assert.deepEqual([x.first, x.payload, x.properties], [0x32, "1", [hex("0b 07")]]);
  assert.deepEqual([y.first, y.payload, y.properties], [0x35, "2", [hex("0b ff 7f")]]);
  again.send(subscribe5(3, [["y", 0x10]])); // it was there before
  await again.receives(suback5(3, 0));
  await again.isIdle();
});

test("MQTT5-3.3.2-5, MQTT5-3.3.2-6: what waits keeps its properties and its deadline through a power cut", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  const first = await comes5(door, { clientId: "a", expiry: 600 });
  first.send(subscribe5(1, [["x", 2]]));
  await first.receives(suback5(1, 2));
  await leaves(first);
  const rest = [string(0x08, "answer/here"), string(0x03, "text/plain"), string(0x09, "c"), user("b", "1"), user("a", "2")];
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x", "late", { packetId: 1, qos: 2, properties: [u32(MESSAGE_EXPIRY, 100), ...rest] }));
  writer.send(publish5("x", "soon", { packetId: 2, qos: 2, properties: [u32(MESSAGE_EXPIRY, 20)] }));
  writer.send(publish5("x", "ever", { packetId: 3, retain: true, properties: rest }));
  await writer.receives(Buffer.concat([pubrec(1), pubrec(2), puback(3)]));
  await using after = await cut(door, keeping, 30);
  await using again = await comes5(after, { clientId: "a", isClean: false, expiry: 600 }, true);
  const [late, ever] = [await nextPublish(again), await nextPublish(again)];
  assert.deepEqual([late.payload, ever.payload], ["late", "ever"]);
  const wanted = rest.map((each) => each.toString("hex"));
  assert.deepEqual(late.properties.map((each) => each.toString("hex")).sort(), [...wanted, "0200000046"].sort());
  assert.deepEqual(ever.properties.map((each) => each.toString("hex")).sort(), [...wanted].sort());
  await again.isIdle();
});

test("MQTT5-4.1.0-2: a session's expiry, as DISCONNECT has changed it, goes on over a power cut", async () => {
  for (const [seconds, isPresent] of [
    [119, 1],
    [121, 0],
  ] as const) {
    const keeping = new MemoryKeeping();
    const door = await MqttDoor.open({ stages: false, keeping });
    await leaves(await comes5(door, { clientId: "a", expiry: 600 }), 0, [u32(SESSION_EXPIRY, 120)]);
    keeping.commit();
    await using after = await cut(door, keeping, seconds);
    after.clock.advance(0);
    await using again = await after.dial();
    again.send(connect5({ clientId: "a", isClean: false, expiry: 600 }));
    assert.equal((await nextConnack(again)).flags, isPresent);
  }
});

test("MQTT5-3.1.3-9: a will whose delay runs is heard after a power cut, with its properties, unless its client is back in time", async () => {
  for (const isBack of [false, true]) {
    const keeping = new MemoryKeeping();
    const door = await MqttDoor.open({ stages: false, keeping });
    const will = { topic: "gone", payload: "bye", properties: [u32(WILL_DELAY, 60), user("b", "1"), user("a", "2")] };
    const first = await comes5(door, { clientId: "a", expiry: 600, will });
    first.vanish();
    while (door.ingress.sessions().connected > 0) await turn();
    keeping.commit();
    await using after = await cut(door, keeping, 30);
    await using reader = await comes5(after, { clientId: "reader" });
    reader.send(subscribe5(1, [["gone", 0]]));
    await reader.receives(suback5(1, 0));
    if (isBack) await leaves(await comes5(after, { clientId: "a", isClean: false, expiry: 600 }, true));
    after.clock.advance(30_000);
    if (!isBack) {
      const { payload, properties } = await nextPublish(reader);
      assert.deepEqual([payload, properties], ["bye", [user("b", "1"), user("a", "2")]]);
    }
    await reader.isIdle();
  }
});

test("MQTT5-3.1.2-8, MQTT5-3.1.3-9: the will of a client that was connected is heard after a power cut, its delay counted from the start, unless its client is back in time", async () => {
  for (const [delay, isBack] of [
    [0, false],
    [60, false],
    [60, true],
  ] as const) {
    const keeping = new MemoryKeeping();
    const door = await MqttDoor.open({ stages: false, keeping });
    const will = { topic: "gone", payload: "bye", qos: 1, properties: [u32(WILL_DELAY, delay)] } as const;
    const first = await comes5(door, { clientId: "a", expiry: 600, will });
    const watcher = await comes5(door, { clientId: "reader", expiry: 600 });
    watcher.send(subscribe5(1, [["gone", 1]]));
    await watcher.receives(suback5(1, 1));
    for (const client of [first, watcher]) client.vanish(); // the broker has not noticed yet
    await using after = await cut(door, keeping, 1000);
    after.clock.advance(0);
    if (isBack) await leaves(await comes5(after, { clientId: "a", isClean: false, expiry: 600 }, true));
    await using reader = await comes5(after, { clientId: "reader", isClean: false, expiry: 600 }, true);
    if (delay > 0) {
      after.clock.advance(59_000);
      await reader.isIdle();
      after.clock.advance(1_000);
    }
    if (!isBack) assert.equal((await nextPublish(reader)).payload, "bye");
    await reader.isIdle();
  }
});

test("MQTT5-3.1.3-9: a will whose delay is longer than the power ever lasts is heard all the same", async () => {
  const keeping = new MemoryKeeping();
  const first = await MqttDoor.open({ stages: false, keeping });
  const will = { topic: "gone", payload: "bye", qos: 1, properties: [u32(WILL_DELAY, 60)] } as const;
  const device = await comes5(first, { clientId: "a", expiry: 600, will });
  const watcher = await comes5(first, { clientId: "reader", expiry: 600 });
  watcher.send(subscribe5(1, [["gone", 1]]));
  await watcher.receives(suback5(1, 1));
  for (const client of [device, watcher]) client.vanish();
  const left = keeping.cut();
  await first[Symbol.asyncDispose]();
  const second = await MqttDoor.open({ stages: false, keeping: left, clock: first.clock });
  second.clock.advance(40_000);
  left.commit();
  await using third = await cut(second, left, 1);
  third.clock.advance(40_000);
  await using reader = await comes5(third, { clientId: "reader", isClean: false, expiry: 600 }, true);
  assert.equal((await nextPublish(reader)).payload, "bye");
});

test("the will of a client that said goodbye, or that we left ourselves, is not heard after a restart", async () => {
  const keeping = new MemoryKeeping();
  const will = { topic: "gone", payload: "bye", qos: 1 } as const;
  const door = await MqttDoor.open({ stages: false, keeping });
  const polite = await comes5(door, { clientId: "polite", expiry: 600, will });
  await leaves(polite);
  const left = await comes5(door, { clientId: "left", expiry: 600, will });
  const watcher = await comes5(door, { clientId: "reader", expiry: 600 });
  watcher.send(subscribe5(1, [["gone", 1]]));
  await watcher.receives(suback5(1, 1));
  const closing = door[Symbol.asyncDispose]();
  for (const client of [left, watcher]) client.vanish();
  await closing;
  keeping.commit();
  await using after = await MqttDoor.open({ stages: false, keeping: keeping.cut(), clock: door.clock });
  after.clock.advance(1000);
  await using reader = await comes5(after, { clientId: "reader", isClean: false, expiry: 600 }, true);
  await reader.isIdle();
});

test("MQTT5-3.3.2-5, MQTT5-3.3.2-6: a calendar that is put right by years takes nothing from a message's deadline, nor adds to it", async () => {
  const keeping = new MemoryKeeping();
  const clock = new FakeClock();
  const ages: Ages = { bootId: "of both", stamp: () => Math.floor(clock.now()), ageOf: (stamp) => clock.now() - stamp };
  const door = await MqttDoor.open({ stages: false, keeping, clock, ages });
  const first = await comes5(door, { clientId: "a", expiry: 100_000 });
  first.send(subscribe5(1, [["x", 1]]));
  await first.receives(suback5(1, 1));
  await leaves(first);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(
    publish5("x", "short", { packetId: 1, properties: [u32(MESSAGE_EXPIRY, 60)] }),
    publish5("x", "long", { packetId: 2, properties: [u32(MESSAGE_EXPIRY, 3600)] }),
  );
  await writer.receives(Buffer.concat([puback(1), puback(2)]));
  clock.setWall(clock.wall() + 50 * 365 * 86_400_000); // it was 1970 until now
  const left = keeping.cut();
  await door[Symbol.asyncDispose]();
  clock.advance(100_000);
  await using after = await MqttDoor.open({ stages: false, keeping: left, clock, ages });
  await using again = await comes5(after, { clientId: "a", isClean: false, expiry: 100_000 }, true);
  const long = await nextPublish(again);
  assert.deepEqual([long.payload, long.properties.map((each) => each.toString("hex"))], ["long", ["0200000dac"]]); // 3,500 s
  await again.isIdle();
});

test("a kept session that came back without an expiry is gone after a power cut, quietly, with all that it had", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  const first = await comes5(door, { clientId: "a", expiry: 600 });
  first.send(subscribe5(1, [["x", 1]]));
  await first.receives(suback5(1, 1));
  await leaves(first);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x", "waits", { packetId: 1 }));
  await writer.receives(puback(1));
  await using again = await comes5(door, { clientId: "a", isClean: false }, true);
  assert.equal((await nextPublish(again)).payload, "waits"); // and is not acknowledged
  await using after = await cut(door, keeping);
  assert.equal(after.said("a kept record was left out"), undefined);
  await using third = await comes5(after, { clientId: "a", isClean: false, expiry: 600 });
  await third.isIdle();
});
