// A hub that speaks MQTT itself (`mqtt.hub_mqtt`): its own MQTT clients get what our devices publish, with its QoS, once, and retained.
//
//   device ─ QoS 1 ─▶ spoke ─ link cut, healed ─▶ nats-server with a mqtt block ─▶ mosquitto_sub, MQTT.js at the hub's MQTT port

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { Json } from "#base/schema.ts";
import { freePorts } from "../support/free-ports.ts";
import { CLIENT, type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { MosquittoSub, mosquittoPub } from "../support/mosquitto.ts";
import type { ServerLine } from "../support/nats-server.ts";
import { Daemon, DEVICE, mqttDevice, startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LINES: readonly ServerLine[] = ["2.10", "2.15"];

function mqttHub(version: ServerLine): Promise<Hub> {
  return startHub({ version, jetstream: true, config: { mqtt: {}, server_name: "mqtt-hub" } });
}

/** A client at the hub's own MQTT port, with what it has received, in order. */
async function atHub(hub: Hub, clientId: string, options: IClientOptions = {}) {
  const received: string[] = [];
  const waiting = new Set<() => void>();
  const client: MqttClient = mqtt.connect({
    host: "127.0.0.1",
    port: hub.server.port("mqtt"),
    protocolVersion: 4,
    reconnectPeriod: 200,
    username: CLIENT.user,
    password: CLIENT.password,
    clientId,
    ...options,
  });
  client.on("error", () => undefined);
  client.on("message", (topic, payload, { qos, retain }) => {
    received.push(`${topic} ${payload} q${qos}${retain ? " retained" : ""}`);
    for (const wake of waiting) wake();
  });
  const connected = Promise.withResolvers<void>();
  client.once("connect", () => connected.resolve());
  await connected.promise;
  return {
    client,
    received,
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}

function settings(retained: string): { readonly [key: string]: Json } {
  return { mqtt: { listen: "127.0.0.1:0", hub_mqtt: { retained } } };
}

const LOGIN = { username: DEVICE.user, password: DEVICE.password };
const HUB_LOGIN = { username: CLIENT.user, password: CLIENT.password };
const remoteOf = (hub: Hub) => ({ urls: [hub.leafUrlAs(LEAF)] });
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

for (const line of LINES) {
  test(`nats-server ${line}: the hub's QoS 1 and 2 subscribers get our QoS 1 and 2 messages once, QoS 0 and NATS subscribers too`, async () => {
    await using hub = await mqttHub(line);
    await using one = await atHub(hub, "one");
    await using two = await atHub(hub, "two");
    await one.client.subscribeAsync("s/#", { qos: 1 });
    await two.client.subscribeAsync("s/+", { qos: 2 });
    await using zero = await MosquittoSub.start(
      { port: hub.server.port("mqtt"), user: CLIENT.user, password: CLIENT.password },
      ["s/#"],
      0,
    );
    const nats = await hub.connect();
    const heard: string[] = [];
    const subscription = nats.subscribe("s.*", { callback: (_, message) => void heard.push(message.string()) });
    await nats.flush();
    await using spoke = await startSpoke({ remote: remoteOf(hub), settings: settings("none") });
    await spoke.untilReady();
    await using local = await spoke.device({ clientId: "local" });
    const here: string[] = [];
    local.on("message", (_, payload) => here.push(String(payload)));
    await local.subscribeAsync("s/#", { qos: 2 });
    await using device = await spoke.device({ clientId: "device" });
    for (const n of numbers(0, 30)) await device.publishAsync("s/a", String(n), { qos: (n % 3) as 0 | 1 | 2 });
    await one.until(() => one.received.length >= 30);
    await two.until(() => two.received.length >= 30);
    await device.publishAsync("s/a", "end", { qos: 1 }); // behind all that could come twice
    await one.until(() => one.received.length >= 31);
    await two.until(() => two.received.length >= 31);
    await spoke.until("nothing waits", ({ remotes }) => remotes.every(({ outbox }) => outbox.depth === 0));
    const expected = [...numbers(0, 30).map((n) => `s/a ${n} q${Math.min(1, n % 3)}`), "s/a end q1"].sort();
    assert.deepEqual([...one.received].sort(), expected);
    assert.deepEqual([...two.received].sort(), [...numbers(0, 30).map((n) => `s/a ${n} q${n % 3}`), "s/a end q1"].sort());
    assert.deepEqual(here, [...numbers(0, 30).map(String), "end"]);
    assert.deepEqual(heard, here);
    await zero.receives(31);
    assert.deepEqual(
      zero.messages.map(({ payload }) => String(payload)),
      here,
    );
    subscription.unsubscribe();
  });

  test(`nats-server ${line}: a session that is away at the hub gets what was published while the link was down, and before a kill -9`, async () => {
    await using folder = await tempFolder("petiole-mqtt-hub");
    await using hub = await mqttHub(line);
    {
      await using sleeper = await atHub(hub, "sleeper", { clean: false });
      await sleeper.client.subscribeAsync("q/#", { qos: 1 });
    }
    const [port] = await freePorts(1);
    const mqttPort = port!;
    const hubbed = { mqtt: { listen: `127.0.0.1:${mqttPort}`, hub_mqtt: { retained: "none" } } };
    await using spoke = await Daemon.start({ remote: remoteOf(hub), settings: hubbed, dataDir: folder.path, mqttPort });
    await spoke.until("the link is ready", ({ remotes }) => remotes.every(({ link }) => link.state === "ready"));
    {
      await using device = await mqttDevice(mqttPort, { clientId: "device" });
      await device.publishAsync("q/a", "before", { qos: 1 });
      await spoke.until("nothing waits", ({ remotes }) => remotes.every(({ outbox }) => outbox.depth === 0));
      await hub.server.kill();
      await spoke.until("the link is down", ({ remotes }) => remotes.every(({ link }) => link.state !== "ready"));
      for (const n of numbers(0, 20)) await device.publishAsync("q/a", String(n), { qos: n % 2 === 0 ? 1 : 2 });
      await spoke.kill(); // as a power cut would
    }
    await spoke.restart();
    await hub.server.restart();
    await spoke.until("the link is ready", ({ remotes }) => remotes.every(({ link }) => link.state === "ready"));
    await using sleeper = await atHub(hub, "sleeper", { clean: false });
    await sleeper.until(() => sleeper.received.length >= 21);
    await spoke.until("nothing waits", ({ remotes }) => remotes.every(({ outbox }) => outbox.depth === 0));
    assert.deepEqual(
      sleeper.received,
      ["before", ...numbers(0, 20)].map((n) => `q/a ${n} q1`),
    );
  });

  test(`nats-server ${line}: while the link breaks again and again the hub's QoS 1 subscriber gets every message once`, async () => {
    await using hub = await mqttHub(line);
    await using reader = await atHub(hub, "reader");
    await reader.client.subscribeAsync("c/#", { qos: 1 });
    await using cutter = await LinkCutter.before(hub.server.port("leaf"));
    const remote = { urls: [cutter.through(hub.leafUrlAs(LEAF))] };
    await using spoke = await startSpoke({ remote, settings: settings("none") });
    await spoke.untilReady();
    await using device = await spoke.device({ clientId: "device" });
    for (const round of numbers(0, 4)) {
      const published = numbers(50 * round, 50).map((n) => device.publishAsync("c/a", String(n), { qos: n % 2 === 0 ? 1 : 2 }));
      cutter.cut(); // with some of it on its way
      await Promise.all(published);
      cutter.heal();
    }
    await reader.until(() => new Set(reader.received).size >= 200);
    await spoke.until("nothing waits", ({ remotes }) => remotes.every(({ outbox }) => outbox.depth === 0));
    assert.deepEqual(
      reader.received,
      numbers(0, 200).map((n) => `c/a ${n} q1`),
    );
  });

  test(`nats-server ${line}: retained messages travel both ways, and so does their end`, async () => {
    await using hub = await mqttHub(line);
    const broker = { port: hub.server.port("mqtt"), user: CLIENT.user, password: CLIENT.password };
    await mosquittoPub(broker, { topic: "r/old", message: "of the hub", qos: 1, retain: true });
    await using spoke = await startSpoke({ remote: remoteOf(hub), settings: settings("both") });
    await spoke.untilReady();
    await using device = await spoke.device({ clientId: "device" });
    const here = (id: string) => retainedAt({ host: "127.0.0.1", port: spoke.spoke.mqttEndpoint!.port, ...LOGIN, clientId: id });
    const there = (id: string) => retainedAt({ host: "127.0.0.1", port: hub.server.port("mqtt"), ...HUB_LOGIN, clientId: id });
    await until("it came down", async () => (await here("first")).length === 1);
    await device.publishAsync("r/ours", "of the device", { qos: 1, retain: true });
    await device.publishAsync("r/zero", "lazily", { qos: 0, retain: true });
    await mosquittoPub(broker, { topic: "r/new", message: "later", qos: 0, retain: true });
    const all = ["r/new later q0", "r/old of the hub q1", "r/ours of the device q1", "r/zero lazily q0"];
    await until("all are here", async () => (await here("second")).length === 4);
    assert.deepEqual(await here("third"), all);
    await until("all are there", async () => (await there("fourth")).length === 4);
    assert.deepEqual(await there("fifth"), all);
    // Cleared here, and cleared there.
    await device.publishAsync("r/ours", "", { qos: 1, retain: true });
    await mosquittoPub(broker, { topic: "r/old", message: "", qos: 1, retain: true });
    await until("two are left here", async () => (await here("sixth")).length === 2);
    await until("two are left there", async () => (await there("seventh")).length === 2);
    assert.deepEqual(await there("eighth"), [all[0], all[3]]);
    assert.deepEqual(await here("ninth"), [all[0], all[3]]);
  });

  test(`nats-server ${line}: what is cleared at the hub while the link is down is cleared here, whoever published it; a hub that lost all is told all`, async () => {
    await using hub = await mqttHub(line);
    const broker = { port: hub.server.port("mqtt"), user: CLIENT.user, password: CLIENT.password };
    await using cutter = await LinkCutter.before(hub.server.port("leaf"));
    await using spoke = await startSpoke({
      remote: { urls: [cutter.through(hub.leafUrlAs(LEAF))], reconnect: { min: "100ms", max: "500ms" } },
      settings: settings("both"),
    });
    await spoke.untilReady();
    await using device = await spoke.device({ clientId: "device" });
    const here = (id: string) => retainedAt({ host: "127.0.0.1", port: spoke.spoke.mqttEndpoint!.port, ...LOGIN, clientId: id });
    const there = (id: string) => retainedAt({ host: "127.0.0.1", port: hub.server.port("mqtt"), ...HUB_LOGIN, clientId: id });
    for (const topic of ["r/kept", "r/cleared", "r/changed"]) await device.publishAsync(topic, "ours", { qos: 1, retain: true });
    await mosquittoPub(broker, { topic: "r/theirs", message: "theirs", qos: 1, retain: true });
    await until("all are there", async () => (await there("one")).length === 4);
    await until("all are here", async () => (await here("two")).length === 4);
    cutter.cut();
    await spoke.until("the link is down", ({ remotes }) => remotes.every(({ link }) => link.state !== "ready"));
    for (const topic of ["r/cleared", "r/changed", "r/theirs"])
      await mosquittoPub(broker, { topic, message: "", qos: 1, retain: true });
    await until("one is left there", async () => (await there("three")).length === 1);
    await device.publishAsync("r/changed", "anew", { qos: 1, retain: true }); // after it was cleared there: it stands
    cutter.heal();
    await spoke.untilReady();
    const both = ["r/changed anew q1", "r/kept ours q1"];
    await until("both are there", async () => (await there("four")).length === 2);
    await until("both are here", async () => (await here("five")).length === 2);
    assert.deepEqual([await there("six"), await here("seven")], [both, both]);
    // A stream that is another one: nobody has cleared anything.
    cutter.cut();
    await spoke.until("the link is down", ({ remotes }) => remotes.every(({ link }) => link.state !== "ready"));
    const nats = await hub.connect();
    await nats.request("$JS.API.STREAM.DELETE.$MQTT_rmsgs");
    await hub.server.restart();
    assert.deepEqual(await there("maker"), []); // the server makes its streams for the first MQTT client
    cutter.heal();
    await spoke.untilReady();
    await until("all is there again", async () => (await there("eight")).length === 2);
    assert.deepEqual(await here("nine"), both);
  });
}

/** Asks again and again; a broker tells nobody that what it retains has changed. */
async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 20_000;
  while (!(await isTrue())) {
    if (Date.now() > giveUpAt) throw new Error(`waited 20 s until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a broker retains under r/#, in order. */
async function retainedAt(options: IClientOptions): Promise<string[]> {
  const client = await mqtt.connectAsync({ protocolVersion: 4, reconnectPeriod: 0, ...options });
  const found: string[] = [];
  const isOver = Promise.withResolvers<void>();
  client.on("message", (topic, payload, { qos, retain }) => {
    if (topic === options.clientId) isOver.resolve();
    else if (retain) found.push(`${topic} ${payload} q${qos}`);
  });
  await client.subscribeAsync(["r/#", options.clientId!], { qos: 1 });
  await client.publishAsync(options.clientId!, "behind them", { qos: 1 });
  await isOver.promise;
  await client.endAsync(true);
  return found.sort();
}
