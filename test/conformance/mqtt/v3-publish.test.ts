// MQTT 3.1.1 §3.3 to §3.7 and §4.3: PUBLISH and what follows it, at each QoS. Retained messages: v3-retained.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MqttDoor,
  packet,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
  text,
  word,
} from "../../wire/mqtt/harness.ts";
import { breaks, comes, KEPT, listening, RESUMED, subscribed } from "./v3.ts";

test("MQTT-3.3.1-1: DUP is 0 the first time and 1 every other time, at QoS 1 and 2", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a/#", 2);
  await using writer = await door.connected("writer");
  writer.send(publish("a/1", "one", { packetId: 1 }), publish("a/2", "two", { packetId: 2, qos: 2 }));
  await writer.receives(Buffer.concat([puback(1), pubrec(2)]));
  for (const dup of [false, true, true]) {
    await using reader = await comes(door, "reader", RESUMED);
    await reader.receives(publish("a/1", "one", { packetId: 1, dup }));
    await reader.receives(publish("a/2", "two", { packetId: 2, qos: 2, dup }));
    await breaks(door, reader);
  }
});

test("MQTT-3.3.1-2: at QoS 0 DUP is 0; a PUBLISH that says otherwise ends its connection", async () => {
  await using door = await MqttDoor.open();
  await using reader = await listening(door, "reader", ["#", 0]);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "x", { dup: true }));
  await writer.isClosed();
  await reader.isIdle();
});

test("MQTT-3.3.1-3: DUP of what came in does not go on", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await listening(door, "reader", ["#", 2]);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1, dup: true }), publish("a", "2", { packetId: 2, qos: 2, dup: true }));
  await reader.receives(publish("a", "1", { packetId: 1 }));
  await reader.receives(publish("a", "2", { packetId: 2, qos: 2 }));
});

test("MQTT-3.3.1-4: QoS 3 ends the connection, whatever DUP and RETAIN are", async () => {
  await using door = await MqttDoor.open();
  for (const first of [0x36, 0x37, 0x3e, 0x3f]) {
    await using client = await door.connected("client");
    client.send(packet(first, text("a"), word(1), Buffer.from("x")));
    await client.isClosed();
  }
  assert.deepEqual(door.upstream.taken, []);
});

test("MQTT-3.3.2-1: a PUBLISH without a whole topic ends the connection", async () => {
  await using door = await MqttDoor.open();
  for (const body of [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0, 2, 0x61]), Buffer.from([255, 255, 0x61])]) {
    await using client = await door.connected("client");
    client.send(packet(0x30, body), "c0 00");
    await client.isClosed();
  }
});

test("MQTT-3.3.2-2, MQTT-4.7.1-1: a wildcard in the topic of a PUBLISH ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using reader = await listening(door, "reader", ["#", 2]);
  for (const topic of ["#", "+", "a/#", "a/+", "+/a", "a/+/b", "a+", "a#b", "/+", "$x/#"])
    for (const packetId of [0, 1]) {
      await using client = await door.connected("client");
      client.send(publish(topic, "x", { packetId }));
      await client.isClosed();
    }
  await reader.isIdle();
});

test("MQTT-3.3.2-3: what a client is sent has a topic that its filter matches", async () => {
  await using door = await MqttDoor.open();
  await using reader = await listening(door, "reader", ["a/+/c", 0], ["x/#", 0], ["/", 0]);
  await using writer = await door.connected("writer");
  const topics = ["a/b/c", "a//c", "a/b/c/d", "a/c", "A/b/c", "x", "x/", "x/y/z", "X", "y", "/", "//", "a/b/C"];
  writer.send(...topics.map((topic) => publish(topic)));
  for (const topic of ["a/b/c", "a//c", "x", "x/", "x/y/z", "/"]) await reader.receives(publish(topic));
  await reader.isIdle();
});

test("MQTT-3.3.4-1, MQTT-4.3.1-1, MQTT-4.3.2-2, MQTT-4.3.3-2: no answer at QoS 0, PUBACK at QoS 1, PUBREC at QoS 2", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  client.send(publish("a"), publish("a", "", { packetId: 1 }), publish("a", "", { packetId: 2, qos: 2 }));
  await client.receives(Buffer.concat([puback(1), pubrec(2)]));
  await client.isIdle();
});

test("MQTT-3.3.5-2: a PUBLISH that the permissions forbid ends the connection at QoS 1 and 2, without an answer", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (const qos of [1, 2]) {
    await using client = await door.connected("device", { user: "sensor", password: "correct horse" });
    client.send(publish("plant/8/x", "no", { packetId: 1, qos }));
    await client.isClosed();
  }
  assert.deepEqual(door.upstream.taken, []);
});

test("MQTT-4.3.1-1: a QoS 0 message is sent once, with DUP 0, and never again", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a", 0);
  const first = await comes(door, "reader", RESUMED);
  door.publish("a", "x");
  await first.receives(publish("a", "x"));
  await breaks(door, first);
  await using again = await comes(door, "reader", RESUMED);
  await again.isIdle();
});

