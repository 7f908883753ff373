// What a port does with its descriptor: read, written, polled and given back without harm to whoever has the number next. Ptys are
// plugged and unplugged; a named pipe, which hears itself, stands for a device that takes nothing until it is listened to.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { constants, openSync, readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import { Poller } from "@serialport/bindings-cpp/dist/poller.js";
import { systemClock } from "#base/clock.ts";
import type { TtySettings } from "#base/tty.ts";
import { Pollers } from "#ingress/serial/pollers.ts";
import { SystemTtyPort } from "#ingress/serial/system-port.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { Pty } from "../support/pty.ts";
import { tempFolder } from "../support/temp-folder.ts";

const LINE: TtySettings = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1, rtscts: false };
/** More than a pipe holds (64 KiB), and not a multiple of it. */
const TOO_MUCH = Buffer.from(Array.from({ length: 200_001 }, (_, i) => (i * 167 + (i >> 8) * 13) & 0xff));

const awake = { timeout: 30_000 };

/** Ports on named pipes. They share their pollers, as all ports of a process do. */
class Bench implements AsyncDisposable {
  readonly #scope = new AsyncDisposableStack();
  readonly #pollers = new Pollers();
  readonly #folder: string;

  static async open(): Promise<Bench> {
    const folder = await tempFolder("petiole-pipe");
    const bench = new Bench(folder.path);
    bench.#scope.use(folder);
    return bench;
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  port(name = "device"): SystemTtyPort {
    const path = `${this.#folder}/${name}`;
    execFileSync("mkfifo", [path]);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const device = { descriptor, settings: LINE, lockFile: new AsyncDisposableStack() };
    return this.#scope.use(new SystemTtyPort(path, device, { pollers: this.#pollers, clock: systemClock() }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }
}

/** A server that says again what it hears, and its callers, each kept for a while: they take the numbers that ports gave back. */
class Echo implements AsyncDisposable {
  readonly #server: Server;
  readonly #kept: Socket[] = [];

  static async listen(): Promise<Echo> {
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Echo(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Resolves when a new connection, and every one that is kept, has been answered. */
  async answersAll(): Promise<void> {
    const address = this.#server.address();
    assert.ok(typeof address === "object" && address !== null);
    this.#kept.push(connect(address.port, "127.0.0.1"));
    if (this.#kept.length > 4) this.#kept.shift()!.destroy();
    await Promise.all(
      this.#kept.map(async (socket) => {
        socket.write("there?");
        await once(socket, "data");
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#kept) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function countPollers(): number {
  return queryObjects(Poller, { format: "count" });
}

/** Turns of the event loop within so many milliseconds. */
async function loopTurns(ms: number): Promise<number> {
  const before = performance.nodeTiming.uvMetricsInfo.loopCount;
  await new Promise((done) => setTimeout(done, ms));
  return performance.nodeTiming.uvMetricsInfo.loopCount - before;
}

test("a port opened and closed a thousand times leaves no descriptor and no poller behind", awake, async () => {
  await using pty = await Pty.open();
  const tty = systemTty();
  const cycle = async () => {
    const port = await tty.open(pty.path, LINE);
    port.onData(() => undefined);
    await port[Symbol.asyncDispose]();
  };
  for (let i = 0; i < 10; i++) await cycle();
  const [descriptors, pollers] = [openDescriptors(), countPollers()];
  for (let i = 0; i < 1000; i++) await cycle();
  assert.equal(openDescriptors(), descriptors);
  assert.ok(countPollers() <= pollers + 4, `${pollers} pollers became ${countPollers()}`);
});

test("sockets that get the numbers of closed ports are served, and ports that get theirs are", awake, async () => {
  await using echo = await Echo.listen();
  await using pty = await Pty.open();
  const tty = systemTty();
  for (let i = 0; i < 100; i++) {
    const port = await tty.open(pty.path, LINE);
    const heard = Promise.withResolvers<string>();
    port.onData((chunk) => heard.resolve(String(chunk)));
    pty.write("!");
    assert.equal(await heard.promise, "!");
    if (i % 2 === 0) await echo.answersAll(); // the next port gets another number
    await port[Symbol.asyncDispose]();
    await echo.answersAll();
  }
});

test("unplugged twenty times, each port says so at once, be it read, paused or held up in a write", awake, async () => {
  await using pty = await Pty.open();
  const tty = systemTty();
  for (let i = 0; i < 20; i++) {
    const port = await tty.open(pty.path, LINE);
    const end = Promise.withResolvers<Error | undefined>();
    port.onClose(end.resolve);
    port.onData(() => undefined);
    if (i % 3 === 0) port.pause();
    const written = i % 2 === 0 ? port.write(TOO_MUCH).then(() => "taken", String) : undefined;
    await pty.unplug();
    assert.equal((await end.promise)?.message, "unplugged");
    if (written !== undefined) assert.match(await written, /^taken$|was closed meanwhile/);
    await assert.rejects(port.write(TOO_MUCH), /is closed/);
    await pty.replug();
  }
});

test("a write that waits holds up no reading", awake, async () => {
  await using bench = await Bench.open();
  const port = bench.port();
  const heard: Buffer[] = [];
  let bytes = 0;
  const all = Promise.withResolvers<void>();
  port.onData((chunk) => {
    heard.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes === TOO_MUCH.length) all.resolve();
  });
  await port.write(TOO_MUCH); // the pipe takes the end of it only when we have read its beginning
  await all.promise;
  assert.ok(Buffer.concat(heard).equals(TOO_MUCH));
});

test("one write at a time: a second one is refused, and the first goes on", awake, async () => {
  await using bench = await Bench.open();
  const port = bench.port();
  const first = port.write(TOO_MUCH);
  await assert.rejects(port.write(Buffer.from("me too")), /another write is under way/);
  let bytes = 0;
  port.onData((chunk) => {
    bytes += chunk.length;
  });
  await first;
  await port.write(Buffer.alloc(0));
  await port[Symbol.asyncDispose]();
  assert.equal(bytes, TOO_MUCH.length);
});

test("a paused port costs no turn of the event loop, whatever waits to be read or written", awake, async () => {
  await using bench = await Bench.open();
  const port = bench.port();
  let bytes = 0;
  port.onData((chunk) => {
    bytes += chunk.length;
  });
  await port.write(TOO_MUCH); // from now on the binding's poller has been asked for both kinds of events
  port.pause();
  await port.write(Buffer.alloc(1000));
  const before = bytes;
  assert.ok((await loopTurns(200)) < 50);
  const written = port.write(TOO_MUCH);
  assert.ok((await loopTurns(200)) < 50);
  assert.equal(bytes, before);
  port.resume();
  await written;
});

test("closed in the middle of a write, it rejects the write, and the system still serves the disk", awake, async () => {
  await using folder = await tempFolder("petiole-disk");
  await using file = await open(`${folder.path}/file`, "w");
  await using bench = await Bench.open();
  // Twice as many as there are threads for the disk.
  const ports = Array.from({ length: 8 }, (_, i) => bench.port(`device-${i}`));
  const writes = ports.map((port) => port.write(TOO_MUCH));
  await file.write("acknowledged");
  await file.datasync();
  const ends = Promise.allSettled(writes);
  await Promise.all(ports.map((port) => port[Symbol.asyncDispose]()));
  for (const end of await ends) assert.equal(end.status, "rejected");
});

test("lines moved while the port closes: the closing waits, and nothing is moved behind it", awake, async () => {
  await using pty = await Pty.open();
  const tty = systemTty();
  const port = await tty.open(pty.path, LINE);
  const moves = Promise.allSettled([port.setSignals({ dtr: false }), port.setSignals({ rts: false })]);
  await port[Symbol.asyncDispose]();
  const [first, second] = await moves;
  assert.equal(first.status, "rejected"); // a pty has no such lines
  assert.ok(second.status === "rejected" && /is closed/.test(String(second.reason)));
  await assert.rejects(port.setSignals({ dtr: true }), /is closed/);
});
