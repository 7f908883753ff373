// The module without a stream around it: checksums, and the lending of its buffers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { openS2Codec } from "#s2/codec.ts";
import { ENCODER_INPUT } from "#s2/memory-layout.ts";
import { S2Reader } from "#s2/reader.ts";
import { S2Writer } from "#s2/writer.ts";
import { noise } from "../../support/s2-inputs.ts";

const codec = openS2Codec();

test("the checksum is CRC-32C at every length, in tables, one stage and two", () => {
  const bytes = noise(5, 65_536);
  codec.encoderBytes.set(bytes, ENCODER_INPUT);
  const lengths = [...Array(40).keys(), ...around(1344), ...around(5120), ...around(3344 + 8192), 12_345, 65_535, 65_536];
  for (const length of lengths) {
    assert.equal(codec.encoder.crc32c(ENCODER_INPUT, length) >>> 0, crc32c(bytes, 0, length), `${length} bytes`);
  }
  assert.equal(codec.encoder.crc32c(ENCODER_INPUT + 3, 20_001) >>> 0, crc32c(bytes, 3, 20_004), "unaligned");
  codec.encoderBytes.write("123456789", ENCODER_INPUT);
  assert.equal(codec.encoder.crc32c(ENCODER_INPUT, 9) >>> 0, 0xe3069283);
});

test("a checksum leaves its input alone", () => {
  const bytes = noise(6, 30_000);
  codec.encoderBytes.set(bytes, ENCODER_INPUT);
  codec.encoder.crc32c(ENCODER_INPUT, bytes.length);
  assert.ok(codec.encoderBytes.subarray(ENCODER_INPUT, ENCODER_INPUT + bytes.length).equals(bytes));
});

test("what a reader lends survives that a writer of the same codec is called meanwhile, with those very bytes", () => {
  const plain = Buffer.from("LMSG a.b 5\r\nhello\r\n".repeat(3000));
  const stream = writeAll(plain);
  const echoed: Buffer[] = [];
  const writer = new S2Writer(codec);
  const seen: Buffer[] = [];
  new S2Reader(codec).read(stream, (view) => {
    const before = Buffer.from(view);
    writer.write(view, "best", (chunk) => echoed.push(Buffer.from(chunk)));
    writer.write(noise(9, 100_000), "fast", (chunk) => echoed.push(Buffer.from(chunk)));
    assert.ok(before.equals(view));
    seen.push(before);
  });
  assert.ok(Buffer.concat(seen).equals(plain));
  let back = 0;
  new S2Reader(codec).read(Buffer.concat(echoed), (view) => (back += view.length));
  assert.equal(back, plain.length + 100_000);
});

test("to overwrite what is lent is refused as a bug of ours, and leaves nothing locked", () => {
  const writer = new S2Writer(codec);
  const plain = Buffer.alloc(1000, "abc");
  assert.throws(() => writer.write(plain, "fast", () => new S2Writer(codec).write(plain, "fast", () => undefined)), {
    name: "AssertionError",
  });
  const stream = writeAll(plain);
  assert.throws(() => new S2Reader(codec).read(stream, () => new S2Reader(codec).read(stream, () => undefined)), {
    name: "AssertionError",
  });
  let bytes = 0;
  new S2Reader(codec).read(writeAll(plain), (view) => (bytes += view.length));
  assert.equal(bytes, 1000);
});

test("what a callback throws comes out, and other writers and readers of the codec go on", () => {
  const boom = new Error("no room");
  const throwIt = () => {
    throw boom;
  };
  const plain = Buffer.alloc(100_000, "sensors.weather.temperature ");
  assert.throws(() => new S2Writer(codec).write(plain, "fast", throwIt), boom);
  const reader = new S2Reader(codec);
  assert.throws(() => reader.read(writeAll(plain), throwIt), boom);
  assert.throws(() => reader.read(Buffer.from("more"), () => undefined), boom);
  assert.throws(() => reader.end(), boom);
  const seen: Buffer[] = [];
  new S2Reader(codec).read(writeAll(plain), (view) => seen.push(Buffer.from(view)));
  assert.ok(Buffer.concat(seen).equals(plain));
});

function around(length: number): number[] {
  return Array.from({ length: 70 }, (_, i) => length - 35 + i);
}

function writeAll(plain: Buffer): Buffer {
  const chunks: Buffer[] = [];
  new S2Writer(codec).write(plain, "fast", (view) => chunks.push(Buffer.from(view)));
  return Buffer.concat(chunks);
}
