// Messages to clients of 5.0, statement by statement: identifiers, windows, sizes, aliases, and what happens over broken connections.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { hex, MqttDoor, puback, pubcomp, pubrec, pubrel, type RawClient } from "../../wire/mqtt/harness.ts";
import {
  ack5,
  type Connect5,
  comes5,
  MESSAGE_EXPIRY,
  nextPublish,
  publish5,
  suback5,
  subscribe5,
  u8,
  u16,
  u32,
  unsuback5,
  unsubscribe5,
  user,
} from "./five.ts";

const RECEIVE_MAXIMUM = 0x21;
const MAXIMUM_PACKET = 0x27;
const ALIAS_MAXIMUM = 0x22;
const ALIAS = 0x23;

async function reader(door: MqttDoor, qos: number, options: Connect5 = {}): Promise<RawClient> {
  const client = await comes5(door, { clientId: "reader", ...options });
  client.send(subscribe5(1, [["a", qos]]));
  await client.receives(suback5(1, qos));
  return client;
}

/** Its connection breaks, and the broker has noticed. */
async function breaks(door: MqttDoor, client: RawClient): Promise<void> {
  const before = door.ingress.sessions().connected;
  client.vanish();
  while (door.ingress.sessions().connected === before) await turn();
}

test("MQTT5-2.2.1-2, MQTT5-3.3.1-2, MQTT5-4.3.1-1: a message at QoS 0 has no identifier and no DUP", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await reader(door, 0);
  door.publish("a", "x");
  await client.receives("30 05 00 01 61 00 78");
});

test("MQTT5-2.2.1-4, MQTT5-4.3.2-1, MQTT5-4.3.2-2, MQTT5-4.3.3-1, MQTT5-4.3.3-2: each message has an identifier of its own that is not in use, and no DUP the first time", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await reader(door, 2);
  await using writer = await comes5(door, { clientId: "writer" });
  const inUse = new Set<number>();
  for (let n = 1; n <= 60; n++) {
    const qos = 1 + (n % 2);
    writer.send(publish5("a", String(n), { packetId: n, qos }));
    const { first, packetId } = await nextPublish(client);
    assert.equal(first, 0x30 | (qos << 1));
    assert.ok(packetId > 0 && !inUse.has(packetId));
    inUse.add(packetId);
    if (n % 3 === 0) continue; // stays open until the window is nearly full
    if (qos === 1) client.send(puback(packetId));
    else {
      client.send(pubrec(packetId));
      await client.receives(pubrel(packetId));
      client.send(pubcomp(packetId));
    }
    inUse.delete(packetId);
    if (inUse.size < 15) continue;
    break;
  }
  assert.ok(inUse.size > 10);
});

test("MQTT5-2.2.1-5, MQTT5-4.3.3-4, MQTT5-4.3.3-5, MQTT5-4.3.3-6: PUBREL has the identifier of its PUBLISH, and that is not sent again after it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 60 };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await first.receives(Buffer.concat([publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 2, qos: 2 })]));
  first.send(ack5(0x50, 1, 0x10), pubrec(2));
  await first.receives(Buffer.concat([pubrel(1), pubrel(2)]));
  await breaks(door, first);
  await using again = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  await again.receives(Buffer.concat([pubrel(1), pubrel(2)])); // [MQTT5-4.3.3-5]
  again.send(pubcomp(1), ack5(0x70, 2, 0x92));
  await again.isIdle();
  assert.equal(door.ingress.sessions().queued, 0);
});

test("MQTT5-4.3.2-3, MQTT5-4.3.3-3, MQTT5-4.4.0-1: what was not acknowledged is sent again when its client comes back, with its identifier and DUP, and at no other time", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 6000 };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  const sent = (dup: boolean) => [publish5("a", "1", { packetId: 1, dup }), publish5("a", "2", { packetId: 2, qos: 2, dup })];
  writer.send(...sent(false));
  await first.receives(Buffer.concat(sent(false)));
  door.clock.advance(600_000);
  await first.isIdle();
  await breaks(door, first);
  const second = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  await second.receives(Buffer.concat(sent(true)));
  await breaks(door, second);
  await using third = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  await third.receives(Buffer.concat(sent(true)));
  await third.isIdle();
});

