// Bad clients in numbers: each loses its own connection, and a good one beside them notices nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RawNatsClient } from "../../support/nats-client.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { NatsDoor } from "./harness.ts";

const WORDS = [
  "PUB ",
  "HPUB ",
  "SUB ",
  "UNSUB ",
  "PING",
  "CONNECT ",
  "{}",
  " ",
  "\r\n",
  "\n",
  "a.b",
  "1",
  "99999",
  "NATS/1.0\r\n",
  "\0",
  ">",
  "\xff",
];

test("garbage ends its own connection, or nothing, and a good client beside it is served", async () => {
  const random = seededRandom(7);
  await using door = await NatsDoor.open({ limits: { maxConnections: 1000 } });
  await using good = await door.connected();
  good.send("SUB good 1\r\n");
  await good.isIdle();
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await using bad = await RawNatsClient.dial(door.port);
      const parts = Array.from({ length: 40 }, () => WORDS[Math.floor(random() * WORDS.length)]!);
      bad.send(i % 2 === 0 ? "CONNECT {}\r\n" : "", Buffer.from(parts.join(""), "latin1"));
      bad.socket.end();
      await bad.isOver();
    }),
  );
  good.send("PUB good 2\r\nhi\r\n");
  await good.receives("MSG good 1 2\r\nhi\r\n");
  await door.until(() => door.ingress.status().clients === 1);
  assert.equal(door.router.subscriptions, 1);
});

test("a flood of connections is bounded, and who was in before stays in", async () => {
  await using door = await NatsDoor.open({ limits: { maxConnections: 50 } });
  await using good = await door.connected();
  const flood = await Promise.all(Array.from({ length: 300 }, () => RawNatsClient.dial(door.port)));
  await door.until(() => door.ingress.status().connections === 301);
  assert.equal(door.ingress.status().endings.refused, 251);
  await good.isIdle();
  assert.ok(
    door.lines.filter(({ level }) => level === "warn").length <= 2,
    "three hundred refusals from one address are one line in the log",
  );
  await Promise.all(flood.map((each) => each[Symbol.asyncDispose]()));
});
