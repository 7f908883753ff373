// Sessions that outlive their connections, in 3.1.1: what is owed survives, in order, with its identifiers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import {
  connect,
  hex,
  MqttDoor,
  PASSWORD,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  type RawClient,
  suback,
  subscribe,
  unsubscribe,
} from "../../wire/mqtt/harness.ts";

const KEPT = "20 02 00 00";
const RESUMED = "20 02 01 00";

/** A client with a kept session. */
async function comes(door: MqttDoor, clientId: string, connack: string, user?: string): Promise<RawClient> {
  const client = await door.dial();
  client.send(connect({ clientId, isClean: false, ...(user !== undefined && { user, password: PASSWORD }) }));
  await client.receives(connack);
  return client;
}

async function leaves(client: RawClient): Promise<void> {
  client.send("e0 00");
  await client.isClosed();
}

/** Its connection breaks, and the broker has noticed. */
async function breaks(door: MqttDoor, client: RawClient): Promise<void> {
  const before = door.ingress.sessions().connected;
  client.vanish();
  while (door.ingress.sessions().connected === before) await turn();
}

async function subscribed(door: MqttDoor, clientId: string, filter: string, qos: number): Promise<void> {
  await using client = await comes(door, clientId, KEPT);
  client.send(subscribe(1, [filter, qos]));
  await client.receives(suback(1, qos));
  await leaves(client);
}

test("MQTT-3.1.2-5: messages of QoS 1 and 2 wait for a client that is away, QoS 0 ones do not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "sleeper", "a/#", 2);
  await using writer = await door.connected("writer");
  writer.send(publish("a/0", "zero"), publish("a/1", "one", { packetId: 1 }), publish("a/2", "two", { packetId: 2, qos: 2 }));
  await writer.receives(Buffer.concat([puback(1), pubrec(2)]));
  await using sleeper = await comes(door, "sleeper", RESUMED);
  await sleeper.receives(publish("a/1", "one", { packetId: 1 }));
  await sleeper.receives(publish("a/2", "two", { packetId: 2, qos: 2 }));
  await sleeper.isIdle();
});

test("MQTT-4.4.0-1: what was not acknowledged comes again with DUP and its identifier, in order, before what is new", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a/#", 2);
  const first = await comes(door, "reader", RESUMED);
  for (const n of ["1", "2", "3"]) door.publish(`a.${n}`, n);
  for (const n of [1, 2, 3]) await first.receives(publish(`a/${n}`, String(n), { packetId: n }));
  first.send(puback(2));
  await first.isIdle();
  await breaks(door, first);
  door.publish("a.4", "4");
  await using again = await comes(door, "reader", RESUMED);
  await again.receives(publish("a/1", "1", { packetId: 1, dup: true }));
  await again.receives(publish("a/3", "3", { packetId: 3, dup: true }));
  await again.receives(publish("a/4", "4", { packetId: 4 }));
  again.send(puback(1), puback(3), puback(4));
  await again.isIdle();
});

test("MQTT-4.3.3-1: QoS 2 to a client: PUBLISH, PUBREC, PUBREL, PUBCOMP; after a break the PUBREL comes again, the message does not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  await subscribed(door, "reader", "a", 2);
  const first = await comes(door, "reader", RESUMED);
  writer.send(publish("a", "x", { packetId: 9, qos: 2 }));
  await first.receives(publish("a", "x", { packetId: 1, qos: 2 }));
  first.send(pubrec(1));
  await first.receives(pubrel(1));
  first.vanish();
  const second = await comes(door, "reader", RESUMED);
  await second.receives(pubrel(1));
  second.vanish();
  await using third = await comes(door, "reader", RESUMED);
  await third.receives(pubrel(1));
  third.send(pubcomp(1));
  await third.isIdle();
  writer.send(pubrel(9));
  await writer.receives(Buffer.concat([pubrec(9), pubcomp(9)]));
});

