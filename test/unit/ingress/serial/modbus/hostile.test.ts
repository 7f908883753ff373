// Whatever comes over the line, the master neither throws nor takes what is no answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Bus } from "#ingress/serial/modbus/bus.ts";
import {
  countFrames,
  encodeRequest,
  FRAME_BYTES_MAX,
  findAnswer,
  frameAt,
  type ModbusRequest,
} from "#ingress/serial/modbus/pdu.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { FakeWire } from "../../../../support/fake-wire.ts";
import { ModbusUnits, withCrc } from "../../../../support/modbus-units.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const random = seededRandom(4711);
const next = (below: number) => Math.floor(random() * below);
const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => next(256)));

const REQUESTS: readonly ModbusRequest[] = [
  { kind: "read", table: "holding", address: 0, count: 4 },
  { kind: "read", table: "coils", address: 3, count: 17 },
  { kind: "write-register", address: 7, value: 9 },
  { kind: "write-coils", address: 0, values: [true, false, true] },
  { kind: "mask-register", address: 1, and: 3, or: 4 },
  { kind: "read-write", address: 0, count: 2, writeAddress: 4, values: [1, 2] },
];

test("no random bytes are taken for an answer, and none make the search throw", () => {
  let taken = 0;
  for (let i = 0; i < 4000; i++) {
    const request = REQUESTS[i % REQUESTS.length]!;
    const noise = bytes(next(300));
    const from = next(noise.length + 1);
    if (findAnswer(noise, from, noise.length, next(248), request, encodeRequest(1, request)) !== undefined) taken += 1;
    assert.ok(countFrames(noise, 0, noise.length) <= noise.length / 5);
    assert.ok(frameAt(noise, from, noise.length) <= FRAME_BYTES_MAX);
  }
  // An exception is five bytes of which two are a checksum: one in some hundred million of our tries would be one.
  assert.equal(taken, 0);
});

test("an answer is found between any noise, in any pieces, and no piece of it before it is whole", async () => {
  for (let i = 0; i < 150; i++) {
    const clock = new FakeClock();
    const wire = new FakeWire();
    const units = new ModbusUnits([5]);
    const echo = i % 2 === 0;
    wire.onWrite = (question) => {
      const [answer] = units.hear(question);
      const said = Buffer.concat([echo ? question : Buffer.alloc(0), bytes(next(20)), answer!.bytes, bytes(next(10))]);
      for (let at = 0; at < said.length; ) {
        const piece = 1 + next(7);
        wire.say(said.subarray(at, at + piece));
        at += piece;
      }
    };
    using bus = new Bus(wire, { baudRate: 9600, bitsPerCharacter: 10, timeout: 200, gap: 0, echo: "auto" }, clock);
    for (const request of REQUESTS.filter(({ kind }) => kind === "read")) {
      const asking = bus.exchange(5, request, new AbortController().signal);
      await clock.pass(2000);
      assert.equal((await asking).at, "answered", JSON.stringify({ i, request }));
    }
  }
});

test("a flood between question and answer is bounded, and the answer at its end is found", async () => {
  const clock = new FakeClock();
  const wire = new FakeWire();
  using bus = new Bus(wire, { baudRate: 115_200, bitsPerCharacter: 10, timeout: 200, gap: 0, echo: "off" }, clock);
  wire.onWrite = () => {
    for (let i = 0; i < 1000; i++) wire.say(bytes(100));
    wire.say(Buffer.concat([bytes(5000), withCrc([5, 3, 8, 0, 1, 0, 2, 0, 3, 0, 4])]));
  };
  const asking = bus.exchange(5, REQUESTS[0]!, new AbortController().signal);
  await clock.pass(2000);
  const result = await asking;
  assert.ok(result.at === "answered");
  assert.equal(result.data.toString("hex"), "0001000200030004");
  assert.ok(bus.strayBytes > 100_000);
});
