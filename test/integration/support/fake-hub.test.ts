import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import { test } from "node:test";
import * as tls from "node:tls";
import { certificates } from "../../support/certificates.ts";
import { FakeHub } from "../../support/fake-hub.ts";

function dial(hub: FakeHub) {
  const socket = net.connect(hub.port, "127.0.0.1");
  return { socket, [Symbol.dispose]: () => socket.destroy() };
}

test("a scene sends its lines and takes the spoke's, wildcards and patterns included", async () => {
  await using hub = await FakeHub.listen({ ignores: [/^PONG$/] });
  using spoke = dial(hub);
  spoke.socket.write('CONNECT {"lang":"ts"}\r\nPONG\r\nLS+ a.b\r\nLS+ c.d 7\r\n');
  const heard = new Promise<string>((resolve) => spoke.socket.once("data", (bytes) => resolve(String(bytes))));
  await hub.plays(`
    > INFO {"x":"\\x41\\r"}
    < CONNECT …
    < LS+ a.b
    < /^LS\\+ [a-z.]+ \\d$/`);
  assert.equal(await heard, 'INFO {"x":"A\r"}\r\n');
});

test("a scene that goes otherwise tells what was wanted, what came, and all before", async () => {
  await using hub = await FakeHub.listen();
  using spoke = dial(hub);
  spoke.socket.write("PING\r\nNONSENSE\r\n");
  await assert.rejects(hub.plays("< PING\n< CONNECT …"), /wanted {2}CONNECT …\nfound {3}NONSENSE\nso far:\n {2}< PING/);
});

test("silence ends a scene after the limit", async () => {
  await using hub = await FakeHub.listen({ lineTimeoutMs: 50 });
  using spoke = dial(hub);
  spoke.socket.write("half a li");
  await assert.rejects(hub.plays("< CONNECT …"), /said no more within 50 ms[\s\S]*unread: "half a li"/);
});

test("both kinds of ending are seen, and the next scene plays on the next connection", async () => {
  await using hub = await FakeHub.listen();
  {
    using spoke = dial(hub);
    spoke.socket.end("BYE\r\n");
    await hub.plays("< BYE\n<!");
  }
  using second = dial(hub);
  second.socket.write("HELLO\r\n");
  const ended = new Promise((resolve) => second.socket.resume().once("end", resolve));
  await hub.plays("< HELLO\n>!");
  await ended;
  assert.equal(hub.dials, 2);
});

test("the hub can take a spoke from clear text to TLS", async () => {
  await using certs = await certificates();
  await using hub = await FakeHub.listen();
  using spoke = dial(hub);
  const info = new Promise((resolve) => spoke.socket.once("data", resolve));
  await hub.plays('> INFO {"tls_required":true}');
  await info;
  const secure = tls.connect({ socket: spoke.socket, ca: await fs.readFile(certs.ca), servername: "localhost" });
  secure.write("CONNECT {}\r\n");
  await (await hub.connection()).startsTls(certs.server);
  await hub.plays("< CONNECT {}");
  assert.equal(secure.authorized, true);
});
