import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, MqttDoor, PASSWORD, packet, puback, publish, suback, subscribe, text, word } from "./harness.ts";

test("a PUBLISH reaches the account under the mapped subject", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send("30 0b 00 05 61 2f 62 2f 63 32 31 2e 35");
  assert.deepEqual(await door.takes(1), ["a.b.c=21.5"]);
});

test("every kind of topic arrives under its subject, in order, whole and mixed in one segment", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  const topics = ["a/b", "/a", "a.b/c", "x/y", "a//b", "é/ü", "$x/y", "a*b/c>d", ".", "z", "a.b", "c.d"];
  device.send(...topics.map((topic, i) => publish(topic, String(i))));
  const subjects = ["a.b", "/.a", "a//b.c", "x.y", "a./.b", "é.ü", "$x.y", "a*b.c>d", "//", "z", "a//b", "c//d"];
  assert.deepEqual(
    await door.takes(topics.length),
    subjects.map((subject, i) => `${Buffer.from(subject).toString("latin1")}=${i}`),
  );
});

test("MQTT-4.3.2-2: a QoS 1 PUBLISH is not acknowledged before it is safe", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(publish("a", "x", { packetId: 7 }));
  await door.takes(1);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets[0]! - 1);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.receives("40 02 00 07");
});

test("MQTT-4.6.0-2: PUBACKs come in the order of the PUBLISHes, also those that had nothing to wait for", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(publish("a", "1", { packetId: 1 }), publish("a", "2", { packetId: 9 }));
  await door.takes(2);
  door.upstream.stages = false;
  device.send(publish("a", "3", { packetId: 3 }));
  await door.takes(3);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.receives("40 02 00 01 40 02 00 09 40 02 00 03");
  device.send(publish("a", "4", { packetId: 4 }));
  await device.receives("40 02 00 04");
});

test("a QoS 1 PUBLISH that nobody keeps is acknowledged at once", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  device.send(publish("a", "x", { packetId: 65_535 }));
  await device.receives("40 02 ff ff");
});

test("a QoS 1 PUBLISH that comes again with DUP is taken again and acknowledged again", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  device.send(publish("a", "x", { packetId: 1 }), publish("a", "x", { packetId: 1, dup: true }));
  await device.receives("40 02 00 01 40 02 00 01");
  assert.deepEqual(door.upstream.taken, ["a=x", "a=x"]);
});

test("a segment is one batch: one routing pass, one ticket", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(...Array.from({ length: 100 }, (_, i) => publish("a/b", String(i), { packetId: i + 1 })));
  await door.takes(100);
  assert.equal(new Set(door.upstream.tickets).size, 1);
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.receives(Buffer.concat(Array.from({ length: 100 }, (_, i) => puback(i + 1))));
});

test("a PUBLISH split at every byte arrives whole", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  const bytes = Buffer.concat([publish("plant/7", "21.5", { packetId: 1 }), publish("a.b/c", "x")]);
  for (let split = 1; split < bytes.length; split++) {
    device.send(bytes.subarray(0, split));
    await new Promise((resolve) => setImmediate(resolve));
    device.send(bytes.subarray(split));
    await device.receives("40 02 00 01");
    await device.isIdle();
    assert.deepEqual(door.upstream.taken.splice(0), ["plant.7=21.5", "a//b.c=x"]);
  }
});

test("an empty payload is a message", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send("30 03 00 01 61");
  assert.deepEqual(await door.takes(1), ["a="]);
});

