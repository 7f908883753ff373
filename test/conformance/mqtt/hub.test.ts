// What is sent beside a message for a hub that speaks MQTT itself (`mqtt.hub_mqtt`). With real hubs: test/integration/mqtt-hub.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHubRecord, encodeHubRecord } from "#ingress/mqtt/hub-record.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import { connect, hex, MqttDoor, PASSWORD, puback, publish, pubrec, pubrel, subscribe } from "../../wire/mqtt/harness.ts";
import { comes5, publish5, suback5, subscribe5 } from "./five.ts";

type Way = "none" | "to_hub" | "both";

async function openDoor(retained: Way, more: Parameters<typeof MqttDoor.open>[0] = {}): Promise<MqttDoor> {
  return await MqttDoor.open({ stages: false, ...more, settings: { hubMqtt: { retained }, ...more?.settings } });
}

/** What went up, without requests to the hub's JetStream. */
function sent(door: MqttDoor): string[] {
  return door.upstream.taken.filter((taken) => !taken.startsWith("$JS."));
}

test("a QoS 1 or 2 message goes up with a copy for the hub's QoS 1 and 2 subscribers, a QoS 0 one without", async () => {
  await using door = await openDoor("none");
  await using writer = await door.connected("writer");
  writer.send(publish("a/b", "0"), publish("a/b", "1", { packetId: 1 }), publish("a/b", "2", { packetId: 2, qos: 2 }));
  await writer.receives(Buffer.concat([puback(1), pubrec(2)]));
  writer.send(publish("a/b", "2", { packetId: 2, qos: 2, dup: true }), pubrel(2)); // the same one again
  await writer.receives(Buffer.concat([pubrec(2), hex("70 02 00 02")]));
  assert.deepEqual(sent(door).sort(), ["$MQTT.msgs.a.b=1", "$MQTT.msgs.a.b=2", "a.b=0", "a.b=1", "a.b=2"]);
});

test("copies stay away from everybody here", async () => {
  await using door = await openDoor("to_hub");
  await using reader = await door.connected("reader");
  reader.send(subscribe(1, ["#", 2]));
  await reader.receives("90 03 00 01 02");
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1, retain: true }));
  await writer.receives(puback(1));
  await reader.receives(publish("a", "1", { packetId: 1 }));
  await reader.isIdle();
  assert.deepEqual(
    sent(door).map((taken) => taken.split("=")[0]),
    ["a", "$MQTT.msgs.a", "$MQTT.rmsgs.a"],
  );
});

test("what permissions forbid has no copy, and what they allow has one though they do not name the copy's subject", async () => {
  await using door = await openDoor("to_hub");
  await using sensor = await comes5(door, { clientId: "s", user: "sensor", password: PASSWORD });
  sensor.send(publish5("plant/8", "no", { packetId: 1, retain: true }), publish5("plant/7/a", "yes", { packetId: 2 }));
  assert.deepEqual((await sensor.take(49)).subarray(0, 5), Buffer.from([0x40, 47, 0, 1, 0x87])); // and why, in words
  await door.takes(2);
  assert.deepEqual(sent(door), ["plant.7.a=yes", "$MQTT.msgs.plant.7.a=yes"]);
});

test("PUBACK waits for the copy as well", async () => {
  await using door = await openDoor("none", { stages: true });
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1 }));
  await door.takes(2);
  const [original, copy] = door.upstream.tickets;
  assert.ok(copy! > original!);
  door.slot.onSafe(original!);
  await writer.isIdle();
  door.slot.onSafe(copy!);
  await writer.receives(puback(1));
});

test("a will has its copies, too", async () => {
  await using door = await openDoor("to_hub");
  const dying = await door.dial();
  dying.send(connect({ clientId: "d", will: { topic: "gone", payload: "bye", qos: 1, retain: true } }));
  await dying.receives("20 02 00 00");
  dying.vanish();
  await door.takes(3);
  while (sent(door).length < 3) await door.takes(door.upstream.taken.length + 1);
  assert.deepEqual(
    sent(door).map((taken) => taken.split("=")[0]),
    ["gone", "$MQTT.msgs.gone", "$MQTT.rmsgs.gone"],
  );
});

test("without the setting nothing is added", async () => {
  await using door = await MqttDoor.open({ stages: false, keeping: new MemoryKeeping() });
  await using writer = await door.connected("writer");
  writer.send(publish("a", "1", { packetId: 1, retain: true }));
  await writer.receives(puback(1));
  assert.deepEqual(door.upstream.taken, ["a=1"]);
});

test("a message of the hub has the QoS that it states, and that of mqtt.from_nats where it states none", async () => {
  const { BatchBuilder } = await import("#core/batch-builder.ts");
  const { flagsFor, QOS_UNSTATED } = await import("#core/batch.ts");
  const { RecordingOrigin } = await import("../../support/router-fixtures.ts");
  await using door = await openDoor("none");
  await using reader = await comes5(door, { clientId: "r" });
  reader.send(subscribe5(1, [["x", 2]]));
  await reader.receives(suback5(1, 2));
  const hub = door.router.open(new RecordingOrigin("hub"));
  for (const [header, payload] of [
    ["Nmqtt-Pub: 0\r\n", "a"],
    ["Nmqtt-Pub: 24\r\n", "b"],
    ["Nmqtt-Pub: 9\r\n", "c"],
    ["", "d"],
  ] as const) {
    const batch = new BatchBuilder();
    batch.beginOwn();
    const headers = Buffer.from(header === "" ? "" : `NATS/1.0\r\n${header}\r\n`);
    batch.add({ subject: "x", headers, payload: Buffer.from(payload), flags: flagsFor(QOS_UNSTATED, false, false) });
    hub.publish(batch);
  }
  await reader.receives(
    Buffer.concat([
      publish5("x", "a"),
      publish5("x", "b", { packetId: 1, qos: 2 }),
      publish5("x", "c", { packetId: 2 }),
      publish5("x", "d", { packetId: 3 }),
    ]),
  );
});

test("records of retained messages: what 2.10 writes and what 2.15 writes are read, what is neither is not", () => {
  const record = encodeHubRecord({ subject: "a./.b//c", qos: 2, payload: Buffer.from([0, 255]) }, "me");
  assert.deepEqual(JSON.parse(String(record)), {
    origin: "me",
    subject: "a./.b//c",
    topic: "a//b.c",
    msg: "AP8=",
    flags: 5,
    source: "",
  });
  const none = Buffer.alloc(0);
  assert.deepEqual(decodeHubRecord(none, record), { qos: 2, origin: "me", payload: Buffer.from([0, 255]) });
  const headers = Buffer.from("NATS/1.0\r\nNmqtt-RTopic:a/b\r\nNmqtt-RFlags:3\r\nNmqtt-ROrigin:you\r\nNmqtt-RSource:app\r\n\r\n");
  assert.deepEqual(decodeHubRecord(headers, Buffer.from("x")), { qos: 1, origin: "you", payload: Buffer.from("x") });
  const cleared = Buffer.from("NATS/1.0\r\nNmqtt-RFlags:-1\r\n\r\n");
  assert.deepEqual(decodeHubRecord(cleared, none), { qos: 0, origin: "", payload: none });
  for (const strange of ["", "x", "null", "[]", "{}", '{"flags":"3"}', '{"msg":1}'])
    assert.equal(decodeHubRecord(none, Buffer.from(strange)), undefined, strange);
});
