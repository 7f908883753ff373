// The door for NATS clients by WebSocket: upgrade, frames, and what is no WebSocket.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { tryOrigin } from "#doors/web-origin.ts";
import { certificates } from "../../support/certificates.ts";
import { RawNatsClient } from "../../support/nats-client.ts";
import { NatsDoor } from "./harness.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
const OPEN = { listen: LISTEN, sameOrigin: false, allowedOrigins: [] };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function openDoor(more: Parameters<typeof NatsDoor.open>[0] = {}): Promise<NatsDoor> {
  return NatsDoor.open({ websocket: { ...OPEN, tls: null }, ...more });
}

function upgrade(path = "/", version = "13", more = ""): string {
  return `GET ${path} HTTP/1.1\r\n${more === "" ? "Host: gw\r\n" : more}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: ${version}\r\n\r\n`;
}

/** Frames of a client. */
function frame(
  opcode: number,
  payload: string | Buffer,
  more: { readonly isLast?: boolean; readonly isMasked?: boolean } = {},
): Buffer {
  const { isLast = true, isMasked = true } = more;
  const bytes = Buffer.from(payload);
  const mask = Buffer.of(0x12, 0x34, 0x56, 0x78);
  const size = bytes.length < 126 ? [bytes.length] : [126, bytes.length >> 8, bytes.length & 255];
  size[0]! |= isMasked ? 0x80 : 0;
  const body = isMasked ? bytes.map((byte, i) => byte ^ mask[i & 3]!) : bytes;
  return Buffer.concat([Buffer.of((isLast ? 0x80 : 0) | opcode, ...size), isMasked ? mask : Buffer.alloc(0), body]);
}

