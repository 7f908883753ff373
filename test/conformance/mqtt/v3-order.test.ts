// MQTT 3.1.1 §4.4 and §4.6: order, and what is sent again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import { MqttDoor, puback, pubcomp, publish, pubrec, pubrel, type RawClient } from "../../wire/mqtt/harness.ts";
import { next } from "./five.ts";
import { breaks, comes, KEPT, listening, RESUMED, subscribed } from "./v3.ts";

const COUNT = 12;
const NUMBERS = Array.from({ length: COUNT }, (_, i) => i + 1);

/** QoS 1 and 2 in turn. */
function qosOf(n: number): 1 | 2 {
  return n % 2 === 0 ? 2 : 1;
}

async function publishAll(writer: RawClient): Promise<void> {
  for (const n of NUMBERS) {
    const qos = qosOf(n);
    writer.send(publish("a/x", String(n), { packetId: n, qos }));
    await writer.receives(qos === 1 ? puback(n) : pubrec(n));
  }
}

test("MQTT-4.6.0-1: QoS 1 and 2 messages come again in the order in which they were sent, however often", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a/#", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  await publishAll(writer);
  for (const n of NUMBERS) await first.receives(publish("a/x", String(n), { packetId: n, qos: qosOf(n) }));
  first.send(puback(3), puback(7)); // out of order: the rest keeps its own
  await first.isIdle();
  await breaks(door, first);
  for (let visit = 0; visit < 2; visit++) {
    await using again = await comes(door, "reader", RESUMED);
    for (const n of NUMBERS)
      if (n !== 3 && n !== 7) await again.receives(publish("a/x", String(n), { packetId: n, qos: qosOf(n), dup: true }));
    await breaks(door, again);
  }
});

test("MQTT-4.6.0-1: what did not fit the window keeps its place behind what is sent again", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxInflight: 4 } });
  await subscribed(door, "reader", "a/#", 1);
  const first = await comes(door, "reader", RESUMED);
  for (const n of NUMBERS) door.publish("a.x", String(n));
  for (const n of [1, 2, 3, 4]) await first.receives(publish("a/x", String(n), { packetId: n }));
  first.send(puback(2));
  await first.receives(publish("a/x", "5", { packetId: 5 }));
  await breaks(door, first);
  await using again = await comes(door, "reader", RESUMED);
  for (const n of [1, 3, 4, 5]) await again.receives(publish("a/x", String(n), { packetId: n, dup: true }));
  for (const n of [1, 3, 4, 5]) again.send(puback(n));
  for (const n of [6, 7, 8, 9]) await again.receives(publish("a/x", String(n), { packetId: n }));
});

test("MQTT-4.6.0-2, MQTT-4.6.0-3: PUBACK and PUBREC come in the order of their PUBLISHes, whatever their messages wait for", async () => {
  const keeping = new MemoryKeeping();
  await using door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "sleeper", "kept", 1);
  await using writer = await comes(door, "writer", KEPT);
  keeping.isHeld = true;
  writer.send(
    publish("free", "1", { packetId: 1 }), // nobody keeps it: at once
    publish("kept", "2", { packetId: 2, qos: 2 }), // waits for the store
    publish("free", "3", { packetId: 3 }),
    publish("free", "4", { packetId: 4, qos: 2 }), // its identifier waits for the store
    publish("kept", "5", { packetId: 5 }),
  );
  await writer.isIdle();
  keeping.commit();
  await writer.receives(Buffer.concat([puback(1), pubrec(2), puback(3), pubrec(4), puback(5)]));
});

test("MQTT-4.6.0-4, MQTT-4.4.0-1: PUBRELs go out in the order of the PUBRECs, and in that order again over the next connections", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a/#", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  for (const n of [1, 2, 3, 4]) writer.send(publish("a/x", String(n), { packetId: n, qos: 2 }));
  for (const n of [1, 2, 3, 4]) await first.receives(publish("a/x", String(n), { packetId: n, qos: 2 }));
  first.send(pubrec(3), pubrec(1), pubrec(4));
  await first.receives(Buffer.concat([pubrel(3), pubrel(1), pubrel(4)]));
  await breaks(door, first);
  const second = await comes(door, "reader", RESUMED);
  await second.receives(Buffer.concat([pubrel(3), pubrel(1), pubrel(4)]));
  await second.receives(publish("a/x", "2", { packetId: 2, qos: 2, dup: true }));
  second.send(pubcomp(1), pubrec(2));
  await second.receives(pubrel(2));
  await breaks(door, second);
  await using third = await comes(door, "reader", RESUMED);
  await third.receives(Buffer.concat([pubrel(3), pubrel(4), pubrel(2)]));
});

