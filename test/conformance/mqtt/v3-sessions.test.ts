// MQTT 3.1.1 §3.1.2.4, §3.1.4, §4.1 and §4.4: sessions. How they fill and empty: sessions.test.ts. Order: v3-order.test.ts. Power cuts: v3-power.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ages } from "#ingress/mqtt/ages.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import {
  connect,
  MqttDoor,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
  unsubscribe,
} from "../../wire/mqtt/harness.ts";
import { breaks, comes, KEPT, leaves, listening, RESUMED, subscribed } from "./v3.ts";

test("MQTT-3.1.2-4, MQTT-3.1.4-3: with clean session 0 everything goes on: filters, what is owed, identifiers both ways", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "device", KEPT);
  first.send(subscribe(1, ["in/1", 1], ["in/2", 2]));
  await first.receives(suback(1, 1, 2));
  first.send(publish("in/1", "one", { packetId: 5 }), publish("in/2", "two", { packetId: 6, qos: 2 }));
  await first.receives(publish("in/1", "one", { packetId: 1 }));
  await first.receives(publish("in/2", "two", { packetId: 2, qos: 2 }));
  await first.receives(Buffer.concat([puback(5), pubrec(6)]));
  await breaks(door, first);
  await using again = await comes(door, "device", RESUMED);
  await again.receives(publish("in/1", "one", { packetId: 1, dup: true }));
  await again.receives(publish("in/2", "two", { packetId: 2, qos: 2, dup: true }));
  again.send(publish("in/2", "two", { packetId: 6, qos: 2, dup: true }));
  await again.receives(pubrec(6));
  again.send(puback(1), pubrec(2));
  await again.receives(pubrel(2));
  again.send(pubrel(6), pubcomp(2), publish("in/1", "three", { packetId: 5 }));
  await again.receives(pubcomp(6));
  await again.receives(publish("in/1", "three", { packetId: 3 }));
  await again.receives(puback(5));
});

test("MQTT-3.1.2-6: nothing of a clean session is there for the next one, whatever that asks for", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using clean = await listening(door, "device", ["a", 2]);
  door.publish("a", "1");
  await clean.receives(publish("a", "1", { packetId: 1 }));
  clean.send(publish("b", "x", { packetId: 7, qos: 2 }));
  await clean.receives(pubrec(7));
  await breaks(door, clean);
  door.publish("a", "2");
  assert.equal(door.router.subscriptions, 0);
  await using kept = await comes(door, "device", KEPT);
  await kept.isIdle();
  kept.send(publish("b", "y", { packetId: 7, qos: 2 }));
  await kept.receives(pubrec(7));
  assert.deepEqual(
    door.upstream.taken.filter((line) => line.startsWith("b")),
    ["b=x", "b=y"],
  );
});

test("MQTT-3.1.2-6: a clean session that takes over a kept one while it is connected discards it", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "device", "a", 1);
  door.publish("a", "old");
  await using kept = await comes(door, "device", RESUMED);
  await kept.receives(publish("a", "old", { packetId: 1 }));
  await using clean = await door.connected("device");
  await kept.isClosed();
  door.publish("a", "new");
  await clean.isIdle();
  await leaves(clean);
  await turn();
  await turn();
  assert.deepEqual(keeping.keys, []);
  await using fresh = await comes(door, "device", KEPT);
  await fresh.isIdle();
});

test("MQTT-4.1.0-1, MQTT-4.1.0-2: a session lasts as long as its connection, and is kept after that as long as the settings say", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxSessionExpiry: 60_000 } });
  await subscribed(door, "device", "a", 1);
  await using device = await comes(door, "device", RESUMED);
  door.clock.advance(7 * 86_400_000);
  door.publish("a", "x");
  await device.receives(publish("a", "x", { packetId: 1 }));
  await breaks(door, device);
  door.clock.advance(59_999);
  await using again = await comes(door, "device", RESUMED);
  await again.receives(publish("a", "x", { packetId: 1, dup: true }));
  await breaks(door, again);
  door.clock.advance(60_000);
  await using late = await comes(door, "device", KEPT);
  await late.isIdle();
});