test("MQTT5-4.4.0-2: a message that the client refused counts as acknowledged", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 60 };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await first.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 })]));
  first.send(ack5(0x40, 1, 0x80), ack5(0x50, 2, 0x87));
  await first.isIdle();
  await breaks(door, first);
  await using again = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  await again.isIdle();
});

test("MQTT5-4.3.3-7: a QoS 2 message that was sent once does not expire any more; one that was not does", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 600, properties: [u16(RECEIVE_MAXIMUM, 1)] };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  const soon = [u32(MESSAGE_EXPIRY, 10)];
  writer.send(...[1, 2].map((n) => publish5("a", String(n), { packetId: n, qos: 2, properties: soon })));
  await first.receives(publish5("a", "1", { packetId: 1, qos: 2, properties: soon }));
  await breaks(door, first);
  door.clock.advance(60_000);
  await using again = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  const { first: header, packetId, payload } = await nextPublish(again);
  assert.deepEqual([header, packetId, payload], [0x3c, 1, "1"]);
  again.send(pubrec(1));
  await again.receives(pubrel(1));
  again.send(pubcomp(1));
  await again.isIdle();
});

test("MQTT5-3.3.4-9, MQTT5-3.3.4-10, MQTT5-4.9.0-1, MQTT5-4.9.0-2: never more than the receive maximum is under way, over connections too, and nothing else waits for it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 60, properties: [u16(RECEIVE_MAXIMUM, 2)] };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  const sent = (n: number, dup = false) => publish5("a", String(n), { packetId: n, qos: 2, dup });
  writer.send(...[1, 2, 3, 4, 5].map((n) => sent(n)));
  await first.receives(Buffer.concat([sent(1), sent(2)]));
  first.send(subscribe5(7, [["b", 0]]), hex("c0 00"), unsubscribe5(8, "b"), publish5("c", "", { packetId: 9 }));
  await first.receives(Buffer.concat([suback5(7, 0), hex("d0 00"), unsuback5(8, 0), puback(9)]));
  first.send(pubrec(1));
  await first.receives(pubrel(1)); // PUBREC alone gives no place
  await first.isIdle();
  first.send(pubcomp(1));
  await first.receives(sent(3));
  first.send(ack5(0x50, 2, 0x80)); // a refusal does
  await first.receives(sent(4));
  await breaks(door, first);
  await using again = await comes5(
    door,
    { clientId: "reader", isClean: false, ...options, properties: [u16(RECEIVE_MAXIMUM, 1)] },
    true,
  );
  await again.receives(sent(3, true));
  await again.isIdle();
  again.send(pubrec(3));
  await again.receives(pubrel(3));
  again.send(pubcomp(3));
  await again.receives(sent(4, true));
});

test("MQTT5-3.1.2-24, MQTT5-3.1.2-25: a message longer than the client takes counts as delivered, byte by byte, at any QoS, queued and retained too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { expiry: 60, properties: [u32(MAXIMUM_PACKET, 40)] };
  const first = await reader(door, 2, options);
  await using writer = await comes5(door, { clientId: "writer" });
  const fits = 40 - 2 - 3 - 2 - 1; // fixed header, topic, identifier, length of the properties
  const long = "x".repeat(fits + 1); // at QoS 0 two bytes more fit
  const sends = (qos: number, payload: string, packetId: number, retain = false) =>
    writer.send(publish5("a", payload, { qos, packetId: qos === 0 ? 0 : packetId, retain }));
  for (const qos of [0, 1, 2]) sends(qos, qos === 0 ? `${long}xx` : long, qos + 1);
  sends(2, "x".repeat(fits), 5);
  await first.receives(publish5("a", "x".repeat(fits), { packetId: 3, qos: 2 }));
  await breaks(door, first);
  sends(1, `${long}xx`, 6, true);
  writer.send(publish5("a", "short", { packetId: 7, properties: [user("k", "v".repeat(30))] }));
  await using again = await comes5(door, { clientId: "reader", isClean: false, ...options }, true);
  await again.receives(publish5("a", "x".repeat(fits), { packetId: 3, qos: 2, dup: true }));
  again.send(subscribe5(2, [["a", 0]]));
  await again.receives(suback5(2, 0));
  await again.isIdle();
  assert.equal(door.ingress.sessions().queued, 1);
});

