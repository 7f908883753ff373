// CONNECT and CONNACK of 5.0, statement by statement. What a session does afterwards: five-session.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { connect, hex, MqttDoor, PASSWORD, packet, text } from "../../wire/mqtt/harness.ts";
import {
  comes5,
  connect5,
  disconnect5,
  disconnects,
  nextConnack,
  publish5,
  section,
  string,
  suback5,
  subscribe5,
  u8,
  u16,
  u32,
  user,
} from "./five.ts";

const RECEIVE_MAXIMUM = 0x21;
const MAXIMUM_PACKET = 0x27;
const ALIAS_MAXIMUM = 0x22;
const AUTH_METHOD = 0x15;
const AUTH_DATA = 0x16;
const RESPONSE_INFORMATION = 0x1a;

/** A CONNECT put together by hand: flags, and what follows the keep-alive. */
function raw(flags: number, ...fields: readonly Buffer[]): Buffer {
  return packet(0x10, text("MQTT"), Buffer.from([5, flags, 0, 0]), ...fields);
}

const NONE = section();
const ID = text("c");

async function isRefused(bytes: Buffer, reason: number): Promise<void> {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(bytes);
  const connack = await nextConnack(client);
  assert.deepEqual([connack.flags, connack.reason], [0, reason], bytes.toString("hex"));
  await client.isClosed();
}

test("MQTT5-3.1.0-1, MQTT5-3.14.0-1: whatever comes before CONNECT ends the connection, and is not answered", async () => {
  await using door = await MqttDoor.open();
  for (const bytes of [hex("c0 00"), publish5("a"), subscribe5(1, [["a", 0]]), hex("f0 00"), disconnect5()]) {
    await using client = await door.dial();
    client.send(bytes);
    await client.isClosed(); // without a DISCONNECT
  }
  assert.deepEqual(door.upstream.taken, []);
});

test("MQTT5-3.1.0-2: a second CONNECT is a protocol error", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, {});
  client.send(connect5({}));
  await disconnects(client, 0x82);
});

test("MQTT5-3.1.2-1, MQTT5-3.1.2-2: another name or level is not MQTT 5 and ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using other = await door.dial();
  other.send(connect({ protocol: "MQTX", level: 5 }));
  await other.isClosed();
  await using later = await door.dial();
  later.send(connect({ level: 6 }));
  await later.isClosed("20 02 00 01"); // in the form of 3.1.1, which is what everybody can read
});

test("MQTT5-3.1.2-3, MQTT5-3.1.4-1: a CONNECT with the reserved flag is answered with 0x81", async () => {
  await isRefused(raw(3, NONE, ID), 0x81);
});

test("MQTT5-3.1.2-11, MQTT5-3.1.2-13: will QoS or will retain without a will are refused", async () => {
  for (const flags of [0x0a, 0x12, 0x22]) await isRefused(raw(flags, NONE, ID), 0x81);
});

test("MQTT5-3.1.2-12: a will may have QoS 0, 1 or 2, and not 3", async () => {
  await using door = await MqttDoor.open();
  for (const qos of [0, 1, 2]) {
    await using client = await comes5(door, { will: { topic: "a", payload: "", qos } });
    await client.isIdle();
  }
  await isRefused(connect5({ will: { topic: "a", payload: "", qos: 3 } }), 0x81);
});

test("MQTT5-3.1.2-9: a will without its properties, topic or payload is refused", async () => {
  await isRefused(raw(6, NONE, ID), 0x81);
  await isRefused(raw(6, NONE, ID, NONE), 0x81);
  await isRefused(raw(6, NONE, ID, NONE, text("topic")), 0x81);
});

test("MQTT5-3.1.2-16, MQTT5-3.1.2-17, MQTT5-3.1.2-18, MQTT5-3.1.2-19: user name and password stand there exactly as flagged", async () => {
  await isRefused(raw(0x02, NONE, ID, text("ann")), 0x81);
  await isRefused(raw(0x82, NONE, ID), 0x81);
  await isRefused(raw(0x82, NONE, ID, text("ann"), text("secret")), 0x81);
  await isRefused(raw(0xc2, NONE, ID, text("ann")), 0x81);
});

test("MQTT5-3.1.3-3: a CONNECT without a client id is malformed", async () => {
  await isRefused(raw(2, NONE), 0x81);
});

