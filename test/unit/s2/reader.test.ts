// The reader: every split, every limit, what it keeps, and what it says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "#base/errors.ts";
import { openS2Codec, S2Codec } from "#s2/codec.ts";
import { S2Reader } from "#s2/reader.ts";
import { S2Writer } from "#s2/writer.ts";
import { leafTraffic, noise } from "../../support/s2-inputs.ts";
import { maskedChecksum } from "../../support/s2-oracle.ts";

const codec = openS2Codec();
const S2 = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1");
const SNAPPY = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1");

function header(kind: number, bytes: number): Buffer {
  return Buffer.from([kind, bytes & 255, (bytes >> 8) & 255, bytes >> 16]);
}

function stored(data: Buffer): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(maskedChecksum(data));
  return Buffer.concat([header(1, data.length + 4), checksum, data]);
}

function compressed(block: Buffer, plain: Buffer): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(maskedChecksum(plain));
  return Buffer.concat([header(0, block.length + 4), checksum, block]);
}

function read(reader: S2Reader, ...parts: Buffer[]): string {
  const pieces: Buffer[] = [];
  for (const part of parts) reader.read(part, (view) => pieces.push(Buffer.from(view)));
  return Buffer.concat(pieces).toString("latin1");
}

/** Of all kinds of chunk, a small stream whose plaintext is told with it. */
function everyKind(): { readonly stream: Buffer; readonly plain: string } {
  const chunks: Buffer[] = [];
  const text = leafTraffic(2, 300);
  new S2Writer(codec).write(text, "better", (view) => chunks.push(Buffer.from(view)));
  const repeated = Buffer.from("abcdXabcdabcd");
  const stream = Buffer.concat([
    ...chunks,
    header(0xfe, 5),
    Buffer.alloc(5, 0xff),
    stored(Buffer.from("stored")),
    header(0x99, 0),
    SNAPPY,
    header(0x80, 3),
    Buffer.from("abc"),
    S2,
    compressed(Buffer.concat([Buffer.from([13, 4 << 2]), Buffer.from("abcdX"), Buffer.from([1, 5, 1, 4])]), repeated),
    compressed(Buffer.from([0]), Buffer.alloc(0)),
    stored(Buffer.alloc(0)),
    stored(Buffer.from("end")),
  ]);
  return { stream, plain: `${text.toString("latin1")}stored${repeated}end` };
}

test("a stream of every kind of chunk reads the same at every split, and byte by byte", () => {
  const { stream, plain } = everyKind();
  assert.equal(read(new S2Reader(codec), stream), plain);
  for (let at = 0; at <= stream.length; at++) {
    const reader = new S2Reader(codec);
    assert.equal(read(reader, stream.subarray(0, at), stream.subarray(at)), plain, `split at ${at}`);
    reader.end();
  }
  const reader = new S2Reader(codec);
  assert.equal(read(reader, ...Array.from(stream, (_, i) => stream.subarray(i, i + 1))), plain);
  reader.end();
});

test("a stream may end between chunks and nowhere else", () => {
  const { stream } = everyKind();
  let ends = 0;
  for (let at = 0; at <= stream.length; at++) {
    const reader = new S2Reader(codec);
    read(reader, stream.subarray(0, at));
    try {
      reader.end();
      ends += 1;
    } catch (error) {
      assert.ok(error instanceof ProtocolError && error.code === "S2_CUT_SHORT");
      assert.equal(error.offset, at);
    }
  }
  assert.equal(ends, 13);
});

test("two readers may be in the middle of a chunk at the same time", () => {
  const { stream, plain } = everyKind();
  const readers = [new S2Reader(codec), new S2Reader(codec)];
  const seen = ["", ""];
  for (let at = 0; at < stream.length; at += 11) {
    for (const [i, reader] of readers.entries()) seen[i] += read(reader, stream.subarray(at, at + 11));
  }
  assert.deepEqual(seen, [plain, plain]);
});

test("bytes that were handed in may be overwritten at once", () => {
  const { stream, plain } = everyKind();
  const reader = new S2Reader(codec);
  const buffer = Buffer.alloc(7);
  let seen = "";
  for (let at = 0; at < stream.length; at += 7) {
    const bytes = stream.copy(buffer, 0, at);
    seen += read(reader, buffer.subarray(0, bytes));
    buffer.fill(0);
  }
  assert.equal(seen, plain);
});

