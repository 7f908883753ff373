// The ways in for MQTT clients, as stock clients take them: MQTT.js by WebSocket and TLS, mosquitto's tools by TLS with certificates.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { after, before, test } from "node:test";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { WebSocket } from "ws";
import type { User } from "#access/authenticator.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { tryOrigin } from "#doors/web-origin.ts";
import type { MqttDoor as DoorName } from "#ingress/mqtt/door-facts.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { type Certificates, certificates, type KeyPair } from "../support/certificates.ts";
import { MosquittoSub, mosquittoPub } from "../support/mosquitto.ts";
import { MqttDoor, PASSWORD, USERS } from "../wire/mqtt/harness.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
/** Whom the client's certificate of the tests names. */
const MAPPED: User = {
  name: "petiole-test",
  account: "EDGE",
  passwordHash: null,
  doors: ["mqtt"],
  permissions: { publish: { allow: ["plant.7.>"], deny: [] }, subscribe: UNRESTRICTED },
};

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());

function pairOf({ cert: certFile, key: keyFile }: KeyPair) {
  return { certFile, keyFile, caFile: null, verify: false, verifyAndMap: false };
}

function tlsSettings(more: Partial<NonNullable<MqttOptions["tls"]>> = {}): Partial<MqttOptions> {
  return { tls: { listen: LISTEN, ...pairOf(made.server), ...more } };
}

function webSettings(more: Partial<NonNullable<MqttOptions["websocket"]>> = {}): Partial<MqttOptions> {
  return { websocket: { listen: LISTEN, tls: null, path: null, sameOrigin: false, allowedOrigins: [], ...more } };
}

function openDoor(settings: Partial<MqttOptions>, users: readonly User[] = USERS): Promise<MqttDoor> {
  return MqttDoor.open({ stages: false, settings, users });
}

function portOf(door: MqttDoor, name: DoorName): number {
  return door.ingress.doors().find((one) => one.door === name)!.endpoint.port;
}

async function dial(url: string, options: IClientOptions = {}): Promise<MqttClient & AsyncDisposable> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, connectTimeout: 5_000, ...options });
  client.on("error", () => undefined);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.endAsync(true) });
}

function nextMessage(client: MqttClient): Promise<readonly [topic: string, payload: Buffer]> {
  const { promise, resolve } = Promise.withResolvers<readonly [string, Buffer]>();
  client.once("message", (topic, payload) => resolve([topic, payload]));
  return promise;
}

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js ${protocolVersion === 4 ? "3.1.1" : "5.0"} comes by TLS, WebSocket and WebSocket over TLS, and all meet`, async () => {
    await using door = await openDoor({ ...tlsSettings(), ...webSettings({ tls: pairOf(made.server), path: "/mqtt" }) });
    await using plainWeb = await openDoor(webSettings());
    const ca = await fs.readFile(made.ca);
    await using byTls = await dial(`mqtts://localhost:${portOf(door, "tls")}`, { ca, protocolVersion });
    await using byWeb = await dial(`wss://localhost:${portOf(door, "wss")}/mqtt`, { ca, protocolVersion });
    const big = Buffer.alloc(200_000, "x");
    for (const [reader, writer] of [
      [byTls, byWeb],
      [byWeb, byTls],
    ] as const) {
      const arrives = nextMessage(reader);
      await reader.subscribeAsync("plant/7/photo", { qos: 1 });
      await writer.publishAsync("plant/7/photo", big, { qos: 1 });
      assert.deepEqual(await arrives, ["plant/7/photo", big]);
      await reader.unsubscribeAsync("plant/7/photo");
    }
    await using byPlainWeb = await dial(`ws://127.0.0.1:${portOf(plainWeb, "ws")}`, { protocolVersion });
    const arrives = nextMessage(byPlainWeb);
    await byPlainWeb.subscribeAsync("a", { qos: 0 });
    await byPlainWeb.publishAsync("a", "hello", { qos: 1 });
    assert.deepEqual(await arrives, ["a", Buffer.from("hello")]);
  });
}

