import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import type { NetShape } from "../../support/shaped-net.ts";
import { EFFECTIVE_BUFFER_BYTES_MAX, Shaper } from "../../support/shaper.ts";

/** An echo behind a bad link, and sockets that end with the test. `sink`: the far side hears and says nothing. */
async function open(shape: NetShape, far: "echo" | "sink" = "echo") {
  const sockets = new Set<net.Socket>();
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    accepted.push(socket);
    socket.on("error", () => socket.destroy());
    if (far === "echo") socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const shaper = await Shaper.before((server.address() as net.AddressInfo).port, shape);
  const dial = async () => {
    const socket = net.connect({ port: shaper.port, host: "127.0.0.1", noDelay: true });
    sockets.add(socket);
    await once(socket, "connect");
    return socket.on("error", () => undefined);
  };
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    await shaper[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  };
  return { shaper, dial, accepted, [Symbol.asyncDispose]: dispose };
}

/** Resolves when `count` bytes have come. */
async function receives(socket: net.Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    chunks.push(chunk);
    if ((bytes += chunk.length) >= count) return Buffer.concat(chunks);
  }
}

test("rate and delay are kept both ways: never faster, and hardly slower", async () => {
  await using link = await open({ up: { rate: 1_000_000, delay: 100 }, down: { delay: 50 } });
  const socket = await link.dial();
  const bytes = Buffer.alloc(100_000, "0123456789");
  const startMs = performance.now();
  socket.write(bytes);
  assert.ok((await receives(socket, bytes.length)).equals(bytes));
  const tookMs = performance.now() - startMs;
  const wantedMs = 800 + 100 + 50;
  assert.ok(tookMs >= wantedMs - 2, `${tookMs} ms, wanted at least ${wantedMs}`);
  assert.ok(tookMs < wantedMs * 1.5, `${tookMs} ms, wanted about ${wantedMs}`); // the machine may be busy
  assert.deepEqual([link.shaper.bytesUp, link.shaper.bytesDown], [bytes.length, bytes.length]);
});

test("an end comes through behind the data, from either side", async () => {
  await using link = await open({ up: { rate: 1_000_000 } });
  const socket = await link.dial();
  socket.end(Buffer.alloc(20_000));
  assert.equal((await receives(socket, 20_000)).length, 20_000);
  await once(socket, "end");
  const other = await link.dial();
  other.write("x");
  await receives(other, 1);
  link.accepted[1]!.end();
  other.resume();
  await once(other, "end");
});

test("a slow link fills the sender's socket: it is told, and what is under way is bounded", async (t) => {
  await using link = await open({ up: { rate: 8_000, bufferBytes: 16 * 1024 } }, "sink");
  const socket = await link.dial();
  link.accepted[0]?.resume();
  let taken = 0;
  const chunk = Buffer.alloc(64 * 1024);
  let last = performance.now();
  const fill = () =>
    void socket.write(chunk, (error) => {
      if (error) return; // the end of the test
      taken += chunk.length;
      last = performance.now();
      fill();
    });
  fill();
  while (performance.now() - last < 300) await new Promise((resolve) => setTimeout(resolve, 20)); // it has stopped taking
  t.diagnostic(`${taken / 1024} KiB were taken before the socket was full, 16 KiB of them by the link's own buffer`);
  assert.ok(taken > 0 && taken <= EFFECTIVE_BUFFER_BYTES_MAX, `${taken}`);
  assert.ok(socket.writableNeedDrain);
  assert.ok(link.shaper.up.queuedBytes <= 16 * 1024);
});

test("a stalled link holds what is sent and delivers it when healed, to connections made meanwhile too", async () => {
  await using link = await open({ up: { delay: 5 } });
  const socket = await link.dial();
  socket.write("hello");
  await receives(socket, 5);
  link.shaper.stall();
  socket.write("held");
  const late = await link.dial();
  late.write("late");
  const silent = (data: Buffer) => assert.fail(`${data} came through a stalled link`);
  socket.on("data", silent);
  await new Promise((resolve) => setTimeout(resolve, 50)); // long enough for what must not happen
  socket.off("data", silent);
  link.shaper.heal();
  assert.deepEqual([String(await receives(socket, 4)), String(await receives(late, 4))], ["held", "late"]);
});

test("half-open: megabytes vanish in one direction, the other goes on, nobody is told", async () => {
  await using link = await open({}, "sink");
  const socket = await link.dial();
  const heard: string[] = [];
  socket.on("data", (chunk) => heard.push(String(chunk))).on("end", () => heard.push("end"));
  socket.write("hello");
  while (link.accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const far = link.accepted[0]!;
  assert.equal(String(await receives(far, 5)), "hello");
  link.shaper.halfOpen("up");
  far.on("data", () => assert.fail("something came through"));
  await new Promise((resolve) => socket.write(Buffer.alloc(8 << 20), resolve));
  const came = once(socket, "data");
  far.write("down");
  await came;
  assert.deepEqual([heard, socket.destroyed, far.destroyed], [["down"], false, false]);
});

test("a silent drop tells nobody anything, new connections stay unanswered until it is healed", async () => {
  await using link = await open({});
  const socket = await link.dial();
  socket.write("hello");
  await receives(socket, 5);
  link.shaper.drop();
  const heard: string[] = [];
  const late = await link.dial();
  for (const each of [socket, late]) each.on("data", () => heard.push("data")).on("close", () => heard.push("close"));
  socket.write("lost");
  late.write("lost");
  await new Promise((resolve) => setTimeout(resolve, 50)); // long enough for what must not happen
  link.shaper.heal();
  const other = await link.dial();
  other.write("through");
  await receives(other, 7);
  assert.deepEqual([heard, link.accepted.length], [[], 2]);
});

test("a reset ends both sides with an error, and new connections work", async () => {
  await using link = await open({ up: { delay: 10_000 } }, "sink");
  const socket = await link.dial();
  while (link.accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const codes = [socket, link.accepted[0]!].map((each) => once(each, "error").then(([error]) => error.code));
  link.shaper.reset();
  assert.deepEqual(await Promise.all(codes), ["ECONNRESET", "ECONNRESET"]);
  await link.dial();
});

test("a hub that is not there looks like a reset", async () => {
  await using shaper = await Shaper.before(1);
  const socket = net.connect(shaper.port, "127.0.0.1").on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  assert.equal(shaper.open, 0);
});
