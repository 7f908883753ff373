// What we write, the oracle and our own reader read back, at every level, whatever it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openS2Codec, type S2Level } from "#s2/codec.ts";
import { S2Writer } from "#s2/writer.ts";
import { bytesOf, leafTraffic, noise, type Part, prose } from "../../support/s2-inputs.ts";
import { decodeStream } from "../../support/s2-oracle.ts";
import { readWhole } from "../../support/s2-reading.ts";
import { readManifest } from "../../support/s2-vectors.ts";

const LEVELS: readonly S2Level[] = ["uncompressed", "fast", "better", "best"];
const PIECE_BYTES_MAX = 65_536;
const IDENTIFIER = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1").toString("hex");
const codec = openS2Codec();

function write(writer: S2Writer, plain: Uint8Array, level: S2Level): Buffer[] {
  const chunks: Buffer[] = [];
  writer.write(plain, level, (view) => chunks.push(Buffer.from(view)));
  return chunks;
}

function assertRoundTrip(plain: Buffer, level: S2Level, what = ""): Buffer {
  const stream = Buffer.concat(write(new S2Writer(codec), plain, level));
  const { pieces, refusal } = decodeStream(stream, PIECE_BYTES_MAX);
  assert.equal(refusal, undefined, `${what} ${level}`);
  assert.ok(Buffer.concat(pieces).equals(plain), `${what} ${level}: the oracle reads other bytes`);
  const ours = readWhole(codec, [stream], PIECE_BYTES_MAX);
  assert.equal(ours.error, undefined, `${what} ${level}`);
  assert.ok(ours.plain.equals(plain), `${what} ${level}: our reader reads other bytes`);
  return stream;
}

test("the inputs of all vectors come back from every level", () => {
  for (const [name, { recipe, len }] of Object.entries(readManifest().inputs)) {
    if (len > 400_000) continue; // the oracle is slow; the larger ones are more of the same
    for (const level of LEVELS) assertRoundTrip(bytesOf(recipe), level, name);
  }
});

test("every length from nothing to 600 comes back from every level", () => {
  const plain = leafTraffic(3, 600);
  for (let length = 0; length <= plain.length; length++)
    for (const level of LEVELS) assertRoundTrip(plain.subarray(0, length), level);
});

test("whatever is written comes back from every level", () => {
  const len = fc.integer({ min: 0, max: 3000 });
  const seed = fc.integer({ min: 1, max: 1_000_000 });
  const part: fc.Arbitrary<Part> = fc.oneof(
    fc.record({ rand: seed, len }),
    fc.record({ text: seed, len }),
    fc.record({ mixed: seed, len }),
    fc.record({ fill: fc.integer({ min: 0, max: 255 }), len }),
    fc.record({ tile: fc.string({ minLength: 1, maxLength: 40 }), len }),
    fc.record({ pick: seed, set: fc.constantFrom("ab", "0123456789", '{}",:'), len }),
  );
  const recipe = fc.array(part, { maxLength: 12 }).map((parts) => {
    // Half of them repeat from far back what stands there.
    const before = parts.reduce((bytes, { len: more }) => bytes + more!, 0);
    return before > 0 && before % 2 === 0 ? [...parts, { copy: before, len: Math.ceil(before / 2) }] : parts;
  });
  fc.assert(
    fc.property(recipe, fc.constantFrom(...LEVELS), (parts, level) => {
      assertRoundTrip(bytesOf(parts), level);
    }),
    { numRuns: 300 },
  );
});

test("offsets and lengths about every turning point come back from every level", () => {
  const turns = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65, 2047, 2048, 2049, 60_000, 65_000];
  const lengths = [4, 8, 9, 11, 12, 60, 64, 65, 67, 68, 69, 72, 263, 264, 271, 272, 300];
  for (const offset of turns) {
    const head = noise(offset, offset);
    for (const length of lengths) {
      const plain = Buffer.concat([head, Buffer.alloc(length, head), noise(3, 20)]);
      for (const level of LEVELS) if (level !== "best" || offset < 60_000) assertRoundTrip(plain, level, `${offset}, ${length}`);
    }
  }
});

test("a long run is a handful of bytes", () => {
  const plain = Buffer.alloc(65_536, "x");
  for (const level of ["fast", "better", "best"] as const) assert.ok(assertRoundTrip(plain, level).length < 64, level);
});

test("the identifier stands before the first chunk of a connection and nowhere else", () => {
  for (const level of LEVELS) {
    const writer = new S2Writer(codec);
    assert.deepEqual(write(writer, Buffer.alloc(0), level), [], "nothing comes of nothing");
    const [first] = write(writer, Buffer.from("PING\r\n"), level);
    const [second] = write(writer, Buffer.from("PONG\r\n"), level);
    assert.equal(first!.toString("hex"), `${IDENTIFIER}010a0000ab90cc2450494e470d0a`);
    assert.equal(second!.toString("hex"), "010a0000f56f1be4504f4e470d0a");
  }
});

test("what does not compress is stored: 8 bytes more, at every level", () => {
  for (const level of LEVELS) {
    for (const length of [1, 31, 32, 100, 5000, 65_536]) {
      const [chunk] = write(new S2Writer(codec), noise(length, length), level);
      assert.equal(chunk!.length, 10 + 8 + length, `${level}, ${length}`);
      assert.equal(chunk![10], 1, `${level}, ${length}`);
    }
  }
});

test("a chunk holds 64 KiB at most, and is handed out as soon as it is made", () => {
  const plain = leafTraffic(8, 200_000);
  const sizes = write(new S2Writer(codec), plain, "fast").map(
    (chunk) => readWhole(codec, [withIdentifier(chunk)], 65_536).plain.length,
  );
  assert.deepEqual(sizes, [65_536, 65_536, 65_536, 3392]);
});

test("levels give what they promise: each is smaller than the one before", () => {
  for (const plain of [leafTraffic(1001, 65_536), prose(7, 65_536)]) {
    const [stored, fast, better, best] = LEVELS.map((level) => assertRoundTrip(plain, level).length);
    assert.ok(best! < better! && better! < fast! && fast! < stored!, `${stored} ${fast} ${better} ${best}`);
  }
});

test("forgetting makes the output a function of the input alone", () => {
  const plain = leafTraffic(4, 30_000);
  for (const level of LEVELS) {
    codec.encoder.forget();
    const first = Buffer.concat(write(new S2Writer(codec), plain, level));
    assertRoundTrip(prose(5, 60_000), level);
    codec.encoder.forget();
    assert.ok(Buffer.concat(write(new S2Writer(codec), plain, level)).equals(first), level);
  }
});

function withIdentifier(chunk: Buffer): Buffer {
  return chunk[0] === 0xff ? chunk : Buffer.concat([Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1"), chunk]);
}
