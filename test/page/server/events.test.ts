// Live data: who gets what, when a stream ends, and what becomes of a reader that does not read.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { type Browser, startWebDevice, TECHNICIAN, VIEWER, type WebDevice } from "../../support/web-device.ts";

interface Stream {
  readonly response: http.IncomingMessage;
  text(): string;
  until(words: string): Promise<void>;
  readonly ended: Promise<void>;
}

async function listen(device: WebDevice, browser: Browser): Promise<Stream> {
  const asking = http.get({
    host: "127.0.0.1",
    port: device.port,
    path: "/api/events",
    headers: { Cookie: browser.cookie },
    agent: false,
  });
  const [response] = (await once(asking, "response")) as [http.IncomingMessage];
  let text = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    text += chunk;
  });
  // Not events.once: the server's end may be a reset, at which that rejects.
  const ended = new Promise<void>((resolve) => void response.on("error", () => undefined).once("close", () => resolve()));
  return {
    response,
    text: () => text,
    ended,
    async until(words) {
      while (!text.includes(words)) await once(response, "data");
    },
  };
}

test("a stream begins with the present state and goes on every two seconds", async () => {
  let count = 0;
  await using device = await startWebDevice({ report: () => ({ count: ++count, name: "a\nevent: forged" }) });
  await device.claimed();
  const stream = await listen(device, await device.loggedIn(VIEWER));
  assert.equal(stream.response.headers["content-type"], "text/event-stream; charset=utf-8");
  await stream.until('"count":1');
  device.clock.advance(2_000);
  await stream.until('"count":2');
  assert.ok(!/^event: forged/m.test(stream.text()));
  device.clock.advance(60_000);
  await stream.until('"count":32');
  stream.response.destroy();
});

test("log lines go to technicians, not to viewers", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const [viewer, technician] = [
    await listen(device, await device.loggedIn(VIEWER)),
    await listen(device, await device.loggedIn(TECHNICIAN)),
  ];
  device.tail.add({ wall: 0, level: "info", part: "uplink", message: "hub gone", facts: { why: "x\n\nevent: forged" } });
  await technician.until("hub gone");
  device.clock.advance(2_000);
  await viewer.until("status");
  assert.ok(!viewer.text().includes("hub gone"));
  assert.ok(!/^event: forged/m.test(technician.text()));
  viewer.response.destroy();
  technician.response.destroy();
});

test("a stream ends with its session and does not prolong it", async () => {
  await using device = await startWebDevice({ web: { session_idle: "1m" } });
  await device.claimed();
  const browser = await device.loggedIn(VIEWER);
  const stream = await listen(device, browser);
  device.clock.advance(62_000);
  await stream.ended;
  assert.match(stream.text(), /event: end\ndata: the session has ended\n\n$/);
  assert.equal((await browser.get("/api/status")).status, 401);
});

test("a session has four streams at most", async () => {
  await using device = await startWebDevice();
  await device.claimed();
  const browser = await device.loggedIn(VIEWER);
  const streams = [];
  for (let i = 0; i < 4; i++) streams.push(await listen(device, browser));
  const fifth = await browser.get("/api/events");
  assert.deepEqual([fifth.status, fifth.json.error.code], [429, "WEB_BUSY"]);
  for (const { response } of streams) response.destroy();
});

test("a reader that does not read is cut off, and the others go on", async () => {
  const report = { filler: "x".repeat(200_000) };
  await using device = await startWebDevice({ report: () => report });
  await device.claimed();
  const [slow, quick] = [await device.loggedIn(VIEWER), await device.loggedIn(TECHNICIAN)];
  const socket = net.connect(device.port, "127.0.0.1");
  // Not events.once: the cut is a reset, at which that rejects.
  const closed = new Promise<void>((resolve) => void socket.on("error", () => undefined).once("close", () => resolve()));
  socket.write(`GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${slow.cookie}\r\n\r\n`);
  const stream = await listen(device, quick);
  socket.pause();
  let told = 0;
  stream.response.on("data", () => {
    told += 1;
  });
  // More than the kernel's buffers hold: the slow one's bytes pile up with us, until they do not.
  for (let i = 0; i < 100 && !socket.destroyed; i++) {
    device.clock.advance(2_000);
    for (let j = 0; j < 20; j++) await turn();
  }
  socket.resume();
  await closed;
  const before = told;
  device.clock.advance(2_000);
  while (told === before) await once(stream.response, "data");
  stream.response.destroy();
});
