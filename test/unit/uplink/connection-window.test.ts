// What a leaf connection lets be under way, over time: room is told whenever there is, a slow line stays quick to answer, a dead one is
// found out. The numbers by themselves: flow.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openS2Codec } from "#s2/codec.ts";
import { CompressedStream } from "#uplink/compressed-stream.ts";
import { verdictOn } from "#uplink/watchdog.ts";
import { type Bench, countOf, fill, introduced } from "../../support/connection-bench.ts";
import { turn } from "../../support/fake-clock.ts";

test("a full window is told once to have room, when a quarter of it is free again", async () => {
  const at = await introduced();
  const { connection, stream, heard } = at;
  let sent = 0;
  while (!connection.isCongested) {
    fill(at, 1000);
    connection.flushNow();
    sent += 1;
  }
  assert.ok(sent >= 15 && sent <= 17, `${sent} KB`);
  const pings = countOf(stream.text, "PING");
  assert.ok(pings >= 3 && pings <= 5, `${pings} PINGs: one at each quarter`);
  assert.equal(connection.isCongested, true, "asking twice is no matter");
  stream.says("PONG\r\n");
  await turn();
  const rooms = heard.filter((line) => line === "room").length;
  for (let i = 1; i < pings; i++) stream.says("PONG\r\n");
  await turn();
  assert.ok(rooms <= 1);
  assert.equal(heard.filter((line) => line === "room").length, 1);
  assert.equal(connection.isCongested, false);
});

test("a socket that does not take what it is given makes the link full, and room is told when it has", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  fill(at, 2 * 1024 * 1024);
  at.connection.flushNow();
  at.stream.says("PONG\r\n".repeat(at.connection.flow.pings)); // a hub that answers before it was asked
  await turn();
  assert.equal(at.connection.isCongested, true);
  assert.ok(!at.heard.includes("room"));
  at.stream.takesAll();
  await turn();
  assert.ok(at.heard.includes("room"));
});

test("whatever is written and answered in whatever order, whoever has seen the link full is told when it is not", async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom("write" as const, "late" as const), n: fc.integer({ min: 1, max: 60_000 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom("barrier" as const, "ping" as const, "flush" as const), n: fc.constant(0) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom("pong" as const, "turn" as const), n: fc.integer({ min: 0, max: 100_000 }) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 50), async (steps, flushDelay) => {
      const at = await introduced({ flushDelay });
      const { connection, stream, clock, heard } = at;
      let answered = 0;
      const answer = () => {
        if (answered >= countOf(stream.text, "PING\r\n")) return false;
        answered += 1;
        stream.says("PONG\r\n");
        return true;
      };
      let isWaiting = false;
      for (const { do: what, n } of steps) {
        heard.length = 0;
        if (what === "write" || what === "late") fill(at, n); // "late": somebody who writes without asking, as interest is
        if (what === "write") connection.flush();
        if (what === "barrier") connection.barrier();
        if (what === "ping") connection.ping();
        if (what === "flush") connection.flush();
        clock.advance(n % 5000);
        if (what === "pong") answer();
        if (what !== "late") await turn();
        if (heard.includes("room")) isWaiting = false;
        if (connection.isCongested) isWaiting = true;
      }
      heard.length = 0;
      connection.flush();
      for (let i = 0; i < 500; i++) {
        clock.advance(100);
        await turn();
        if (!answer() && connection.flow.pings === 0 && connection.out.pendingBytes === 0) break;
      }
      assert.ok(connection.flow.pings === 0, `${connection.flow.pings} PINGs never answered`);
      assert.ok(!isWaiting || heard.includes("room"), "told");
      assert.equal(connection.isCongested, false);
      connection.abort();
      assert.equal(clock.pending, 0);
    }),
    { numRuns: 150 },
  );
});

const stored = () => new CompressedStream(openS2Codec(), "s2_uncompressed", [], 0);

function chunkOf(text: string): Buffer {
  const chunks: Buffer[] = [];
  stored().write(Buffer.from(text), (bytes) => chunks.push(bytes));
  return Buffer.concat(chunks);
}

/** A hub at the end of a line: reads at `rate` bytes/ms and answers each PING a round trip after its byte has left. */
function connectLine(at: Bench, line: { rate: number; rtt: number }): { carried: number } {
  const state = { carried: 0 };
  let freeAt = 0;
  at.stream.onWrite = (bytes) => {
    const pings = countOf(bytes.toString("latin1"), "PING\r\n");
    freeAt = Math.max(at.clock.now(), freeAt) + bytes.length / line.rate;
    at.clock.after(freeAt - at.clock.now(), () => {
      state.carried += bytes.length;
    });
    if (pings > 0) at.clock.after(freeAt + line.rtt - at.clock.now(), () => at.stream.says("PONG\r\n".repeat(pings)));
  };
  return state;
}