test("MQTT5-1.5.4-1, MQTT5-1.5.4-2, MQTT5-3.1.3-4, MQTT5-3.1.3-11, MQTT5-3.1.3-12: texts of a CONNECT are UTF-8 without U+0000", async () => {
  const surrogate = hex("00 03 ed a0 80");
  const cut = hex("00 01 c3");
  const nothing = hex("00 01 00");
  for (const bad of [surrogate, cut, nothing]) {
    await isRefused(raw(2, NONE, bad), 0x81);
    await isRefused(raw(6, NONE, ID, NONE, bad, text("bye")), 0x81);
    await isRefused(raw(0x82, NONE, ID, bad), 0x81);
  }
});

test("MQTT5-1.5.5-1: a length of properties in more bytes than it needs is malformed", async () => {
  await isRefused(raw(2, hex("80 00"), ID), 0x81);
});

test("MQTT5-1.5.7-1: both halves of a user property are UTF-8", async () => {
  for (const half of ["26 00 01 c3 00 01 61", "26 00 01 61 00 01 c3"]) await isRefused(raw(2, section([hex(half)]), ID), 0x81);
});

test("MQTT5-3.1.4-1: properties of CONNECT that come twice or say what they must not are refused with their reason", async () => {
  for (const [properties, reason] of [
    [[u16(RECEIVE_MAXIMUM, 1), u16(RECEIVE_MAXIMUM, 1)], 0x82],
    [[u16(RECEIVE_MAXIMUM, 0)], 0x82],
    [[u32(MAXIMUM_PACKET, 0)], 0x82],
    [[u8(0x17, 2)], 0x82],
    [[u8(0x19, 2)], 0x82],
    [[string(AUTH_DATA, "x")], 0x82],
    [[u16(0x13, 1)], 0x81],
    [[hex("7f")], 0x81],
  ] as const) {
    await isRefused(connect5({ properties }), reason);
  }
});

test("MQTT5-3.1.3-1: client id, will, user name and password are read in their order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const will = { topic: "plant/7/gone", payload: "bye", properties: [u32(0x18, 0)] };
  const client = await comes5(door, { clientId: "one", user: "sensor", password: PASSWORD, will });
  assert.equal(door.ingress.status().clients[0]!.clientId, "one");
  client.vanish();
  assert.deepEqual(await door.takes(1), ["plant.7.gone=bye"]);
});

test("MQTT5-3.1.3-5: client ids of 1 to 23 letters and digits are taken, and longer and stranger ones too", async () => {
  await using door = await MqttDoor.open();
  for (const clientId of ["7", "abcdefghijklmnopqrstuvw", "0123456789ABCDEFGHIJKLM", "\ufeffgerät 9/#", "x".repeat(512)]) {
    await using client = await comes5(door, { clientId });
    assert.equal(door.ingress.status().clients[0]!.clientId, clientId);
    await client.isIdle();
    client.send(disconnect5());
    await client.isClosed();
    while (door.ingress.sessions().connected > 0) await turn();
  }
});

test("MQTT5-3.1.3-7, MQTT5-3.2.2-16: ids that we assign are new ones, and lead back to their sessions", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const ids: string[] = [];
  for (const isClean of [true, false, false]) {
    await using client = await door.dial();
    client.send(connect5({ clientId: "", isClean, expiry: 60 }));
    const { reason, flags, properties } = await nextConnack(client);
    assert.deepEqual([reason, flags], [0, 0]);
    ids.push(properties.find((each) => each[0] === 0x12)!.toString("utf8", 3));
  }
  assert.equal(new Set(ids).size, 3);
  await using back = await comes5(door, { clientId: ids[1]!, isClean: false, expiry: 60 }, true);
  await back.isIdle();
});

test("MQTT5-3.1.3-8: a client id that is not taken is answered with 0x85", async () => {
  await isRefused(connect5({ clientId: "x".repeat(513) }), 0x85);
});

test("MQTT5-3.1.4-2, MQTT5-3.1.4-6, MQTT5-3.2.2-7: after a CONNACK that refuses, nothing that was sent is looked at and the connection ends", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect5({ user: "ann", password: "wrong" }), publish5("a", "1"), publish5("a", "2", { packetId: 1 }));
  const { flags, reason, properties } = await nextConnack(client);
  assert.deepEqual([flags, reason, properties], [0, 0x86, []]);
  await client.isClosed();
  assert.deepEqual(door.upstream.taken, []);
});