for (const [name, bytes] of [
  ["MQTT-3.3.1-4: QoS 3", hex("36 05 00 01 61 00 01")],
  ["MQTT-3.3.1-2: DUP at QoS 0", hex("38 03 00 01 61")],
  ["MQTT-2.3.1-1: packet identifier 0", hex("32 05 00 01 61 00 00")],
  ["MQTT-4.7.3-1: an empty topic", hex("30 02 00 00")],
  ["MQTT-3.3.2-2: a topic with +", publish("a/+")],
  ["MQTT-3.3.2-2: a topic with # in a level", publish("a#")],
  ["MQTT-1.5.3-1: a topic that is not UTF-8", publish(hex("61 ff"))],
  ["MQTT-1.5.3-1: a topic with an overlong form", publish(hex("c0 af"))],
  ["MQTT-1.5.3-2: a topic with U+0000", publish("a\0b")],
  ["a topic longer than the packet", hex("30 05 00 04 61 61 61")],
  ["no room for the topic's length", hex("30 01 00")],
  ["nothing at all", hex("30 00")],
  ["no room for the packet identifier", hex("32 04 00 01 61 00")],
  ["a topic that reaches into the next packet", Buffer.concat([hex("30 04 00 05 61 62"), publish("a")])],
] as const) {
  test(`a PUBLISH with ${name} ends its connection after what came before it was published`, async () => {
    await using door = await MqttDoor.open();
    await using other = await door.connected("other");
    await using device = await door.connected("device");
    device.send(publish("before", "x"), bytes, publish("after", "x"));
    await device.isClosed();
    await other.isIdle();
    assert.deepEqual(door.upstream.taken, ["before=x"]);
    assert.equal(door.ingress.status().endings.breach, 1);
  });
}

for (const [name, topic] of [
  ["a tab", "a\tb"],
  ["$PETIOLE", "$PETIOLE/state"],
  ["$MQTT", "$MQTT/sess/x"],
  ["$JS", "$JS/API/STREAM/DELETE/x"],
  ["$SYS", "$SYS/broker/x"],
  ["$LDS", "$LDS/x"],
  ["a subject over 2,048 bytes", "a.".repeat(700)],
  ["a topic of 65,535 levels", "/".repeat(65_535)],
] as const) {
  test(`a topic with ${name} never becomes a subject: QoS 0 is dropped and told, QoS 1 ends the connection`, async () => {
    await using door = await MqttDoor.open();
    await using device = await door.connected("device");
    device.send(publish(topic, "x"), publish("fine", "x"));
    assert.deepEqual(await door.takes(1), ["fine=x"]);
    assert.equal(door.ingress.status().clients[0]?.refused, 1);
    assert.ok(door.said("message not published"));
    await device.isIdle();
    device.send(publish(topic, "x", { packetId: 1 }));
    await device.isClosed();
    assert.deepEqual(door.upstream.taken, ["fine=x"]);
  });
}

test("what the permissions forbid is dropped at QoS 0, and ends the connection at QoS 1 without a PUBACK", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device", { user: "sensor", password: PASSWORD });
  device.send(publish("plant/8/temp", "x"), publish("plant/7/temp", "x", { packetId: 1 }));
  await device.receives("40 02 00 01");
  assert.deepEqual(door.upstream.taken, ["plant.7.temp=x"]);
  assert.ok(door.said("plant/8/temp"));
  device.send(publish("plant/7/temp", "y", { packetId: 2 }), publish("plant/8/temp", "y", { packetId: 3 }));
  await device.isClosed();
  assert.deepEqual(door.upstream.taken, ["plant.7.temp=x", "plant.7.temp=y"]);
  assert.equal(door.ingress.status().totals.refused, 2);
});

test("MQTT-3.3.5-2: a full outbox that refuses ends the connection after a pause, without the PUBACK; those owed before still go out", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(publish("a", "kept", { packetId: 1 }));
  await door.takes(1);
  door.upstream.noRoom = "refused";
  device.send(publish("a", "live"), publish("a", "no", { packetId: 2 }), publish("a", "no", { packetId: 3 }));
  await door.takes(4);
  device.send(publish("a", "not even read", { packetId: 4 }));
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.receives("40 02 00 01");
  door.clock.advance(4_999);
  assert.ok(!door.said("client cut off"));
  door.clock.advance(1);
  await device.isClosed();
  assert.ok(door.said("client cut off: the outbox is full"));
  assert.equal(door.upstream.taken.length, 4);
});

