import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, MqttDoor, PASSWORD, packet, puback, publish, suback, subscribe, text, unsubscribe } from "./harness.ts";

test("a subscriber gets what is published, QoS 0, RETAIN 0", async () => {
  await using door = await MqttDoor.open();
  await using reader = await door.connected("reader");
  await using writer = await door.connected("writer");
  reader.send("82 08 00 01 00 03 61 2f 2b 00");
  await reader.receives("90 03 00 01 00");
  writer.send(publish("a/b", "hi", { retain: true }));
  await reader.receives("30 07 00 03 61 2f 62 68 69");
});

test("MQTT-3.8.4-6: the lower of the two QoS counts, and NATS-born messages come as the subscriber asked", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await door.connected("reader");
  await using writer = await door.connected("writer");
  reader.send(subscribe(1, ["zero", 0], ["one", 1], ["two", 2]));
  await reader.receives(suback(1, 0, 1, 2));
  for (const topic of ["zero", "one", "two"]) writer.send(publish(topic, "0"), publish(topic, "1", { packetId: 5 }));
  await reader.receives(publish("zero", "0"));
  await reader.receives(publish("zero", "1"));
  await reader.receives(publish("one", "0"));
  await reader.receives(publish("one", "1", { packetId: 1 }));
  await reader.receives(publish("two", "0"));
  await reader.receives(publish("two", "1", { packetId: 2 }));
  for (const subject of ["zero", "one", "two"]) door.publish(subject, "n");
  await reader.receives(Buffer.concat([publish("zero", "n"), publish("one", "n", { packetId: 3 })]));
  await reader.receives(publish("two", "n", { packetId: 4 }));
});

test("overlapping filters bring a message once, at the highest QoS granted", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a/#", 0], ["a/b", 1], ["+/b", 0]));
  await device.receives(suback(1, 0, 1, 0));
  device.send(publish("a/b", "x", { packetId: 9 }));
  await device.receives(Buffer.concat([publish("a/b", "x", { packetId: 1 }), puback(9)]));
  await device.isIdle();
});

test("a filter a/# matches a too, brings each message once, and UNSUBSCRIBE removes all of it", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a/#", 0]));
  await device.receives(suback(1, 0));
  for (const subject of ["a", "a.b", "a.b.c", "b"]) door.publish(subject, "x");
  await device.receives(Buffer.concat(["a", "a/b", "a/b/c"].map((topic) => publish(topic, "x"))));
  device.send(unsubscribe(2, "a/#"));
  await device.receives("b0 02 00 02");
  for (const subject of ["a", "a.b"]) door.publish(subject, "y");
  await device.isIdle();
  assert.equal(door.router.subscriptions, 0);
});

test("subscribing again replaces the QoS and does not double the messages", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a", 0]), subscribe(2, ["a", 1]));
  await device.receives(Buffer.concat([suback(1, 0), suback(2, 1)]));
  door.publish("a", "x");
  await device.receives(publish("a", "x", { packetId: 1 }));
  device.send(puback(1), subscribe(3, ["a", 0]));
  await device.receives(suback(3, 0));
  door.publish("a", "y");
  await device.receives(publish("a", "y"));
  await device.isIdle();
});

test("MQTT-3.10.4-5: UNSUBSCRIBE of what was never subscribed is acknowledged", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(unsubscribe(7, "never", "a/#/b"));
  await device.receives("b0 02 00 07");
});

test("filters that cannot be subscriptions are refused one by one", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  const bad = [
    "a+",
    "a#",
    "#/a",
    "a/#/b",
    "+a/b",
    "a\tb",
    "$MQTT/#",
    "$MQTT",
    "$LDS/x",
    "$share/g",
    "$share//a",
    "$share/g/",
    "$share/+/a",
    "x".repeat(2049),
  ];
  device.send(subscribe(1, ["fine", 1], ...bad.map((filter) => [filter, 0] as const), ["a*b/c>d", 0], ["a/*", 0], ["a b", 0]));
  await device.receives(suback(1, 1, ...bad.map(() => 0x80), 0, 0, 0));
  assert.ok(door.said("subscription refused"));
});