test("MQTT5-3.2.2-6: a CONNACK that refuses the owner of a kept session says session present 0", async () => {
  await using door = await MqttDoor.open();
  const owner = await comes5(door, { clientId: "a", user: "ann", password: PASSWORD, expiry: 60 });
  owner.send(disconnect5());
  await owner.isClosed();
  for (const [name, password] of [
    ["ann", "wrong"],
    ["bob", PASSWORD],
  ] as const) {
    await using client = await door.dial();
    client.send(connect5({ clientId: "a", isClean: false, user: name, password, expiry: 60 }));
    const { flags, reason } = await nextConnack(client);
    assert.equal(flags, 0);
    assert.ok(reason >= 0x80);
    await client.isClosed();
  }
});

test("MQTT5-3.1.4-5, MQTT5-3.2.0-1, MQTT5-3.2.0-2, MQTT5-3.2.2-1: one CONNACK, byte by byte, before all answers to what was sent with CONNECT", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.dial();
  client.send(connect5({}), subscribe5(1, [["a", 0]]), publish5("a", "x"), hex("c0 00"));
  const said = section([u16(RECEIVE_MAXIMUM, 100), u32(MAXIMUM_PACKET, 262_144), u16(ALIAS_MAXIMUM, 32)]);
  await client.receives(packet(0x20, hex("00 00"), said));
  await client.receives(Buffer.concat([suback5(1, 0), publish5("a", "x"), hex("d0 00")]));
  client.send(disconnect5());
  await client.isClosed();
});

test("MQTT5-3.1.2-6, MQTT5-3.2.2-2, MQTT5-3.2.2-3: session present is 1 for a session that goes on, and 0 for a new one", async () => {
  await using door = await MqttDoor.open();
  for (const [isClean, flags] of [
    [false, 0],
    [false, 1],
    [true, 0],
    [false, 1],
  ] as const) {
    await using client = await door.dial();
    client.send(connect5({ clientId: "a", isClean, expiry: 60 }));
    const connack = await nextConnack(client);
    assert.deepEqual([connack.flags, connack.reason], [flags, 0]);
    client.send(disconnect5());
    await client.isClosed();
  }
});

test("MQTT5-3.2.2-19: a reason string that makes CONNACK longer than the client takes is left out", async () => {
  await using door = await MqttDoor.open();
  for (const [bytes, isSaid] of [
    [200, true],
    [5, false],
  ] as const) {
    await using client = await door.dial();
    client.send(connect5({ clientId: "x".repeat(600), properties: [u32(MAXIMUM_PACKET, bytes)] }));
    const { reason, properties } = await nextConnack(client);
    assert.equal(reason, 0x85);
    assert.equal(properties.length, isSaid ? 1 : 0);
    await client.isClosed();
  }
});

test("MQTT5-3.2.2-19: the same for a CONNECT that is malformed; where its properties cannot be read CONNACK is as short as can be", async () => {
  await using door = await MqttDoor.open();
  for (const [properties, isSaid] of [
    [section(), true],
    [section([u32(MAXIMUM_PACKET, 20)]), false],
    [section([u32(MAXIMUM_PACKET, 2000)]), true],
    [hex("05 27 00"), false],
    [Buffer.alloc(0), false],
  ] as const) {
    await using client = await door.dial();
    client.send(raw(0x1e, properties));
    const connack = await nextConnack(client);
    assert.deepEqual([connack.reason, connack.properties.length], [0x81, isSaid ? 1 : 0]);
    await client.isClosed();
  }
});

test("MQTT5-3.1.2-24: a client that takes no CONNACK of ours is let in by none", async () => {
  await using door = await MqttDoor.open();
  await using small = await door.dial();
  small.send(connect5({ properties: [u32(MAXIMUM_PACKET, 15)] }), publish5("a"));
  await small.isClosed("20 03 00 95 00");
  await using smaller = await door.dial();
  smaller.send(connect5({ properties: [u32(MAXIMUM_PACKET, 4)] }));
  await smaller.isClosed();
  assert.deepEqual(door.upstream.taken, []);
  assert.equal(door.ingress.status().clients.length, 0);
});