test("a device that is refused and comes back at once is refused once each five seconds; others notice nothing", async () => {
  await using door = await MqttDoor.open();
  await using other = await door.connected("other");
  door.upstream.noRoom = "refused";
  for (let round = 1; round <= 3; round++) {
    await using device = await door.connected("device");
    const before = door.upstream.taken.length;
    device.send(publish("a", "again", { packetId: 1 }));
    await door.takes(before + 1);
    other.send(publish("b", "live"));
    await door.takes(before + 2);
    await other.isIdle();
    device.send(publish("a", "again", { packetId: 2 }));
    door.clock.advance(5_000);
    await device.isClosed();
    assert.equal(door.upstream.taken.length, before + 2, "one try each time");
  }
  assert.equal(door.ingress.status().clients.length, 1, "the other is still there");
});

test("a full outbox that drops new messages has them acknowledged once that is written down, and takes no notice of QoS 0", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  door.upstream.noRoom = "dropped";
  device.send(publish("a", "x", { packetId: 1 }), publish("a", "live"));
  await door.takes(2);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await device.receives("40 02 00 01");
  door.upstream.noRoom = "refused";
  device.send(publish("a", "live"));
  await door.takes(3);
  await device.isIdle();
  door.upstream.noRoom = null;
  door.upstream.stages = false;
  device.send(publish("a", "x", { packetId: 2 }));
  await device.receives("40 02 00 02");
});

test("a packet over max_packet ends the connection as soon as its length is known", async () => {
  await using door = await MqttDoor.open({ maxPacket: 1024 });
  await using device = await door.connected("device");
  device.send(publish("a", Buffer.alloc(1018)));
  await door.takes(1);
  device.send("30 fe 07"); // 1,022 bytes to come: 1,025 in all
  await device.isClosed();
  assert.ok(door.said("announces 1025 bytes, the limit is 1024"));
});

test("a payload over max_payload ends the connection", async () => {
  await using door = await MqttDoor.open({ limits: { maxPayload: 10, maxPending: 65_536, writeDeadline: 10_000 } });
  await using device = await door.connected("device");
  device.send(publish("a", "0123456789"), publish("a", "0123456789a"));
  await device.isClosed();
  assert.deepEqual(door.upstream.taken, ["a=0123456789"]);
});

test("a full upstream stops the reading within one segment, and room lets it go on", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  door.upstream.isFull = true;
  device.send(publish("a", "1"));
  await door.takes(1);
  device.send(publish("a", "2"), hex("c0 00"));
  door.publish("b", "3");
  await door.takes(2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(door.upstream.taken, ["a=1", "b=3"]);
  door.upstream.isFull = false;
  door.slot.onRoom();
  await device.receives("d0 00");
  assert.deepEqual(door.upstream.taken, ["a=1", "b=3", "a=2"]);
});

test("a pause in the middle of a segment keeps the rest of it for later, in order", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  door.upstream.isFull = true;
  // The SUBSCRIBE makes a batch of what is before it; the pause that follows must stop everything behind it.
  device.send(publish("a", "1"), subscribe(1, ["x", 0]), publish("a", "2"), hex("c0 00"));
  await door.takes(1);
  await device.receives(suback(1, 0));
  assert.deepEqual(door.upstream.taken, ["a=1"]);
  door.upstream.isFull = false;
  door.slot.onRoom();
  await device.receives("d0 00");
  assert.deepEqual(door.upstream.taken, ["a=1", "a=2"]);
});

test("while it is we who do not read, keep-alive does not run out", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { keepAlive: 10 });
  door.upstream.isFull = true;
  device.send(publish("a", "1"));
  await door.takes(1);
  door.clock.advance(60_000);
  door.upstream.isFull = false;
  door.slot.onRoom();
  await device.isIdle();
});

