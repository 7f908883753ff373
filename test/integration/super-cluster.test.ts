// The spoke and a super-cluster: two clusters of hubs joined by gateways.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { LEAF } from "../support/hub.ts";
import { natsJs } from "../support/nats-client.ts";
import { DEVICE, startSpoke } from "../support/spoke.ts";
import { HubStream } from "../support/stream.ts";
import { startSuperCluster } from "../support/super-cluster.ts";

const LOGIN = { user: LEAF.user, password: LEAF.password };

for (const version of TESTED_LINES) {
  test(`super-cluster ${version}: readings and commands cross the gateway both ways, queue groups get each message once`, async () => {
    await using world = await startSuperCluster({ west: 2, east: 2 }, { version });
    const { west, east } = world.clusters;
    await using far = disposable(await east[1]!.connect());
    const readings = far.subscribe("sensors.>");
    const seen: string[] = [];
    for (let member = 0; member < 3; member++) {
      far.subscribe("jobs.>", { queue: "workers", callback: (_, message) => void seen.push(message.string()) });
    }
    await far.flush();
    await using spoke = await startSpoke({ remote: { urls: [west[0]!.leafUrl], ...LOGIN } });
    await spoke.untilReady();
    await using device = await spoke.device();
    await device.subscribeAsync("cmd/#", { qos: 1 });
    const { promise: command, resolve } = Promise.withResolvers<string>();
    device.on("message", (topic, payload) => payload.length > 0 && resolve(`${topic}=${payload}`)); // probes are empty

    await device.publishAsync("sensors/a", "21.5", { qos: 1 });
    for await (const reading of readings) {
      assert.deepEqual([reading.subject, reading.string()], ["sensors.a", "21.5"]);
      break;
    }
    for (let i = 0; i < 60; i++) await device.publishAsync("jobs/x", String(i), { qos: (i % 2) as 0 | 1 });
    await until("the workers have heard all", () => seen.length >= 60);
    assert.deepEqual(
      seen.map(Number).sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, i) => i),
    );
    await untilInterest(far, "cmd.probe");
    far.publish("cmd.x", "open");
    assert.equal(await command, "cmd/x=open");
  });

  test(`super-cluster ${version}: requests cross the gateway both ways, and a _GR_ reply is answered as it stands`, async () => {
    await using world = await startSuperCluster({ west: 2, east: 2 }, { version });
    const { west, east } = world.clusters;
    await using far = disposable(await east[0]!.connect());
    far.subscribe("at.hub", { callback: (_, message) => void message.respond(`hub heard ${message.string()}`) });
    await far.flush();
    const accounts = [{ name: "EDGE", users: [{ ...DEVICE, nats: true }] }];
    await using spoke = await startSpoke({
      remote: { urls: [west[0]!.leafUrl], ...LOGIN },
      settings: { listen: "127.0.0.1:0", accounts },
    });
    await spoke.untilReady();
    await using local = await natsJs(spoke.spoke.natsEndpoint!.port, { user: DEVICE.user, pass: DEVICE.password });
    const replies: string[] = [];
    local.subscribe("at.spoke", {
      callback: (_, message) => {
        replies.push(message.reply!);
        message.respond(`spoke heard ${message.string()}`);
      },
    });
    await local.flush();
    assert.equal(await ask(far, "at.spoke", "a question"), "spoke heard a question");
    assert.match(replies[0]!, /^_GR_\./);
    assert.equal(await ask(local, "at.hub", "another"), "hub heard another");
    const many = Array.from({ length: 50 }, (_, i) => i);
    const answers = await Promise.all(many.map((i) => far.request("at.spoke", String(i), { timeout: 5000 })));
    assert.deepEqual(
      answers.map((answer) => answer.string()),
      many.map((i) => `spoke heard ${i}`),
    );
  });

  test(`super-cluster ${version}: all servers of one cluster die, the other takes over, its stream gets everything once`, async () => {
    await using world = await startSuperCluster({ west: 2, east: 3 }, { version, jetstream: true });
    const { west, east } = world.clusters;
    const urls = [...west, ...east].map((hub) => hub.leafUrl);
    await using far = disposable(await east[1]!.connect());
    const stream = await HubStream.create(far, "SENSORS", ["sensors.>"], 3); // in the cluster of who asks for it
    await using spoke = await startSpoke({ remote: { urls, ...LOGIN, no_randomize: true } });
    await spoke.untilReady();
    assert.equal(spoke.spoke.report().remotes[0]!.link.url, west[0]!.leafUrl);
    await using device = await spoke.device();
    for (let i = 0; i < 100; i++) await device.publishAsync("sensors/a", String(i), { qos: 1 });
    await stream.holds(100); // what a dying hub has on its way is its own: `confirm: accepted` promises no more (DESIGN §4.3)
    await Promise.all(west.map((hub) => hub.server.kill()));
    await Promise.all(Array.from({ length: 300 }, (_, i) => device.publishAsync("sensors/a", String(100 + i), { qos: 1 })));
    const { remotes } = await spoke.until(
      "the other cluster has us",
      ({ remotes: [remote] }) => remote!.link.state === "ready" && east.some((hub) => hub.leafUrl === remote!.link.url),
    );
    assert.equal(remotes[0]!.link.hub_cluster, "east");
    await stream.holds(400);
    assert.deepEqual(
      await stream.payloads(),
      Array.from({ length: 400 }, (_, i) => String(i)),
    );
  });
}

function disposable<T extends { close(): Promise<void> }>(nats: T): T & AsyncDisposable {
  return Object.assign(nats, { [Symbol.asyncDispose]: () => nats.close() });
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, `${what}: not within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resolves when somebody wants `subject` as far as this client's server knows. */
async function untilInterest(nats: NatsConnection, subject: string): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    const answer = await nats.request(subject, "", { timeout: 200 }).catch((error: Error) => error);
    if (!(answer instanceof Error) || !/no responders/i.test(answer.message)) return;
    assert.ok(performance.now() < end, `the hub never heard that somebody wants ${subject}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Asks again until somebody answers: interest takes a moment to come through link and gateway. */
async function ask(nats: NatsConnection, subject: string, question: string): Promise<string> {
  const end = performance.now() + 10_000;
  for (;;) {
    const answer = await nats.request(subject, question, { timeout: 2000 }).catch((error: Error) => error);
    if (!(answer instanceof Error)) return answer.string();
    if (performance.now() > end) throw answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
