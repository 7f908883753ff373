// What MQTT keeps, on a card that is full or has turned read-only: nothing that is kept is lost, nothing is acknowledged that is not, and the
// rest of the broker goes on.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { test } from "node:test";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { freePorts } from "../support/free-ports.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { Daemon, DEVICE } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

async function dial(port: number, clientId: string, options: IClientOptions = {}): Promise<MqttClient & AsyncDisposable> {
  const login = { username: DEVICE.user, password: DEVICE.password };
  const to = { host: "127.0.0.1", port, reconnectPeriod: 0, protocolVersion: 5 as const, clientId, ...login };
  const client = await mqtt.connectAsync({ ...to, ...options });
  client.on("error", () => undefined);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.endAsync(true) });
}

const KEPT: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** The reason code of a PUBACK; 0 where MQTT.js says nothing. */
async function published(client: MqttClient, topic: string, payload: string, retain = false): Promise<number> {
  try {
    const packet = (await client.publishAsync(topic, payload, { qos: 1, retain })) as
      | { readonly reasonCode?: number }
      | undefined;
    return packet?.reasonCode ?? 0;
  } catch (error) {
    return (error as { readonly code?: number }).code ?? -1;
  }
}

async function inbox(port: number, clientId: string, count: number): Promise<string[]> {
  const found: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const login = { username: DEVICE.user, password: DEVICE.password };
  const client = mqtt.connect({ host: "127.0.0.1", port, reconnectPeriod: 0, protocolVersion: 5, clientId, ...login, ...KEPT });
  client.on("message", (topic, payload) => {
    found.push(`${topic} ${String(payload).slice(0, 8)}`);
    if (found.length === count) resolve();
  });
  await promise;
  await client.endAsync();
  return found;
}

for (const fault of ["full", "read-only"] as const) {
  test(`a card that is ${fault}: what cannot be kept is not acknowledged, what is only passed on goes on, and what was acknowledged is not lost`, {
    skip: cannotMount ?? false,
  }, async () => {
    await using disk = await LoopDisk.mount({ type: "ext4", mebibytes: 48 });
    const [port] = await freePorts(1);
    const settings = { outbox: { free_reserve: "0B", max_bytes: "4MiB" } };
    await using daemon = await Daemon.start({ dataDir: disk.path, mqttPort: port!, settings });
    {
      await using sleeper = await dial(port!, "sleeper", KEPT);
      await sleeper.subscribeAsync("kept/#", { qos: 1 });
    }
    await using writer = await dial(port!, "writer");
    await using reader = await dial(port!, "reader");
    const live: string[] = [];
    reader.on("message", (topic, payload) => void live.push(`${topic} ${payload}`));
    await reader.subscribeAsync("live/#", { qos: 1 });
    for (let i = 0; i < 20; i++) assert.equal(await published(writer, "kept/a", String(i)), 0);
    assert.equal(await published(writer, "retained/a", "first", true), 0);
    if (fault === "full") await disk.fill();
    else await disk.breakIt();
    let acknowledged = 20;
    let code = 0;
    for (let i = 20; i < 4000 && code === 0; i++) {
      code = await Promise.race([published(writer, "kept/a", `${i} ${"x".repeat(4000)}`), later(3000)]);
      if (code === 0) acknowledged += 1;
    }
    assert.ok(code === 0x97 || code === -2, `reason ${code}`);
    await using other = await dial(port!, "other");
    await other.publishAsync("live/a", "passed on", { qos: 0 });
    while (live.length === 0) await later(20);
    assert.deepEqual(live, ["live/a passed on"]);
    await daemon.kill();
    await using copy = await tempFolder("petiole-card");
    if (fault === "full") {
      await disk.unfill();
      await daemon.restart();
    } else {
      // It is so for good: what can be read of it moves to another card.
      await fs.cp(disk.path, copy.path, { recursive: true, filter: (file) => !file.endsWith(".sock") });
    }
    await using _moved = fault === "full" ? null : await Daemon.start({ dataDir: copy.path, mqttPort: port!, settings });
    const found = await inbox(port!, "sleeper", acknowledged);
    assert.deepEqual(
      found.slice(0, 20),
      Array.from({ length: 20 }, (_, i) => `kept/a ${i}`),
    );
    assert.ok(found.length >= acknowledged);
    await using late = await dial(port!, "late");
    const { promise, resolve } = Promise.withResolvers<string>();
    late.on("message", (_, payload) => resolve(String(payload)));
    await late.subscribeAsync("retained/#", { qos: 1 });
    assert.equal(await promise, "first");
  });
}

/** -2: it has no answer by then. */
function later(ms: number): Promise<number> {
  return new Promise((resolve) => setTimeout(() => resolve(-2), ms));
}
