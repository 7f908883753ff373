// kill -9 of the daemon while stock MQTT clients with kept sessions are at work: nothing acknowledged is lost, QoS 2 is once.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt from "mqtt";
import { freePorts } from "../support/free-ports.ts";
import { Daemon, DEVICE, mqttDevice } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LIVES = 3;
const EACH = 60;

test(`a session that is away gets all that was acknowledged over ${LIVES} lives that end by kill -9, and a retained message survives them`, async () => {
  await using folder = await tempFolder("petiole-mqtt-kill");
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({ dataDir: folder.path, mqttPort: mqttPort! });
  const sleeper = { clientId: "sleeper", clean: false } as const;
  {
    await using first = await mqttDevice(mqttPort!, sleeper);
    await first.subscribeAsync("plant/#", { qos: 2 });
  }
  const acknowledged: string[] = [];
  for (let life = 0; life < LIVES; life++) {
    await using writer = await mqttDevice(mqttPort!, { clientId: "writer" });
    if (life === 0) await writer.publishAsync("state", "kept", { qos: 1, retain: true });
    for (let i = 0; i < EACH; i++) {
      const line = `${life}-${i} q${(i % 2) + 1}`;
      await writer.publishAsync("plant/7", line, { qos: ((i % 2) + 1) as 1 | 2 });
      acknowledged.push(line);
    }
    await daemon.kill();
    await daemon.restart();
  }
  const found: string[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  await using reader = await mqttDevice(mqttPort!, { clientId: "reader" });
  const { promise: retained, resolve: onRetained } = Promise.withResolvers<string>();
  reader.on("message", (_topic, payload, { retain }) => onRetained(`${payload} ${retain}`));
  await reader.subscribeAsync("state", { qos: 1 });
  assert.equal(await retained, "kept true");
  const login = { username: DEVICE.user, password: DEVICE.password, reconnectPeriod: 0 };
  const back = mqtt.connect(`mqtt://127.0.0.1:${mqttPort}`, { ...login, ...sleeper }); // heard from its first byte on
  await using _closing = { [Symbol.asyncDispose]: () => back.endAsync(true) };
  back.on("message", (_topic, payload) => {
    found.push(payload.toString());
    if (new Set(found).size === acknowledged.length) resolve();
  });
  await all;
  const twice = found.filter((line, at) => line.endsWith("q2") && found.indexOf(line) !== at);
  assert.deepEqual(twice, [], "QoS 2 came twice");
  assert.deepEqual(new Set(found), new Set(acknowledged));
});
