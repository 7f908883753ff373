// PUBLISH of 5.0 from clients, statement by statement: properties, aliases, the retained flag, acknowledgements.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RECEIVED_MAX } from "#ingress/mqtt/session.ts";
import { hex, MqttDoor, PASSWORD, puback, pubcomp, publish, pubrec, pubrel, type RawClient } from "../../wire/mqtt/harness.ts";
import {
  ack5,
  comes5,
  connect5,
  disconnects,
  MESSAGE_EXPIRY,
  nextConnack,
  nextPublish,
  publish5,
  string,
  suback5,
  subscribe5,
  u8,
  u16,
  u32,
  user,
} from "./five.ts";

const ALIAS = 0x23;
const CORRELATION = 0x09;

async function subscribed(client: RawClient, filter: string, options = 0): Promise<RawClient> {
  client.send(subscribe5(1, [[filter, options]]));
  await client.receives(suback5(1, options & 3));
  return client;
}

test("MQTT5-3.3.2-4, MQTT5-3.3.2-15, MQTT5-3.3.2-16, MQTT5-3.3.2-17, MQTT5-3.3.2-20: what a message says of itself reaches every subscriber as it was", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using one = await subscribed(await comes5(door, { clientId: "one" }), "a/#", 0);
  await using two = await subscribed(await comes5(door, { clientId: "two" }), "+/b", 1);
  await using writer = await comes5(door, { clientId: "writer" });
  const users = [user("ä", "ö\r\nNats-Msg-Id: 1"), user("", ""), user("Nats-Msg-Id", "7"), user("b", " x "), user("b", "2")];
  for (const rest of [
    [u8(0x01, 1), string(0x08, "answers/here"), Buffer.concat([Buffer.from([CORRELATION]), hex("00 04 00 ff 0d 0a")])],
    [u8(0x01, 0), string(0x08, "$SYS/answers"), string(0x03, "a/b; c=\u00fc"), string(CORRELATION, "")],
    [string(0x08, "with space/.../\u0007"), string(0x03, "")],
  ]) {
    writer.send(publish5("a/b", "x", { packetId: 1, properties: [...rest, ...users] }));
    await writer.receives(puback(1));
    for (const reader of [one, two]) {
      const { properties, payload, packetId } = await nextPublish(reader);
      assert.equal(payload, "x");
      assert.deepEqual(sorted(properties), sorted([...rest, ...users]));
      assert.deepEqual(
        properties.filter((each) => each[0] === 0x26),
        users, // [MQTT5-3.3.2-18]
      );
      if (packetId > 0) reader.send(puback(packetId));
    }
  }
});

test("MQTT5-1.5.4-3, MQTT5-4.7.3-4: topics are not normalised, and U+FEFF is a character like others", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await subscribed(await comes5(door, { clientId: "reader" }), "#");
  await using exact = await subscribed(await comes5(door, { clientId: "exact" }), "Caf\u00e9/\ufeffx");
  await using writer = await comes5(door, { clientId: "writer" });
  const topics = [
    "Caf\u00e9/\ufeffx",
    "Cafe\u0301/\ufeffx",
    "caf\u00e9/\ufeffx",
    "Caf\u00e9/x",
    "/Caf\u00e9/\ufeffx",
    "Caf\u00e9//x",
    "Caf\u00e9/\ufeffx/",
  ];
  for (const topic of topics) writer.send(publish5(topic, "1"));
  for (const topic of topics) await reader.receives(publish5(topic, "1"));
  await exact.receives(publish5("Caf\u00e9/\ufeffx", "1"));
  await exact.isIdle();
});

test("MQTT5-3.3.2-6: a subscriber is told what is left of the expiry, live and retained", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using live = await subscribed(await comes5(door, { clientId: "live" }), "r/#");
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("r/a", "x", { retain: true, properties: [u32(MESSAGE_EXPIRY, 100)] }));
  await live.receives(publish5("r/a", "x", { properties: [u32(MESSAGE_EXPIRY, 100)] }));
  door.clock.advance(40_000);
  await using late = await subscribed(await comes5(door, { clientId: "late" }), "r/#");
  await late.receives(publish5("r/a", "x", { retain: true, properties: [u32(MESSAGE_EXPIRY, 60)] }));
  door.clock.advance(60_000);
  await using later = await subscribed(await comes5(door, { clientId: "later" }), "r/#");
  await later.isIdle();
});

