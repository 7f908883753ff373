import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "#base/errors.ts";
import { Framer } from "#ingress/mqtt/framer.ts";
import { packet } from "../../../wire/mqtt/harness.ts";

const LIMIT = 300_000;

/** Feeds the chunks and gives back what came out: first byte and body, in hex. Each body is read only after the last of its chunk. */
function cut(chunks: readonly Buffer[], framer = new Framer(LIMIT)): string[] {
  const found: string[] = [];
  for (const chunk of chunks) {
    framer.accept(Buffer.from(chunk));
    const handedOut: (() => string)[] = [];
    while (framer.next()) {
      const { header, bytes, start, end } = framer;
      handedOut.push(() => `${header.toString(16)}:${bytes.toString("hex", start, end)}`);
    }
    found.push(...handedOut.map((read) => read()));
    framer.settle();
  }
  return found;
}

const packets = [
  packet(0xc0),
  packet(0x30, Buffer.from("abc")),
  packet(0x32, Buffer.alloc(127, 1)),
  packet(0x30, Buffer.alloc(128, 2)),
  packet(0x30, Buffer.alloc(16_384, 3)),
  packet(0xe0),
];
const stream = Buffer.concat(packets);
const whole = cut([stream]);

test("a chunk of packets comes out packet by packet, in place", () => {
  assert.equal(whole.length, packets.length);
  assert.deepEqual(
    whole.map((each) => (each.length - 3) / 2),
    [0, 3, 127, 128, 16_384, 0],
  );
  const framer = new Framer(LIMIT);
  const chunk = packet(0x30, Buffer.from("abc"));
  framer.accept(chunk);
  assert.ok(framer.next());
  assert.equal(framer.bytes, chunk);
  assert.equal(framer.packetStart, 0);
});

test("the same packets come out byte by byte", () => {
  assert.deepEqual(cut(Array.from(stream, (byte) => Buffer.from([byte]))), whole);
});

test("the same packets come out of two chunks, split anywhere", () => {
  const short = Buffer.concat(packets.filter((each) => each.length < 1000));
  const expected = cut([short]);
  for (let at = 0; at <= short.length; at++)
    assert.deepEqual(cut([short.subarray(0, at), short.subarray(at)]), expected, `at ${at}`);
});

test("the same packets come out of any chunks", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 30 }), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
      assert.deepEqual(cut(edges.slice(1).map((edge, i) => stream.subarray(edges[i], edge))), whole);
    }),
  );
});

test("whoever stops in the middle of a chunk finds the rest there, also behind a next chunk", () => {
  const framer = new Framer(LIMIT);
  framer.accept(Buffer.concat([packet(0x30, Buffer.from("a")), packet(0x30, Buffer.from("b"))]));
  assert.ok(framer.next());
  assert.equal(framer.unreadBytes, 3);
  framer.accept(packet(0x30, Buffer.from("c")));
  const rest: string[] = [];
  while (framer.next()) rest.push(framer.bytes.toString("utf8", framer.start, framer.end));
  assert.deepEqual(rest, ["b", "c"]);
});

test("what is kept of a split packet is a copy, so that the chunk can go", () => {
  const framer = new Framer(LIMIT);
  const chunk = Buffer.from([0x30, 0x03, 0x61]);
  framer.accept(chunk);
  assert.ok(!framer.next());
  framer.settle();
  chunk.fill(0xff);
  framer.accept(Buffer.from("bc"));
  assert.ok(framer.next());
  assert.equal(framer.bytes.toString("utf8", framer.start, framer.end), "abc");
});

test("a packet at the limit passes; one byte more is refused as soon as its length is there, fixed header counted", () => {
  assert.deepEqual(cut([packet(0x30, Buffer.alloc(8, 0))], new Framer(10)), ["30:0000000000000000"]);
  const framer = new Framer(10);
  framer.accept(Buffer.from([0x30, 0x09]));
  assert.throws(() => framer.next(), { code: "MQTT_PACKET_TOO_LARGE" });
});

test("what was handed out stays in place until it is settled, though half a packet follows it", () => {
  const framer = new Framer(LIMIT);
  framer.accept(Buffer.from([0x30])); // so that the next chunk is joined in the slab
  assert.ok(!framer.next());
  framer.settle();
  framer.accept(Buffer.from("\x03abc\x30\x20half", "latin1"));
  assert.ok(framer.next());
  const { bytes, start, end } = framer;
  assert.ok(!framer.next());
  assert.equal(bytes.toString("utf8", start, end), "abc");
});

test("whole packets that are not taken yet outlive the chunk they came in", () => {
  const framer = new Framer(LIMIT);
  const chunk = Buffer.from("\x30\x03abc\x30\x03def\x30\x03gh", "latin1");
  framer.accept(chunk);
  assert.ok(framer.next());
  framer.settle();
  chunk.fill(0xee); // somebody else's bytes by now
  framer.accept(Buffer.from("i"));
  const found: string[] = [];
  while (framer.next()) found.push(framer.bytes.toString("latin1", framer.start, framer.end));
  assert.deepEqual(found, ["def", "ghi"]);
});

test("an announced length reserves nothing", () => {
  const framer = new Framer(268_435_460);
  framer.accept(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
  assert.ok(!framer.next());
  framer.settle();
  assert.ok(framer.bytes.length <= 1024, `${framer.bytes.length} bytes are held for 5`);
});

test("a remaining length of more than four bytes is malformed, however it arrives", () => {
  const bytes = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]);
  assert.throws(() => cut([bytes]), { code: "MQTT_MALFORMED" });
  assert.throws(() => cut(Array.from(bytes, (byte) => Buffer.from([byte]))), ProtocolError);
});

test("the first byte of the packet that is waited for can be seen", () => {
  const framer = new Framer(LIMIT);
  assert.equal(framer.pendingHeader, undefined);
  framer.accept(Buffer.from([0x16]));
  assert.equal(framer.pendingHeader, 0x16);
});

test("nothing is held when nothing is waited for", () => {
  const framer = new Framer(LIMIT);
  cut([stream.subarray(0, 5000), stream.subarray(5000)], framer);
  assert.equal(framer.bytes.length, 0);
});

test("a packet in single bytes costs time in proportion to its bytes", () => {
  const large = packet(0x30, Buffer.alloc(262_144, 7));
  const started = performance.now();
  assert.equal(cut(Array.from(large, (byte) => Buffer.from([byte]))).length, 1);
  const took = performance.now() - started;
  assert.ok(took < 2000, `256 KiB in single bytes took ${took.toFixed(0)} ms`); // a quadratic one takes tens of seconds
});

test("MQTT5-1.5.5-1: a length in more bytes than it needs is told, and refused once that is asked for", () => {
  const framer = new Framer(1000);
  framer.accept(Buffer.from([0xc0, 0x80, 0x00, 0xd0, 0x00]));
  assert.ok(framer.next());
  assert.deepEqual([framer.isLengthPadded, framer.start, framer.end], [true, 3, 3]);
  assert.ok(framer.next());
  assert.equal(framer.isLengthPadded, false);
  framer.refusesPaddedLengths = true;
  framer.accept(Buffer.from([0x30, 0x81, 0x01]));
  assert.ok(!framer.next(), "129 bytes in two bytes of length are as short as can be");
  framer.clear();
  framer.accept(Buffer.from([0x30, 0x81, 0x80, 0x00]));
  assert.throws(() => framer.next(), { code: "MQTT_MALFORMED" });
});