test("the permissions refuse a filter that lies wholly outside, and check the rest message by message", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { user: "sensor", password: PASSWORD });
  device.send(subscribe(1, ["cmd/8/#", 0], ["cmd/7/secret", 0], ["cmd/+/go", 0], ["#", 0], ["cmd/7/#", 1]));
  await device.receives(suback(1, 0x80, 0x80, 0, 0, 1));
  for (const subject of ["cmd.8.go", "cmd.7.secret", "cmd.7", "other", "cmd.7.go"]) door.publish(subject, "x");
  await device.receives(publish("cmd/7/go", "x", { packetId: 1 }));
  await device.isIdle();
});

test("MQTT-4.7.2-1: wildcards at the first level do not see $ names, nor the replies of requests; a filter by name does", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["#", 0], ["+/x", 0], ["+", 0], ["$dev/#", 0], ["_INBOX/me/#", 0]));
  await device.receives(suback(1, 0, 0, 0, 0, 0));
  for (const subject of ["$JS.x", "$x", "_INBOX.you.1", "_R_.x", "$dev.up", "_INBOX.me.1", "plain"]) door.publish(subject, "x");
  await device.receives(Buffer.concat(["$dev/up", "_INBOX/me/1", "plain"].map((topic) => publish(topic, "x"))));
  await device.isIdle();
});

test("subjects that no topic can carry are not delivered, and counted", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["#", 0]));
  await device.receives(suback(1, 0));
  for (const subject of ["a.+", "a#b", "a.\xff", "/", "a//b./.c", "a.b/c"]) door.publish(subject, "x");
  await device.receives(Buffer.concat([publish("a.b//c", "x"), publish("a/bc", "x")]));
  await device.isIdle();
  assert.equal(door.lines.filter((line) => line.message.includes("not delivered")).length, 1);
});

test("UTF-8, empty levels and dots come back as they went", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  const topics = ["é/ü", "/", "//", "/a/", "a//b", "a.b/c", "a..b", ".", "./.", "日本/語", "a*b"];
  device.send(subscribe(1, ["#", 0]));
  await device.receives(suback(1, 0));
  device.send(...topics.map((topic) => publish(topic, topic)));
  await device.receives(Buffer.concat(topics.map((topic) => publish(topic, topic))));
});

test("a message of 200 KiB goes through whole", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["big", 1]));
  await device.receives(suback(1, 1));
  const payload = Buffer.alloc(200 * 1024, "0123456789abcdef-");
  device.send(publish("big", payload));
  await device.receives(publish("big", payload));
});

test("no more than 20 QoS 1 messages are under way, the rest waits in order for PUBACKs", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a", 1]));
  await device.receives(suback(1, 1));
  for (let i = 1; i <= 50; i++) door.publish("a", String(i));
  const numbered = (from: number, to: number) =>
    Buffer.concat(Array.from({ length: to - from + 1 }, (_, i) => publish("a", String(from + i), { packetId: from + i })));
  await device.receives(numbered(1, 20));
  await device.isIdle();
  device.send(puback(1), puback(2), puback(3));
  await device.receives(numbered(21, 23));
  await device.isIdle();
  device.send(...Array.from({ length: 20 }, (_, i) => puback(23 - i))); // in any order
  await device.receives(numbered(24, 43));
  device.send(puback(60_000), ...Array.from({ length: 20 }, (_, i) => puback(24 + i)));
  await device.receives(numbered(44, 50));
  assert.equal(door.ingress.status().clients[0]?.queued, 0);
});

test("packet identifiers roll over 65,535 and pass over those in use", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a", 1]));
  await device.receives(suback(1, 1));
  door.publish("a", "stays"); // id 1 is never acknowledged
  await device.receives(publish("a", "stays", { packetId: 1 }));
  for (let first = 2; first <= 65_535; first += 19) {
    const ids = Array.from({ length: Math.min(19, 65_536 - first) }, (_, i) => first + i);
    for (const _ of ids) door.publish("a", "");
    await device.receives(Buffer.concat(ids.map((packetId) => publish("a", "", { packetId }))));
    device.send(...ids.map(puback));
    await device.isIdle();
  }
  door.publish("a", "again");
  await device.receives(publish("a", "again", { packetId: 2 }));
});