test("a breach names the byte, what was found and what was wanted", () => {
  const bomb = Buffer.concat([header(0, 9), Buffer.alloc(4), Buffer.from([0x81, 0x80, 0x80, 2, 0])]);
  const faults: [Buffer, string, string, number][] = [
    [
      Buffer.from("-ERR 'Authorization Violation'\r\n"),
      "S2_NO_IDENTIFIER",
      "S2 chunk at byte 0: the stream begins with a chunk of kind 0x2d, wanted an identifier (0xff)",
      0,
    ],
    [
      Buffer.from("\xff\x06\x00\x00S2sTwo", "latin1"),
      "S2_BAD_IDENTIFIER",
      'S2 chunk at byte 0: identifier "S2sTwo", wanted "S2sTwO" or "sNaPpY"',
      0,
    ],
    [Buffer.concat([S2, header(0xff, 7)]), "S2_BAD_IDENTIFIER", "S2 chunk at byte 10: identifier of 7 bytes, wanted 6", 10],
    [
      Buffer.concat([S2, header(0x02, 0)]),
      "S2_UNKNOWN_CHUNK",
      "S2 chunk at byte 10: a chunk of kind 0x02, wanted one we know or may skip",
      10,
    ],
    [
      Buffer.concat([S2, header(0x01, 3)]),
      "S2_CORRUPT",
      "S2 chunk at byte 10: data of 3 bytes, wanted 4 for the checksum at least",
      10,
    ],
    [
      Buffer.concat([S2, header(0x01, 1_048_581)]),
      "S2_TOO_LARGE",
      "S2 chunk at byte 10: data of 1048581 bytes, limit is 1048580",
      10,
    ],
    [
      Buffer.concat([S2, header(0x00, 1_048_589)]),
      "S2_TOO_LARGE",
      "S2 chunk at byte 10: data of 1048589 bytes, limit is 1048588",
      10,
    ],
    [
      Buffer.concat([SNAPPY, header(0x01, 65_541)]),
      "S2_TOO_LARGE",
      "S2 chunk at byte 10: data of 65541 bytes, limit is 65540",
      10,
    ],
    [Buffer.concat([S2, bomb]), "S2_TOO_LARGE", "S2 chunk at byte 10: block of 4194305 bytes, limit is 1048576", 10],
    [
      Buffer.concat([S2, header(0, 4), Buffer.alloc(4)]),
      "S2_CORRUPT",
      "S2 chunk at byte 10: the block has no length, wanted a varint that ends",
      10,
    ],
    [
      Buffer.concat([S2, header(1, 5), Buffer.alloc(5)]),
      "S2_BAD_CHECKSUM",
      "S2 chunk at byte 10: the checksum is not that of the data, wanted them to agree",
      10,
    ],
    [
      Buffer.concat([S2, compressed(Buffer.from([8, 12, 97, 98, 99, 100, 1, 5]), Buffer.alloc(0))]),
      "S2_CORRUPT",
      "S2 chunk at byte 10, byte 24: a copy reaches back before the block's first byte, wanted an offset within the block",
      24,
    ],
  ];
  for (const [stream, code, message, offset] of faults) {
    const reader = new S2Reader(codec);
    assert.throws(() => read(reader, stream), { name: "ProtocolError", code, message, offset, remedy: "backoff" });
    assert.throws(() => read(reader, S2), { code }, "the reader is dead");
  }
});

test("an announced size over the limit is refused before the rest has come, and before memory is taken for it", () => {
  const reader = new S2Reader(new Counting());
  const start = Buffer.concat([S2, header(0, 900_000), Buffer.alloc(4), Buffer.from([0x81, 0x80])]);
  assert.equal(read(reader, start), "");
  assert.throws(() => read(reader, Buffer.from([0x80, 2])), { code: "S2_TOO_LARGE" });
});

test("what is kept of an incomplete chunk follows what has come, not what was announced", () => {
  const counting = new Counting();
  const reader = new S2Reader(counting);
  read(reader, S2, header(1, 1_000_004));
  read(reader, Buffer.alloc(100));
  assert.ok(counting.largestSpill <= 1024, `${counting.largestSpill} bytes kept of 100`);
  read(reader, Buffer.alloc(100_000));
  assert.ok(counting.largestSpill <= 262_144, `${counting.largestSpill} bytes kept of 100,100`);
});

