import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { LinkCutter } from "../../support/link-cutter.ts";

/** An echo with a relay in front of it, and sockets that end with the test. */
async function open() {
  const sockets = new Set<net.Socket>();
  const echo = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const cutter = await LinkCutter.before((echo.address() as net.AddressInfo).port);
  const dial = async () => {
    const socket = net.connect(cutter.port, "127.0.0.1");
    sockets.add(socket);
    await once(socket, "connect");
    return socket.on("error", () => undefined);
  };
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    await cutter[Symbol.asyncDispose]();
    await new Promise((resolve) => echo.close(resolve));
  };
  return { cutter, dial, [Symbol.asyncDispose]: dispose };
}

/** However it ended. */
function closes(socket: net.Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
}

async function echoes(socket: net.Socket, text: string): Promise<void> {
  const answer = once(socket, "data");
  socket.write(text);
  assert.equal(String((await answer)[0]), text);
}

test("a whole link carries bytes both ways, counts them, and passes an end on", async () => {
  await using link = await open();
  const socket = await link.dial();
  await echoes(socket, "hello");
  assert.deepEqual([link.cutter.bytesUp, link.cutter.bytesDown, link.cutter.open], [5, 5, 1]);
  const ended = once(socket, "end");
  socket.end();
  await ended;
});

test("a cut link resets what is open and what is dialled, and works again when healed", async () => {
  await using link = await open();
  const socket = await link.dial();
  await echoes(socket, "hello");
  const closed = closes(socket);
  link.cutter.cut();
  await closed;
  await closes(net.connect(link.cutter.port, "127.0.0.1"));
  link.cutter.heal();
  await echoes(await link.dial(), "again");
});

test("a stalled link holds what is sent and delivers it when healed", async () => {
  await using link = await open();
  const socket = await link.dial();
  await echoes(socket, "hello");
  link.cutter.stall();
  const answer = once(socket, "data");
  socket.write("held");
  const late = await link.dial(); // dialled into the silence
  const lateAnswer = once(late, "data");
  late.write("late");
  assert.equal(link.cutter.bytesUp, 5);
  link.cutter.heal();
  assert.equal(String((await answer)[0]), "held");
  assert.equal(String((await lateAnswer)[0]), "late");
});

test("a half-open link takes bytes for ever, answers none, and never ends", async () => {
  await using link = await open();
  const socket = await link.dial();
  await echoes(socket, "hello");
  link.cutter.halfOpen();
  socket.on("data", () => assert.fail("something came out of a dead link"));
  await new Promise((resolve) => socket.write(Buffer.alloc(8 << 20), resolve));
  assert.equal(socket.destroyed, false);
  assert.equal(link.cutter.open, 0);
  await echoes(await link.dial(), "another");
});

test("a reset link ends what is open with an error and takes new connections at once", async () => {
  await using link = await open();
  const socket = await link.dial();
  await echoes(socket, "hello");
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once("error", resolve));
  link.cutter.reset();
  assert.equal((await failed).code, "ECONNRESET");
  await echoes(await link.dial(), "another");
});

test("a hub that is not there looks like a reset", async () => {
  await using cutter = await LinkCutter.before(1);
  await closes(net.connect(cutter.port, "127.0.0.1"));
  assert.equal(cutter.open, 0);
});
