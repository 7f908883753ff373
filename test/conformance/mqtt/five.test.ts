// MQTT 5.0 as a broker behaves it: limits, reasons, properties, options. The bytes of each packet: test/unit/ingress/mqtt/.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, MqttDoor, PASSWORD, puback, pubcomp, publish, pubrec, pubrel, suback, subscribe } from "../../wire/mqtt/harness.ts";
import {
  ack5,
  comes5,
  connect5,
  disconnect5,
  MESSAGE_EXPIRY,
  next,
  publish5,
  SESSION_EXPIRY,
  string,
  suback5,
  subscribe5,
  u8,
  u16,
  u32,
  unsuback5,
  unsubscribe5,
  user,
} from "./five.ts";

test("MQTT5-3.1.3-6: a client without an id is assigned one and told so", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send(connect5({ clientId: "" }));
  const { body } = await next(device);
  assert.ok(body.includes(Buffer.concat([hex("12 00 19"), Buffer.from("auto-")])));
  assert.match(door.ingress.status().clients[0]!.clientId, /^auto-/);
});

test("MQTT5-3.2.2-21: the server's keep-alive goes before the client's where it is shorter", async () => {
  await using door = await MqttDoor.open({ settings: { serverKeepAlive: 60_000 } });
  await using device = await door.dial();
  device.send(connect5({ keepAlive: 600 }));
  const { body } = await next(device);
  assert.ok(body.includes(hex("13 00 3c")));
  door.clock.advance(89_999);
  assert.equal(door.ingress.status().clients.length, 1);
  door.clock.advance(1);
  assert.equal((await next(device)).body[0], 0x8d, "keep alive timeout");
  await device.isOver();
});

test("MQTT5-4.12.0-1: an authentication method is refused with 0x8C", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send(connect5({ properties: [string(0x15, "SCRAM-SHA-1")] }));
  assert.equal((await next(device)).body[1], 0x8c);
  await device.isOver();
});

test("CONNACK refuses with the reasons of 5.0", async () => {
  await using door = await MqttDoor.open({ maxClients: 1 });
  for (const [options, reason] of [
    [{ user: "ann", password: "wrong" }, 0x86],
    [{ clientId: "x".repeat(513) }, 0x85],
    [{ will: { topic: "$SYS/x", payload: "" } }, 0x90],
    [{ user: "sensor", password: PASSWORD, will: { topic: "plant/8", payload: "" } }, 0x87],
  ] as const) {
    await using device = await door.dial();
    device.send(connect5(options));
    assert.equal((await next(device)).body[1], reason);
    await device.isOver();
  }
  await using one = await comes5(door, { clientId: "one" });
  await using two = await door.dial();
  two.send(connect5({ clientId: "two" }));
  assert.equal((await next(two)).body[1], 0x88);
  await one.isIdle();
});

test("MQTT5-3.1.2-4: a session with an expiry is there when its client comes back, and gone after a clean start", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes5(door, { clientId: "a", expiry: 60 });
  first.send(subscribe5(1, [["x", 1]]), disconnect5());
  await first.isClosed(suback5(1, 1));
  door.publish("x", "1");
  const again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  await again.receives(publish5("x", "1", { packetId: 1 }));
  again.vanish();
  await using clean = await comes5(door, { clientId: "a", expiry: 60 });
  await clean.isIdle();
});

test("MQTT5-3.1.2-23: a session of expiry 0 ends with its connection, one of 60 s a minute later", async () => {
  await using door = await MqttDoor.open();
  const none = await comes5(door, { clientId: "none", isClean: false });
  none.send(disconnect5());
  await none.isOver();
  await using back = await comes5(door, { clientId: "none", isClean: false });
  await back.isIdle();
  const minute = await comes5(door, { clientId: "minute", expiry: 60 });
  minute.send(disconnect5());
  await minute.isOver();
  door.clock.advance(60_000);
  await using late = await comes5(door, { clientId: "minute", isClean: false, expiry: 60 });
  await late.isIdle();
});

test("a session expiry beyond ours is brought down, and CONNACK says so", async () => {
  await using door = await MqttDoor.open({ settings: { maxSessionExpiry: 60_000 } });
  await using device = await door.dial();
  device.send(connect5({ expiry: 0xffffffff }));
  assert.ok((await next(device)).body.includes(hex("11 00 00 00 3c")));
});

