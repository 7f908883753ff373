// What the doors tell the monitor of their clients, on a clock turned by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PING_INTERVAL_MS } from "#ingress/nats/heartbeat.ts";
import { MqttDoor } from "../wire/mqtt/harness.ts";
import { NatsDoor, PASSWORD } from "../wire/nats/harness.ts";

test("a NATS client is told of with its round trip, once it has answered a ping, and how long it has been idle", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected({ user: "ann", pass: PASSWORD, name: "probe", lang: "go", version: "1.2" });
  const before = door.ingress.clients();
  assert.equal(before.length, 1);
  assert.equal(before[0]!.rtt, null);
  await door.clock.pass(PING_INTERVAL_MS);
  await natsClient.receives("PING\r\n");
  await door.clock.pass(40);
  natsClient.send("PONG\r\n");
  await natsClient.isIdle();
  await door.clock.pass(700);
  const [client] = door.ingress.clients();
  assert.equal(client!.rtt, 40);
  assert.equal(client!.idle, 700);
  assert.deepEqual([client!.user, client!.account, client!.name, client!.library], ["ann", "EDGE", "probe", "go 1.2"]);
  assert.ok(client!.port > 0);
});

test("a client's subscriptions are told of with group, sid, count and end, and are gone with it", async () => {
  await using door = await NatsDoor.open();
  const natsClient = await door.connected();
  const { number } = door.ingress.clients()[0]!;
  natsClient.send("SUB a.* workers 7\r\nUNSUB 7 3\r\nPUB a.b 2\r\nhi\r\n");
  await natsClient.receives("MSG a.b 7 2\r\nhi\r\n");
  assert.deepEqual(
    [...door.ingress.subscriptions()],
    [{ number, account: "EDGE", filter: "a.*", queue: "workers", sid: "7", delivered: 1, max: 3 }],
  );
  await natsClient[Symbol.asyncDispose]();
  await door.until(() => door.ingress.clients().length === 0);
  assert.deepEqual([...door.ingress.subscriptions()], []);
});

test("who has not logged in yet is not told of", async () => {
  await using nats = await NatsDoor.open();
  await using _stranger = await nats.dial();
  assert.deepEqual(nats.ingress.clients(), []);
  assert.deepEqual([...nats.ingress.subscriptions()], []);
  await using mqtt = await MqttDoor.open({ stages: false });
  await using _silent = await mqtt.dial();
  assert.deepEqual(mqtt.ingress.clients(), []);
});

test("an MQTT client is told of with its account, its idle time and both filters of a/#", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device");
  door.clock.advance(1_500);
  const [client] = door.ingress.clients();
  assert.equal(client!.idle, 1_500);
  assert.equal(client!.clientId, "device");
  assert.equal(client!.account, "EDGE");
  device.send(Buffer.from([0x82, 0x08, 0, 1, 0, 3, 0x61, 0x2f, 0x23, 0])); // SUBSCRIBE a/#
  await device.receives("90 03 00 01 00");
  assert.deepEqual([...door.ingress.subscriptions()].map(({ filter, number }) => [filter, number === client!.number]).sort(), [
    ["a", true],
    ["a.>", true],
  ]);
});
