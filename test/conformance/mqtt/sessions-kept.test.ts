// Sessions on flash, in 3.1.1: what waits for the commit before it is said, and what a power cut or a restart leaves of a session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
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
import { comes, KEPT, RESUMED, subscribed } from "./v3.ts";

test("an acknowledged QoS 1 message for a kept session is on flash: PUBACK waits for the commit", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "sleeper", "a", 1);
  await using writer = await door.connected("writer");
  keeping.isHeld = true;
  writer.send(publish("a", "x", { packetId: 1 }), publish("other", "y", { packetId: 2 }));
  await writer.isIdle();
  keeping.commit();
  await writer.receives(Buffer.concat([puback(1), puback(2)]));
});

test("confirm-or-commit: a message that all its receivers have acknowledged before the commit is never written", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a", 1);
  await using reader = await comes(door, "reader", RESUMED);
  await turn();
  keeping.isHeld = true;
  keeping.commit();
  const before = keeping.written;
  door.publish("a", "x");
  await reader.receives(publish("a", "x", { packetId: 1 }));
  reader.send(puback(1));
  await reader.isIdle();
  keeping.commit();
  assert.equal(keeping.written, before);
});

test("QoS 2 to a kept session goes out when its record is safe, and PUBREL when it is safe that PUBREC came", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a", 2);
  await using reader = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  keeping.isHeld = true;
  writer.send(publish("a", "x", { packetId: 1, qos: 2 }));
  await writer.isIdle();
  await reader.isIdle();
  keeping.commit();
  await writer.receives(pubrec(1));
  await reader.receives(publish("a", "x", { packetId: 1, qos: 2 }));
  reader.send(pubrec(1));
  await reader.isIdle();
  keeping.commit();
  await reader.receives(pubrel(1));
});

test("SUBACK, UNSUBACK, CONNACK, PUBREC and PUBCOMP of a kept session wait for the commit", async () => {
  const keeping = new MemoryKeeping();
  keeping.isHeld = true;
  await using door = await MqttDoor.open({ stages: false, keeping });
  await using device = await door.dial();
  device.send(connect({ clientId: "device", isClean: false }), subscribe(1, ["a", 1]));
  await using other = await door.connected("other");
  await other.isIdle();
  assert.equal(door.ingress.sessions().connected, 1, "only the other");
  keeping.commit();
  await device.receives(KEPT);
  await device.isIdle();
  keeping.commit();
  await device.receives(suback(1, 1));
  device.send(publish("b", "x", { packetId: 2, qos: 2 }));
  await device.isIdle();
  keeping.commit();
  await device.receives(pubrec(2));
  device.send(pubrel(2));
  await device.isIdle();
  keeping.commit();
  await device.receives(pubcomp(2));
  device.send(unsubscribe(3, "a"));
  await device.isIdle();
  keeping.commit();
  await device.receives("b0 02 00 03");
});

test("a full store refuses what it would have to keep: no PUBACK for messages to kept sessions, no new sessions; clean ones go on", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "sleeper", "a", 1);
  keeping.isFull = true;
  await using writer = await door.connected("writer");
  writer.send(publish("other", "x", { packetId: 1 }), publish("a", "x", { packetId: 2 }));
  await writer.receives(puback(1));
  door.clock.advance(5_000);
  await writer.isClosed();
  await using fresh = await door.dial();
  fresh.send(connect({ clientId: "fresh", isClean: false }));
  await fresh.isClosed("20 02 00 03");
  await using back = await comes(door, "sleeper", RESUMED);
  back.send(subscribe(2, ["b", 1]));
  await back.take(publish("a", "x", { packetId: 1 }).length);
  await back.receives(suback(2, 0x80));
});