test("DISCONNECT may change the expiry, but not from 0 to more", async () => {
  await using door = await MqttDoor.open();
  const first = await comes5(door, { clientId: "a", expiry: 60 });
  first.send(disconnect5(0, [u32(SESSION_EXPIRY, 0)]));
  await first.isOver();
  await using again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 });
  await again.isIdle();
  await using clean = await comes5(door, { clientId: "b" });
  clean.send(disconnect5(0, [u32(SESSION_EXPIRY, 10)]));
  assert.equal((await next(clean)).body[0], 0x82);
});

test("MQTT5-3.1.4-3: an older connection with the same id hears 0x8E", async () => {
  await using door = await MqttDoor.open();
  await using older = await comes5(door, { clientId: "twin" });
  await using newer = await comes5(door, { clientId: "twin" });
  const { first, body } = await next(older);
  assert.equal(first, 0xe0);
  assert.equal(body[0], 0x8e);
  await older.isOver();
  await newer.isIdle();
});

test("closing says 0x8B", async () => {
  const door = await MqttDoor.open();
  await using device = await comes5(door, {});
  const closing = door.ingress[Symbol.asyncDispose]();
  assert.equal((await next(device)).body[0], 0x8b);
  await closing;
});

test("MQTT5-4.13.1-1: a breach is told its reason before the connection closes", async () => {
  for (const [bytes, reason] of [
    [hex("f0 00"), 0x82],
    [publish5("a/+"), 0x81],
    [hex("30 03 00 00 00"), 0x82],
    [publish5("a", "", { properties: [u16(0x23, 0)] }), 0x94],
    [publish5("a", "", { properties: [u16(0x23, 33)] }), 0x94],
    [publish5("", "", { properties: [u16(0x23, 3)] }), 0x82],
    [subscribe5(1, [["$share/g/a", 4]]), 0x82],
  ] as const) {
    await using door = await MqttDoor.open();
    await using device = await comes5(door, {});
    device.send(bytes);
    const { first, body } = await next(device);
    assert.equal(first, 0xe0);
    assert.equal(body[0], reason, bytes.toString("hex"));
    await device.isOver();
  }
});

test("MQTT5-3.3.4-7: more unacknowledged messages than the receive maximum end the connection with 0x93", async () => {
  await using door = await MqttDoor.open({ settings: { receiveMaximum: 2 } });
  await using device = await comes5(door, {});
  device.send(publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await door.takes(2);
  await device.isIdle();
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await device.receives(Buffer.concat([puback(1), pubrec(2)]));
  device.send(pubrel(2));
  await device.receives(pubcomp(2));
  device.send(...[3, 4, 5].map((packetId) => publish5("a", "", { packetId })));
  assert.equal((await next(device)).body[0], 0x93);
  assert.equal(door.upstream.taken.length, 4, "what came before it was published");
});

test("MQTT5-3.3.4-9: no more is sent to a client than its receive maximum", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { properties: [u16(0x21, 2)] });
  device.send(subscribe5(1, [["a", 1]]));
  await device.receives(suback5(1, 1));
  for (const n of ["1", "2", "3"]) door.publish("a", n);
  await device.receives(publish5("a", "1", { packetId: 1 }));
  await device.receives(publish5("a", "2", { packetId: 2 }));
  await device.isIdle();
  device.send(puback(1));
  await device.receives(publish5("a", "3", { packetId: 3 }));
});

test("what is refused gets its reason in PUBACK or PUBREC, in order, and the connection stays", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await comes5(door, { clientId: "reader" });
  reader.send(subscribe5(1, [["plant/#", 0]]));
  await reader.receives(suback5(1, 0));
  await using device = await door.dial();
  device.send(connect5({ user: "sensor", password: PASSWORD, properties: [u8(0x17, 0)] }));
  await next(device);
  door.upstream.noRoom = null;
  device.send(
    publish5("plant/7/a", "1", { packetId: 1 }),
    publish5("$SYS/x", "2", { packetId: 2 }),
    publish5("plant/8/a", "3", { packetId: 3 }),
    publish5("plant/8/a", "4", { packetId: 4, qos: 2 }),
    publish5("plant/7/a", "5", { packetId: 5 }),
  );
  await device.receives(Buffer.concat([puback(1), ack5(0x40, 2, 0x90), ack5(0x40, 3, 0x87), ack5(0x50, 4, 0x87), puback(5)]));
  device.send(pubrel(4));
  await device.receives(ack5(0x70, 4, 0x92));
  door.upstream.noRoom = "refused";
  device.send(publish5("plant/7/a", "6", { packetId: 6 }), publish5("plant/7/a", "7", { packetId: 7, qos: 2 }));
  await device.receives(Buffer.concat([ack5(0x40, 6, 0x97), ack5(0x50, 7, 0x97)]));
  door.upstream.noRoom = null;
  device.send(publish5("plant/7/a", "8", { packetId: 7, qos: 2 }));
  await device.receives(pubrec(7));
});

