// Retained messages with stock clients: through restarts and kill -9, and as NATS clients ask for them.

import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { connect, type Msg } from "@nats-io/transport-node";
import type { MqttClient } from "mqtt";
import { build } from "../../scripts/build.ts";
import { freePorts } from "../support/free-ports.ts";
import { Daemon, DEVICE, mqttDevice, startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const KILLS = 6;
const TOPICS = 12;

/** What a subscriber of these topics is shown as retained; all of it is there when the mark that is published behind comes. */
async function retained(device: MqttClient, filter: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const mark = Promise.withResolvers<void>();
  const onMessage = (topic: string, payload: Buffer, packet: { readonly retain: boolean }) => {
    if (topic === "mark") mark.resolve();
    else if (packet.retain) found.set(topic, payload.toString());
  };
  device.on("message", onMessage);
  await device.subscribeAsync([filter, "mark"], { qos: 1 });
  await device.publishAsync("mark", "x", { qos: 1 });
  await mark.promise;
  device.off("message", onMessage);
  await device.unsubscribeAsync([filter, "mark"]);
  return found;
}

function headersOf(message: Msg): Record<string, string> {
  return Object.fromEntries([...(message.headers ?? [])].map(([name, values]) => [name, values.join(",")]));
}

test("retained messages outlive a restart; NATS clients are shown them with what is known of them", async () => {
  await using folder = await tempFolder("petiole-retained");
  const user = { user: DEVICE.user, password: DEVICE.password, mqtt: true, nats: true };
  const settings = { listen: "127.0.0.1:0", accounts: [{ name: "EDGE", users: [user] }] };
  {
    await using spoke = await startSpoke({ dataDir: folder.path, settings });
    await using device = await spoke.device({ protocolVersion: 5 });
    const properties = { userProperties: { unit: "°C" } };
    await device.publishAsync("plant/7/temp", "21.5", { qos: 1, retain: true, properties });
    await device.publishAsync("plant/8/temp", "9", { qos: 0, retain: true });
    await device.publishAsync("plant/9/temp", "x", { qos: 1, retain: true });
    await device.publishAsync("plant/9/temp", "", { qos: 1, retain: true });
  }
  await using spoke = await startSpoke({ dataDir: folder.path, settings });
  await using device = await spoke.device({ protocolVersion: 4 });
  assert.deepEqual(
    await retained(device, "plant/#"),
    new Map([
      ["plant/7/temp", "21.5"],
      ["plant/8/temp", "9"],
    ]),
  );
  const { port } = spoke.spoke.natsEndpoint!;
  const nats = await connect({ servers: `127.0.0.1:${port}`, user: DEVICE.user, pass: DEVICE.password });
  const answer = await nats.request("$PETIOLE.retained.get.plant.7.temp", "");
  const { "Petiole-Time": time, ...headers } = headersOf(answer);
  assert.deepEqual([answer.string(), headers], ["21.5", { "Nmqtt-Subject": "plant.7.temp", "Nmqtt-Pub": "1", unit: "°C" }]);
  assert.ok(Math.abs(Date.now() - Date.parse(time!)) < 60_000, `retained at ${time}`);
  const none = await nats.request("$PETIOLE.retained.get.plant.9.temp", "");
  assert.equal(none.headers?.code, 404);
  const listed: string[] = [];
  for await (const each of await nats.requestMany("$PETIOLE.retained.list", "plant.>", { strategy: "sentinel" })) {
    if (each.data.length > 0) listed.push(`${each.headers?.get("Nmqtt-Subject")} ${each.string()}`);
  }
  assert.deepEqual(listed.sort(), ["plant.7.temp 21.5", "plant.8.temp 9"]);
  await nats.close();
});

test(`${KILLS} times kill -9: an acknowledged retained message is never older afterwards, an acknowledged removal stays`, async () => {
  await using folder = await tempFolder("petiole-retained");
  const program = path.join(folder.path, "program");
  await build({ outFolder: program });
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({
    dataDir: folder.path,
    mqttPort: mqttPort!,
    program: path.join(program, "petiole.js"),
  });
  /** By topic: the numbers that may be found, 0 for none; the first is the last that was acknowledged. */
  const may = new Map(Array.from({ length: TOPICS }, (_, i) => [`state/${i}`, [0]]));
  let number = 0;
  for (let life = 0; life < KILLS; life++) {
    const devices = await Promise.all([1, 2, 3].map((i) => mqttDevice(mqttPort!, { clientId: `d${i}` })));
    let acked = 0;
    const enough = Promise.withResolvers<void>();
    let isOver = false;
    const running = devices.map(async (device, own) => {
      device.on("error", () => undefined);
      while (!isOver) {
        number += 1;
        const isRemoval = number % 7 === 0;
        const value = isRemoval ? 0 : number;
        const topic = `state/${own + 3 * (number % (TOPICS / 3))}`;
        may.get(topic)!.push(value);
        const { length } = may.get(topic)!;
        try {
          await device.publishAsync(topic, isRemoval ? "" : `${number}`, { qos: 1, retain: true });
        } catch {
          return; // the daemon is gone
        }
        may.get(topic)!.splice(0, length - 1);
        acked += 1;
        if (acked === 60 + life * 17) enough.resolve();
      }
    });
    await enough.promise;
    await daemon.kill();
    isOver = true;
    for (const device of devices) await device.endAsync(true);
    await Promise.all(running);
    await daemon.restart();
    await using reader = await mqttDevice(mqttPort!, { clientId: "reader" });
    const found = await retained(reader, "state/#");
    for (const [topic, numbers] of may) {
      const value = Number(found.get(topic) ?? 0);
      assert.ok(numbers.includes(value), `${topic}: found ${value}, wanted one of ${numbers}`);
      may.set(topic, [value]);
    }
  }
});
