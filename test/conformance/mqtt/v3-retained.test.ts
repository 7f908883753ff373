// MQTT 3.1.1 §3.3.1.3: retained messages.

import assert from "node:assert/strict";
import { test } from "node:test";
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
import { breaks, comes, KEPT, leaves, listening, RESUMED, subscribed } from "./v3.ts";

const retained = { retain: true } as const;

test("MQTT-3.3.1-5, MQTT-3.3.1-6: the last retained message of each topic goes to whoever subscribes, at the lower of the two QoS", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  writer.send(
    publish("a/0", "old", retained),
    publish("a/0", "zero", retained),
    publish("a/1", "old", { packetId: 1, qos: 2, ...retained }),
    publish("a/1", "one", { packetId: 2, ...retained }),
    publish("a/2", "two", { packetId: 3, qos: 2, ...retained }),
  );
  await writer.receives(Buffer.concat([pubrec(1), puback(2), pubrec(3)]));
  for (const [topic, payload, has] of [
    ["a/0", "zero", 0],
    ["a/1", "one", 1],
    ["a/2", "two", 2],
  ] as const)
    for (const wants of [0, 1, 2] as const) {
      await using reader = await listening(door, "reader", [topic, wants]);
      const qos = Math.min(has, wants);
      await reader.receives(publish(topic, payload, { qos, packetId: qos === 0 ? 0 : 1, ...retained }));
      await reader.isIdle();
    }
});

test("MQTT-3.3.1-6: a filter with wildcards brings the retained messages of all topics under it, once each", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  const topics = ["a", "a/", "a/b", "a/b/c", "b", "/a", "a//c"];
  writer.send(...topics.map((topic) => publish(topic, "x", retained)));
  await writer.isIdle();
  for (const [filter, expected] of [
    ["#", topics],
    ["a/#", ["a", "a/", "a/b", "a/b/c", "a//c"]],
    ["a/+", ["a/", "a/b"]],
    ["+/a", ["/a"]],
    ["+/+/c", ["a/b/c", "a//c"]],
    ["+", ["a", "b"]],
    ["a/b", ["a/b"]],
    ["c/#", []],
  ] as const) {
    await using reader = await listening(door, "reader", [filter, 0]);
    const found: string[] = [];
    for (let i = 0; i < expected.length; i++) found.push(await topicOf(reader));
    assert.deepEqual(found.sort(), [...expected].sort(), filter);
    await reader.isIdle();
  }
});

async function topicOf(client: { take(count: number): Promise<Buffer> }): Promise<string> {
  const [first, length] = await client.take(2);
  assert.equal(first, 0x31);
  const body = await client.take(length!);
  return body.toString("utf8", 2, 2 + body.readUInt16BE(0));
}

test("MQTT-3.3.1-7: a retained message at QoS 0 replaces one at QoS 1", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  writer.send(publish("a", "one", { packetId: 1, ...retained }), publish("a", "zero", retained));
  await writer.receives(puback(1));
  await using reader = await listening(door, "reader", ["a", 2]);
  await reader.receives(publish("a", "zero", retained));
  await reader.isIdle();
});

test("MQTT-3.3.1-8, MQTT-3.3.1-9: RETAIN is 1 for what a new subscription brings, and 0 for what a subscription that stands is sent", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using live = await listening(door, "live", ["a", 0], ["#", 0]);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "x", retained));
  await live.receives(publish("a", "x"));
  await using later = await listening(door, "later", ["a", 0]);
  await later.receives(publish("a", "x", retained));
  writer.send(publish("a", "y", retained));
  await later.receives(publish("a", "y"));
  await live.receives(publish("a", "y"));
});

test("MQTT-3.3.1-9: a retained message that waited for a client that was away comes with RETAIN 0, as any other", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "sleeper", "a", 1);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "x", { packetId: 1, ...retained }));
  await writer.receives(puback(1));
  await using sleeper = await comes(door, "sleeper", RESUMED);
  await sleeper.receives(publish("a", "x", { packetId: 1 }));
  await sleeper.isIdle();
});

