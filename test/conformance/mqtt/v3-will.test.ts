// MQTT 3.1.1 §3.1.2.5: wills.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { connect, MqttDoor, publish, suback, subscribe } from "../../wire/mqtt/harness.ts";
import { breaks, comes, KEPT, leaves, listening, RESUMED } from "./v3.ts";

const WILL = { topic: "last/words", payload: "gone" };

test("MQTT-3.1.2-10: a will is heard once, whatever its client does afterwards", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "device", KEPT, { will: WILL });
  await breaks(door, first);
  assert.deepEqual(await door.takes(1), ["last/words=gone".replace("/", ".")]);
  const second = await comes(door, "device", RESUMED);
  await breaks(door, second);
  await using third = await comes(door, "device", RESUMED);
  await third.isIdle();
  await turn();
  assert.equal(door.upstream.taken.length, 1);
});

test("MQTT-3.1.2-10, MQTT-3.14.4-3: after DISCONNECT a will is gone for good, from a kept session too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes(door, "device", KEPT, { will: WILL });
  await leaves(first);
  const second = await comes(door, "device", RESUMED);
  await breaks(door, second);
  await using third = await comes(door, "device", RESUMED);
  await third.isIdle();
  assert.deepEqual(door.upstream.taken, []);
});

test("MQTT-3.1.2-8: a client that comes back with another will has replaced the first", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await leaves(await comes(door, "device", KEPT, { will: WILL }));
  const second = await comes(door, "device", RESUMED, { will: { topic: "other", payload: "words" } });
  second.vanish();
  assert.deepEqual(await door.takes(1), ["other=words"]);
});

test("MQTT-3.1.2-8: a will with an empty message, and one of 9,000 bytes, are published as they are", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (const payload of ["", "x".repeat(9_000)]) {
    const before = door.upstream.taken.length;
    await using client = await door.connected("device", { will: { topic: "t", payload } });
    client.vanish();
    assert.equal((await door.takes(before + 1))[before], `t=${payload}`);
  }
});

test("MQTT-3.1.2-12: without a will nothing is published when the connection breaks", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await listening(door, "reader", ["#", 2]);
  for (const isClean of [true, false]) {
    await using client = await door.dial();
    client.send(connect({ clientId: "device", isClean }));
    await client.receives("20 02 00 00");
    await breaks(door, client);
  }
  await reader.isIdle();
});

test("MQTT-3.1.2-16: a will without will retain is not retained", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using live = await listening(door, "live", ["last/words", 0]);
  await using client = await door.connected("device", { will: WILL });
  client.vanish();
  await live.receives(publish("last/words", "gone"));
  await using later = await listening(door, "later", ["last/words", 0]);
  await later.isIdle();
});

test("MQTT-3.1.2-17: a will with will retain is heard live, and retained with its QoS", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using live = await listening(door, "live", ["last/words", 2]);
  await using client = await door.connected("device", { will: { ...WILL, qos: 1, retain: true } });
  client.vanish();
  await live.receives(publish("last/words", "gone", { packetId: 1 }));
  await using later = await listening(door, "later", ["last/+", 2]);
  await later.receives(publish("last/words", "gone", { packetId: 1, retain: true }));
});

test("MQTT-3.1.2-17: a will with will retain and no message clears what was retained", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("device", { will: { topic: "t", payload: "", retain: true } });
  client.send(publish("t", "online", { retain: true }));
  await using before = await listening(door, "before", ["t", 0]);
  await before.receives(publish("t", "online", { retain: true }));
  client.vanish();
  await before.receives(publish("t", ""));
  await using after = await listening(door, "after", ["t", 0]);
  await after.isIdle();
});

test("MQTT-3.1.4-2: the one who takes over hears the will of the one who had to go", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using older = await comes(door, "device", KEPT, { will: { topic: "t", payload: "older", qos: 1 } });
  older.send(subscribe(1, ["t", 1]));
  await older.receives(suback(1, 1));
  await using newer = await comes(door, "device", RESUMED);
  await older.isClosed();
  await newer.receives(publish("t", "older", { packetId: 1 }));
});