test("messages larger than a probe of the line do not keep it closed for ever", async () => {
  const at = await introduced();
  const line = connectLine(at, { rate: 100, rtt: 150 });
  const send = () => {
    while (!at.connection.isCongested) {
      fill(at, 5000);
      at.connection.flushNow();
    }
  };
  let before = 0;
  for (let second = 0; second < 150; second++) {
    for (let i = 0; i < 100; i++) {
      send();
      await at.clock.pass(10);
    }
    if (second === 90) before = line.carried;
  }
  const used = (line.carried - before) / (59_000 * 100);
  assert.ok(used > 0.8, `${Math.round(used * 100)} % of the line in the last minute`);
  at.connection.abort();
});

test("a publisher who pauses for a minute and then fills the window does not make the link look slow", async () => {
  const at = await introduced();
  connectLine(at, { rate: 1000, rtt: 20 });
  const rates: number[] = [];
  for (let burst = 0; burst < 15; burst++) {
    for (let left = 300; left > 0; ) {
      for (; left > 0 && !at.connection.isCongested; left--) fill(at, 1000);
      at.connection.flushNow();
      await at.clock.pass(1);
    }
    rates.push(at.connection.flow.rate);
    await at.clock.pass(60_000);
  }
  assert.ok(Math.min(...rates.slice(1)) > 500_000, `bytes a second after each burst: ${rates.map(Math.round).join(" ")}`);
  at.connection.abort();
});

test("a dead link is stale within a minute, also when somebody writes to it all the time", async () => {
  const at = await introduced();
  connectLine(at, { rate: 6.25, rtt: 500 });
  for (let i = 0; i < 40; i++) {
    while (!at.connection.isCongested) {
      fill(at, 400);
      at.connection.flushNow();
    }
    await at.clock.pass(500);
  }
  at.stream.onWrite = () => undefined; // from here on it hears nothing
  const start = at.clock.now();
  const { connection, clock } = at;
  let verdict = "fine";
  while (clock.now() - start < 300_000) {
    connection.out.text("LS+ a.b.c\r\nLS- a.b.c\r\n".repeat(100)); // interest asks for no room
    connection.flushSoon();
    await clock.pass(250);
    verdict = verdictOn(connection.flow, connection.silentFor(clock.now()), clock.now());
    if (verdict !== "fine") break;
  }
  assert.equal(verdict, "stale");
  const tookMs = clock.now() - start;
  assert.ok(tookMs < 60_000, `after ${tookMs} ms`);
  connection.abort();
});

test("a line that has become forty times slower is known for it at the first late answer, and what waits is soon little", async () => {
  const at = await introduced();
  const line = { rate: 250, rtt: 50 };
  connectLine(at, line);
  const runFor = async (seconds: number) => {
    for (let i = 0; i < seconds * 20; i++) {
      while (!at.connection.isCongested) {
        fill(at, 500);
        at.connection.flushNow();
      }
      await at.clock.pass(50);
    }
  };
  await runFor(10);
  assert.ok(at.connection.flow.window > 200_000, `${at.connection.flow.window}`);
  line.rate = 6.25;
  line.rtt = 500;
  await runFor(55); // what was under way must go over the slow line first
  for (let i = 0; i < 10; i++) {
    await runFor(10);
    const { underWay } = at.connection.flow;
    assert.ok(underWay < 20_000, `${underWay} bytes under way after ${65 + i * 10} s`);
  }
  at.connection.abort();
});

for (const [name, prepare, wanted] of [
  ["in clear, a PONG confirms what stood in front of its PING", () => undefined, 3000],
  ["inside TLS, the whole record", ({ stream }: Bench) => void Object.assign(stream, { encrypted: true }), 0],
  ["in S2, the whole chunk", ({ connection }: Bench) => connection.compress(stored()), 0],
] as const) {
  test(`${name}: nothing that was there already counts for the next measure`, async () => {
    const at = await introduced();
    prepare(at);
    fill(at, 1000);
    at.connection.barrier();
    fill(at, 3000);
    at.connection.flushNow();
    at.stream.says(at.connection.compression === undefined ? "PONG\r\n" : chunkOf("PONG\r\n"));
    await turn();
    assert.equal(at.connection.flow.underWay, wanted);
    at.connection.abort();
  });
}
