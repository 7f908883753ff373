// The link over a simulated modem: the smallest example of how the bad-link simulations are set up.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entropy } from "#base/entropy.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import { Link } from "#uplink/link.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { linkEnv } from "../support/link-env.ts";
import { remoteFrom } from "../support/link-harness.ts";
import { MemoryHub } from "../support/memory-hub.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type NetShape, ShapedNet } from "../support/shaped-net.ts";

/** 50 kbit/s and 500 ms of round trip, with a modem's buffer. */
const BAD: NetShape = {
  up: { rate: 50_000, delay: 250, bufferBytes: 32 * 1024, packetBytes: 600 },
  down: { rate: 50_000, delay: 250, bufferBytes: 32 * 1024, packetBytes: 600 },
};

function seededEntropy(seed: number): Entropy {
  const random = seededRandom(seed);
  return { random, bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256))) };
}

/** A link and its hub on the two sides of a net of this shape. */
async function open(shape: NetShape) {
  const clock = new FakeClock();
  const net = new ShapedNet(clock, shape);
  const hub = await MemoryHub.listen(net, clock, { interest: ["sensors.>"] });
  const env = linkEnv({ clock, disk: new FakeDisk({ seed: 1 }), net, entropy: seededEntropy(1) });
  const heard: string[] = [];
  let carrier: Carrier | undefined;
  const remote = remoteFrom({ urls: [hub.url], reconnect: { min: "1s", max: "60s" } });
  const link = new Link(remote, { serverName: "gw-1", dataDir: "/nowhere", account: "EDGE" }, env, {
    writeInterest: (out: WireWriter) => out.text("LS+ cmd.>\r\n"),
    onReady: (ready: Carrier) => {
      carrier = ready;
      heard.push("ready");
    },
    onDown: () => {
      carrier = undefined;
      heard.push("down");
    },
    onBatch: (batch) => void heard.push(`${batch.count} messages`),
    onInterest: (filter) => {
      if (!filter.startsWith("$LDS.")) heard.push(`ls+ ${filter}`);
    },
    onInterestGone: (filter) => void heard.push(`ls- ${filter}`),
    onRejected: (text) => void heard.push(`rejected ${text}`),
    onReceipt: () => void heard.push("receipt"),
    onRoom: () => void heard.push("room"),
  });
  link.start();
  const dispose = async () => {
    await link[Symbol.asyncDispose]();
    await net.pass(2000); // its goodbye
    await hub[Symbol.asyncDispose]();
    await net[Symbol.asyncDispose]();
  };
  return { clock, net, hub, link, heard, carrier: () => carrier, [Symbol.asyncDispose]: dispose };
}

test("the link becomes ready over 50 kbit/s and 500 ms, in the round trips the protocol takes", async () => {
  await using bad = await open(BAD);
  const start = bad.clock.now();
  await bad.net.until("the link is ready", () => bad.link.isReady);
  const tookMs = bad.clock.now() - start;
  // Handshake, INFO behind it, CONNECT and its answer, PING and PONG: three round trips, and 150 ms for some 900 bytes.
  assert.ok(tookMs >= 1500 && tookMs < 2500, `${tookMs} ms`);
  assert.deepEqual(bad.heard, ["ls+ sensors.>", "ready"]);
  assert.deepEqual(
    [...bad.hub.interest].filter((filter) => !filter.startsWith("$LDS.")),
    ["cmd.>"],
  );
  assert.ok(bad.link.status().rttMs! >= 500);
});

test("what is sent over it arrives in order, at the line's rate, and the receipt behind it", async () => {
  await using bad = await open(BAD);
  await bad.net.until("the link is ready", () => bad.link.isReady);
  const start = bad.clock.now();
  const carrier = bad.carrier()!;
  for (let i = 0; i < 20; i++) carrier.out.text(`LMSG sensors.a 500\r\n${String(i).padEnd(500)}\r\n`);
  carrier.barrier();
  carrier.flush();
  await bad.net.until("the receipt has come", () => bad.heard.includes("receipt"));
  const { arrivals } = bad.hub;
  assert.deepEqual(
    arrivals.map(({ payload }) => Number(payload.toString())),
    Array.from({ length: 20 }, (_, i) => i),
  );
  const tookMs = arrivals.at(-1)!.at - start;
  const wantedMs = 250 + (20 * 522 * 8) / 50;
  assert.ok(Math.abs(tookMs - wantedMs) < 200, `${tookMs} ms, wanted ${wantedMs}`);
});

test("a silent drop is noticed, and the link is ready again after the drop ends", async () => {
  await using bad = await open(BAD);
  await bad.net.until("the link is ready", () => bad.link.isReady);
  bad.net.drop();
  await bad.net.until("the link is given up", () => !bad.link.isReady);
  bad.net.heal();
  await bad.net.until("the link is ready", () => bad.link.isReady);
  assert.equal(bad.hub.connects.length, 2);
});
