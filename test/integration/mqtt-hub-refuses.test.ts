// A hub that does not take what its own MQTT clients need of us (`mqtt.hub_mqtt`): it is told where a technician looks, and so is its end.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt from "mqtt";
import { formatStatus } from "#cli/status.ts";
import { doctorOn } from "../support/doctor.ts";
import { freePorts } from "../support/free-ports.ts";
import { CLIENT, type Hub, type HubOptions, LEAF, startHub } from "../support/hub.ts";
import type { ServerLine } from "../support/nats-server.ts";
import { startSpoke, type TestSpoke } from "../support/spoke.ts";

const LINES: readonly ServerLine[] = ["2.10", "2.15"];
const DENIED = { ...LEAF, permissions: { publish: { deny: ["$MQTT.>"] } } };
const remoteOf = (hub: Hub) => ({ urls: [hub.leafUrlAs(LEAF)] });
const settings = (retained: string) => ({ mqtt: { listen: "127.0.0.1:0", hub_mqtt: { retained } } });
const stateOf = (spoke: TestSpoke) => spoke.spoke.report().mqtt?.hub_mqtt?.[0];
const linesOf = (spoke: TestSpoke, words: RegExp) => spoke.log.filter((line) => words.test(line)).length;
const NOTHING_GOT = /own MQTT port get nothing of our messages/;
const WELL_AGAIN = /takes what its own MQTT clients need of our messages again/;

function mqttHub(version: ServerLine, options: Omit<HubOptions, "version"> = {}): Promise<Hub> {
  return startHub({ version, jetstream: true, ...options, config: { mqtt: {}, server_name: "mqtt-hub", ...options.config } });
}

/** A QoS 1 subscriber at the hub's own MQTT port; resolves with its first message. */
async function atHub(hub: Hub, filter: string) {
  const client = mqtt.connect({
    host: "127.0.0.1",
    port: hub.server.port("mqtt"),
    protocolVersion: 4,
    reconnectPeriod: 200,
    username: CLIENT.user,
    password: CLIENT.password,
    clientId: "reader",
  });
  client.on("error", () => undefined);
  const first = Promise.withResolvers<string>();
  client.on("message", (topic, payload, { qos }) => first.resolve(`${topic} ${payload} q${qos}`));
  const isConnected = Promise.withResolvers<void>();
  client.once("connect", () => isConnected.resolve());
  await isConnected.promise;
  await client.subscribeAsync(filter, { qos: 1 });
  return { first: first.promise, [Symbol.asyncDispose]: () => client.endAsync(true) };
}

for (const line of LINES) {
  test(`nats-server ${line}: a hub whose leaf user may not publish to $MQTT.> is told with count, cause and remedy; once`, async () => {
    await using hub = await mqttHub(line, { users: [CLIENT, DENIED] });
    await using _reader = await atHub(hub, "s/#");
    await using spoke = await startSpoke({ remote: remoteOf(hub), settings: settings("none") });
    await spoke.untilReady();
    assert.deepEqual({ ...stateOf(spoke) }, {});
    await using device = await spoke.device({ clientId: "device" });
    assert.deepEqual(stateOf(spoke)?.state, "unused");
    for (let n = 0; n < 4; n++) await device.publishAsync("s/a", String(n), { qos: n < 3 ? 1 : 0 });
    const found = stateOf(spoke)!;
    assert.deepEqual([found.state, found.refused], ["refused", 3]);
    assert.match(
      found.reason ?? "",
      /hub mqtt-hub does not let this device publish to \$MQTT\.msgs\.s\.a; let this device's user/,
    );
    assert.ok(Date.parse(found.since ?? "") > Date.now() - 20_000);
    assert.equal(linesOf(spoke, NOTHING_GOT), 1);
    const report = spoke.spoke.report();
    assert.match(
      formatStatus(report),
      /hub mqtt EDGE {2}refuses since .*does not let this device publish.* {2}3 not taken so far/,
    );
    assert.equal(report.health.verdict, "degraded");
  });

  test(`nats-server ${line}: a hub without JetStream and MQTT is told, and what its retained messages wait for`, async () => {
    await using hub = await startHub({ version: line, name: "plain-hub" });
    await using spoke = await startSpoke({ remote: remoteOf(hub), settings: settings("both") });
    await spoke.untilReady();
    await using device = await spoke.device({ clientId: "device" });
    await device.publishAsync("s/a", "1", { qos: 2 });
    await spoke.until("both are told", () => stateOf(spoke)?.state === "refused" && stateOf(spoke)?.retained?.because != null);
    const found = stateOf(spoke)!;
    assert.match(found.reason ?? "", /stores nothing of \$MQTT\.msgs\.s\.a; give the hub an mqtt block/);
    assert.match(found.retained?.because ?? "", /has no JetStream for our account/);
    assert.equal(found.retained?.following, false);
    assert.match(formatStatus(spoke.spoke.report()), /retained messages wait: hub .* has no JetStream/);
    assert.equal(linesOf(spoke, NOTHING_GOT), 1);
  });

  test(`nats-server ${line}: it is over when the hub takes them, and the log says so once`, async () => {
    const [port] = await freePorts(1);
    const leafnodes = { listen: `127.0.0.1:${port}` };
    const url = `nats-leaf://${LEAF.user}:${LEAF.password}@127.0.0.1:${port}`;
    const first = await mqttHub(line, { users: [CLIENT, DENIED], leafnodes });
    await using spoke = await startSpoke({ remote: { urls: [url] }, settings: settings("none") });
    await spoke.untilReady();
    await using device = await spoke.device({ clientId: "device" });
    await device.publishAsync("s/a", "lost", { qos: 1 });
    assert.equal(stateOf(spoke)?.state, "refused");
    await first[Symbol.asyncDispose]();
    await using hub = await mqttHub(line, { leafnodes });
    await using reader = await atHub(hub, "s/#");
    await spoke.until("it is over", () => stateOf(spoke)?.state === "passing");
    await device.publishAsync("s/a", "heard", { qos: 1 });
    assert.equal(await reader.first, "s/a heard q1");
    assert.deepEqual([linesOf(spoke, NOTHING_GOT), linesOf(spoke, WELL_AGAIN)], [1, 1]);
    assert.deepEqual([stateOf(spoke)?.since, stateOf(spoke)?.refused], [null, 1]);
    assert.match(formatStatus(spoke.spoke.report()), /hub mqtt EDGE {2}takes what it is sent {2}1 not taken so far/);
  });

  test(`nats-server ${line}: the doctor names what the hub's own MQTT does not get`, async () => {
    await using hub = await mqttHub(line, { users: [CLIENT, DENIED] });
    await using _reader = await atHub(hub, "s/#");
    const report = await doctorOn({ remote: { urls: [hub.leafUrl] }, settings: settings("none") });
    const said = report.findings.filter(({ step }) => step === "permissions");
    assert.ok(
      said.some(({ verdict, cause }) => verdict === "warning" && /does not let us send all of \$MQTT\.msgs\.>/.test(cause)),
      JSON.stringify(report.findings.filter(({ verdict }) => verdict !== "fine")),
    );
  });
}
