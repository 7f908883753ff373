// permessage-deflate, both ways, against a hub in memory that agrees, declines, lies or bombs.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { ProtocolError } from "#base/errors.ts";
import { INFLATED_BYTES_MAX } from "#uplink/message-deflate.ts";
import { closeFrame, FakeWebSocketHub, frame } from "../../support/fake-web-socket-hub.ts";
import { DEFLATE, deflated, INFO, open, opened, readAll, rejected, TAIL, take } from "../../support/web-socket-rig.ts";

test("deflated messages of the hub are inflated, fragmented or not, beside plain ones, cut anywhere", async () => {
  const long = `LMSG a ${"21.5 ".repeat(40_000)}\r\n`;
  const packed = deflated(long);
  const bytes = Buffer.concat([
    frame(0xc2, deflated(INFO)),
    frame(0x82, "PING\r\n"),
    frame(0x42, packed.subarray(0, 50)),
    frame(0x89, "hi"),
    frame(0x80, packed.subarray(50)),
    frame(0xc2, deflated("PONG\r\n", zlib.constants.Z_FINISH)), // marked as the last block (RFC 7692 §7.2.3.4)
    frame(0xc2, deflated("LS+ a\r\n")),
    frame(0xc2, Buffer.from([0])), // an empty message
    frame(0xc2, deflated("LS- a\r\n")),
    closeFrame(1001, "bye"),
  ]);
  const wanted = `${INFO}PING\r\n${long}PONG\r\nLS+ a\r\nLS- a\r\n`;
  for (const pieceBytes of [bytes.length, 1, 7, 64]) {
    const { hub, stream } = await opened({ isCompressed: true });
    const reading = readAll(stream);
    for (let at = 0; at < bytes.length; at += pieceBytes) hub.far.write(bytes.subarray(at, at + pieceBytes));
    const { text, error } = await reading;
    assert.ok(text === wanted, `pieces of ${pieceBytes}: ${text.length} of ${wanted.length}`);
    assert.match(error!.message, /code 1001, "bye"/);
  }
});

test("thousands of tiny messages behind a deflated one keep their place", async () => {
  const { hub, stream } = await opened({ isCompressed: true });
  const tiny = Array.from({ length: 20_000 }, (_, i) => frame(0x82, String.fromCharCode(97 + (i % 26))));
  const reading = take(stream, 20_005);
  hub.say(frame(0xc2, deflated("FIRST")), ...tiny);
  const text = await reading;
  assert.equal(text.slice(0, 10), "FIRSTabcde");
  assert.equal(text.length, 20_005);
  stream.destroy();
});

test("our long messages go deflated, each for itself, in order; short ones as they are", async () => {
  const { hub, stream } = await opened({ isCompressed: true });
  const long = Buffer.from("sensors.temp 21.5\r\n".repeat(4000));
  stream.write("PING\r\n");
  stream.write(long);
  stream.write("PONG\r\n");
  stream.write(long.subarray(0, 1000));
  const frames = await hub.hears(6);
  assert.deepEqual(
    frames.map(({ first }) => first),
    [0x82, 0xc2, 0xc2, 0xc2, 0x82, 0xc2],
  );
  const texts = frames.map(({ first, payload }) =>
    first === 0x82 ? payload : zlib.inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: zlib.constants.Z_SYNC_FLUSH }),
  );
  assert.ok(
    Buffer.concat(texts).equals(Buffer.concat([Buffer.from("PING\r\n"), long, Buffer.from("PONG\r\n"), long.subarray(0, 1000)])),
  );
  assert.ok(frames.reduce((sum, { payload }) => sum + payload.length, 0) < 2000, "it was worth it");
  stream.destroy();
});

test("a hub that declines compression gets plain frames", async () => {
  const hub = new FakeWebSocketHub();
  const [{ stream, isDeflated }] = await Promise.all([open(hub.near, { isCompressed: true }), hub.upgrade()]);
  assert.equal(isDeflated, false);
  stream.write(Buffer.alloc(1000));
  assert.equal((await hub.hears(1))[0]!.first, 0x82);
  stream.destroy();
});

test("an extension that we did not ask for, or not so, is refused", async () => {
  for (const [answer, isCompressed] of [
    ["permessage-deflate", true],
    ["permessage-deflate; server_no_context_takeover", true],
    ["permessage-deflate; client_no_context_takeover", true],
    [`${DEFLATE}; client_max_window_bits=10`, true],
    [`${DEFLATE}, x-other`, true],
    [`${DEFLATE}`, false],
    ["x-webkit-deflate-frame", true],
  ] as const) {
    const hub = new FakeWebSocketHub();
    const opening = open(hub.near, { isCompressed });
    await hub.upgrade(`Sec-WebSocket-Extensions: ${answer}\r\n`);
    const fault = await rejected(hub, opening);
    assert.match(fault.message, /with the extension "(permessage-deflate|x-webkit)/, answer);
  }
  const hub = new FakeWebSocketHub();
  const opening = open(hub.near, { isCompressed: true });
  await hub.upgrade(`Sec-WebSocket-Extensions: ${DEFLATE}; server_max_window_bits=12\r\n`);
  const { stream, isDeflated } = await opening;
  assert.ok(isDeflated);
  stream.destroy();
});

test("bytes that do not inflate end the stream", async () => {
  const { hub, stream } = await opened({ isCompressed: true }, frame(0xc2, deflated(INFO)));
  hub.say(frame(0xc2, Buffer.alloc(40, 0xff)));
  const { error } = await readAll(stream);
  assert.ok(error instanceof ProtocolError && error.code === "LEAF_BAD_DEFLATE");
  assert.match(error.message, /does not inflate/);
});

test("a deflate bomb inflates no faster than it is read, and ends at the limit", async () => {
  const bomb = Buffer.concat([deflated(Buffer.alloc(64 * 1024 * 1024)), TAIL]);
  const { hub, stream } = await opened({ isCompressed: true });
  stream.pause();
  hub.say(frame(0x42, bomb), ...Array.from({ length: 4 }, () => frame(0x00, bomb)));
  for (let turn = 0; turn < 200; turn++) await new Promise((done) => setImmediate(done));
  assert.ok(stream.readableLength < 1_000_000, `${stream.readableLength} bytes wait`);
  let count = 0;
  let peak = 0;
  let error: Error | undefined;
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  stream.on("data", (chunk: Buffer) => {
    count += chunk.length;
    if (count % (1 << 24) === 0) peak = Math.max(peak, stream.readableLength);
  });
  stream.on("error", (fault) => {
    error = fault;
  });
  stream.resume();
  await new Promise((resolve) => stream.once("close", resolve));
  assert.ok(error instanceof ProtocolError && error.code === "LEAF_BAD_DEFLATE", String(error));
  assert.match(error.message, /inflates to more than 268435456 bytes/);
  assert.ok(count <= INFLATED_BYTES_MAX, `${count} bytes came through`);
  assert.ok(peak < 1_000_000, `${peak} bytes waited at once`);
  const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().external - before;
  assert.ok(grown < 200 * 1024 * 1024, `${grown} bytes more`);
});
