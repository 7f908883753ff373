// The WebSocket door: which upgrades are let through, and how packets travel in frames. No broker is behind it here.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { tryOrigin } from "#doors/web-origin.ts";
import { CONNECT, dial, frame, Porch, take, upgrade, upgraded, webSettings, wholeOf } from "./porch.ts";

test("MQTT-6.0.0-4: the sub-protocol mqtt is picked from whatever is offered", async () => {
  for (const [offer, picked] of [
    ["mqtt", "mqtt"],
    ["mqttv3.1, mqtt", "mqtt"],
    ["mqttv3.1", "mqttv3.1"],
  ] as const) {
    await using porch = await Porch.open(webSettings());
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade([`Sec-WebSocket-Protocol: ${offer}`]));
    await porch.guest();
    const answer = once(socket, "data");
    assert.match(String((await answer)[0]), new RegExp(`Sec-WebSocket-Protocol: ${picked}\r\n`));
    socket.destroy();
  }
});

test("MQTT-6.0.0-3: an upgrade that does not offer the sub-protocol mqtt is refused", async () => {
  await using porch = await Porch.open(webSettings());
  for (const more of [[], ["Sec-WebSocket-Protocol: wamp, mqtts"]]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(more));
    assert.match(await wholeOf(socket), /^HTTP\/1\.1 400 Bad Request\r\n/);
  }
  await porch.until(() => porch.lost === 2);
  assert.match(porch.words, /does not offer the sub-protocol "mqtt"/);
});

test("MQTT-6.0.0-1: a text frame ends the connection, and nothing of it is read", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const { stream } = porch.guests[0]!;
  const over = wholeOf(socket);
  const failed = new Promise((resolve) => stream.once("close", resolve));
  stream.resume();
  socket.write(frame(1, CONNECT));
  assert.equal(await over, "\x88\x02\x03\xea"); // 1002, protocol error
  await failed;
});

test("MQTT-6.0.0-2: packets are not aligned to frames: any cut over frames and fragments gives the same bytes", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const [head, middle, rest] = [CONNECT.subarray(0, 3), CONNECT.subarray(3, 4), CONNECT.subarray(4)];
  const frames = [
    frame(2, head, false),
    frame(9, Buffer.from("ping")),
    frame(0, middle, false),
    frame(0, rest),
    frame(2, CONNECT),
  ];
  for (const byte of Buffer.concat(frames)) socket.write(Buffer.of(byte));
  assert.deepEqual(await take(porch.guests[0]!.stream, 2 * CONNECT.length), Buffer.concat([CONNECT, CONNECT]));
  assert.deepEqual(await take(socket, 6), Buffer.concat([Buffer.of(0x8a, 4), Buffer.from("ping")]));
  socket.destroy();
});

test("what we send goes in binary frames, and an end is a goodbye", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const { stream } = porch.guests[0]!;
  stream.write(Buffer.of(0x20, 2, 0, 0));
  stream.end();
  assert.deepEqual(await take(socket, 10), Buffer.of(0x82, 4, 0x20, 2, 0, 0, 0x88, 2, 0x03, 0xe8));
  socket.destroy();
});

test("only the path of the settings is answered, and any where there is none", async () => {
  await using porch = await Porch.open(webSettings({ path: "/broker" }));
  for (const at of ["/", "/mqtt", "/broker/", "/brokers"]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(undefined, at));
    assert.match(await wholeOf(socket), /^HTTP\/1\.1 404 Not Found\r\n/);
  }
  const socket = await dial(porch.port("ws"));
  socket.write(upgrade(undefined, "/broker?token=x"));
  await porch.guest();
  socket.destroy();
});

test("web pages of other origins are refused, and whatever is no web page comes in", async () => {
  const allowedOrigins = [tryOrigin("https://panel.example.com")!];
  await using porch = await Porch.open(webSettings({ allowedOrigins }));
  const protocol = "Sec-WebSocket-Protocol: mqtt";
  const bad = await dial(porch.port("ws"));
  bad.write(upgrade([protocol, "Origin: https://evil.example"]));
  assert.match(await wholeOf(bad), /^HTTP\/1\.1 403 Forbidden\r\n/);
  for (const more of [[protocol], [protocol, "Origin: https://panel.example.com"]]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(more));
    assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 101 /);
    socket.destroy();
  }
  assert.equal(porch.guests.length, 2);
});

test("whoever speaks plain MQTT, or asks for a page, on the WebSocket port is answered by HTTP and let go", async () => {
  await using porch = await Porch.open(webSettings());
  const plain = await dial(porch.port("ws"));
  plain.write(CONNECT);
  assert.match(await wholeOf(plain), /^HTTP\/1\.1 400 Bad Request\r\n/);
  const page = await dial(porch.port("ws"));
  page.write("GET / HTTP/1.1\r\nHost: gw\r\n\r\n");
  assert.match(await wholeOf(page), /^HTTP\/1\.1 426 .*This port speaks MQTT over WebSocket/s);
});

test("a head of more than 8 KiB, and a frame that claims a gigabyte, reserve nothing", async () => {
  await using porch = await Porch.open(webSettings());
  const big = await dial(porch.port("ws"));
  big.write(`GET /mqtt HTTP/1.1\r\nX: ${"x".repeat(9000)}`);
  assert.match(await wholeOf(big), /^HTTP\/1\.1 400 Bad Request\r\n/);
  const before = process.memoryUsage().arrayBuffers;
  const claims = await upgraded(porch);
  claims.write(Buffer.from("82ff0000000040000000" + "00000000" + "10", "hex"));
  assert.deepEqual(await take(porch.guests[0]!.stream, 1), Buffer.of(0x10));
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
  const over = wholeOf(claims);
  porch.guests[0]!.stream.destroy();
  await over;
});
