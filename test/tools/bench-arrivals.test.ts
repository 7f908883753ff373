import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrivals } from "../../scripts/lib/bench/arrivals.ts";

const PAYLOAD = `{"at":"${(5_000).toString(16).padStart(16, "0")}","n":1}`;
const HEADERS = "NATS/1.0\r\nNats-Msg-Id: a-1\r\n\r\n";
const STREAM = [
  'INFO {"server_id":"H"}\r\n',
  "PONG\r\n",
  `MSG sensors.a 1 ${PAYLOAD.length}\r\n${PAYLOAD}\r\n`,
  "PING\r\n",
  `HMSG sensors.b 1 ${HEADERS.length} ${HEADERS.length + PAYLOAD.length}\r\n${HEADERS}${PAYLOAD}\r\n`,
  `MSG sensors.a 1 reply.1 ${PAYLOAD.length}\r\n${PAYLOAD}\r\n`,
].join("");

test("arrivals are counted and their send times read, wherever the stream is split", () => {
  const bytes = Buffer.from(STREAM);
  for (let split = 0; split <= bytes.length; split++) {
    const arrivals = new Arrivals();
    arrivals.hasStamps = true;
    arrivals.feed(bytes.subarray(0, split), 9_000);
    arrivals.feed(bytes.subarray(split), 9_000);
    assert.equal(arrivals.count, 3, `split at ${split}`);
    assert.equal(arrivals.pings, 1);
    assert.deepEqual(arrivals.latencies, [4_000, 4_000, 4_000]);
    assert.equal(arrivals.error, undefined);
  }
});

test("half a message is no arrival", () => {
  const arrivals = new Arrivals();
  arrivals.feed(Buffer.from("MSG sensors.a 1 3\r\nabc\r"), 0);
  assert.equal(arrivals.count, 0);
  arrivals.feed(Buffer.from("\n"), 0);
  assert.equal(arrivals.count, 1);
});

test("a payload that looks like protocol is a payload, an empty one too", () => {
  const arrivals = new Arrivals();
  arrivals.feed(Buffer.from("MSG s 1 6\r\nPING\r\n\r\nMSG s 1 0\r\n\r\n"), 0);
  assert.deepEqual([arrivals.count, arrivals.pings], [2, 0]);
});

test("many chunks outlive the slab, a message larger than it included", () => {
  const arrivals = new Arrivals();
  const small = Buffer.from(`MSG s 1 1000\r\n${"x".repeat(1000)}\r\n`);
  for (let i = 0; i < 3_000; i++) {
    arrivals.feed(small.subarray(0, 600), 0);
    arrivals.feed(small.subarray(600), 0);
  }
  arrivals.feed(Buffer.from(`MSG s 1 3000000\r\n${"x".repeat(3_000_000)}\r\n`), 0);
  assert.equal(arrivals.count, 3_001);
});

test("what the hub complains of first is kept", () => {
  const arrivals = new Arrivals();
  arrivals.feed(Buffer.from("-ERR 'Slow Consumer'\r\n-ERR 'Stale'\r\n"), 0);
  assert.equal(arrivals.error, "-ERR 'Slow Consumer'");
});

test("a line without end is a fault, not a leak", () => {
  const arrivals = new Arrivals();
  assert.throws(() => arrivals.feed(Buffer.alloc(100_000, 0x41), 0), /control line without end/);
});