test("16 MiB to be skipped are counted, not kept", () => {
  const counting = new Counting();
  const reader = new S2Reader(counting);
  read(reader, S2, header(0xfe, 16_777_215));
  const part = Buffer.alloc(65_536);
  for (let left = 16_777_215; left > 0; left -= part.length)
    assert.equal(read(reader, part.subarray(0, Math.min(left, 65_536))), "");
  assert.equal(counting.largestSpill, 0);
  reader.end();
  assert.equal(read(reader, stored(Buffer.from("on"))), "on");
});

test("31 bytes may legally become 4 MiB, one chunk at a time, where the limit allows it", () => {
  const plain = Buffer.alloc(4_194_304, 0x61);
  const left = plain.length - 5 - 65_540; // one literal byte, a copy of four, and one repeat
  const operations = [0, 0x61, 1, 1, 0x1d, 0, left & 255, (left >> 8) & 255, left >> 16];
  const chunk = compressed(Buffer.from([0x80, 0x80, 0x80, 2, ...operations]), plain);
  assert.ok(chunk.length < 31);
  const sizes: number[] = [];
  new S2Reader(codec, { chunkBytesMax: 4_194_304 }).read(Buffer.concat([S2, chunk, chunk]), (view) => sizes.push(view.length));
  assert.deepEqual(sizes, [4_194_304, 4_194_304]);
  assert.throws(() => read(new S2Reader(codec), S2, chunk), { code: "S2_TOO_LARGE" });
});

test("the snappy identifier lowers the limit until the next S2 identifier, and leaves repeats alone", () => {
  const large = noise(1, 65_537);
  const reader = new S2Reader(codec);
  const repeats = compressed(
    Buffer.concat([Buffer.from([13, 4 << 2]), Buffer.from("abcdX"), Buffer.from([1, 5, 1, 0])]),
    Buffer.from("abcdXabcdXabc"),
  );
  assert.equal(read(reader, SNAPPY, stored(large.subarray(1)), repeats).length, 65_536 + 13);
  assert.equal(read(reader, S2, stored(large)).length, 65_537);
  assert.throws(() => read(reader, SNAPPY, stored(large)), { code: "S2_TOO_LARGE" });
});

test("a limit of one's own holds to the byte", () => {
  const plain = Buffer.from("0123456789");
  assert.equal(read(new S2Reader(codec, { chunkBytesMax: 10 }), S2, stored(plain)), "0123456789");
  assert.throws(() => read(new S2Reader(codec, { chunkBytesMax: 9 }), S2, stored(plain)), { code: "S2_TOO_LARGE" });
  for (const chunkBytesMax of [0, 4_194_305])
    assert.throws(() => new S2Reader(codec, { chunkBytesMax }), { name: "AssertionError" });
});

/** Notes what readers keep. */
class Counting extends S2Codec {
  largestSpill = 0;

  constructor() {
    const { encoder, decoder, encoderBytes, decoderBytes } = openS2Codec();
    super({ exports: encoder, bytes: encoderBytes }, { exports: decoder, bytes: decoderBytes });
  }

  override takeSpill(bytes: number, bodyBytes: number): Buffer {
    const spill = super.takeSpill(bytes, bodyBytes);
    this.largestSpill = Math.max(this.largestSpill, spill.length);
    return spill;
  }
}

test("it stops where the plaintext asked for is reached, tells how much it took, and goes on with the rest", () => {
  const { stream, plain } = everyKind();
  for (const most of [1, 7, 300, 100_000]) {
    const reader = new S2Reader(codec);
    let heard = "";
    let rest = stream;
    let calls = 0;
    while (rest.length > 0) {
      const before = heard.length;
      const taken = reader.read(rest, (view) => (heard += view.toString("latin1")), most);
      assert.ok(taken > 0 && taken <= rest.length);
      if (taken < rest.length) assert.ok(heard.length - before >= most);
      rest = rest.subarray(taken);
      calls += 1;
    }
    reader.end();
    assert.equal(heard, plain);
    assert.equal(calls > 1, most < plain.length, `${calls} calls for ${most} at a time`);
  }
});