test("a queue that is full drops its oldest messages, counts them and says so once", async () => {
  await using door = await MqttDoor.open({ limits: { maxPayload: 65_536, maxPending: 65_536, writeDeadline: 10_000 } });
  await using device = await door.connected("device");
  device.send(subscribe(1, ["a", 1]));
  await device.receives(suback(1, 1));
  for (let i = 1; i <= 120; i++) door.publish("a", String(i).padEnd(1000));
  await device.take(20 * publish("a", "1".padEnd(1000), { packetId: 1 }).length);
  const { queued, dropped } = door.ingress.status().clients[0]!;
  assert.ok(dropped > 0);
  assert.equal(queued + dropped, 100);
  device.send(...Array.from({ length: 20 }, (_, i) => puback(1 + i)));
  const next = 21 + dropped; // a message has its identifier from the time it is queued
  await device.receives(publish("a", String(next).padEnd(1000), { packetId: next }));
  assert.equal(door.lines.filter((line) => line.message.includes("reads too slowly")).length, 1);
});

test("a subscriber that never reads loses QoS 0 messages, delays nobody and is closed in the end", async () => {
  await using door = await MqttDoor.open();
  await using lazy = await door.connected("lazy");
  await using quick = await door.connected("quick");
  lazy.send(subscribe(1, ["a", 0]));
  await lazy.receives(suback(1, 0));
  quick.send(subscribe(1, ["a", 0]));
  await quick.receives(suback(1, 0));
  lazy.socket.pause();
  const payload = "x".repeat(60_000);
  const wanted = publish("a", payload);
  const status = (clientId: string) => door.ingress.status().clients.find((client) => client.clientId === clientId);
  let sent = 0;
  while (status("lazy")!.dropped === 0) {
    door.publish("a", payload);
    await quick.receives(wanted);
    sent += 1;
  }
  assert.equal(status("quick")!.messagesOut, sent);
  door.clock.advance(10_000);
  assert.equal(status("lazy"), undefined);
  assert.equal(door.ingress.status().endings.stalled, 1);
  assert.ok(door.said("reads too slowly"));
  await quick.isIdle();
});

test("PINGREQs whose answers are not read stop the reading, and the client is closed in the end", async () => {
  await using door = await MqttDoor.open();
  await using lazy = await door.connected("lazy");
  lazy.socket.pause();
  const pings = Buffer.alloc(1_048_576, hex("c0 00"));
  let isStuck = false;
  // The kernel takes a few MB on both sides; then our reading stops, and its writes stop with it.
  for (let i = 0; i < 200 && !isStuck; i++) {
    const isTaken = Promise.withResolvers<boolean>();
    lazy.socket.write(pings, () => isTaken.resolve(true));
    let turns = 0;
    const look = () => (turns++ > 300 ? isTaken.resolve(false) : setImmediate(look));
    look();
    isStuck = !(await isTaken.promise);
  }
  assert.ok(isStuck, "200 MB of PINGREQ were taken from a client that reads nothing");
  door.clock.advance(20_000);
  assert.equal(door.ingress.status().endings.stalled, 1);
});

test("more than a thousand filters of one client are refused", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(subscribe(1, ...Array.from({ length: 1001 }, (_, i) => [`f/${i}`, 0] as const)));
  await device.receives(suback(1, ...Array.from({ length: 1000 }, () => 0), 0x80));
});

test("a client's subscriptions are gone when it is", async () => {
  await using door = await MqttDoor.open();
  await using other = await door.connected("other");
  const device = await door.connected("device");
  device.send(subscribe(1, ["a/#", 0], ["b", 1]));
  await device.receives(suback(1, 0, 1));
  assert.equal(door.router.subscriptions, 3);
  device.send("e0 00");
  await device.isClosed();
  await other.isIdle();
  assert.equal(door.router.subscriptions, 0);
});

test("what a pass brings to one client leaves in one write", async () => {
  await using door = await MqttDoor.open();
  await using reader = await door.connected("reader");
  await using writer = await door.connected("writer");
  reader.send(subscribe(1, ["a", 0]));
  await reader.receives(suback(1, 0));
  const chunks: number[] = [];
  reader.socket.on("data", (chunk) => chunks.push(chunk.length));
  const one = packet(0x30, text("a"), Buffer.from("x"));
  writer.send(...Array.from({ length: 500 }, () => one));
  await reader.receives(Buffer.concat(Array.from({ length: 500 }, () => one)));
  assert.deepEqual(chunks, [500 * one.length]);
});