test("MQTT5-3.3.2-7: aliases end with their connection, though the session goes on", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes5(door, { clientId: "a", expiry: 60 });
  first.send(publish5("x", "1", { properties: [u16(ALIAS, 1)] }));
  await door.takes(1);
  first.vanish();
  await first.isOver();
  await using again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  again.send(publish5("", "2", { properties: [u16(ALIAS, 1)] }));
  await disconnects(again, 0x82);
  assert.deepEqual(door.upstream.taken, ["x=1"]);
});

test("MQTT5-3.3.2-8, MQTT5-3.3.2-9, MQTT5-3.2.2-17: an alias of 0, or beyond what CONNACK says, is refused with 0x94", async () => {
  for (const alias of [0, 3, 65_535]) {
    await using door = await MqttDoor.open({ settings: { maxTopicAlias: 2 } });
    await using client = await comes5(door, {});
    client.send(publish5("a", "", { properties: [u16(ALIAS, alias)] }));
    await disconnects(client, 0x94);
  }
});

test("MQTT5-3.2.2-18: where aliases are switched off CONNACK says nothing of them, and any one is refused", async () => {
  await using door = await MqttDoor.open({ settings: { maxTopicAlias: 0 } });
  await using client = await door.dial();
  client.send(connect5({ properties: [u16(0x22, 9)] }));
  assert.ok(!(await nextConnack(client)).properties.some((each) => each[0] === 0x22));
  client.send(publish5("a", "", { properties: [u16(ALIAS, 1)] }));
  await disconnects(client, 0x94);
});

test("MQTT5-3.3.2-12: every alias up to the maximum is taken", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, {});
  const all = Array.from({ length: 32 }, (_, i) => i + 1);
  client.send(...all.map((alias) => publish5(`topic/${alias}`, "1", { properties: [u16(ALIAS, alias)] })));
  client.send(...all.map((alias) => publish5("", "2", { properties: [u16(ALIAS, alias)] })));
  const taken = await door.takes(64);
  assert.deepEqual(
    taken.slice(32),
    all.map((alias) => `topic.${alias}=2`),
  );
});

test("an alias that comes with a message we have already, or refuse, stands for its topic all the same", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { clientId: "a", expiry: 60 };
  const first = await comes5(door, options);
  first.send(publish5("x", "1", { packetId: 7, qos: 2 }));
  await first.receives(pubrec(7));
  first.vanish();
  await first.isOver();
  await using again = await comes5(door, { ...options, isClean: false, properties: [u8(0x17, 0)] }, true);
  again.send(publish5("x", "1", { packetId: 7, qos: 2, dup: true, properties: [u16(ALIAS, 1)] }));
  await again.receives(pubrec(7));
  again.send(publish5("y", "2", { packetId: 7, properties: [u16(ALIAS, 2)] }));
  await again.receives(ack5(0x40, 7, 0x91));
  again.send(publish5("", "3", { properties: [u16(ALIAS, 1)] }), publish5("", "4", { properties: [u16(ALIAS, 2)] }));
  await again.isIdle();
  assert.deepEqual(door.upstream.taken, ["x=1", "x=3", "y=4"]);
});

test("MQTT5-3.3.1-1, MQTT5-3.3.1-3: DUP goes no further than the client that set it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await subscribed(await comes5(door, { clientId: "reader" }), "a", 1);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 5, dup: true }));
  await writer.receives(puback(5));
  await reader.receives(publish5("a", "1", { packetId: 1 }));
});

test("MQTT5-3.3.1-5, MQTT5-3.3.1-8: the last retained message of a topic is kept; one without RETAIN changes nothing of it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("r", "1", { retain: true }), publish5("r", "2", { retain: true, packetId: 1 }), publish5("r", "3"));
  writer.send(publish5("r", "", { packetId: 2 }));
  await writer.receives(Buffer.concat([puback(1), puback(2)]));
  await using reader = await subscribed(await comes5(door, { clientId: "reader" }), "r", 2);
  await reader.receives(publish5("r", "2", { retain: true, packetId: 1 }));
  await reader.isIdle();
});

test("MQTT5-3.3.1-6, MQTT5-3.3.1-7: a retained message without payload goes to subscribers, removes what was kept and is not kept itself", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  await using live = await subscribed(await comes5(door, { clientId: "live" }), "r", 8);
  writer.send(publish5("r", "1", { retain: true }), publish5("r", "", { retain: true }));
  await live.receives(Buffer.concat([publish5("r", "1", { retain: true }), publish5("r", "", { retain: true })]));
  await using late = await subscribed(await comes5(door, { clientId: "late" }), "r");
  await late.isIdle();
});

