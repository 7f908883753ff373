// The upgrade and what follows it, against a hub in memory that is good, declines, lies, floods or bombs.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError, ProtocolError } from "#base/errors.ts";
import { closeFrame, FakeWebSocketHub, frame } from "../../support/fake-web-socket-hub.ts";
import { DEFLATE, deflated, faultOf, INFO, open, opened, readAll, rejected, take } from "../../support/web-socket-rig.ts";

test("the upgrade asks for the leaf path, and offers compression only where it is wanted", async () => {
  const { hub, stream } = await opened({ url: "wss://ann:hunter2@hub/nats" });
  const [first, ...lines] = hub.request.split("\r\n");
  assert.equal(first, "GET /nats/leafnode HTTP/1.1");
  const key = lines.find((line) => line.startsWith("Sec-WebSocket-Key: "))!.slice(19);
  assert.equal(Buffer.from(key, "base64").length, 16);
  assert.deepEqual(lines, [
    "Host: hub:7422",
    "User-Agent: petiole",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    "",
    "",
  ]);
  stream.destroy();
  const compressed = await opened({ isCompressed: true });
  assert.ok(compressed.hub.request.includes(`\r\nSec-WebSocket-Extensions: ${DEFLATE}\r\n`));
  assert.equal(compressed.isDeflated, true);
  compressed.stream.destroy();
});

test("what the hub says right behind its 101 is not lost, wherever it is cut", async () => {
  const probe = new FakeWebSocketHub();
  const opening = open(probe.near);
  const length = (await probe.upgradeHead()).length + frame(0x82, INFO).length;
  probe.far.write("HTTP/1.1 400 x\r\n\r\n");
  await rejected(probe, opening);
  for (let cut = 0; cut < length; cut++) {
    const hub = new FakeWebSocketHub();
    const going = open(hub.near);
    const bytes = Buffer.concat([Buffer.from(await hub.upgradeHead()), frame(0x82, INFO)]);
    if (cut > 0) hub.far.write(bytes.subarray(0, cut));
    await new Promise((turn) => setImmediate(turn));
    hub.far.write(bytes.subarray(cut));
    const { stream, isDeflated } = await going;
    assert.equal(await take(stream, INFO.length), INFO, `cut at ${cut}`);
    assert.equal(isDeflated, false);
    stream.destroy();
  }
});

test("bytes go both ways: concatenated inwards, in masked binary frames outwards", async () => {
  const { hub, stream } = await opened({}, frame(0x82, "INFO {}\r\nPI"));
  hub.say(frame(0x02, "N"), frame(0x89, "are you there"), frame(0x80, "G\r\n"));
  assert.equal(await take(stream, 15), "INFO {}\r\nPING\r\n");
  stream.write("CONNECT {}\r\n");
  stream.write(Buffer.alloc(100_000, "y"));
  const [pong, connect, ...rest] = await hub.hears(6);
  assert.deepEqual([pong!.first, pong!.payload.toString()], [0x8a, "are you there"]);
  assert.deepEqual([connect!.first, connect!.payload.toString()], [0x82, "CONNECT {}\r\n"]);
  assert.deepEqual(
    rest.map(({ first, payload }) => [first, payload.length]),
    [
      [0x82, 32_768],
      [0x82, 32_768],
      [0x82, 32_768],
      [0x82, 1696],
    ],
  );
  stream.destroy();
});

test("a hub that closes says why, after everything it said before was read", async () => {
  const cases = [
    [closeFrame(1001, "Server Shutdown"), /closed the WebSocket with code 1001, "Server Shutdown": it is going away$/],
    [closeFrame(1009, "Maximum Payload"), /with code 1009, "Maximum Payload": something we sent was larger than it takes$/],
    [closeFrame(4000), /with code 4000$/],
    [frame(0x88, ""), /closed the WebSocket without a code$/],
  ] as const;
  for (const [close, words] of cases) {
    const { hub, stream } = await opened({}, Buffer.concat([frame(0x82, "-ERR 'x'\r\n"), close, frame(0x82, "more")]));
    const { text, error } = await readAll(stream);
    assert.equal(text, "-ERR 'x'\r\n");
    assert.ok(error instanceof PetioleError && error.code === "LEAF_CLOSED" && error.remedy === "retry");
    assert.match(error.message, words);
    await hub.until(() => hub.hasEnded);
    assert.equal(hub.frames[0]!.first, 0x88, "the close is answered");
  }
});

