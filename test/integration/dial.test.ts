// Dialing with real sockets and a real resolver, all on loopback: names, dead addresses, black holes, a DNS server that is silent.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { AddressBook } from "#uplink/address-book.ts";
import { DIAL_FAILED, DIAL_GIVEN_UP, Dialer, type DialerLimits } from "#uplink/dialer.ts";
import { FakeDns } from "../support/fake-dns.ts";
import { tempFolder } from "../support/temp-folder.ts";

const NEVER = new AbortController().signal;

interface World extends AsyncDisposable {
  readonly dns: FakeDns;
  readonly folder: string;
  readonly book: AddressBook;
  readonly dialer: Dialer;
  readonly resolver: ReturnType<typeof systemResolver>;
}

async function world(limits: Partial<DialerLimits> = {}): Promise<World> {
  await using scope = new AsyncDisposableStack();
  const dns = scope.use(await FakeDns.listen("127.0.0.1"));
  const folder = scope.use(await tempFolder("petiole-dial")).path;
  await fs.writeFile(path.join(folder, "resolv.conf"), "nameserver 127.0.0.1\n");
  const [clock, disk, log] = [systemClock(), systemDisk(), silentLog()];
  const resolver = systemResolver({
    clock,
    disk,
    hostsPath: path.join(folder, "hosts"),
    resolvConfPath: path.join(folder, "resolv.conf"),
    dnsPort: dns.port,
    lookup: () => Promise.reject(Object.assign(new Error("not here"), { code: "ENOTFOUND" })),
  });
  const book = scope.use(await AddressBook.open(path.join(folder, "outbox"), { clock, disk, log }));
  const dialer = new Dialer({ clock, net: systemNet(), resolver, log }, book, limits);
  const owned = scope.move();
  return { dns, folder, book, dialer, resolver, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Hub extends AsyncDisposable {
  readonly port: number;
  readonly accepted: net.Socket[];
}

/** Accepts and keeps what comes. */
async function listen(address: string, port = 0): Promise<Hub> {
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => accepted.push(socket.on("error", () => undefined)));
  server.listen(port, address);
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of accepted) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An address whose SYNs are dropped: a listener that never accepts, its queue full. */
async function blackHole(address: string, port: number): Promise<AsyncDisposable> {
  const script = `const s = require("node:net").createServer(); s.listen({ port: ${port}, host: "${address}", backlog: 1 }, () => {
    require("node:fs").writeSync(1, "up"); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); });`;
  const child: ChildProcess = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  const fillers: net.Socket[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(port, address).on("error", () => undefined);
    fillers.push(socket);
    const isQueued = await Promise.race([
      once(socket, "connect").then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 400, false)),
    ]);
    if (!isQueued) break;
    assert.ok(i < 19, "the queue of the listener never fills");
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of fillers) socket.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCPSocket|Connect|CARES|DNS|QueryReq|GetAddrInfo|Timeout/i.test(name))
    .length;
}