test("MQTT5-3.3.1-12, MQTT5-3.3.1-13: RETAIN goes on as it came only to who asked for that", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using asks = await subscribed(await comes5(door, { clientId: "asks" }), "r", 8);
  await using plain = await subscribed(await comes5(door, { clientId: "plain" }), "r", 0);
  await using old = await door.connected("old");
  old.send(publish("r", "1", { retain: true }), publish("r", "2"));
  await asks.receives(Buffer.concat([publish5("r", "1", { retain: true }), publish5("r", "2")]));
  await plain.receives(Buffer.concat([publish5("r", "1"), publish5("r", "2")]));
});

test("MQTT5-3.3.4-1, MQTT5-4.3.2-4, MQTT5-4.3.3-8: QoS 0 has no answer, QoS 1 PUBACK, QoS 2 PUBREC, each when the message is safe", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, {});
  client.send(publish5("a", "0"), publish5("a", "1", { packetId: 9 }), publish5("a", "2", { packetId: 8, qos: 2 }));
  await door.takes(3);
  await client.isIdle();
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await client.receives(Buffer.concat([puback(9), pubrec(8)]));
});

test("MQTT5-4.3.2-5: after PUBACK the same identifier is a new message, DUP or not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, {});
  for (const dup of [false, true, true]) {
    client.send(publish5("a", "x", { packetId: 1, dup }));
    await client.receives(puback(1));
  }
  assert.equal(door.upstream.taken.length, 3);
});

test("MQTT5-4.3.3-9, MQTT5-4.3.3-10, MQTT5-4.3.3-11, MQTT5-4.3.3-12: a QoS 2 identifier stands for one message from PUBLISH to PUBCOMP", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { properties: [u8(0x17, 0)] });
  door.upstream.noRoom = "refused";
  client.send(publish5("a", "refused", { packetId: 1, qos: 2 }));
  await client.receives(ack5(0x50, 1, 0x97));
  door.upstream.noRoom = null;
  const send = async (payload: string, dup: boolean) => {
    client.send(publish5("a", payload, { packetId: 1, qos: 2, dup }));
    await client.receives(pubrec(1));
  };
  await send("first", false);
  await send("again", true);
  await send("again", false);
  client.send(pubrel(1));
  await client.receives(pubcomp(1));
  await send("second", true);
  client.send(pubrel(1), pubrel(1));
  await client.receives(Buffer.concat([pubcomp(1), ack5(0x70, 1, 0x92)]));
  assert.deepEqual(door.upstream.taken, ["a=refused", "a=first", "a=second"]);
});

test("QoS 2 messages that are never released are bounded over all connections of a session, not only over one", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { receiveMaximum: 5000 } });
  const options = { clientId: "a", expiry: 60 };
  const send = (from: number, to: number) =>
    Buffer.concat(Array.from({ length: to - from }, (_, i) => publish5("a", "", { packetId: from + i, qos: 2 })));
  const first = await comes5(door, options);
  first.send(send(1, 5001));
  await first.take(5000 * 4);
  first.vanish();
  await first.isOver();
  await using again = await comes5(door, { ...options, isClean: false }, true);
  again.send(send(5001, RECEIVED_MAX + 1));
  await again.take((RECEIVED_MAX - 5000) * 4);
  again.send(publish5("a", "", { packetId: 1, qos: 2, dup: true }));
  await again.receives(pubrec(1));
  again.send(send(RECEIVED_MAX + 1, RECEIVED_MAX + 2));
  await disconnects(again, 0x97);
  assert.equal(door.upstream.taken.length, RECEIVED_MAX);
});

test("MQTT5-4.3.3-13: an expiry that passes does not stop the exchange", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, {});
  client.send(publish5("a", "1", { packetId: 1, qos: 2, properties: [u32(MESSAGE_EXPIRY, 1)] }));
  await client.receives(pubrec(1));
  door.clock.advance(60_000);
  client.send(publish5("a", "1", { packetId: 1, qos: 2, dup: true, properties: [u32(MESSAGE_EXPIRY, 1)] }));
  await client.receives(pubrec(1));
  client.send(pubrel(1));
  await client.receives(pubcomp(1));
});