test("MQTT-4.3.3-2: a QoS 2 PUBLISH that comes again before PUBREL is acknowledged again and published once, over connections too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "writer", KEPT);
  first.send(publish("a", "x", { packetId: 7, qos: 2 }));
  await first.receives(pubrec(7));
  first.send(publish("a", "x", { packetId: 7, qos: 2, dup: true }));
  await first.receives(pubrec(7));
  first.vanish();
  await using again = await comes(door, "writer", RESUMED);
  again.send(publish("a", "x", { packetId: 7, qos: 2, dup: true }));
  await again.receives(pubrec(7));
  again.send(pubrel(7));
  await again.receives(pubcomp(7));
  assert.deepEqual(door.upstream.taken, ["a=x"]);
  again.send(publish("a", "new", { packetId: 7, qos: 2 }));
  await again.receives(pubrec(7));
  assert.deepEqual(door.upstream.taken, ["a=x", "a=new"]);
});

test("a duplicate in the same segment as its original is published once", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  const original = publish("a", "x", { packetId: 1, qos: 2 });
  device.send(original, original, publish("b", "y", { packetId: 2, qos: 2 }));
  await device.receives(Buffer.concat([pubrec(1), pubrec(1), pubrec(2)]));
  assert.deepEqual(door.upstream.taken, ["a=x", "b=y"]);
});

test("MQTT-4.3.3-2: PUBREC waits until the message is safe; a duplicate does not hurry it", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(publish("a", "x", { packetId: 1, qos: 2 }), publish("a", "x", { packetId: 1, qos: 2, dup: true }));
  await door.takes(1);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.receives(Buffer.concat([pubrec(1), pubrec(1)]));
});

test("a PUBREL, PUBREC, PUBCOMP or PUBACK for an identifier that nobody knows harms nobody", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(pubrel(5), pubcomp(6), puback(7), pubrec(8));
  await device.receives(Buffer.concat([pubcomp(5), pubrel(8)]));
  await device.isIdle();
});

test("MQTT-3.1.2-6: a clean session discards the one before it, queue, subscriptions and all", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "device", "a", 1);
  door.publish("a", "old");
  await using clean = await door.connected("device");
  await clean.isIdle();
  door.publish("a", "nobody");
  await clean.isIdle();
  assert.equal(door.router.subscriptions, 0);
});

test("MQTT-3.8.4-3: a filter that is subscribed to again in a resumed session takes the new QoS", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "device", "a", 1);
  await using device = await comes(door, "device", RESUMED);
  device.send(subscribe(2, ["a", 0]));
  await device.receives(suback(2, 0));
  door.publish("a", "x");
  await device.receives(publish("a", "x"));
});

test("MQTT-3.1.4-2: a client that takes over its own kept session goes on with it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "twin", "a", 1);
  await using older = await comes(door, "twin", RESUMED);
  door.publish("a", "x");
  await older.receives(publish("a", "x", { packetId: 1 }));
  await using newer = await comes(door, "twin", RESUMED);
  await older.isClosed();
  await newer.receives(publish("a", "x", { packetId: 1, dup: true }));
});

test("a client id with a kept session belongs to its user", async () => {
  await using door = await MqttDoor.open();
  const ann = await comes(door, "hers", KEPT, "ann");
  await leaves(ann);
  await using bob = await door.dial();
  bob.send(connect({ clientId: "hers", user: "bob", password: PASSWORD }));
  await bob.isClosed("20 02 00 02");
  await using again = await comes(door, "hers", RESUMED, "ann");
  await again.isIdle();
});

test("a session ends when it has waited as long as mqtt.max_session_expiry says, and leaves nothing behind", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping, settings: { maxSessionExpiry: 60_000 } });
  await subscribed(door, "device", "a", 1);
  door.publish("a", "x");
  await turn();
  assert.ok(keeping.keys.length > 0);
  door.clock.advance(59_999);
  assert.equal(door.ingress.sessions().away, 1);
  door.clock.advance(1);
  assert.equal(door.ingress.sessions().away, 0);
  assert.equal(door.router.subscriptions, 0);
  assert.deepEqual(keeping.keys, []);
  await using device = await comes(door, "device", KEPT);
  await device.isIdle();
});

test("a connection that comes back in time stops the clock of its session", async () => {
  await using door = await MqttDoor.open({ settings: { maxSessionExpiry: 60_000 } });
  await subscribed(door, "device", "a", 1);
  door.clock.advance(59_000);
  await using device = await comes(door, "device", RESUMED);
  door.clock.advance(3_600_000);
  await device.isIdle();
});