test("a power cut loses no acknowledged message, and identifiers stay the same", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a/#", 2);
  const reader = await comes(door, "reader", RESUMED);
  for (const n of ["1", "2"]) door.publish(`a.${n}`, n);
  await reader.receives(publish("a/1", "1", { packetId: 1 }));
  await reader.receives(publish("a/2", "2", { packetId: 2 }));
  await using writer = await door.connected("writer");
  writer.send(publish("a/3", "three", { packetId: 8, qos: 2 }));
  await writer.receives(pubrec(8));
  await reader.receives(publish("a/3", "three", { packetId: 3, qos: 2 }));
  reader.send(pubrec(3), puback(1));
  await reader.receives(pubrel(3));
  reader.vanish();
  await turn();
  const flash = keeping.cut();
  await door[Symbol.asyncDispose]();

  await using next = await MqttDoor.open({ stages: false, keeping: flash });
  assert.equal(next.ingress.sessions().away, 1);
  next.publish("a.4", "4");
  await using again = await comes(next, "reader", RESUMED);
  await again.receives(pubrel(3));
  await again.receives(publish("a/2", "2", { packetId: 2, dup: true }));
  const fourth = await again.take(publish("a/4", "4", { packetId: 4 }).length);
  assert.equal(fourth[0], 0x32, "new, not a duplicate");
  again.send(pubcomp(3), puback(2), puback(4));
  await again.isIdle();
});

test("a QoS 2 PUBLISH from before a power cut reaches the outbox again, which may have lost it, and nobody here twice", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a", 2);
  const writer = await comes(door, "writer", KEPT);
  writer.send(publish("a", "x", { packetId: 5, qos: 2 }));
  await writer.receives(pubrec(5));
  const flash = keeping.cut();
  writer.vanish();
  await door[Symbol.asyncDispose]();

  await using next = await MqttDoor.open({ stages: false, keeping: flash });
  await using again = await comes(next, "writer", RESUMED);
  again.send(publish("a", "x", { packetId: 5, qos: 2, dup: true }), pubrel(5));
  await again.receives(Buffer.concat([pubrec(5), pubcomp(5)]));
  assert.deepEqual(next.upstream.taken, ["a=x"]);
  await using reader = await comes(next, "reader", RESUMED);
  await reader.receives(publish("a", "x", { packetId: 1, qos: 2 }));
  await reader.isIdle();
});

test("records that cannot be read cost themselves, and are told", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a", 1);
  door.publish("a", "1");
  door.publish("a", "2");
  await turn();
  await door[Symbol.asyncDispose]();
  await turn();
  const flash = new Map(keeping.keys.map((key) => [key, [...keeping.entries(key)][0]![1]] as const));
  const [message] = [...flash.keys()].filter((key) => key.startsWith("message/"));
  flash.set(message!, Buffer.from("rot"));
  flash.set("session/zz", Buffer.from("{"));
  flash.set("filter/9/9", Buffer.from('{"v":1,"filter":"x","qos":1,"subscriptionId":0}'));
  flash.set("out/no number", Buffer.alloc(0));
  await using next = await MqttDoor.open({ stages: false, keeping: new MemoryKeeping(flash) });
  assert.equal(next.ingress.sessions().away, 1);
  assert.ok(next.said("a kept record was left out"));
  await using reader = await comes(next, "reader", RESUMED);
  await reader.receives(publish("a", "2", { packetId: 2 }));
  await reader.isIdle();
});

test("closing and opening again keeps sessions, their queues and the time they have waited", async () => {
  const keeping = new MemoryKeeping();
  const settings = { maxSessionExpiry: 60_000 };
  const door = await MqttDoor.open({ stages: false, keeping, settings });
  await subscribed(door, "reader", "a", 1);
  door.publish("a", "1");
  await door[Symbol.asyncDispose]();
  await turn();
  assert.equal(door.clock.pending, 0, "a timer was left behind");
  const { clock } = door;
  clock.advance(30_000);
  await using next = await MqttDoor.open({ stages: false, keeping: keeping.cut(), settings, clock });
  clock.advance(29_999);
  assert.equal(next.ingress.sessions().away, 1);
  clock.advance(1);
  assert.equal(next.ingress.sessions().away, 0);
});
