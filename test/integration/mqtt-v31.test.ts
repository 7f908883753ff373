// Stock clients by MQTT 3.1 ("MQIsdp"), as old devices have them: MQTT.js and mosquitto, with sessions that are kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { MosquittoSub, mosquittoPub } from "../support/mosquitto.ts";
import { MqttDoor, PASSWORD } from "../wire/mqtt/harness.ts";

const OLD: IClientOptions = { protocolId: "MQIsdp", protocolVersion: 3, reconnectPeriod: 0 };

/** Messages are kept from the first packet on: what waited comes right behind CONNACK. */
async function dial(door: MqttDoor, options: IClientOptions) {
  const { port } = door.ingress.endpoint;
  const client = mqtt.connect({ host: "127.0.0.1", port, ...OLD, ...options });
  const messages: string[] = [];
  let onMessage: () => void = () => undefined;
  client.on("message", (topic, payload, { qos, retain }) => {
    messages.push(`${topic} ${payload} q${qos}${retain ? " retained" : ""}`);
    onMessage();
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.once("connect", () => resolve());
  client.once("error", reject);
  await promise;
  async function until(count: number): Promise<readonly string[]> {
    while (messages.length < count) {
      const next = Promise.withResolvers<void>();
      onMessage = next.resolve;
      await next.promise;
    }
    return messages;
  }
  return Object.assign(client as MqttClient, { until, [Symbol.asyncDispose]: () => client.endAsync(true) });
}

test("MQTT.js by 3.1: all QoS, retained messages, a session that is kept, a will", async () => {
  await using door = await MqttDoor.open({ stages: false });
  {
    await using first = await dial(door, { clientId: "old", clean: false, username: "ann", password: PASSWORD });
    const granted = await first.subscribeAsync({ "plant/#": { qos: 2 }, gone: { qos: 1 } });
    assert.deepEqual(
      granted.map(({ qos }) => qos),
      [2, 1],
    );
    for (const qos of [0, 1, 2] as const) await first.publishAsync(`plant/${qos}`, "own", { qos });
    assert.deepEqual(await first.until(3), ["plant/0 own q0", "plant/1 own q1", "plant/2 own q2"]);
  }
  await using writer = await dial(door, { clientId: "writer" });
  for (const qos of [0, 1, 2] as const) await writer.publishAsync(`plant/${qos}`, "missed", { qos });
  await writer.publishAsync("state", "up", { qos: 1, retain: true });
  await using again = await dial(door, { clientId: "old", clean: false, username: "ann", password: PASSWORD });
  assert.deepEqual([...(await again.until(2))].sort(), ["plant/1 missed q1", "plant/2 missed q2"]);
  await again.subscribeAsync("state", { qos: 1 });
  assert.equal((await again.until(3))[2], "state up q1 retained");
  await using doomed = await dial(door, {
    clientId: "doomed",
    will: { topic: "gone", payload: Buffer.from("bye"), qos: 1, retain: false },
  });
  doomed.stream.destroy();
  assert.equal((await again.until(4))[3], "gone bye q1");
});

test("mosquitto_sub by 3.1 comes back to its session and gets what it missed", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const broker = { port: door.ingress.endpoint.port, version: "mqttv31" } as const;
  const sleeper = { ...broker, clientId: "sleeper", args: ["-c"] };
  {
    await using first = await MosquittoSub.start(sleeper, ["a/+"], 2);
    await mosquittoPub(broker, { topic: "a/0", message: "live", qos: 2 });
    assert.equal((await first.receives(1))[0]?.payload.toString(), "live");
  }
  for (const qos of [1, 2] as const) await mosquittoPub(broker, { topic: `a/${qos}`, message: "missed", qos });
  await using again = await MosquittoSub.start(sleeper, ["a/+"], 2);
  const found = (await again.receives(2)).map(({ topic, payload, qos }) => `${topic} ${payload} q${qos}`);
  assert.deepEqual(found.sort(), ["a/1 missed q1", "a/2 missed q2"]);
});
