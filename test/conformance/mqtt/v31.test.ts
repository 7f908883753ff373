// MQTT 3.1, "MQIsdp": what old devices say, and where 3.1.1 differs from it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConnectOptions,
  connect,
  MqttDoor,
  PASSWORD,
  packet,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  type RawClient,
  suback,
  subscribe,
  text,
  unsubscribe,
  word,
} from "../../wire/mqtt/harness.ts";
import { breaks } from "./v3.ts";

const OLD = { protocol: "MQIsdp", level: 3 } as const;

/** CONNACK of 3.1 has no session present: its first byte is reserved. */
async function comesOld(door: MqttDoor, options: ConnectOptions): Promise<RawClient> {
  const client = await door.dial();
  client.send(connect({ ...OLD, ...options }));
  await client.receives("20 02 00 00");
  return client;
}

test("3.1 at all three QoS, both ways", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comesOld(door, { clientId: "old" });
  client.send(subscribe(1, ["a/#", 2]));
  await client.receives(suback(1, 2));
  client.send(publish("a/0", "zero"), publish("a/1", "one", { packetId: 1 }), publish("a/2", "two", { packetId: 2, qos: 2 }));
  await client.receives(publish("a/0", "zero"));
  await client.receives(publish("a/1", "one", { packetId: 1 }));
  await client.receives(publish("a/2", "two", { packetId: 2, qos: 2 }));
  await client.receives(Buffer.concat([puback(1), pubrec(2)]));
  client.send(puback(1), pubrec(2), pubrel(2));
  await client.receives(Buffer.concat([pubrel(2), pubcomp(2)]));
  client.send(pubcomp(2), unsubscribe(3, "a/#"), publish("a/0", "nobody"));
  await client.receives("b0 02 00 03");
  await client.isIdle();
});

test("3.1 and 3.1.1 hear each other, wills and retained messages too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using old = await comesOld(door, { clientId: "old", will: { topic: "old/gone", payload: "bye", retain: true } });
  await using young = await door.connected("young");
  young.send(subscribe(1, ["old/#", 1]));
  await young.receives(suback(1, 1));
  old.send(publish("old/state", "up", { packetId: 1, retain: true }));
  await young.receives(publish("old/state", "up", { packetId: 1 }));
  old.vanish();
  await young.receives(publish("old/gone", "bye"));
  await using other = await comesOld(door, { clientId: "other" });
  other.send(subscribe(1, ["old/state", 0]));
  await other.receives(suback(1, 0));
  await other.receives(publish("old/state", "up", { retain: true }));
});

test("3.1: a session that is kept goes on; CONNACK does not say so, its byte for that is reserved", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comesOld(door, { clientId: "old", isClean: false });
  first.send(subscribe(1, ["a", 2]));
  await first.receives(suback(1, 2));
  await breaks(door, first);
  door.publish("a", "waited");
  await using again = await comesOld(door, { clientId: "old", isClean: false });
  await again.receives(publish("a", "waited", { packetId: 1 }));
  again.send(puback(1));
  await again.isIdle();
});

test("3.1: SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again may carry DUP; in 3.1.1 that is a breach", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using old = await comesOld(door, { clientId: "old" });
  old.send(packet(0x8a, word(1), text("a"), Buffer.from([1])));
  await old.receives(suback(1, 1));
  old.send(packet(0xaa, word(2), text("a")));
  await old.receives("b0 02 00 02");
  old.send(publish("a", "x", { packetId: 3, qos: 2 }));
  await old.receives(pubrec(3));
  old.send(packet(0x6a, word(3)));
  await old.receives(pubcomp(3));
  for (const bytes of [
    packet(0x8a, word(1), text("a"), Buffer.from([1])),
    packet(0xaa, word(2), text("a")),
    packet(0x6a, word(3)),
  ]) {
    await using young = await door.connected("young");
    young.send(bytes);
    await young.isClosed();
  }
});

test("3.1: other flags than DUP are a breach as well", async () => {
  await using door = await MqttDoor.open();
  for (const first of [0x80, 0x83, 0x88, 0xa0, 0x60, 0x6b, 0xc8, 0xe8, 0x48]) {
    await using old = await comesOld(door, { clientId: "old" });
    old.send(packet(first, word(1), text("a"), Buffer.from([1])));
    await old.isClosed();
  }
});

test("3.1: a user name or password that is announced and missing is none, for the length goes before the flags", async () => {
  await using door = await MqttDoor.open({ noAuthUser: "anyone" });
  for (const [flags, fields] of [
    [0xc2, []],
    [0x82, []],
  ] as const) {
    await using client = await door.dial();
    client.send(packet(0x10, text("MQIsdp"), Buffer.from([3, flags, 0, 0]), text("old"), ...fields));
    await client.receives("20 02 00 00");
    client.send("e0 00");
    await client.isClosed();
  }
  await using halfway = await door.dial(); // a user without a password is not let in as one with it
  halfway.send(packet(0x10, text("MQIsdp"), Buffer.from([3, 0xc2, 0, 0]), text("old"), text("ann")));
  await halfway.isClosed("20 02 00 04");
  await using whole = await door.dial();
  whole.send(connect({ ...OLD, clientId: "old", user: "ann", password: PASSWORD }));
  await whole.receives("20 02 00 00");
});

test("3.1: an empty client id is answered with return code 2, a long one is let in", async () => {
  await using door = await MqttDoor.open();
  await using nameless = await door.dial();
  nameless.send(connect({ ...OLD, clientId: "" }));
  await nameless.isClosed("20 02 00 02");
  await using long = await comesOld(door, { clientId: "a-client-id-of-more-than-23-characters" });
  await long.isIdle();
});

for (const [protocol, level] of [
  ["MQIsdp", 4],
  ["MQIsdp", 2],
  ["MQIsdp", 0],
  ["MQTT", 3],
  ["MQTT", 6],
] as const) {
  test(`MQTT-3.1.2-2: "${protocol}" at level ${level} is answered with return code 1 and closed`, async () => {
    await using door = await MqttDoor.open();
    await using client = await door.dial();
    client.send(connect({ protocol, level, will: { topic: "t", payload: "x" } }), publish("a", "x"));
    await client.isClosed("20 02 00 01");
    assert.deepEqual(door.upstream.taken, []);
  });
}