/** Closed handles leave within a few turns of the event loop. */
async function settlesAt(count: number): Promise<void> {
  for (let turn = 0; turn < 50 && openSockets() > count; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(openSockets() <= count, `wanted ${count}, found ${process.getActiveResourcesInfo().join(" ")}`);
}

test("a name with one dead and one good address leads to the good one, and the book then knows it", async () => {
  await using here = await world();
  await using hub = await listen("127.0.0.1");
  here.dns.says("hub.example.com", "A", ["127.0.0.3", "127.0.0.1"]);
  here.dns.says("hub.example.com", "AAAA", "no-data");
  const endpoint = { host: "hub.example.com", port: hub.port };
  const stream = await here.dialer.dial(endpoint, NEVER);
  assert.equal(stream.remoteAddress, "127.0.0.1");
  here.dialer.onUp(endpoint);
  stream.destroy();
  assert.deepEqual(
    here.book.known("hub.example.com").map(({ address }) => address),
    ["127.0.0.1"],
  );
  await here.book[Symbol.asyncDispose]();
  assert.match(
    await fs.readFile(path.join(here.folder, "outbox", "addresses.json"), "utf8"),
    /"hub\.example\.com":\[\{"address":"127\.0\.0\.1"/,
  );
});

test("an address that swallows every SYN holds up the next by a race delay only, and no socket stays behind", async () => {
  await using here = await world();
  await using hub = await listen("127.0.0.1");
  await using _hole = await blackHole("127.0.0.4", hub.port);
  here.dns.says("hub.example.com", "A", ["127.0.0.4", "127.0.0.1"]);
  here.dns.says("hub.example.com", "AAAA", "no-data");
  here.book.remember("hub.example.com", "127.0.0.4"); // so that it comes first
  const before = openSockets();
  const startedAt = performance.now();
  const stream = await here.dialer.dial({ host: "hub.example.com", port: hub.port }, NEVER);
  assert.equal(stream.remoteAddress, "127.0.0.1");
  const took = performance.now() - startedAt;
  assert.ok(took > 1_900 && took < 10_000, `${took} ms`);
  stream.destroy();
  for (const socket of hub.accepted) socket.destroy();
  await settlesAt(before);
});

test("an address may take longer than Node's quarter of a second; the caller's limit ends it and says so", async () => {
  await using here = await world();
  await using hub = await listen("127.0.0.1");
  await using _hole = await blackHole("127.0.0.4", hub.port);
  const before = openSockets();
  const error = await here.dialer.dial({ host: "127.0.0.4", port: hub.port }, AbortSignal.timeout(1_200)).then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PetioleError);
  assert.equal(error.code, DIAL_GIVEN_UP);
  assert.match(error.message, /^gave up on 127\.0\.0\.4:\d+: 127\.0\.0\.4: no answer for 1\.[12] s$/);
  await settlesAt(before);
});

test("with a silent DNS server the remembered address is dialed after the DNS limit", async () => {
  await using here = await world({ dns: 300 });
  await using hub = await listen("127.0.0.1");
  for (const type of ["A", "AAAA"] as const) here.dns.says("hub.example.com", type, "silence");
  here.book.remember("hub.example.com", "127.0.0.1");
  const stream = await here.dialer.dial({ host: "hub.example.com", port: hub.port }, NEVER);
  assert.equal(stream.remoteAddress, "127.0.0.1");
  assert.ok(here.dns.asked.includes("A hub.example.com"));
  stream.destroy();
});

test("all addresses refuse: one error with every address in it", async () => {
  await using here = await world();
  const spare = await listen("127.0.0.1");
  await spare[Symbol.asyncDispose]();
  here.dns.says("hub.example.com", "A", ["127.0.0.3", "127.0.0.1"]);
  const error = await here.dialer.dial({ host: "hub.example.com", port: spare.port }, NEVER).then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PetioleError);
  assert.equal(error.code, DIAL_FAILED);
  for (const address of ["127.0.0.1", "127.0.0.3"]) assert.ok(error.message.includes(`${address}: refused`), error.message);
});

test("two dozen names that DNS is silent about hold up no write to the disk", async () => {
  await using here = await world();
  const scope = new AbortController();
  const names = Array.from({ length: 24 }, (_, i) => `hub${i}.example.com`);
  for (const name of names) for (const type of ["A", "AAAA"] as const) here.dns.says(name, type, "silence");
  const asked = names.map((name) => here.resolver.resolve(name, scope.signal).catch(() => "given up"));
  await Promise.all(names.map((name) => here.dns.hears(`A ${name}`)));
  const startedAt = performance.now();
  for (let i = 0; i < 10; i++) {
    await using file = await systemDisk().open(path.join(here.folder, `file-${i}`), "create");
    await file.write(Buffer.from("reading"), 0);
    await file.datasync();
  }
  assert.ok(performance.now() - startedAt < 2_000, "the writes waited for the lookups");
  scope.abort(new Error("enough"));
  assert.deepEqual(new Set(await Promise.all(asked)), new Set(["given up"]));
});