test("MQTT-4.3.2-1: each QoS 1 message has an identifier of its own until its PUBACK", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxInflight: 3 } });
  await using reader = await listening(door, "reader", ["a", 1]);
  for (let i = 1; i <= 5; i++) door.publish("a", String(i));
  for (let i = 1; i <= 3; i++) await reader.receives(publish("a", String(i), { packetId: i }));
  await reader.isIdle(); // unacknowledged: nothing more
  reader.send(puback(2));
  await reader.receives(publish("a", "4", { packetId: 4 }));
  reader.send(puback(1));
  await reader.receives(publish("a", "5", { packetId: 5 }));
});

test("MQTT-4.3.2-2: after its PUBACK a packet identifier means a new message, whatever DUP says", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  for (const dup of [false, true, true]) {
    client.send(publish("a", dup ? "again" : "first", { packetId: 7, dup }));
    await client.receives(puback(7));
  }
  assert.deepEqual(door.upstream.taken, ["a=first", "a=again", "a=again"]);
});

test("MQTT-4.3.3-1: after PUBREC only PUBREL is sent, until PUBCOMP; then the identifier is free", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxInflight: 1 } });
  await using reader = await listening(door, "reader", ["a", 2]);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1, qos: 2 }), publish("a", "2", { packetId: 2, qos: 2 }));
  await reader.receives(publish("a", "1", { packetId: 1, qos: 2 }));
  reader.send(puback(1)); // not the answer to QoS 2: it changes nothing
  await reader.isIdle();
  reader.send(pubcomp(1)); // nor is this one due
  await reader.isIdle();
  reader.send(pubrec(1));
  await reader.receives(pubrel(1));
  reader.send(pubrec(1));
  await reader.receives(pubrel(1));
  await reader.isIdle();
  reader.send(pubcomp(1));
  await reader.receives(publish("a", "2", { packetId: 2, qos: 2 }));
});

test("MQTT-4.3.3-2: PUBREL is answered with PUBCOMP each time, and its identifier is new afterwards", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  for (const payload of ["1", "2"]) {
    client.send(publish("a", payload, { packetId: 7, qos: 2 }));
    await client.receives(pubrec(7));
    client.send(publish("a", payload, { packetId: 7, qos: 2, dup: true }));
    await client.receives(pubrec(7));
    client.send(pubrel(7));
    await client.receives(pubcomp(7));
    client.send(pubrel(7));
    await client.receives(pubcomp(7));
  }
  assert.deepEqual(door.upstream.taken, ["a=1", "a=2"]);
});

test("MQTT-4.3.3-2: a QoS 2 message that came twice reaches each receiver once, also those that are away", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "sleeper", "a", 2);
  await using live = await listening(door, "live", ["a", 0]);
  const writer = await comes(door, "writer", KEPT);
  writer.send(publish("a", "x", { packetId: 7, qos: 2 }));
  await writer.receives(pubrec(7));
  await breaks(door, writer);
  await using again = await comes(door, "writer", RESUMED);
  again.send(publish("a", "x", { packetId: 7, qos: 2, dup: true }), pubrel(7));
  await again.receives(Buffer.concat([pubrec(7), pubcomp(7)]));
  await live.receives(publish("a", "x"));
  await live.isIdle();
  await using sleeper = await comes(door, "sleeper", RESUMED);
  await sleeper.receives(publish("a", "x", { packetId: 1, qos: 2 }));
  await sleeper.isIdle();
});

test("MQTT-4.3.3-2: a clean session forgets the identifiers of the one before", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (let visit = 0; visit < 2; visit++) {
    await using client = await door.connected("client");
    client.send(publish("a", String(visit), { packetId: 7, qos: 2 }));
    await client.receives(pubrec(7));
    await breaks(door, client);
  }
  assert.deepEqual(door.upstream.taken, ["a=0", "a=1"]);
});

test("MQTT-4.5.0-1: a message is added to every session with a filter that matches, to no other, and to each once", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "kept-1", "a/+", 1);
  await subscribed(door, "kept-2", "#", 2);
  await subscribed(door, "kept-3", "b", 2);
  await using live = await listening(door, "live", ["a/#", 1], ["+/x", 1]);
  await using writer = await door.connected("writer");
  writer.send(publish("a/x", "m", { packetId: 1, qos: 2 }));
  await writer.receives(pubrec(1));
  await live.receives(publish("a/x", "m", { packetId: 1 }));
  await live.isIdle();
  for (const [clientId, qos] of [
    ["kept-1", 1],
    ["kept-2", 2],
  ] as const) {
    await using reader = await comes(door, clientId, RESUMED);
    await reader.receives(publish("a/x", "m", { packetId: 1, qos }));
    await reader.isIdle();
  }
  await using third = await comes(door, "kept-3", RESUMED);
  await third.isIdle();
});

test("MQTT-3.3.5-1: filters that overlap bring one copy at the highest QoS, also after one of them is changed", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await listening(door, "client", ["a/#", 0], ["a/+", 2], ["a/b", 1]);
  client.send(publish("a/b", "x", { packetId: 9, qos: 2 }));
  await client.receives(publish("a/b", "x", { packetId: 1, qos: 2 }));
  await client.receives(pubrec(9));
  client.send(subscribe(2, ["a/+", 0]));
  await client.receives(suback(2, 0));
  client.send(publish("a/b", "y", { packetId: 8, qos: 2 }));
  await client.receives(publish("a/b", "y", { packetId: 2 }));
  await client.receives(pubrec(8));
  await client.isIdle();
});