test("MQTT5-3.1.2-24: an answer that must be given and is longer than the client takes ends the connection with 0x95", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, { properties: [u32(MAXIMUM_PACKET, 16)] });
  client.send(
    subscribe5(
      1,
      Array.from({ length: 11 }, (_, i) => [String(i), 0] as const),
    ),
  );
  await client.receives(suback5(1, ...new Array(11).fill(0)));
  client.send(
    subscribe5(
      2,
      Array.from({ length: 12 }, (_, i) => [String(i), 0] as const),
    ),
  );
  assert.deepEqual(await disconnects(client, 0x95), []);
});

test("MQTT5-3.1.2-22, MQTT5-3.2.2-22: without a keep-alive of ours the client's own counts, by half more", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect5({ keepAlive: 10 }));
  const { properties } = await nextConnack(client);
  assert.ok(!properties.some((each) => each[0] === 0x13));
  door.clock.advance(14_999);
  await client.isIdle();
  door.clock.advance(14_999);
  assert.equal(door.ingress.sessions().connected, 1);
  door.clock.advance(1);
  await disconnects(client, 0x8d);
});

test("MQTT5-3.2.2-21: a keep-alive of ours is told to those who want to be silent for longer, or for ever", async () => {
  await using door = await MqttDoor.open({ settings: { serverKeepAlive: 60_000 } });
  for (const [keepAlive, told] of [
    [0, [u16(0x13, 60)]],
    [61, [u16(0x13, 60)]],
    [60, []],
    [10, []],
  ] as const) {
    await using client = await door.dial();
    client.send(connect5({ keepAlive }));
    const { properties } = await nextConnack(client);
    assert.deepEqual(
      properties.filter((each) => each[0] === 0x13),
      told,
    );
    door.clock.advance((told.length === 1 ? 60 : keepAlive) * 1500);
    await disconnects(client, 0x8d);
  }
});

test("MQTT5-3.1.2-28: response information is given to those who ask, and to nobody else", async () => {
  await using door = await MqttDoor.open();
  for (const [asked, wanted] of [
    [[], 0],
    [[u8(0x19, 0)], 0],
    [[u8(0x19, 1)], 1],
  ] as const) {
    await using client = await door.dial();
    client.send(connect5({ properties: asked }));
    const { properties } = await nextConnack(client);
    assert.equal(properties.filter((each) => each[0] === RESPONSE_INFORMATION).length, wanted);
  }
});

test("MQTT5-4.12.0-1, MQTT5-4.12.0-4: an authentication method that nobody speaks is refused with 0x8C, data or not", async () => {
  await isRefused(connect5({ properties: [string(AUTH_METHOD, "SCRAM-SHA-1")] }), 0x8c);
  await isRefused(connect5({ properties: [string(AUTH_METHOD, "K"), string(AUTH_DATA, "x"), user("a", "b")] }), 0x8c);
});

test("MQTT5-4.12.0-6: a client without an authentication method hears of none and gets no AUTH", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect5({ user: "ann", password: PASSWORD }));
  const { reason, properties } = await nextConnack(client);
  assert.equal(reason, 0);
  assert.ok(!properties.some((each) => each[0] === AUTH_METHOD));
  await client.isIdle();
});

test("MQTT5-4.12.0-7, MQTT5-4.12.1-2: an AUTH where no method was agreed on is a protocol error", async () => {
  await using door = await MqttDoor.open();
  for (const auth of [hex("f0 00"), packet(0xf0, hex("19"), section([string(AUTH_METHOD, "x")]))]) {
    await using client = await comes5(door, {});
    client.send(auth);
    await disconnects(client, 0x82);
  }
});

test("MQTT5-3.2.2-8: each refusal of a CONNECT has a reason code of the standard's", async () => {
  const users = { user: "sensor", password: PASSWORD };
  for (const [options, reason] of [
    [{ user: "nobody", password: "x" }, 0x86],
    [{ user: "nats-only", password: PASSWORD }, 0x86],
    [{ ...users, will: { topic: "plant/8", payload: "" } }, 0x87],
    [{ will: { topic: "$JS/API", payload: "" } }, 0x90],
    [{ will: { topic: "a/#", payload: "" } }, 0x81],
    [{ will: { topic: "", payload: "" } }, 0x81],
  ] as const) {
    await isRefused(connect5(options), reason);
  }
});
