// A full outbox, a real hub and stock publishers: who is told what, and whether the ledger's count is what is missing at the hub.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { DEVICE, startSpoke, type TestSpoke } from "../support/spoke.ts";

const MAX_MESSAGES = 5;
const PUBLISHED = 13;
const SAFE = { safe: true };

/** Hub, cable and spoke; the cable is cut. */
async function openScene(version: (typeof TESTED_LINES)[number], whenFull: string) {
  await using scope = new AsyncDisposableStack();
  const hub = scope.use(await startHub({ version }));
  const cutter = scope.use(await LinkCutter.before(hub.server.port("leaf")));
  const spoke = scope.use(
    await startSpoke({
      remote: { urls: [cutter.through(hub.leafUrlAs(LEAF))] },
      settings: {
        listen: "127.0.0.1:0",
        accounts: [{ name: "EDGE", users: [{ ...DEVICE, nats: true }] }],
        outbox: {
          free_reserve: "0B",
          max_messages: MAX_MESSAGES,
          when_full: whenFull,
          rules: [{ subjects: [">"], keep: "always" }],
        },
      },
    }),
  );
  const app = await hub.connect();
  const arrived: string[] = [];
  app.subscribe("readings.>", { callback: (_, message) => void arrived.push(message.string()) });
  await app.flush();
  await spoke.untilReady();
  cutter.cut();
  await spoke.until("the link is down", (report) => report.remotes[0]!.link.state !== "ready");
  const owned = scope.move();
  return { cutter, spoke, arrived, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function natsClientOf(spoke: TestSpoke): Promise<NatsConnection & AsyncDisposable> {
  const client = await connect({
    servers: `127.0.0.1:${spoke.spoke.natsEndpoint!.port}`,
    user: DEVICE.user,
    pass: DEVICE.password,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** Publishes `n-0`, `n-1` … and returns those that were told safe. */
async function publishByNats(spoke: TestSpoke): Promise<readonly string[]> {
  await using client = await natsClientOf(spoke);
  const safe: string[] = [];
  const ask = headers();
  ask.set("Petiole-Ack", "safe");
  for (let i = 0; i < PUBLISHED; i++) {
    const answer = await client.request("readings.nats", `n-${i}`, { headers: ask, timeout: 5000 });
    const said = answer.json<{ readonly safe: boolean; readonly error?: string }>();
    if (said.safe) assert.deepEqual(said, SAFE);
    else assert.equal(said.error, "outbox_full");
    if (said.safe) safe.push(`n-${i}`);
  }
  return safe;
}

function lossesOf(spoke: TestSpoke, reason: string): number {
  const { losses } = spoke.spoke.report().remotes[0]!.outbox;
  return losses.filter((loss) => loss.reason === reason).reduce((sum, { messages }) => sum + messages, 0);
}

async function drained(spoke: TestSpoke, cutter: LinkCutter): Promise<void> {
  cutter.heal();
  await spoke.until("everything is delivered", ({ remotes }) => {
    return remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0;
  });
}

for (const version of TESTED_LINES) {
  for (const policy of ["drop_oldest", "drop_new"] as const) {
    test(`hub ${version}: ${policy} goes on acknowledging MQTT devices, and what is missing at the hub is what the ledger says`, async () => {
      await using scene = await openScene(version, policy);
      const { spoke, cutter, arrived } = scene;
      const safe = await publishByNats(spoke);
      assert.equal(safe.length < PUBLISHED, policy === "drop_new", "NATS has words for a message that is dropped");
      await using device = await spoke.device();
      for (let i = 0; i < PUBLISHED; i++) await device.publishAsync("readings/mqtt", `m-${i}`, { qos: 1 });
      await drained(spoke, cutter);
      const lost = lossesOf(spoke, "displaced");
      assert.ok(lost >= 2 * PUBLISHED - 2 * MAX_MESSAGES, `${lost} were lost`);
      await spoke.until("all that is left has arrived", () => new Set(arrived).size === 2 * PUBLISHED - lost);
      if (policy === "drop_new")
        assert.deepEqual(
          [...new Set(arrived)].filter((name) => name.startsWith("n-")),
          safe,
        );
      else assert.ok(arrived.includes(`m-${PUBLISHED - 1}`), "the newest is there");
      await spoke.until("there is room again", ({ remotes }) => remotes[0]!.outbox.full === null);
      await device.publishAsync("readings/mqtt", "later", { qos: 1 });
      await spoke.until("a later message arrives", () => arrived.includes("later"));
    });
  }

  test(`hub ${version}: refuse tells a NATS publisher, and ends an MQTT connection without the PUBACK; what was acknowledged arrives`, async () => {
    await using scene = await openScene(version, "refuse");
    const { spoke, cutter, arrived } = scene;
    const safe = await publishByNats(spoke);
    assert.ok(safe.length >= MAX_MESSAGES && safe.length < PUBLISHED, `${safe.length} were safe`);
    const refused = lossesOf(spoke, "refused");
    assert.equal(refused, PUBLISHED - safe.length);
    const device = await spoke.device();
    const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
    device.once("close", onClosed);
    let isAcknowledged = false;
    device.publish("readings/mqtt", "m-0", { qos: 1 }, (error) => {
      isAcknowledged = error === undefined || error === null;
    });
    await closed;
    device.end(true);
    assert.equal(isAcknowledged, false);
    assert.ok(
      spoke.log.some((line) => line.includes("the outbox is full and refuses new messages")),
      "the log says why",
    );
    assert.equal(lossesOf(spoke, "refused"), refused + 1);
    await drained(spoke, cutter);
    await spoke.until("all that was safe has arrived", () => new Set(arrived).size === safe.length);
    assert.deepEqual([...new Set(arrived)].toSorted(), safe.toSorted());
    await spoke.until("there is room again", ({ remotes }) => remotes[0]!.outbox.full === null);
    await using again = await spoke.device();
    await again.publishAsync("readings/mqtt", "m-0", { qos: 1 });
    await spoke.until("the device's message arrives in the end", () => arrived.includes("m-0"));
  });
}
