// The MQTT door against stock clients: MQTT.js and mosquitto_pub / mosquitto_sub.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { MosquittoSub, mosquittoPub, mosquittoPubLines } from "../support/mosquitto.ts";
import { MqttDoor, PASSWORD } from "../wire/mqtt/harness.ts";

async function dial(door: MqttDoor, options: IClientOptions = {}): Promise<MqttClient & AsyncDisposable> {
  const { port } = door.ingress.endpoint;
  const client = await mqtt.connectAsync({ host: "127.0.0.1", port, protocolVersion: 4, reconnectPeriod: 0, ...options });
  client.on("error", () => undefined); // what a test wants to see it looks at itself
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.endAsync(true) });
}

function next(client: MqttClient, event: "close" | "packetreceive"): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once(event, () => resolve());
  return promise;
}

/** Messages of a client, kept from the moment of the call; `until(n)` waits for the n-th. */
function inbox(client: MqttClient) {
  const messages: string[] = [];
  let onMessage: () => void = () => undefined;
  client.on("message", (topic, payload, packet) => {
    messages.push(`${topic} ${payload} q${packet.qos}${packet.retain ? " retained" : ""}`);
    onMessage();
  });
  return async (count: number): Promise<readonly string[]> => {
    while (messages.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      onMessage = resolve;
      await promise;
    }
    return messages;
  };
}

test("MQTT.js publishes and subscribes at QoS 0, 1 and 2", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await dial(door, { clientId: "reader", username: "ann", password: PASSWORD });
  await using writer = await dial(door, { clientId: "writer" });
  const until = inbox(reader);
  const granted = await reader.subscribeAsync({ "plant/+/temp": { qos: 1 }, "zero/#": { qos: 0 }, two: { qos: 2 } });
  assert.deepEqual(
    granted.map(({ qos }) => qos),
    [1, 0, 2],
  );
  await writer.publishAsync("plant/7/temp", "21.5", { qos: 1 });
  await writer.publishAsync("plant/7/temp", "22", { qos: 0 });
  await writer.publishAsync("zero", "a", { qos: 1, retain: true });
  await writer.publishAsync("zero/a.b//c", "b", { qos: 1 });
  await writer.publishAsync("two", "c", { qos: 1 });
  assert.deepEqual(await until(5), ["plant/7/temp 21.5 q1", "plant/7/temp 22 q0", "zero a q0", "zero/a.b//c b q0", "two c q1"]);
  await reader.unsubscribeAsync("zero/#");
  await writer.publishAsync("zero/x", "lost", { qos: 1 });
  await writer.publishAsync("two", "last", { qos: 2 });
  assert.equal((await until(6))[5], "two last q2");
});

test("ten thousand QoS 1 messages through MQTT.js are acknowledged and arrive once, in order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await dial(door, { clientId: "reader" });
  await using writer = await dial(door, { clientId: "writer" });
  const until = inbox(reader);
  await reader.subscribeAsync("n/#", { qos: 1 });
  const count = 10_000;
  await Promise.all(Array.from({ length: count }, (_, i) => writer.publishAsync(`n/${i % 7}`, String(i), { qos: 1 })));
  const messages = await until(count);
  assert.deepEqual(
    messages,
    Array.from({ length: count }, (_, i) => `n/${i % 7} ${i} q1`),
  );
  assert.equal(door.upstream.taken.length, count);
});

test("MQTT.js does not resolve a QoS 1 publish before it is safe", async () => {
  await using door = await MqttDoor.open();
  await using writer = await dial(door);
  let isAcknowledged = false;
  const acknowledged = writer.publishAsync("a", "x", { qos: 1 }).then(() => {
    isAcknowledged = true;
  });
  await door.takes(1);
  await writer.subscribeAsync("anything"); // a whole round trip
  assert.equal(isAcknowledged, false);
  door.slot.onSafe(door.upstream.tickets[0]!);
  await acknowledged;
});

test("a refused subscription and a wrong password are told to MQTT.js in its own words", async () => {
  await using door = await MqttDoor.open();
  await using device = await dial(door, { username: "sensor", password: PASSWORD });
  await assert.rejects(device.subscribeAsync("cmd/8/go"), /Unspecified error/);
  await assert.rejects(dial(door, { username: "ann", password: "wrong" }), /Bad username or password/);
});

test("a second MQTT.js client with the same id takes over, and the first one's will is heard", async () => {
  await using door = await MqttDoor.open();
  await using reader = await dial(door, { clientId: "reader" });
  const until = inbox(reader);
  await reader.subscribeAsync("gone/#", { qos: 1 });
  await using older = await dial(door, {
    clientId: "twin",
    will: { topic: "gone/twin", payload: Buffer.from("taken over"), qos: 1 },
  });
  const closed = next(older, "close");
  await using newer = await dial(door, { clientId: "twin" });
  await closed;
  assert.deepEqual(await until(1), ["gone/twin taken over q1"]);
  assert.ok(newer.connected);
});

test("MQTT.js keeps its connection with pings, and one that falls silent loses it", async () => {
  await using door = await MqttDoor.open();
  await using device = await dial(door, { clientId: "device", keepalive: 1 });
  await next(device, "packetreceive"); // its PINGRESP
  assert.ok(device.connected);
  const closed = next(device, "close");
  door.clock.advance(1_500);
  await closed;
  assert.equal(door.ingress.status().endings.silent, 1);
});