test("MQTT5-3.1.2-26, MQTT5-3.1.2-27, MQTT5-3.3.2-11: aliases stay within what the client takes, and without a maximum there are none", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using two = await comes5(door, { clientId: "two", properties: [u16(ALIAS_MAXIMUM, 2)] });
  await using none = await comes5(door, { clientId: "none", properties: [u16(ALIAS_MAXIMUM, 0)] });
  for (const client of [two, none]) {
    client.send(subscribe5(1, [["#", 0]]));
    await client.receives(suback5(1, 0));
  }
  const known = new Map<number, string>();
  for (let n = 0; n < 40; n++) {
    const topic = `a/long/topic/${(n * 7) % 5}`;
    door.publish(topic.replaceAll("/", "."), String(n));
    await none.receives(publish5(topic, String(n)));
    const found = await nextPublish(two);
    const alias = found.properties.find((each) => each[0] === ALIAS)?.readUInt16BE(1) ?? 0;
    assert.ok(alias <= 2);
    if (alias > 0 && found.topic !== "") known.set(alias, found.topic);
    assert.equal(found.topic === "" ? known.get(alias) : found.topic, topic);
  }
  assert.deepEqual([...known.keys()].sort(), [1, 2]);
});

test("an alias of ours means nothing on the next connection: the topic is written again", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { clientId: "a", expiry: 60, properties: [u16(ALIAS_MAXIMUM, 2)] };
  const first = await comes5(door, options);
  first.send(subscribe5(1, [["#", 1]]));
  await first.receives(suback5(1, 1));
  for (const n of ["1", "2"]) door.publish("a.long.topic", n);
  assert.equal((await nextPublish(first)).topic, "a/long/topic");
  assert.equal((await nextPublish(first)).topic, "");
  await breaks(door, first);
  await using again = await comes5(door, { ...options, isClean: false }, true);
  for (const topic of ["a/long/topic", ""]) assert.equal((await nextPublish(again)).topic, topic);
});

test("MQTT5-3.1.2-29, MQTT5-3.4.2-2, MQTT5-3.5.2-2: reason strings go to who wants them and takes packets of that length", async () => {
  for (const [properties, isSaid] of [
    [[], true],
    [[u8(0x17, 0)], false],
    [[u32(MAXIMUM_PACKET, 30)], false],
  ] as const) {
    await using door = await MqttDoor.open({ stages: false });
    door.upstream.noRoom = "refused";
    await using client = await comes5(door, { properties });
    client.send(publish5("a", "", { packetId: 1 }), publish5("a", "", { packetId: 2, qos: 2 }));
    for (const [first, packetId] of [
      [0x40, 1],
      [0x50, 2],
    ] as const) {
      const short = ack5(first, packetId, 0x97);
      if (!isSaid) await client.receives(short);
      else {
        const head = await client.take(5);
        assert.deepEqual([head[0], head[3], head[4]], [first, packetId, 0x97]);
        await client.take(head[1]! - 3);
      }
    }
  }
});

test("MQTT5-3.3.2-5: in a full queue the message that has expired makes room, whatever queue_full says, and is no loss", async () => {
  for (const queueFull of ["drop_oldest", "drop_new"] as const) {
    await using door = await MqttDoor.open({ stages: false, settings: { maxQueuedMessages: 2, queueFull } });
    await breaks(door, await reader(door, 1, { expiry: 600 }));
    await using writer = await comes5(door, { clientId: "writer" });
    for (const [packetId, payload, seconds] of [
      [1, "short", 10],
      [2, "long", 1000],
    ] as const)
      writer.send(publish5("a", payload, { packetId, properties: [u32(MESSAGE_EXPIRY, seconds)] }));
    await writer.receives(Buffer.concat([puback(1), puback(2)]));
    door.clock.advance(30_000);
    writer.send(publish5("a", "new", { packetId: 3 }));
    await writer.receives(puback(3));
    await using again = await comes5(door, { clientId: "reader", isClean: false, expiry: 600 }, true);
    assert.deepEqual([(await nextPublish(again)).payload, (await nextPublish(again)).payload], ["long", "new"]);
    await again.isIdle();
    assert.equal(door.said("messages for it are dropped"), undefined);
  }
});