test("mosquitto's tools come by TLS with a user and a password", async () => {
  await using door = await openDoor(tlsSettings());
  const broker = { port: portOf(door, "tls"), user: "ann", password: PASSWORD, args: ["--cafile", made.ca] };
  await using reader = await MosquittoSub.start(broker, ["plant/#"], 1);
  await mosquittoPub(broker, { topic: "plant/7/temp", message: "21.5", qos: 1 });
  assert.deepEqual((await reader.receives(1))[0]?.payload.toString(), "21.5");
  assert.equal(door.ingress.status().clients[0]?.user, "ann");
});

test("with verify_and_map mosquitto's tools are the user whom their certificate names, with that user's permissions", async () => {
  const mapping = tlsSettings({ caFile: made.ca, verify: true, verifyAndMap: true });
  await using door = await openDoor(mapping, [...USERS, MAPPED]);
  const args = ["--cafile", made.ca, "--cert", made.client.cert, "--key", made.client.key];
  const broker = { port: portOf(door, "tls"), args };
  await using reader = await MosquittoSub.start(broker, ["plant/#"], 1);
  assert.equal(door.ingress.status().clients[0]?.user, "petiole-test");
  const [client] = door.ingress.clients();
  assert.deepEqual([client?.door, client?.tls?.version, client?.tls?.certificate?.subject], ["tls", "1.3", "CN=petiole-test"]);
  await mosquittoPub(broker, { topic: "plant/7/temp", message: "21.5", qos: 1 });
  assert.equal((await reader.receives(1))[0]?.topic, "plant/7/temp");
  await mosquittoPub(broker, { topic: "plant/8/temp", message: "0", qos: 0 });
  await mosquittoPub(broker, { topic: "plant/7/last", message: "x", qos: 1 });
  assert.deepEqual(
    (await reader.receives(2)).map(({ topic }) => topic),
    ["plant/7/temp", "plant/7/last"],
  );
});

test("with verify_and_map a certificate that names no user is refused, though a user and a password are shown", async () => {
  await using door = await openDoor(tlsSettings({ caFile: made.ca, verify: true, verifyAndMap: true }));
  const args = ["--cafile", made.ca, "--cert", made.client.cert, "--key", made.client.key];
  const broker = { port: portOf(door, "tls"), user: "ann", password: PASSWORD, args };
  await assert.rejects(mosquittoPub(broker, { topic: "a", message: "x" }), /not authori[sz]ed|bad user name|Connection Refused/i);
});

test("with verify mosquitto's tools need a certificate of ca_file", async () => {
  await using door = await openDoor(tlsSettings({ caFile: made.ca, verify: true }));
  const port = portOf(door, "tls");
  const trusting = ["--cafile", made.ca];
  const own = ({ cert, key }: KeyPair) => [...trusting, "--cert", cert, "--key", key];
  await mosquittoPub({ port, args: own(made.client) }, { topic: "a", message: "x", qos: 1 });
  for (const args of [trusting, own(made.strangerClient), own(made.expiredClient)])
    await assert.rejects(mosquittoPub({ port, args }, { topic: "a", message: "x", qos: 1 }));
});

test("a web page of another origin does not come in, and a program does", async () => {
  await using door = await openDoor(webSettings({ allowedOrigins: [tryOrigin("https://panel.example.com")!] }));
  const url = `ws://127.0.0.1:${portOf(door, "ws")}/mqtt`;
  const evil = new WebSocket(url, "mqtt", { origin: "https://evil.example" });
  assert.match(String((await once(evil, "error"))[0]), /403/);
  await using _page = await dial(url, { wsOptions: { origin: "https://panel.example.com" } });
  await using _program = await dial(url);
  assert.equal(door.ingress.status().clients.length, 2);
});

test("ten thousand QoS 1 messages by WebSocket arrive once, in order", async () => {
  await using door = await openDoor(webSettings());
  const url = `ws://127.0.0.1:${portOf(door, "ws")}/mqtt`;
  await using reader = await dial(url, { clientId: "reader" });
  await using writer = await dial(url, { clientId: "writer" });
  const count = 10_000;
  const arrived: string[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  reader.on("message", (_, payload) => {
    arrived.push(payload.toString());
    if (arrived.length === count) resolve();
  });
  await reader.subscribeAsync("n", { qos: 1 });
  await Promise.all(Array.from({ length: count }, (_, i) => writer.publishAsync("n", String(i), { qos: 1 })));
  await all;
  assert.deepEqual(
    arrived,
    Array.from({ length: count }, (_, i) => String(i)),
  );
});