test("MQTT-3.1.4-2: a take-over in the middle of everything loses nothing and doubles nothing", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const visits = [await comes(door, "device", KEPT)];
  visits[0]!.send(subscribe(1, ["a/#", 2]));
  await visits[0]!.receives(suback(1, 2));
  await using writer = await door.connected("writer");
  writer.send(publish("a/1", "1", { packetId: 1 }), publish("a/2", "2", { packetId: 2, qos: 2 }));
  await visits[0]!.receives(publish("a/1", "1", { packetId: 1 }));
  await visits[0]!.receives(publish("a/2", "2", { packetId: 2, qos: 2 }));
  visits[0]!.send(pubrec(2), publish("up", "x", { packetId: 9, qos: 2 }));
  await visits[0]!.receives(Buffer.concat([pubrel(2), pubrec(9)]));
  for (let i = 1; i <= 3; i++) {
    const next = await comes(door, "device", RESUMED);
    await visits.at(-1)!.isClosed();
    visits.push(next);
    await next.receives(pubrel(2));
    await next.receives(publish("a/1", "1", { packetId: 1, dup: true }));
    next.send(publish("up", "x", { packetId: 9, qos: 2, dup: true }));
    await next.receives(pubrec(9));
  }
  assert.deepEqual(
    door.upstream.taken.filter((line) => line.startsWith("up")),
    ["up=x"],
  );
  assert.equal(door.ingress.sessions().connected, 2);
  for (const visit of visits) visit.socket.destroy();
});

test("MQTT-4.4.0-1: a PUBREL whose PUBREC is not on flash yet when the connection breaks goes out once, over the next one", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "x", { packetId: 1, qos: 2 }));
  await first.receives(publish("a", "x", { packetId: 1, qos: 2 }));
  await turn();
  keeping.isHeld = true;
  first.send(pubrec(1));
  await first.isIdle();
  await breaks(door, first);
  keeping.commit(); // the PUBREC, and what was left of the session
  keeping.isHeld = true;
  await using other = await door.connected("other");
  await other.isIdle();
  const again = await door.dial();
  again.send(connect({ clientId: "reader", isClean: false }));
  await other.isIdle();
  keeping.commit();
  await again.receives(RESUMED);
  await again.receives(pubrel(1));
  await again.isIdle();
  again.socket.destroy();
});

test("MQTT-4.3.3-2: a PUBREL that comes again over the next connection hurries no PUBCOMP: that the identifier is free must be on flash", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  const first = await comes(door, "writer", KEPT);
  first.send(publish("a", "x", { packetId: 7, qos: 2 }));
  await first.receives(pubrec(7));
  await turn();
  keeping.isHeld = true;
  first.send(pubrel(7), pubrel(7));
  await first.isIdle();
  await breaks(door, first);
  keeping.isHeld = false;
  keeping.commit();
  await using again = await comes(door, "writer", RESUMED);
  again.send(pubrel(7));
  await again.receives(pubcomp(7));
});

test("a message that waited unsent through a restart comes with DUP 0; one that was sent before it with DUP 1", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping, settings: { maxInflight: 2 } });
  await subscribed(door, "reader", "a", 1);
  for (const n of ["1", "2", "3", "4"]) door.publish("a", n);
  const first = await comes(door, "reader", RESUMED);
  for (const n of [1, 2]) await first.receives(publish("a", String(n), { packetId: n }));
  await breaks(door, first);
  await turn();
  await turn();
  await door[Symbol.asyncDispose]();
  await turn();
  await using revived = await MqttDoor.open({ stages: false, keeping: keeping.cut() });
  await using again = await comes(revived, "reader", RESUMED);
  for (const n of [1, 2]) await again.receives(publish("a", String(n), { packetId: n, dup: true }));
  for (const n of [3, 4]) await again.receives(publish("a", String(n), { packetId: n }));
});

test("MQTT-2.3.1-4, MQTT-4.3.3-1: a QoS 2 delivery that was begun is not dropped when the queue is full: its identifier is in use at the client", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedMessages: 3, maxInflight: 2 } });
  await subscribed(door, "reader", "a", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  for (const n of [1, 2]) writer.send(publish("a", String(n), { packetId: n, qos: 2 }));
  for (const n of [1, 2]) await first.receives(publish("a", String(n), { packetId: n, qos: 2 }));
  await breaks(door, first);
  for (const n of [3, 4, 5, 6]) writer.send(publish("a", String(n), { packetId: n, qos: 2 }));
  await writer.receives(Buffer.concat([1, 2, 3, 4, 5, 6].map(pubrec)));
  await using again = await comes(door, "reader", RESUMED);
  for (const n of [1, 2]) await again.receives(publish("a", String(n), { packetId: n, qos: 2, dup: true }));
  again.send(pubrec(1));
  await again.receives(pubrel(1));
  again.send(pubcomp(1));
  await again.receives(publish("a", "6", { packetId: 6, qos: 2 }));
  again.send(pubrec(2));
  await again.receives(pubrel(2));
  await again.isIdle();
});