test("MQTT-3.3.1-10, MQTT-3.3.1-11: an empty retained message is delivered live, clears what was retained and is not retained itself", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  for (const packetId of [0, 5]) {
    writer.send(publish("a", "x", retained));
    await using live = await listening(door, "live", ["a", 1]);
    await live.receives(publish("a", "x", retained));
    writer.send(publish("a", "", { packetId, ...retained }));
    await live.receives(publish("a", "", { packetId: packetId === 0 ? 0 : 1 }));
    if (packetId !== 0) await writer.receives(puback(packetId));
    await using later = await listening(door, "later", ["a", 1], ["#", 1]);
    await later.isIdle();
    assert.equal(door.ingress.retained.status().messages, 0);
  }
});

test("MQTT-3.3.1-12: a message without RETAIN neither is retained nor touches what is, an empty one neither", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  writer.send(publish("a", "kept", retained), publish("a", "passing"), publish("a", ""), publish("b", "passing"));
  await using reader = await listening(door, "reader", ["#", 0]);
  await reader.receives(publish("a", "kept", retained));
  await reader.isIdle();
});

test("MQTT-3.1.2-7: retained messages outlive the session that published them", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxSessionExpiry: 60_000 } });
  await using clean = await door.connected("clean");
  clean.send(publish("a", "of a clean one", retained));
  await leaves(clean);
  await using kept = await comes(door, "kept", KEPT);
  kept.send(publish("b", "of a kept one", retained));
  await leaves(kept);
  door.clock.advance(60_000);
  assert.equal(door.ingress.sessions().away, 0);
  await using reader = await listening(door, "reader", ["a", 0], ["b", 0]);
  await reader.receives(publish("a", "of a clean one", retained));
  await reader.receives(publish("b", "of a kept one", retained));
});

test("MQTT-3.8.4-3: who subscribes again to the same filter is sent the retained messages again", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  client.send(publish("a/b", "x", { packetId: 1, ...retained }));
  await client.receives(puback(1));
  for (let i = 1; i <= 3; i++) {
    client.send(subscribe(i, ["a/+", 1]));
    await client.receives(suback(i, 1));
    await client.receives(publish("a/b", "x", { packetId: i, ...retained }));
  }
});

test("a PUBLISH and a SUBSCRIBE in one segment happen in their order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  client.send(publish("a", "1", retained), subscribe(1, ["a", 0]), publish("a", "2", retained), subscribe(2, ["a", 0]));
  await client.receives(suback(1, 0));
  await client.receives(publish("a", "1", retained));
  await client.receives(publish("a", "2"));
  await client.receives(suback(2, 0));
  await client.receives(publish("a", "2", retained));
});

test("MQTT-4.7.2-1: retained messages under $ are not found by wildcards at the first level, by name they are", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  writer.send(publish("$house/a", "x", retained));
  await writer.isIdle();
  await using reader = await listening(door, "reader", ["#", 0], ["+/a", 0], ["$house/+", 0]);
  await reader.receives(publish("$house/a", "x", retained));
  await reader.isIdle();
});

test("permissions hold for retained messages: what may not be published is not retained, what may not be received is not shown", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device", { user: "sensor", password: PASSWORD });
  device.send(publish("plant/8/x", "no", retained), publish("plant/7/x", "yes", retained));
  await using writer = await door.connected("writer");
  writer.send(publish("cmd/7/secret", "no", retained), publish("cmd/7/go", "yes", retained));
  await writer.isIdle();
  device.send(subscribe(1, ["cmd/7/#", 0]));
  await device.receives(suback(1, 0));
  await device.receives(publish("cmd/7/go", "yes", retained));
  await device.isIdle();
  await using reader = await listening(door, "reader", ["plant/#", 0]);
  await reader.receives(publish("plant/7/x", "yes", retained));
  await reader.isIdle();
});