/** A client behind its upgrade; INFO, in one frame, was read. */
async function upgraded(door: NatsDoor): Promise<RawNatsClient> {
  const natsClient = await RawNatsClient.dial(door.webSocketPort);
  natsClient.send(upgrade());
  assert.equal(await natsClient.line(), "HTTP/1.1 101 Switching Protocols");
  const head = [await natsClient.line(), await natsClient.line(), await natsClient.line(), await natsClient.line()];
  assert.ok(head.includes("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the key and answer of RFC 6455 §1.3");
  const [first, size, high, low] = await natsClient.take(4);
  assert.deepEqual([first, size], [0x82, 126]);
  assert.match((await natsClient.take(high! * 256 + low!)).toString(), /^INFO \{.*\} \r\n$/);
  return natsClient;
}

test("a client speaks NATS in frames, cut anywhere", async () => {
  await using door = await openDoor();
  await using natsClient = await upgraded(door);
  const said = Buffer.from('CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 5\r\nhello\r\n');
  const frames = Buffer.concat([
    frame(2, said.subarray(0, 30), { isLast: false }),
    frame(9, "in between"),
    frame(0, said.subarray(30, 31), { isLast: false }),
    frame(0, said.subarray(31)),
    frame(2, ""),
  ]);
  for (const byte of frames) natsClient.send(Buffer.of(byte));
  const pong = Buffer.concat([Buffer.of(0x8a, 10), Buffer.from("in between")]);
  assert.deepEqual(await natsClient.take(pong.length), pong);
  const message = "MSG a 1 5\r\nhello\r\n";
  assert.deepEqual(
    await natsClient.take(2 + message.length),
    Buffer.from(`\x82${String.fromCharCode(message.length)}${message}`, "latin1"),
  );
  assert.equal(door.ingress.status().clients, 1);
});

test("a goodbye is answered, and ends the connection", async () => {
  await using door = await openDoor();
  await using natsClient = await upgraded(door);
  natsClient.send(frame(2, 'CONNECT {"verbose":false}\r\nSUB a 1\r\n'), frame(8, Buffer.of(3, 0xe8)));
  await natsClient.isClosed("\x88\x02\x03\xe8".replaceAll(/[\x80-\xff]/g, "\ufffd"));
  await door.until(() => door.router.subscriptions === 0);
  assert.equal(door.ingress.status().endings.closed, 1);
});

const BREACHES: Readonly<Record<string, Buffer>> = {
  "a frame without a mask": frame(2, "PING\r\n", { isMasked: false }),
  "a text frame": frame(1, "PING\r\n"),
  "a reserved opcode": frame(3, "x"),
  "a continuation of nothing": frame(0, "x"),
  "a control frame in fragments": frame(9, "x", { isLast: false }),
  "a compressed frame": Buffer.from([0xc2, ...frame(2, "x").subarray(1)]),
  "a length beyond every limit": Buffer.from([0x82, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
};

for (const [what, bytes] of Object.entries(BREACHES)) {
  test(`${what} ends its own connection with close code 1002`, async () => {
    await using door = await openDoor();
    await using natsClient = await upgraded(door);
    await using other = await upgraded(door);
    natsClient.send(frame(2, 'CONNECT {"verbose":false}\r\nSUB a 1\r\n'), bytes);
    assert.equal((await natsClient.isOver()).slice(-4, -1), "\ufffd\u0002\u0003", "a close frame");
    await door.until(() => door.router.subscriptions === 0);
    other.send(frame(2, 'CONNECT {"verbose":false}\r\nPING\r\n'));
    assert.equal((await other.take(8)).toString("latin1", 2), "PONG\r\n");
  });
}

test("a breach right behind the upgrade, in the same segment, harms nobody", async () => {
  await using door = await openDoor();
  await using natsClient = await RawNatsClient.dial(door.webSocketPort);
  natsClient.send(upgrade(), frame(1, "text"));
  assert.match(await natsClient.isOver(), /^HTTP\/1\.1 101 /);
  await using other = await upgraded(door);
  assert.equal(other.socket.destroyed, false);
});

const NO_UPGRADES: Readonly<Record<string, readonly [string, RegExp]>> = {
  "a browser's visit": ["GET / HTTP/1.1\r\nHost: gw\r\n\r\n", /^HTTP\/1\.1 426 .*speaks NATS over WebSocket/s],
  "the door of leaf nodes": [upgrade("/leafnode"), /^HTTP\/1\.1 404 /],
  "another version": [upgrade("/", "8"), /^HTTP\/1\.1 426 .*Sec-WebSocket-Version: 13/s],
  "a key that is none": [upgrade().replace(KEY, "short"), /^HTTP\/1\.1 400 /],
  "something else than HTTP": ['CONNECT {"verbose":false}\r\nPING\r\n\r\n', /^HTTP\/1\.1 400 /],
  "a head without end": [`GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}`, /^HTTP\/1\.1 4\d\d /],
};

for (const [what, [bytes, answer]] of Object.entries(NO_UPGRADES)) {
  test(`${what} is answered, and the connection is closed`, async () => {
    await using door = await openDoor();
    await using natsClient = await RawNatsClient.dial(door.webSocketPort);
    natsClient.send(bytes);
    assert.match(await natsClient.isOver(), answer);
    await door.until(() => door.ingress.status().endings.refused === 1);
  });
}

test("who never asks for the upgrade is put out in time, and closing ends those on the way", async () => {
  const door = await openDoor();
  await using natsClient = await RawNatsClient.dial(door.webSocketPort);
  natsClient.send("GET / HTTP/1.1\r\n");
  await door.until(() => door.ingress.status().connections === 1);
  door.clock.advance(5_000);
  await natsClient.isClosed();
  await using late = await RawNatsClient.dial(door.webSocketPort);
  await door.until(() => door.ingress.status().connections === 2);
  await door[Symbol.asyncDispose]();
  await late.isClosed();
});

test("a reader that stops is cut off, and its memory is bounded", async () => {
  await using door = await openDoor({ limits: { maxPending: 65_536 } });
  await using natsClient = await upgraded(door);
  natsClient.send(frame(2, 'CONNECT {"verbose":false}\r\nSUB a 1\r\nPING\r\n'));
  await natsClient.take(8);
  natsClient.socket.pause();
  for (let i = 0; i < 2_000 && door.ingress.status().clients > 0; i++) {
    door.publish("a", "x".repeat(10_000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(door.ingress.status().endings.slow, 1);
});

test("ws and wss: stock clients with stock TLS", async () => {
  await using made = await certificates();
  const tls = { certFile: made.server.cert, keyFile: made.server.key, caFile: null, verify: false, verifyAndMap: false };
  await using door = await openDoor({ websocket: { ...OPEN, tls } });
  const socket = new WebSocket(`wss://localhost:${door.webSocketPort}`, { ca: await fs.readFile(made.ca) });
  let heard = "";
  socket.on("message", (message: Buffer) => (heard += message.toString()));
  await door.until(() => heard.endsWith("\r\n"));
  assert.match(heard, /^INFO /);
  assert.equal(socket.extensions, "");
  heard = "";
  const big = "x".repeat(100_000);
  socket.send(Buffer.from(`CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a ${big.length}\r\n${big}\r\n`));
  await door.until(() => heard.length > big.length && heard.endsWith("\r\n"));
  assert.equal(heard, `MSG a 1 ${big.length}\r\n${big}\r\n`);
  socket.close();
  await once(socket, "close");
});

test("plain HTTP to a wss port is refused", async () => {
  await using made = await certificates();
  const tls = { certFile: made.server.cert, keyFile: made.server.key, caFile: null, verify: false, verifyAndMap: false };
  await using door = await openDoor({ websocket: { ...OPEN, tls } });
  await assert.rejects(once(http.get({ port: door.webSocketPort, host: "127.0.0.1" }), "response"));
});

const ORIGINS: readonly (readonly [what: string, head: string, taken: { same: boolean; listed: boolean; both: boolean }])[] = [
  ["no page", "Host: gw\r\n", { same: true, listed: true, both: true }],
  ["the device's own page", "Host: GW:80\r\nOrigin: http://gw\r\n", { same: true, listed: false, both: false }],
  ["a listed page", "Host: gw\r\nOrigin: https://panel.example:8443\r\n", { same: false, listed: true, both: false }],
  ["its own page, listed", "Host: own.example\r\nOrigin: http://own.example\r\n", { same: true, listed: true, both: true }],
  ["a listed host by another port", "Host: gw\r\nOrigin: https://panel.example\r\n", { same: false, listed: false, both: false }],
  [
    "a listed host by plain HTTP",
    "Host: gw\r\nOrigin: http://panel.example:8443\r\n",
    { same: false, listed: false, both: false },
  ],
  ["a page of its own host by another port", "Host: gw\r\nOrigin: http://gw:81\r\n", { same: false, listed: false, both: false }],
  ["a page from nowhere", "Host: gw\r\nOrigin: null\r\n", { same: false, listed: false, both: false }],
  ["a page with a strange origin", "Host: gw\r\nOrigin: http://gw/x\r\n", { same: false, listed: false, both: false }],
];

test("same_origin and allowed_origins keep other people's web pages out, each with 403 and a line in the log", async () => {
  const allowedOrigins = ["https://panel.example:8443", "http://own.example"].map((text) => tryOrigin(text)!);
  const rules = {
    same: { sameOrigin: true, allowedOrigins: [] },
    listed: { sameOrigin: false, allowedOrigins },
    both: { sameOrigin: true, allowedOrigins },
  };
  for (const [name, origins] of Object.entries(rules)) {
    await using door = await openDoor({ websocket: { ...OPEN, tls: null, ...origins } });
    for (const [what, head, taken] of ORIGINS) {
      await using natsClient = await RawNatsClient.dial(door.webSocketPort);
      natsClient.send(upgrade("/", "13", head));
      const line = await natsClient.line();
      const isTaken = taken[name as keyof typeof taken];
      assert.equal(line, isTaken ? "HTTP/1.1 101 Switching Protocols" : "HTTP/1.1 403 Forbidden", `${name}: ${what}`);
    }
    assert.ok(door.said("origin"), name);
  }
});
