import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import { test } from "node:test";
import * as tls from "node:tls";
import type { NatsConnection } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../../scripts/lib/nats-server.ts";
import { startCluster } from "../../support/cluster.ts";
import { startHub } from "../../support/hub.ts";
import { MosquittoSub, mosquittoPub } from "../../support/mosquitto.ts";
import { NatsServer } from "../../support/nats-server.ts";

/** Asks until somebody at `to`'s server answers: interest crosses to `from`'s server in its own time. */
async function reaches(from: NatsConnection, to: NatsConnection): Promise<string> {
  to.subscribe("plant.7.temp", { callback: (_error, message) => void message.respond(`got ${message.string()}`) });
  for (;;) {
    try {
      return (await from.request("plant.7.temp", "21.5")).string();
    } catch (error) {
      if (!(error as Error).message.includes("no responders")) throw error;
    }
  }
}

for (const version of TESTED_LINES) {
  test(`nats-server ${version} starts on ports of its own, says its version, and carries a message`, async () => {
    await using server = await NatsServer.start({ version, config: { leafnodes: {}, websocket: { no_tls: true } } });
    assert.ok(server.version.startsWith(`${version}.`), server.version);
    const client = await server.connect();
    assert.equal(client.info?.version, server.version);
    assert.equal(await reaches(client, client), "got 21.5");
    assert.equal((await server.monitor("/varz"))["version"], server.version);
    assert.match(server.leafUrl, /^nats-leaf:\/\/127\.0\.0\.1:\d+$/);
    assert.notEqual(server.port("websocket"), server.port("leaf"));
    assert.throws(() => server.port("mqtt"), /no mqtt port/);
  });

  test(`a ${version} hub speaks TLS first on its leaf port, and another server joins it as a leaf`, async () => {
    await using hub = await startHub({ version, tls: "first", jetstream: true });
    const socket = tls.connect({ host: "127.0.0.1", port: hub.server.port("leaf"), ca: await fs.readFile(hub.ca!) });
    const info = await new Promise<string>((resolve, reject) => {
      socket.once("error", reject).once("data", (bytes) => resolve(String(bytes)));
    });
    assert.match(info, /^INFO \{/); // inside TLS, before we said anything
    assert.equal(socket.authorized, true);
    socket.destroy();

    const remote = {
      url: hub.leafUrlAs({ user: "leaf", password: "leaf-password" }),
      tls: { ca_file: hub.ca, handshake_first: true },
    };
    await using leaf = await NatsServer.start({ version, name: "leaf", config: { leafnodes: { remotes: [remote] } } });
    await hub.server.logs(/Leafnode connection created/);
    assert.equal(await reaches(await leaf.connect(), await hub.connect()), "got 21.5");
  });
}

test("a hub that upgrades tells so in clear", async () => {
  await using hub = await startHub({ version: "2.10", tls: "upgrade" });
  const socket = net.connect(hub.server.port("leaf"), "127.0.0.1");
  const info = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(String(bytes))));
  assert.match(info, /"tls_required":true/);
  socket.destroy();
});

test("a hub keeps its ports over kill and restart, and a paused one answers when resumed", async () => {
  await using hub = await startHub({ version: "2.15" });
  const { clientUrl, leafUrl } = hub.server;
  await hub.server.kill();
  await hub.server.restart();
  assert.deepEqual([hub.server.clientUrl, hub.server.leafUrl], [clientUrl, leafUrl]);
  const client = await hub.connect();
  hub.server.pause();
  const answered = client.flush();
  hub.server.resume();
  await answered;
  assert.match(hub.server.log, /Server is ready[\s\S]*Server is ready/);
});

test("a server that cannot start says why in its own words", async () => {
  await assert.rejects(
    NatsServer.start({ version: "2.15", config: { nonsense: true } }),
    /ended with code 1[\s\S]*unknown field "nonsense"/,
  );
});

test("three hubs form a cluster with a JetStream leader", async () => {
  await using cluster = await startCluster(3, { version: "2.15", jetstream: true });
  const [first, , third] = cluster.hubs;
  assert.equal(await reaches(await first!.connect(), await third!.connect()), "got 21.5");
});

test("stock MQTT clients publish and receive, with nats-server as the broker", async () => {
  await using hub = await startHub({ version: "2.10", jetstream: true, config: { mqtt: {} } });
  const broker = { port: hub.server.port("mqtt"), user: "app", password: "app-password" };
  await using subscriber = await MosquittoSub.start(broker, ["plant/+/temp"], 1);
  await mosquittoPub(broker, { topic: "plant/7/temp", message: "21.5 °C", qos: 1 });
  const [message] = await subscriber.receives(1);
  assert.deepEqual(message, { topic: "plant/7/temp", payload: Buffer.from("21.5 °C"), qos: 1, retain: false });
  await assert.rejects(mosquittoPub({ ...broker, password: "wrong" }, { topic: "a", message: "b" }), /not authori[sz]ed/i);
});