test("no more sessions are kept than mqtt.max_sessions allows; who has one may come back", async () => {
  await using door = await MqttDoor.open({ settings: { maxSessions: 1 } });
  await subscribed(door, "first", "a", 1);
  await using second = await door.dial();
  second.send(connect({ clientId: "second", isClean: false }));
  await second.isClosed("20 02 00 03");
  await using clean = await door.connected("third");
  await clean.isIdle();
  await using first = await comes(door, "first", RESUMED);
  await first.isIdle();
});

test("one user keeps no more sessions than mqtt.max_sessions_per_user allows; others keep theirs", async () => {
  await using door = await MqttDoor.open({ settings: { maxSessionsPerUser: 1 } });
  await subscribed(door, "first", "a", 1);
  await using second = await door.dial();
  second.send(connect({ clientId: "second", isClean: false }));
  await second.isClosed("20 02 00 03");
  await using ann = await door.dial();
  ann.send(connect({ clientId: "anns", isClean: false, user: "ann", password: PASSWORD }));
  await ann.receives("20 02 00 00");
  await using first = await comes(door, "first", RESUMED);
  await first.isIdle();
});

test("a full queue drops its oldest message, or the new one where queue_full says so; each is counted and told once", async () => {
  for (const [queueFull, expected] of [
    ["drop_oldest", ["2", "3"]],
    ["drop_new", ["1", "2"]],
  ] as const) {
    await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedMessages: 2, queueFull } });
    await subscribed(door, "device", "a", 1);
    for (const n of ["1", "2", "3"]) door.publish("a", n);
    await using device = await comes(door, "device", RESUMED);
    for (const n of expected) await device.receives(publish("a", n, { packetId: Number(n) }));
    await device.isIdle();
    assert.equal(door.ingress.status().clients[0]?.dropped, 1);
    assert.ok(door.said("queue of a client that is away is full"));
  }
});

test("what all queues hold together is bounded; the message of many sessions counts once, and a little for each", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedTotal: 3000, maxQueuedMessages: 100 } });
  for (const name of ["a", "b", "c"]) await subscribed(door, name, "x", 1);
  for (let i = 0; i < 10; i++) door.publish("x", "y".repeat(800));
  const { queued, queuedBytes } = door.ingress.sessions();
  assert.ok(queuedBytes <= 3000 * 1.25 + 1000 + 3 * 400, `${queuedBytes} bytes`);
  assert.ok(queued >= 3 && queued <= 9, `${queued} queued`);
});

test("where the queues of those who are away hold all that they may, who is there gets every message", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedTotal: 3000, maxQueuedMessages: 100 } });
  await subscribed(door, "away", "x", 1);
  await subscribed(door, "reader", "y", 1);
  for (let i = 0; i < 10; i++) door.publish("x", "z".repeat(800));
  await using reader = await comes(door, "reader", RESUMED);
  for (let i = 1; i <= 50; i++) {
    door.publish("y", String(i));
    await reader.receives(publish("y", String(i), { packetId: i }));
    reader.send(puback(i));
  }
  await reader.isIdle();
});

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

test("permissions are asked for what was queued as for what is live", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "device", KEPT, "sensor");
  first.send(subscribe(1, ["cmd/7/#", 1]));
  await first.receives(suback(1, 1));
  await leaves(first);
  for (const subject of ["cmd.7.go", "cmd.7.secret"]) door.publish(subject, "x");
  await using again = await comes(door, "device", RESUMED, "sensor");
  await again.receives(publish("cmd/7/go", "x", { packetId: 1 }));
  await again.isIdle();
});

test("one client's full queue never delays another", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedMessages: 5 } });
  await subscribed(door, "sleeper", "a", 1);
  await using reader = await door.connected("reader");
  reader.send(subscribe(1, ["a", 1]));
  await reader.receives(suback(1, 1));
  for (let i = 1; i <= 20; i++) door.publish("a", String(i));
  for (let i = 1; i <= 20; i++) await reader.receives(publish("a", String(i), { packetId: i }));
  assert.equal(door.ingress.sessions().queued, 25);
});

test("8,192 QoS 2 messages that are never released are enough", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("hoarder");
  await using other = await door.connected("other");
  const ids = Array.from({ length: 8193 }, (_, i) => i + 1);
  device.send(...ids.map((packetId) => publish("a", "", { packetId, qos: 2 })), hex("c0 00"));
  await device.isOver();
  assert.ok(door.said("wait for their PUBREL"));
  await other.isIdle();
});