test("a reader that paused gets what was said before the close when it goes on, then the reason", async () => {
  for (const isCompressed of [false, true]) {
    const { hub, stream } = await opened({ isCompressed });
    stream.pause();
    const text = "x".repeat(300_000);
    const message = isCompressed ? frame(0xc2, deflated(text)) : frame(0x82, text);
    hub.say(message, message, closeFrame(1001, "bye"));
    for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done));
    const reading = readAll(stream);
    stream.resume();
    const { text: heard, error } = await reading;
    assert.equal(heard.length, 600_000);
    assert.match(error!.message, /code 1001, "bye"/);
  }
});

test("a hub without a leafnodes listener is recognised: it closes before its INFO", async () => {
  for (const close of [closeFrame(1000), Buffer.alloc(0)]) {
    const { hub, stream } = await opened({}, close);
    if (close.length === 0) hub.far.end();
    const { error } = await readAll(stream);
    assert.ok(error instanceof PetioleError && error.code === "LEAF_WRONG_PORT" && error.remedy === "backoff");
    assert.match(error.message, /it probably has no leafnodes listener/);
  }
});

test("a hub that is gone without a goodbye, and a socket that fails, end the stream with that", async () => {
  const { hub, stream } = await opened({}, frame(0x82, INFO));
  hub.far.end();
  const { text, error } = await readAll(stream);
  assert.equal(text, INFO);
  assert.match(error!.message, /closed the connection without a goodbye/);
  const failing = await opened({}, frame(0x82, INFO));
  const reading = readAll(failing.stream);
  failing.hub.near.destroy(new Error("reset"));
  assert.equal((await reading).error!.message, "reset");
});

test("our end is a close frame, and the hub's answer to it ends the stream without a fault", async () => {
  const { hub, stream } = await opened({}, frame(0x82, INFO));
  const reading = readAll(stream);
  stream.end("BYE\r\n");
  const [bye, close] = await hub.hears(2);
  assert.equal(bye!.payload.toString(), "BYE\r\n");
  assert.deepEqual([close!.first, close!.payload.readUInt16BE()], [0x88, 1000]);
  hub.say(closeFrame(1000));
  hub.far.end();
  const { error } = await reading;
  assert.equal(error, undefined);
  assert.ok(stream.destroyed && hub.near.destroyed);
});

test("destroying the stream destroys the socket below it, whatever was under way", async () => {
  for (const isCompressed of [false, true]) {
    const { hub, stream } = await opened({ isCompressed });
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(1_000_000, "z"));
    hub.say(frame(0xc2 & (isCompressed ? 0xff : 0xbf), deflated("x".repeat(100_000))));
    stream.destroy();
    await new Promise((resolve) => stream.once("close", resolve));
    assert.ok(hub.near.destroyed);
  }
});

test("a breach ends the stream with what was found, and a goodbye that says so", async () => {
  const { hub, stream } = await opened({}, Buffer.concat([frame(0x82, INFO), frame(0x81, "text")]));
  const { text, error } = await readAll(stream);
  assert.equal(text, INFO);
  assert.ok(error instanceof ProtocolError && error.code === "WIRE_BAD_FRAME");
  await hub.until(() => hub.hasEnded);
  assert.equal(hub.frames[0]!.payload.readUInt16BE(), 1002);
});