test("a reason string is given to those who want it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { user: "sensor", password: PASSWORD });
  device.send(publish5("plant/8/a", "", { packetId: 3 }));
  const { body } = await next(device);
  assert.match(body.toString("latin1"), /permissions forbid/);
});

test("a message that nobody hears is acknowledged with 0x10; one that somebody hears is not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  door.upstream.isHearing = false;
  await using device = await comes5(door, {});
  device.send(publish5("a", "", { packetId: 1 }), publish5("a", "", { packetId: 2, qos: 2 }));
  await device.receives(Buffer.concat([ack5(0x40, 1, 0x10), ack5(0x50, 2, 0x10)]));
  device.send(pubrel(2), subscribe5(3, [["a", 0]]), publish5("a", "", { packetId: 4 }));
  await device.receives(Buffer.concat([pubcomp(2), suback5(3, 0), publish5("a"), puback(4)]));
});

test("an identifier of a QoS 2 message that is not released cannot be used at QoS 1: 0x91", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { properties: [u8(0x17, 0)] });
  device.send(publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 1 }));
  await device.receives(Buffer.concat([pubrec(1), ack5(0x40, 1, 0x91)]));
  assert.deepEqual(door.upstream.taken, ["a=1"]);
});

test("MQTT5-4.4.0-2: a PUBREC with a reason of 0x80 or more ends the exchange", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await comes5(door, { clientId: "reader", properties: [u16(0x21, 1)] });
  reader.send(subscribe5(1, [["a", 2]]));
  await reader.receives(suback5(1, 2));
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await reader.receives(publish5("a", "1", { packetId: 1, qos: 2 }));
  reader.send(ack5(0x50, 1, 0x97));
  await reader.receives(publish5("a", "2", { packetId: 2, qos: 2 }));
  reader.send(ack5(0x50, 9, 0));
  await reader.receives(ack5(0x62, 9, 0x92));
});

test("MQTT5-3.3.2-18: properties reach 5.0 subscribers in order and 3.1.1 ones not at all", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using five = await comes5(door, { clientId: "five" });
  await using four = await door.connected("four");
  five.send(subscribe5(1, [["a", 0]]));
  await five.receives(suback5(1, 0));
  four.send(subscribe(1, ["a", 0]));
  await four.receives(suback(1, 0));
  const users = [user("b", "2"), user("a", "1"), user("b", "3"), user("Nats-Msg-Id", "x")];
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "x", { properties: [string(0x08, "answers/1"), string(0x03, "text/x"), ...users] }));
  const { body } = await next(five);
  const tail = body.subarray(body.indexOf(0x26));
  assert.deepEqual(tail.subarray(0, Buffer.concat(users).length), Buffer.concat(users));
  assert.ok(body.includes(string(0x08, "answers/1")));
  assert.ok(body.includes(string(0x03, "text/x")));
  await four.receives(publish("a", "x"));
});

test("MQTT5-3.3.2-12: a client's topic alias stands for its topic until it is given another", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, {});
  const alias = (topic: string, payload: string) => publish5(topic, payload, { properties: [u16(0x23, 1)] });
  device.send(alias("long/topic", "1"), alias("", "2"), alias("other", "3"), alias("", "4"));
  assert.deepEqual(await door.takes(4), ["long.topic=1", "long.topic=2", "other=3", "other=4"]);
});

test("aliases are given to a client that takes them", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { properties: [u16(0x22, 5)] });
  device.send(subscribe5(1, [["#", 0]]));
  await device.receives(suback5(1, 0));
  for (const n of ["1", "2"]) door.publish("a.long.topic.name", n);
  await device.receives(publish5("a/long/topic/name", "1", { properties: [u16(0x23, 1)] }));
  await device.receives(publish5("", "2", { properties: [u16(0x23, 1)] }));
});