test("MQTT-4.6.0-4: the order of the PUBRECs survives a power cut", async () => {
  const keeping = new MemoryKeeping();
  const door = await MqttDoor.open({ stages: false, keeping });
  await subscribed(door, "reader", "a/#", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  for (const n of [1, 2, 3, 4]) writer.send(publish("a/x", String(n), { packetId: n, qos: 2 }));
  for (const n of [1, 2, 3, 4]) await first.receives(publish("a/x", String(n), { packetId: n, qos: 2 }));
  first.send(pubrec(3), pubrec(1), pubrec(4));
  await first.receives(Buffer.concat([pubrel(3), pubrel(1), pubrel(4)]));
  const flash = keeping.cut();
  first.vanish();
  await door[Symbol.asyncDispose]();
  await using revived = await MqttDoor.open({ stages: false, keeping: flash });
  await using again = await comes(revived, "reader", RESUMED);
  await again.receives(Buffer.concat([pubrel(3), pubrel(1), pubrel(4)]));
  await again.receives(publish("a/x", "2", { packetId: 2, qos: 2, dup: true }));
});

test("MQTT-4.6.0-5, MQTT-4.6.0-6: messages of one client come to each subscriber in the order they were received, live, queued and mixed", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxInflight: 3 } });
  await subscribed(door, "sleeper", "a/#", 2);
  await using quick = await listening(door, "quick", ["a/x", 0]);
  await using slow = await listening(door, "slow", ["a/x", 1]);
  await using writer = await door.connected("writer");
  await publishAll(writer);
  for (const n of NUMBERS) await quick.receives(publish("a/x", String(n)));
  for (const n of NUMBERS) {
    await slow.receives(publish("a/x", String(n), { packetId: n }));
    slow.send(puback(n));
  }
  await using sleeper = await comes(door, "sleeper", RESUMED);
  assert.deepEqual(await readAll(sleeper, COUNT), NUMBERS.map(String));
});

/** Payloads in order of arrival, each acknowledged as its QoS wants it. */
async function readAll(client: RawClient, count: number): Promise<string[]> {
  const payloads: string[] = [];
  while (payloads.length < count) {
    const { first, body } = await next(client);
    const packetId = first === 0x62 ? body.readUInt16BE(0) : body.readUInt16BE(2 + body.readUInt16BE(0));
    if (first === 0x62) client.send(pubcomp(packetId));
    else {
      payloads.push(body.toString("utf8", 4 + body.readUInt16BE(0)));
      client.send((first & 6) === 2 ? puback(packetId) : pubrec(packetId));
    }
  }
  return payloads;
}

test("MQTT-4.6.0-6: QoS 0 messages keep their order among themselves, also in one segment of many", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await listening(door, "reader", ["a", 0]);
  await using writer = await door.connected("writer");
  const numbers = Array.from({ length: 500 }, (_, i) => String(i));
  writer.send(...numbers.map((n) => publish("a", n)));
  await reader.receives(Buffer.concat(numbers.map((n) => publish("a", n))));
});

test("MQTT-4.4.0-1: nothing is sent again while the connection stands, however long it takes", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a", 2);
  await using reader = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1 }), publish("a", "2", { packetId: 2, qos: 2 }));
  await reader.receives(publish("a", "1", { packetId: 1 }));
  await reader.receives(publish("a", "2", { packetId: 2, qos: 2 }));
  door.clock.advance(86_400_000);
  await reader.isIdle();
});

test("MQTT-2.3.1-4, MQTT-4.4.0-1: identifiers of what is owed are not given to anything new, over connections too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "reader", "a", 2);
  const first = await comes(door, "reader", RESUMED);
  await using writer = await door.connected("writer");
  writer.send(publish("a", "x", { packetId: 1, qos: 2 }), publish("a", "y", { packetId: 2, qos: 2 }));
  for (const [n, payload] of ["x", "y"].entries()) await first.receives(publish("a", payload, { packetId: n + 1, qos: 2 }));
  first.send(pubrec(1));
  await first.receives(pubrel(1));
  await breaks(door, first);
  door.publish("a", "new");
  await using again = await comes(door, "reader", RESUMED);
  await again.receives(pubrel(1));
  await again.receives(publish("a", "y", { packetId: 2, qos: 2, dup: true }));
  await again.receives(publish("a", "new", { packetId: 3 }));
});