test("a queue that holds nothing but QoS 2 deliveries under way drops what is new", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedMessages: 2, maxInflight: 2 } });
  await subscribed(door, "reader", "a", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  for (const n of [1, 2]) writer.send(publish("a", String(n), { packetId: n, qos: 2 }));
  for (const n of [1, 2]) await first.receives(publish("a", String(n), { packetId: n, qos: 2 }));
  await breaks(door, first);
  writer.send(publish("a", "3", { packetId: 3, qos: 2 }));
  await writer.receives(Buffer.concat([1, 2, 3].map(pubrec)));
  await using again = await comes(door, "reader", RESUMED);
  for (const n of [1, 2]) await again.receives(publish("a", String(n), { packetId: n, qos: 2, dup: true }));
  await again.isIdle();
  assert.ok(door.said("messages for it are dropped"));
});

test("MQTT-3.10.4-2: SUBSCRIBE and UNSUBSCRIBE in one segment leave nothing behind, no retained message comes after UNSUBACK", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping, settings: { maxInflight: 1 } });
  await using writer = await door.connected("writer");
  for (const n of [1, 2, 3]) writer.send(publish(`t/${n}`, "x", { packetId: n, retain: true }));
  await writer.receives(Buffer.concat([1, 2, 3].map(puback)));
  await using device = await comes(door, "device", KEPT);
  device.send(subscribe(1, ["t/+", 1]), unsubscribe(2, "t/+"));
  await device.receives(suback(1, 1));
  await device.receives("b0 02 00 02");
  await device.isIdle();
});

test("MQTT-3.1.4-2: of two CONNECTs with one client id that both wait for the store the later one is let in, the other hears nothing", async () => {
  const keeping = new MemoryKeeping();
  keeping.isHeld = true;
  await using door = await MqttDoor.open({ stages: false, keeping });
  await using bystander = await door.connected("bystander");
  const visits = [await door.dial(), await door.dial(), await door.dial()];
  for (const visit of visits) {
    visit.send(connect({ clientId: "device", isClean: false, will: { topic: "last", payload: "x" } }), subscribe(1, ["a", 1]));
    await bystander.isIdle();
    await bystander.isIdle();
  }
  keeping.isHeld = false;
  keeping.commit();
  await visits[0]!.isClosed();
  await visits[1]!.isClosed();
  await visits[2]!.receives(RESUMED); // made by the first
  await visits[2]!.receives(suback(1, 1));
  assert.deepEqual(door.upstream.taken, [], "nobody who was never let in has a will");
  for (const visit of visits) visit.socket.destroy();
});

test("MQTT-3.1.2-4: a session that nobody was told of is there for the next CONNECT, and a clean one removes it", async () => {
  const keeping = new MemoryKeeping();
  keeping.isHeld = true;
  await using door = await MqttDoor.open({ stages: false, keeping });
  await using bystander = await door.connected("bystander");
  await using hasty = await door.dial();
  hasty.send(connect({ clientId: "device", isClean: false }));
  await bystander.isIdle();
  await bystander.isIdle();
  hasty.vanish();
  await hasty.isOver();
  await bystander.isIdle();
  keeping.isHeld = false;
  keeping.commit();
  await using clean = await door.connected("device");
  await leaves(clean);
  await turn();
  await turn();
  assert.deepEqual(keeping.keys, []);
  assert.equal(door.ingress.sessions().away, 0);
});

test("MQTT-4.1.0-1: a session outlives a calendar that was years behind when its client left, and one that is years ahead later", async () => {
  const keeping = new MemoryKeeping();
  const settings = { maxSessionExpiry: 60_000 };
  const clock = new FakeClock(0); // 1970
  const ages = (bootId: string, awayMs: number | undefined): Ages => ({
    bootId,
    stamp: () => 5,
    ageOf: (_stamp, boot) => (boot === bootId ? 0 : awayMs),
  });
  {
    await using door = await MqttDoor.open({ stages: false, keeping, settings, clock, ages: ages("first", undefined) });
    await subscribed(door, "device", "a", 1);
    door.publish("a", "waits");
  }
  await turn();
  clock.setWall(4e12);
  {
    // Nobody knows how long it was away: that counts from now.
    await using door = await MqttDoor.open({
      stages: false,
      keeping: keeping.cut(),
      settings,
      clock,
      ages: ages("second", undefined),
    });
    clock.advance(59_999);
    await using device = await comes(door, "device", RESUMED);
    await device.receives(publish("a", "waits", { packetId: 1 }));
  }
  await using door = await MqttDoor.open({ stages: false, keeping: keeping.cut(), settings, clock, ages: ages("third", 60_000) });
  clock.advance(0);
  await using device = await comes(door, "device", KEPT);
  await device.isIdle();
});
