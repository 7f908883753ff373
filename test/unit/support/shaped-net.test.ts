import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteStream } from "#base/net.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type NetShape, ShapedNet } from "../../support/shaped-net.ts";
import { WINDOW_BYTES } from "../../support/shaped-stream.ts";

const HUB = { host: "127.0.0.1", port: 7422 };
const NEVER = new AbortController().signal;

/** Both ends of one connection over a net of this shape, with what each has heard. */
async function open(shape: NetShape) {
  const clock = new FakeClock();
  const net = new ShapedNet(clock, shape);
  const accepted: ByteStream[] = [];
  await net.listen(HUB, (stream) => accepted.push(stream));
  const start = clock.now();
  const near = await dial(net);
  const tookMs = clock.now() - start;
  return { clock, net, near, far: accepted[0]!, accepted, tookMs, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

async function dial(net: ShapedNet, endpoint = HUB, signal = NEVER): Promise<ByteStream> {
  let outcome: { stream: ByteStream } | { error: Error } | undefined;
  net.dial(endpoint, signal).then(
    (stream) => {
      outcome = { stream };
    },
    (error: Error) => {
      outcome = { error };
    },
  );
  await net.until("the dial has come to something", () => outcome !== undefined);
  if ("error" in outcome!) throw outcome.error;
  return outcome!.stream;
}

/** Every event of a stream as a line. */
function listen(stream: ByteStream): string[] {
  const heard: string[] = [];
  stream.on("data", (chunk: Buffer) => heard.push(chunk.toString()));
  stream
    .on("end", () => heard.push("end"))
    .on("error", (error) => heard.push((error as NodeJS.ErrnoException).code ?? error.message));
  return heard;
}

test("a dial takes a round trip, and so does an echo", async () => {
  await using link = await open({ up: { delay: 250 }, down: { delay: 100 } });
  assert.equal(link.tookMs, 350);
  const heard = listen(link.near);
  link.far.on("data", (chunk) => link.far.write(chunk));
  link.near.write("hello");
  await link.net.pass(349);
  assert.deepEqual(heard, []);
  await link.net.pass(1);
  assert.deepEqual(heard, ["hello"]);
});

test("nobody listens: refused after a round trip", async () => {
  await using link = await open({ up: { delay: 50 }, down: { delay: 50 } });
  await assert.rejects(dial(link.net, { host: "127.0.0.1", port: 1 }), { code: "ECONNREFUSED" });
});

test("an aborted dial rejects with its reason; its handshake harms nobody", async () => {
  await using link = await open({ up: { delay: 50 } });
  const stop = new AbortController();
  const dialled = link.net.dial(HUB, stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(dialled, /enough/);
  await link.net.pass(1000);
  const late = link.accepted[1]!.resume();
  await link.net.pass(1000);
  assert.equal(late.destroyed, true);
  assert.equal(link.net.open, 1);
});

test("a minute of writing at 50 kbit/s delivers 375,000 bytes, and the writer is told when there is room", async () => {
  await using link = await open({ up: { rate: 50_000, delay: 250, bufferBytes: 20_000 } });
  let received = 0;
  link.far.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  let taken = 0;
  const write = () =>
    void link.near.write(Buffer.alloc(5000), () => {
      taken += 5000;
      write();
    });
  write();
  await link.net.pass(60_250);
  assert.ok(Math.abs(received - 375_000) <= 1200, `${received}`);
  // Taken and not yet received: the buffer, what is under way (250 ms), and what the last packet began.
  assert.ok(taken - received <= 20_000 + 1563 + 1200, `${taken - received} bytes between the ends`);
});

test("a reader that does not read stops the writer at the window", async () => {
  await using link = await open({});
  let taken = 0;
  for (let i = 0; i < 40; i++) {
    link.near.write(Buffer.alloc(64 * 1024), () => {
      taken += 64 * 1024;
    });
  }
  await link.net.pass(10_000);
  assert.ok(taken <= WINDOW_BYTES + 64 * 1024, `${taken}`);
  let received = 0;
  link.far.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  await link.net.pass(10_000);
  assert.equal(received, 40 * 64 * 1024);
});

test("an end goes behind the data, and the other side's answer still comes", async () => {
  await using link = await open({ up: { rate: 8000 } });
  const heard = listen(link.far);
  listen(link.near);
  link.near.end("x".repeat(1000));
  await link.net.pass(900);
  assert.deepEqual(heard, []);
  await link.net.pass(200);
  assert.deepEqual(heard, ["x".repeat(1000), "end"]);
  await link.net.pass(1000);
  assert.equal(link.net.open, 0);
});

test("a stall holds everything and loses nothing", async () => {
  await using link = await open({ up: { delay: 10 } });
  const heard = listen(link.far);
  link.near.write("before");
  await link.net.pass(5);
  link.net.stall();
  link.near.write(" during");
  await link.net.pass(600_000);
  assert.deepEqual(heard, []);
  link.net.heal();
  await link.net.pass(100);
  assert.equal(heard.join(""), "before during");
});

test("half-open upwards: bytes vanish without an end, what comes down still comes, new connections work", async () => {
  await using link = await open({});
  const near = listen(link.near);
  const far = listen(link.far);
  link.net.halfOpen("up");
  let written = false;
  link.near.write(Buffer.alloc(4 * 1024 * 1024), () => {
    written = true;
  });
  link.far.write("down");
  await link.net.pass(60_000);
  assert.deepEqual([near, far, written, link.near.destroyed], [["down"], [], true, false]);
  const other = await dial(link.net);
  const otherHeard = listen(link.accepted[1]!);
  other.write("hi");
  await link.net.pass(10);
  assert.deepEqual(otherHeard, ["hi"]);
});

test("a silent drop takes nothing, tells nothing and leaves dials unanswered; healed, new connections work", async () => {
  await using link = await open({ up: { delay: 10 } });
  const near = listen(link.near);
  const far = listen(link.far);
  link.near.write("under way");
  link.net.drop();
  let written = false;
  link.near.write("more", () => {
    written = true;
  });
  const stop = new AbortController();
  const dialled = link.net.dial(HUB, stop.signal);
  await link.net.pass(600_000);
  assert.deepEqual([near, far, written], [[], [], false]);
  stop.abort(new Error("gave up"));
  await assert.rejects(dialled, /gave up/);
  link.net.heal();
  await dial(link.net);
  assert.deepEqual([near, far], [[], []]);
});

test("a reset fails both ends at once", async () => {
  await using link = await open({ up: { delay: 500 } });
  const near = listen(link.near);
  const far = listen(link.far);
  link.net.reset();
  await link.net.pass(0);
  assert.deepEqual([near, far, link.net.open], [["ECONNRESET"], ["ECONNRESET"], 0]);
});

test("a queue that one connection left behind delays the handshake of the next", async () => {
  await using link = await open({ up: { rate: 8000, bufferBytes: 4000 } });
  link.near.write(Buffer.alloc(4000));
  await link.net.pass(0);
  link.near.destroy();
  const start = link.clock.now();
  await dial(link.net);
  assert.equal(Math.round(link.clock.now() - start), 4000);
});