test("MQTT-3.3.1-5: the answer to a retained message at QoS 1 or 2 waits until it is on flash, and so does that to its removal", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await using writer = await door.connected("writer");
  keeping.isHeld = true;
  writer.send(publish("a", "x", { packetId: 1, ...retained }), publish("b", "y", { packetId: 2, qos: 2, ...retained }));
  await writer.isIdle();
  keeping.commit();
  await writer.receives(Buffer.concat([puback(1), pubrec(2)]));
  writer.send(pubrel(2), publish("a", "", { packetId: 3, ...retained }));
  await writer.receives(pubcomp(2));
  await writer.isIdle();
  keeping.commit();
  await writer.receives(puback(3));
  await using revived = await MqttDoor.open({ stages: false, keeping: keeping.cut() });
  await using reader = await listening(revived, "reader", ["#", 2]);
  await reader.receives(publish("b", "y", { packetId: 1, qos: 2, ...retained }));
  await reader.isIdle();
});

test("retained messages that a kept session was being sent go on where they were when its client comes back", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxInflight: 5 } });
  await using writer = await door.connected("writer");
  const count = 300; // more than may wait in line at once
  for (let i = 0; i < count; i++) writer.send(publish(`t/${i}`, String(i), { packetId: i + 1, ...retained }));
  await writer.receives(Buffer.concat(Array.from({ length: count }, (_, i) => puback(i + 1))));
  const seen = new Set<string>();
  await using first = await comes(door, "reader", KEPT);
  first.send(subscribe(1, ["t/+", 1]));
  await first.receives(suback(1, 1));
  for (let i = 0; i < 7; i++) seen.add(await acknowledged(first));
  await breaks(door, first);
  await using again = await comes(door, "reader", RESUMED);
  while (seen.size < count) seen.add(await acknowledged(again));
  await again.isIdle();
});

/** The payload of the next PUBLISH at QoS 1, acknowledged. */
async function acknowledged(client: Awaited<ReturnType<typeof comes>>): Promise<string> {
  const [, length] = await client.take(2);
  const body = await client.take(length!);
  const at = 2 + body.readUInt16BE(0);
  client.send(puback(body.readUInt16BE(at)));
  return body.toString("utf8", at + 2);
}

test("a retained message of a connection that is cut off in the middle of it is not retained", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.dial();
  const whole = publish("a", "x".repeat(100), retained);
  writer.send(connect({ clientId: "writer" }), whole.subarray(0, whole.length - 1));
  await writer.receives("20 02 00 00");
  await breaks(door, writer);
  await using reader = await listening(door, "reader", ["a", 0]);
  reader.send(hex("c0 00"));
  await reader.receives("d0 00");
});

for (const [what, settings, payloadBytes] of [
  ["few messages", { maxQueuedMessages: 5, maxInflight: 2 }, 4],
  ["few bytes", { maxQueuedBytes: 65_536, maxInflight: 2 }, 9_000],
  ["few bytes for all clients", { maxQueuedTotal: 65_536, maxInflight: 2 }, 9_000],
] as const)
  test(`MQTT-3.3.1-6: who subscribes gets all that is retained at the pace of its acknowledgements, also where ${what} may wait`, async () => {
    await using door = await MqttDoor.open({ stages: false, settings });
    await using writer = await door.connected("writer");
    const count = 30;
    const payload = Buffer.alloc(payloadBytes, "r");
    for (let n = 0; n < count; n++)
      writer.send(publish(`r/${String.fromCharCode(65 + n)}`, payload, { packetId: 1 + n, ...retained }));
    await writer.receives(Buffer.concat(Array.from({ length: count }, (_, n) => puback(1 + n))));
    await using reader = await listening(door, "reader", ["r/#", 1], ["live", 1]);
    const found = new Set<string>();
    const packetBytes = publish("r/A", payload, { packetId: 1 }).length;
    const lengthBytes = payloadBytes < 100 ? 1 : 2;
    while (found.size < count) {
      const got = await reader.take(packetBytes);
      found.add(got.latin1Slice(lengthBytes + 3, lengthBytes + 6));
      reader.send(puback(got.readUInt16BE(lengthBytes + 6)));
    }
    await reader.isIdle();
    assert.deepEqual([found.size, door.ingress.sessions().queued], [count, 0]);
    assert.equal(door.said("messages for it are dropped"), undefined);
  });