test("MQTT5-3.3.4-7: every exchange that has ended gives its place back, however it ended", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { receiveMaximum: 1 } });
  await using client = await comes5(door, { user: "sensor", password: PASSWORD, properties: [u8(0x17, 0)] });
  for (const [topic, qos, noRoom, answer] of [
    ["plant/7/a", 1, null, puback(1)],
    ["plant/7/a", 1, "refused", ack5(0x40, 1, 0x97)],
    ["plant/7/a", 2, "refused", ack5(0x50, 1, 0x97)],
    ["plant/8/a", 2, null, ack5(0x50, 1, 0x87)],
    ["$SYS/a", 2, null, ack5(0x50, 1, 0x90)],
    ["plant/7/a", 2, null, pubrec(1)],
  ] as const) {
    for (const _ of [1, 2, 3]) {
      door.upstream.noRoom = noRoom;
      client.send(publish5(topic, "", { packetId: 1, qos }));
      await client.receives(answer);
      if (!answer.equals(pubrec(1))) continue;
      client.send(pubrel(1));
      await client.receives(pubcomp(1));
    }
  }
});

test("MQTT5-3.3.4-8, MQTT5-4.9.0-3: a client at its receive maximum is answered on everything else", async () => {
  await using door = await MqttDoor.open({ settings: { receiveMaximum: 1 } });
  await using client = await comes5(door, {});
  client.send(publish5("a", "1", { packetId: 1 }), subscribe5(2, [["b", 0]]), publish5("b", "2"), hex("c0 00"));
  await client.receives(Buffer.concat([suback5(2, 0), publish5("b", "2"), hex("d0 00")]));
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await client.receives(puback(1));
});

test("MQTT5-4.6.0-5, MQTT5-4.6.0-6: messages of one client on one topic come in their order, whatever else they carry", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await subscribed(await comes5(door, { clientId: "reader" }), "a", 0);
  await using writer = await comes5(door, { clientId: "writer" });
  const properties = [[], [user("k", "v")], [u16(ALIAS, 1)], [string(0x03, "text")]];
  for (let n = 0; n < 40; n++) writer.send(publish5("a", String(n), { properties: properties[n % 4]! }));
  for (let n = 0; n < 40; n++) assert.equal((await nextPublish(reader)).payload, String(n));
});

test("MQTT5-4.5.0-1: an acknowledged message is in the session of everybody who subscribed to it, present or not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const away = await subscribed(await comes5(door, { clientId: "away", expiry: 60 }), "a", 2);
  away.vanish();
  await away.isOver();
  await using here = await subscribed(await comes5(door, { clientId: "here" }), "a", 2);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 1, qos: 2 }));
  await writer.receives(pubrec(1));
  await here.receives(publish5("a", "1", { packetId: 1, qos: 2 }));
  await using back = await comes5(door, { clientId: "away", isClean: false, expiry: 60 }, true);
  await back.receives(publish5("a", "1", { packetId: 1, qos: 2 }));
});

test("MQTT5-3.12.4-1: PINGREQ is answered with PINGRESP", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, {});
  client.send("c0 00 c0 00");
  await client.receives("d0 00 d0 00");
});

test("payload and properties together may be as large as limits.max_payload, as NATS counts them, and no larger", async () => {
  await using door = await MqttDoor.open({ limits: { maxPayload: 1000, maxPending: 1 << 24, writeDeadline: 10_000 } });
  const block = "NATS/1.0\r\nk: v\r\n\r\n".length;
  await using client = await comes5(door, {});
  client.send(publish5("a", "x".repeat(1000)), publish5("a", "x".repeat(1000 - block), { properties: [user("k", "v")] }));
  await door.takes(2);
  client.send(publish5("a", "x".repeat(1001 - block), { properties: [user("k", "v")] }));
  await disconnects(client, 0x95);
  await using old = await comes5(door, { clientId: "old" });
  old.send(publish5("a", "x".repeat(1001)));
  await disconnects(old, 0x95);
  assert.equal(door.upstream.taken.length, 2);
});

test("a will that is larger than limits.max_payload is refused while somebody looks", async () => {
  await using door = await MqttDoor.open({ limits: { maxPayload: 100, maxPending: 1 << 24, writeDeadline: 10_000 } });
  await using client = await door.dial();
  client.send(connect5({ will: { topic: "a", payload: "x".repeat(90), properties: [user("k", "v")] } }));
  assert.equal((await nextConnack(client)).reason, 0x95);
  await client.isClosed();
});

function sorted(properties: readonly Buffer[]): readonly string[] {
  return properties.map((each) => each.toString("hex")).sort();
}