for (const [name, bytes] of [
  ["CONNACK", hex("20 02 00 00")],
  ["SUBACK", hex("90 03 00 01 00")],
  ["UNSUBACK", hex("b0 02 00 01")],
  ["PINGRESP", hex("d0 00")],
  ["PUBREC with flags", hex("51 02 00 01")],
  ["MQTT-3.6.1-1: PUBREL with flags 0", hex("60 02 00 01")],
  ["PUBCOMP with flags", hex("72 02 00 01")],
  ["packet type 0", hex("00 00")],
  ["packet type 15", hex("f0 00")],
  ["PUBACK with flags", hex("41 02 00 01")],
  ["PUBACK of one byte", hex("40 01 01")],
  ["PUBACK of three bytes", hex("40 03 00 01 00")],
  ["PUBACK with packet identifier 0", hex("40 02 00 00")],
  ["PINGREQ with content", hex("c0 01 00")],
  ["PINGREQ with flags", hex("c1 00")],
  ["DISCONNECT with content", hex("e0 01 00")],
  ["MQTT-3.8.1-1: SUBSCRIBE with flags 0", hex("80 06 00 01 00 01 61 00")],
  ["MQTT-3.8.3-3: SUBSCRIBE without a filter", hex("82 02 00 01")],
  ["MQTT-2.3.1-1: SUBSCRIBE with packet identifier 0", hex("82 06 00 00 00 01 61 00")],
  ["SUBSCRIBE shorter than its packet identifier", hex("82 01 00")],
  ["SUBSCRIBE without a QoS", hex("82 05 00 01 00 01 61")],
  ["MQTT-3-8.3-4: SUBSCRIBE at QoS 3", hex("82 06 00 01 00 01 61 03")],
  ["MQTT-3-8.3-4: SUBSCRIBE with reserved option bits", hex("82 06 00 01 00 01 61 04")],
  ["SUBSCRIBE with a filter that overruns the packet", hex("82 06 00 01 00 09 61 00")],
  ["SUBSCRIBE with an empty filter", hex("82 05 00 01 00 00 00")],
  ["SUBSCRIBE with a filter that is not UTF-8", packet(0x82, word(1), text(hex("ff")), hex("00"))],
  ["SUBSCRIBE with a filter with U+0000", packet(0x82, word(1), text("a\0"), hex("00"))],
  ["MQTT-3.10.1-1: UNSUBSCRIBE with flags 0", hex("a0 05 00 01 00 01 61")],
  ["MQTT-3.10.3-2: UNSUBSCRIBE without a filter", hex("a2 02 00 01")],
  ["UNSUBSCRIBE with packet identifier 0", hex("a2 05 00 00 00 01 61")],
  ["UNSUBSCRIBE with a filter that overruns the packet", hex("a2 05 00 01 00 02 61")],
] as const) {
  test(`${name} from a client ends its connection and no other`, async () => {
    await using door = await MqttDoor.open();
    await using other = await door.connected("other");
    await using device = await door.connected("device");
    device.send(bytes);
    await device.isClosed();
    await other.isIdle();
    assert.equal(door.ingress.status().endings.breach, 1);
  });
}

test("thousands of unacknowledged QoS 1 messages stop the reading until they are safe", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  const count = 20_000;
  device.send(...Array.from({ length: count }, (_, i) => publish("a", "", { packetId: (i % 65_535) + 1 })));
  await door.takes(8192);
  while (door.upstream.taken.length < count) {
    const owed = door.ingress.status().clients[0]!.owedAcks;
    assert.ok(owed < 8192 + 65_536 / 7, `${owed} PUBACKs are owed`);
    door.slot.onSafe(door.upstream.tickets.at(-1)!);
    await new Promise((resolve) => setImmediate(resolve));
  }
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await device.receives(Buffer.concat(Array.from({ length: count }, (_, i) => puback((i % 65_535) + 1))));
});
