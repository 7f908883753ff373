// kill -9 under load: what was acknowledged is at the hub afterwards, each message once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MqttClient } from "mqtt";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { tempFolder } from "../support/temp-folder.ts";

const KILLS = 10;
const PUBLISHERS = 3;

test(`${KILLS} times kill -9 under QoS 1 load, with the link up and cut: nothing acknowledged is lost`, async () => {
  await using hub = await startHub({ version: "2.15", tls: "first", jetstream: true });
  const nats = await hub.connect();
  const stream = await HubStream.create(nats, "SENSORS", ["sensors.>"]);
  await using cutter = await LinkCutter.before(hub.server.port("leaf"));
  await using folder = await tempFolder("petiole-kill");
  const [mqttPort] = await freePorts(1);
  await using daemon = await Daemon.start({
    dataDir: folder.path,
    mqttPort: mqttPort!,
    remote: {
      urls: [cutter.through(hub.leafUrl)],
      user: LEAF.user,
      password: LEAF.password,
      tls: { handshake_first: true, ca_file: hub.ca! },
    },
  });
  await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");

  const acked: string[] = [];
  let next = 0;
  for (let round = 0; round < KILLS; round++) {
    const devices = await Promise.all(Array.from({ length: PUBLISHERS }, (_, i) => mqttDevice(mqttPort!, { clientId: `d${i}` })));
    const before = acked.length;
    const loads = devices.map((device) => load(device, () => `m${next++}`, acked));
    if (round % 3 === 1) cutter.cut();
    await reached(() => acked.length >= before + 200 + round * 37);
    if (round % 3 === 2) cutter.heal();
    await reached(() => acked.length >= before + 400 + round * 37);
    await daemon.kill();
    await Promise.all(loads);
    for (const device of devices) await device.endAsync(true);
    await daemon.restart();
  }
  cutter.heal();
  await daemon.until(
    "the backlog is gone",
    ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
  );
  await stream.holds(acked.length);
  const payloads = await stream.payloads();
  const held = new Set(payloads);
  assert.deepEqual(
    acked.filter((each) => !held.has(each)),
    [],
    "acknowledged and not at the hub",
  );
  assert.equal(held.size, payloads.length, "the stream dropped every double");
  assert.equal(await daemon.stop(), 0, "SIGTERM ends it in peace");
  await nats.close();
});

/** Publishes with ten in flight until the connection dies. */
async function load(device: MqttClient, make: () => string, acked: string[]): Promise<void> {
  const dead = new Promise<void>((resolve) => device.once("close", resolve));
  let isDead = false;
  void dead.then(() => {
    isDead = true;
  });
  const lane = async () => {
    while (!isDead) {
      const payload = make();
      const answer = device.publishAsync("sensors/load", payload, { qos: 1 }).then(
        () => true,
        () => false,
      );
      if (await Promise.race([answer, dead.then(() => false)])) acked.push(payload);
    }
  };
  await Promise.all(Array.from({ length: 10 }, lane));
}

async function reached(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, "the load does not get on");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