for (const version of ["mqttv31", "mqttv311"] as const) {
  test(`mosquitto clients publish and subscribe by ${version}`, async () => {
    await using door = await MqttDoor.open({ stages: false });
    const broker = { port: door.ingress.endpoint.port, user: "ann", password: PASSWORD, version };
    await using reader = await MosquittoSub.start({ ...broker, clientId: "reader" }, ["plant/#", "a.b/+"], 1);
    await mosquittoPub(broker, { topic: "plant", message: "root", qos: 1 });
    await mosquittoPub(broker, { topic: "plant/7", message: "zero" });
    await mosquittoPub(broker, { topic: "a.b/c", message: "one", qos: 1, retain: true });
    await mosquittoPubLines(broker, "plant/lines", ["1", "2", "3"], 1);
    const found = (await reader.receives(6)).map(({ topic, payload, qos, retain }) => `${topic} ${payload} q${qos} r${retain}`);
    assert.deepEqual(found, [
      "plant root q1 rfalse",
      "plant/7 zero q0 rfalse",
      "a.b/c one q1 rfalse",
      ...["1", "2", "3"].map((line) => `plant/lines ${line} q1 rfalse`),
    ]);
  });
}

test("a wrong password is told to mosquitto_pub", async () => {
  await using door = await MqttDoor.open();
  const broker = { port: door.ingress.endpoint.port };
  for (const version of ["mqttv311", "mqttv5"] as const) {
    const publish = mosquittoPub({ ...broker, version, user: "ann", password: "wrong" }, { topic: "a", message: "x" });
    await assert.rejects(publish, /not authori|bad user/i);
  }
});

test("MQTT.js by 5.0: properties, aliases, response topic, subscription identifiers, reasons", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await dial(door, { clientId: "reader", protocolVersion: 5, properties: { topicAliasMaximum: 10 } });
  await using writer = await dial(door, { clientId: "writer", protocolVersion: 5, autoAssignTopicAlias: true });
  const { promise: two, resolve } = Promise.withResolvers<IPublishPacket[]>();
  const packets: IPublishPacket[] = [];
  reader.on("message", (topic, _payload, packet) => {
    packets.push({ ...packet, topic });
    if (packets.length === 2) resolve(packets);
  });
  await reader.subscribeAsync("plant/#", { qos: 1, properties: { subscriptionIdentifier: 7 } });
  const properties = {
    responseTopic: "answers/1",
    correlationData: Buffer.from([0, 1, 255]),
    contentType: "application/json",
    messageExpiryInterval: 60,
    payloadFormatIndicator: true,
    userProperties: { unit: ["C", "F"], "Nats-Msg-Id": "harmless" },
  };
  for (const n of ["1", "2"]) await writer.publishAsync("plant/7/temperature", n, { qos: 2, properties });
  for (const { topic, qos, properties: found } of await two) {
    assert.equal(topic, "plant/7/temperature");
    assert.equal(qos, 1);
    assert.equal(found?.responseTopic, "answers/1");
    assert.deepEqual(found?.correlationData, properties.correlationData);
    assert.equal(found?.contentType, "application/json");
    assert.equal(found?.payloadFormatIndicator, true);
    assert.equal(found?.messageExpiryInterval, 60);
    assert.deepEqual({ ...found?.userProperties }, properties.userProperties);
    assert.equal(found?.subscriptionIdentifier, 7);
  }
  await using sensor = await dial(door, { clientId: "s", protocolVersion: 5, username: "sensor", password: PASSWORD });
  await assert.rejects(sensor.publishAsync("plant/8", "x", { qos: 1 }), /Not authorized/);
  assert.ok(sensor.connected, "a refused message does not end its connection");
});

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js by version ${protocolVersion} comes back to its session and gets what it missed, QoS 2 once`, async () => {
    await using door = await MqttDoor.open({ stages: false });
    const options: IClientOptions = {
      clientId: "sleeper",
      clean: false,
      protocolVersion,
      ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 3600 } }),
    };
    {
      await using first = await dial(door, options);
      await first.subscribeAsync("a/#", { qos: 2 });
    }
    await using writer = await dial(door, { protocolVersion });
    for (let i = 0; i < 100; i++) await writer.publishAsync(`a/${i}`, String(i), { qos: (i % 3) as 0 | 1 | 2 });
    const late = mqtt.connect({ host: "127.0.0.1", port: door.ingress.endpoint.port, reconnectPeriod: 0, ...options });
    await using _closing = { [Symbol.asyncDispose]: () => late.endAsync(true) };
    const until = inbox(late);
    const wanted = Array.from({ length: 100 }, (_, i) => i).filter((i) => i % 3 > 0);
    const found = await until(wanted.length); // MQTT.js hands a QoS 2 message on at its PUBREL, so order is per QoS
    for (const qos of [1, 2]) {
      assert.deepEqual(
        found.filter((line) => line.endsWith(`q${qos}`)),
        wanted.filter((i) => i % 3 === qos).map((i) => `a/${i} ${i} q${qos}`),
      );
    }
  });
}

test("the will of a mosquitto_sub that is killed is heard", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const broker = { port: door.ingress.endpoint.port };
  await using reader = await MosquittoSub.start(broker, ["gone"], 1);
  await using device = await MosquittoSub.start(
    { ...broker, args: ["--will-topic", "gone", "--will-payload", "bye", "--will-qos", "1"] },
    ["cmd"],
  );
  await device.kill();
  assert.deepEqual(
    (await reader.receives(1)).map(({ topic, payload, qos }) => `${topic} ${payload} q${qos}`),
    ["gone bye q1"],
  );
});