test("a flood of pings is answered with no more than the socket takes", async () => {
  const { hub, stream } = await opened();
  hub.far.pause(); // it does not read our answers
  stream.resume();
  for (let i = 0; i < 2000; i++) hub.say(frame(0x89, Buffer.alloc(125, i & 255)));
  await new Promise((turn) => setImmediate(turn));
  assert.ok(hub.near.writableLength < 32_768, `${hub.near.writableLength} bytes wait`);
  hub.far.resume();
  await hub.until(() => hub.frames.at(-1)?.payload.equals(Buffer.alloc(125, 1999 & 255)) === true);
  assert.ok(hub.frames.length < 2000);
  stream.destroy();
});

test("a reader that stops stops the hub, and memory stays flat", async () => {
  const { hub, stream } = await opened();
  stream.pause();
  const chunk = frame(0x82, Buffer.alloc(16_384, "q"));
  let written = 0;
  while (hub.far.writableLength < 1_000_000) {
    hub.far.write(chunk);
    written += 16_384;
    if (written % 163_840 === 0) await new Promise((turn) => setImmediate(turn));
  }
  assert.ok(written < 1_400_000, `${written} bytes went in`);
  assert.ok(stream.readableLength < 200_000);
  const taking = take(stream, written);
  stream.resume();
  assert.equal((await taking).length, written);
  stream.destroy();
});

test("a writer hears of each write when the socket has taken it", async () => {
  const { hub, stream } = await opened();
  hub.far.pause();
  let taken = 0;
  for (let i = 0; i < 40; i++) stream.write(Buffer.alloc(32_768), () => (taken += 1));
  for (let turn = 0; turn < 10; turn++) await new Promise((done) => setImmediate(done));
  assert.ok(taken < 10, `${taken} of 40 are done while nobody reads`);
  hub.far.resume();
  await hub.hears(40);
  stream.destroy();
});

// ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a refusal is reported with its status, what is probably wrong, and whether trying again may help", async () => {
  const cases = [
    [
      "404 Not Found",
      "backoff",
      /refused the WebSocket upgrade with HTTP 404 Not Found; there is no NATS WebSocket at \/leafnode/,
    ],
    ["400 Bad Request", "backoff", /if the port does TLS, use wss:\/\/; else this is probably no NATS WebSocket port/],
    ["401 Unauthorized", "backoff", /wants a login/],
    ["403 Forbidden", "backoff", /allowed_origins/],
    ["407 Auth", "backoff", /set proxy with username and password/],
    ["426 Upgrade Required", "backoff", /newer WebSocket than version 13/],
    [
      "301 Moved\r\nLocation: https://other.example/x?token=hunter2",
      "backoff",
      /it points to https:\/\/other.example\/x, and redirects are not followed/,
    ],
    ["308 Moved", "backoff", /it points to nowhere/],
    ["200 OK", "backoff", /HTTP 200 OK; wanted 101/],
    ["429 Slow", "retry", /we try again/],
    ["502 Bad Gateway", "retry", /cannot reach it/],
    ["503 Busy", "retry", /overloaded or being restarted/],
    ["500 Oops", "retry", /wanted 101/],
  ] as const;
  for (const [answer, remedy, text] of cases) {
    const fault = await faultOf(`HTTP/1.1 ${answer}\r\nContent-Length: 4\r\n\r\nbody`);
    assert.deepEqual([fault.code, fault.remedy], ["LEAF_UPGRADE_REFUSED", remedy], answer);
    assert.match(fault.message, text);
    assert.ok(!fault.message.includes("hunter2"));
  }
  assert.ok(!(await faultOf("HTTP/1.1 400 x\r\n\r\n", { url: "wss://hub" })).message.includes("use wss"));
});

