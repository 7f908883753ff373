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
  suback,
  subscribe,
} from "../../wire/mqtt/harness.ts";
import { breaks, comes, KEPT, leaves, RESUMED, subscribed } from "./v3.ts";

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
  const ann = await comes(door, "hers", KEPT, { user: "ann" });
  await leaves(ann);
  await using bob = await door.dial();
  bob.send(connect({ clientId: "hers", user: "bob", password: PASSWORD }));
  await bob.isClosed("20 02 00 02");
  await using again = await comes(door, "hers", RESUMED, { user: "ann" });
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

test("permissions are asked for what was queued as for what is live", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "device", KEPT, { user: "sensor" });
  first.send(subscribe(1, ["cmd/7/#", 1]));
  await first.receives(suback(1, 1));
  await leaves(first);
  for (const subject of ["cmd.7.go", "cmd.7.secret"]) door.publish(subject, "x");
  await using again = await comes(door, "device", RESUMED, { user: "sensor" });
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