test("MQTT5-3.1.2-25: a message longer than the client takes passes it by, and the next one comes", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { properties: [u32(0x27, 40)] });
  device.send(subscribe5(1, [["#", 1]]));
  await device.receives(suback5(1, 1));
  door.publish("a.long.topic", "x".repeat(50));
  door.publish("a.long.topic", "short");
  await device.receives(publish5("a/long/topic", "short", { packetId: 2 }));
});

test("MQTT5-3.8.3-3: no local: a client does not hear itself, others hear it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { clientId: "a" });
  await using other = await comes5(door, { clientId: "b" });
  device.send(subscribe5(1, [["x", 4]]));
  await device.receives(suback5(1, 0));
  other.send(subscribe5(1, [["x", 4]]));
  await other.receives(suback5(1, 0));
  device.send(publish5("x", "1"));
  await other.receives(publish5("x", "1"));
  await device.isIdle();
});

test("MQTT5-3.3.1-12, MQTT5-3.3.1-13: retain as published keeps the flag, without it the flag is off", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { clientId: "a" });
  device.send(
    subscribe5(1, [
      ["x", 8],
      ["y", 0],
    ]),
  );
  await device.receives(suback5(1, 0, 0));
  device.send(publish5("x", "1", { retain: true }), publish5("y", "2", { retain: true }), publish5("x", "3"));
  await device.receives(publish5("x", "1", { retain: true }));
  await device.receives(publish5("y", "2"));
  await device.receives(publish5("x", "3"));
});

test("MQTT5-3.3.1-9, MQTT5-3.3.1-10, MQTT5-3.3.1-11: retain handling: 0 at each SUBSCRIBE, 1 at a new one, 2 never", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { clientId: "a" });
  device.send(publish5("r", "kept", { retain: true }));
  for (const [options, isSent] of [
    [0x20, false],
    [0x10, false],
    [0x00, true],
  ] as const) {
    device.send(subscribe5(1, [["r", options]]));
    await device.receives(suback5(1, 0));
    if (isSent) await device.receives(publish5("r", "kept", { retain: true }));
    await device.isIdle();
  }
  device.send(unsubscribe5(2, "r"), subscribe5(3, [["r", 0x10]]));
  await device.receives(Buffer.concat([unsuback5(2, 0), suback5(3, 0), publish5("r", "kept", { retain: true })]));
});

test("MQTT5-3.3.4-3: subscription identifiers of all filters that match come with the one copy, at the highest QoS", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await comes5(door, { clientId: "a" });
  device.send(
    subscribe5(1, [["x/#", 0]], [hex("0b 07")]),
    subscribe5(2, [["x/+", 1]], [hex("0b 80 01")]),
    subscribe5(3, [["x/y", 0]]),
  );
  await device.receives(Buffer.concat([suback5(1, 0), suback5(2, 1), suback5(3, 0)]));
  door.publish("x.y", "1");
  const { first, body } = await next(device);
  assert.equal(first, 0x32);
  assert.ok(body.includes(hex("0b 07")));
  assert.ok(body.includes(hex("0b 80 01")));
  await device.isIdle();
});

test("SUBACK and UNSUBACK say why", async () => {
  await using door = await MqttDoor.open();
  await using device = await comes5(door, { user: "sensor", password: PASSWORD });
  device.send(
    subscribe5(1, [
      ["cmd/7/#", 2],
      ["cmd/8", 0],
      ["a+", 0],
      ["$share/g", 0],
    ]),
    unsubscribe5(2, "cmd/7/#", "never"),
  );
  await device.receives(Buffer.concat([suback5(1, 2, 0x87, 0x8f, 0x8f), unsuback5(2, 0, 0x11)]));
});

test("MQTT5-3.3.2-5: a message that has expired in the queue is not sent, one that has not says what is left", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const reader = await comes5(door, { clientId: "reader", expiry: 1000 });
  reader.send(subscribe5(1, [["x", 1]]), disconnect5());
  await reader.isClosed(suback5(1, 1));
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x", "soon", { packetId: 1, properties: [u32(MESSAGE_EXPIRY, 10)] }));
  writer.send(publish5("x", "late", { packetId: 2, properties: [u32(MESSAGE_EXPIRY, 100)] }));
  await writer.receives(Buffer.concat([puback(1), puback(2)]));
  door.clock.advance(30_000);
  await using again = await comes5(door, { clientId: "reader", isClean: false, expiry: 1000 }, true);
  await again.receives(publish5("x", "late", { packetId: 2, properties: [u32(MESSAGE_EXPIRY, 70)] }));
  await again.isIdle();
});