test("what is no WebSocket port is told apart: plain NATS, TLS, garbage, a lying status line, a header without end", async () => {
  const nats = await faultOf(INFO);
  assert.equal(nats.code, "LEAF_WRONG_PORT");
  assert.match(nats.message, /is a plain NATS port, not a WebSocket one; use nats:\/\/ or tls:\/\//);
  assert.match((await faultOf(INFO, { url: "wss://hub" })).message, /use tls:\/\/, or/);
  assert.match((await faultOf(Buffer.from("15030300020228", "hex"))).message, /answers in TLS; use wss:\/\//);
  for (const [answer, found] of [
    [Buffer.alloc(64), /does not speak HTTP: found "·{40}…"/],
    ["HTTP/1.1 1O1 x\r\n\r\n", /the status line/],
    ["HTTP/1.1 101 x\r\nUpgrade: web\0socket\r\n\r\n", /the header line/],
    [`HTTP/1.1 101 x\r\nA: ${"x".repeat(20_000)}`, /more than 16384 bytes/],
    ["HTTP/1.1 101 x\r\nUpgr", /an unfinished header/],
  ] as const) {
    const fault = await faultOf(answer);
    assert.equal(fault.code, "LEAF_NOT_NATS");
    assert.match(fault.message, found);
  }
  const gone = await faultOf("");
  assert.deepEqual([gone.code, gone.remedy], ["LEAF_CLOSED", "retry"]);
  assert.match(gone.message, /check the port, and whether it wants wss:\/\/$/);
});

test("a 101 that does not fit our question is refused", async () => {
  const edits = [
    [/websocket/, "h2c", /lacks Upgrade: websocket/],
    [/Connection: Upgrade/, "Connection: close", /lacks Connection: Upgrade/],
    [/Accept: ./, "Accept: =", /Sec-WebSocket-Accept that does not fit/],
    [/Sec-WebSocket-Accept/, "X-Accept", /Sec-WebSocket-Accept that does not fit/],
    [/\r\n\r\n/, "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", /a subprotocol that we did not ask for/],
  ] as const;
  for (const [from, to, found] of edits) {
    const hub = new FakeWebSocketHub();
    const opening = open(hub.near);
    hub.far.write((await hub.upgradeHead()).replace(from, to));
    assert.match((await rejected(hub, opening)).message, found);
  }
});

test("giving up ends the stream with the signal's reason, and a long-lived signal keeps no listener", async () => {
  const attempt = new AbortController();
  const hub = new FakeWebSocketHub();
  const opening = open(hub.near, { signal: attempt.signal });
  await hub.until(() => hub.request !== "");
  attempt.abort(new Error("given up"));
  await assert.rejects(opening, /^Error: given up$/);
  assert.ok(hub.near.destroyed);
  const longLived = new AbortController();
  const { stream } = await opened({ signal: longLived.signal });
  assert.equal(getEventListeners(longLived.signal, "abort").length, 0);
  stream.destroy();
});

// ── another's implementation as the judge ───────────────────────────────────────────────────────────────────────────────

for (const isCompressed of [false, true]) {
  test(`megabytes come back unchanged from the ws package's server, ${isCompressed ? "deflated" : "plain"}`, async () => {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      perMessageDeflate: isCompressed && { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 100 },
    });
    await new Promise((resolve) => server.once("listening", resolve));
    server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    const socket = net.connect({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port, noDelay: true });
    await new Promise((resolve) => socket.once("connect", resolve));
    const { stream, isDeflated } = await open(socket, { isCompressed });
    assert.equal(isDeflated, isCompressed);
    const pieces = [1, 125, 126, 65_535, 65_536, 1_000_001, 3, 2_000_000].map((length, i) =>
      Buffer.alloc(length, systemEntropy().bytes(100 + i * 50)),
    );
    const wanted = Buffer.concat(pieces);
    const arrived = take(stream, wanted.length);
    for (const piece of pieces) stream.write(piece);
    assert.ok(Buffer.from(await arrived, "latin1").equals(wanted));
    const reading = readAll(stream);
    stream.end();
    assert.equal((await reading).error, undefined);
    await new Promise((resolve) => server.close(resolve));
  });
}
