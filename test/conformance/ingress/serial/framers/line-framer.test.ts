import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineFramer } from "#ingress/serial/framers/line-framer.ts";

const MAX = 8;

/** Feeds the chunks, each in a buffer that is spoilt afterwards, and writes down what comes out, in order. */
function frame(chunks: readonly Uint8Array[], maxFrame = MAX): { said: string[]; framer: LineFramer } {
  const said: string[] = [];
  const framer = new LineFramer(maxFrame, {
    onFrame: (bytes, start, end) => said.push(bytes.latin1Slice(start, end)),
    onOversize: () => said.push("<oversize>"),
    onFault: (fault) => said.push(`<${fault}>`),
  });
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    framer.feed(lent);
    lent.fill(0xee);
  }
  return { said, framer };
}

/** What a line is, said without any cleverness. */
function expected(text: string, maxFrame = MAX): string[] {
  const lines = text.split("\n").slice(0, -1);
  const rest = text.slice(text.lastIndexOf("\n") + 1);
  const said = lines
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line !== "")
    .map((line) => (line.length > maxFrame ? "<oversize>" : line));
  return rest.length > maxFrame + 1 ? [...said, "<oversize>"] : said;
}

const TEXT = "one\ntwo\r\n\n\r\nlonger-than-eight\r\nthree\nexactly8\r\nexactly8\nninebytes\r\ntail";

test("lines end with LF or CRLF, empty ones carry nothing, and the tail waits", () => {
  const { said, framer } = frame([Buffer.from(TEXT)]);
  assert.deepEqual(said, ["one", "two", "<oversize>", "three", "exactly8", "exactly8", "<oversize>"]);
  assert.equal(framer.reset(), 4);
  framer.feed(Buffer.from("fresh\n"));
  assert.equal(said.at(-1), "fresh");
});

test("byte by byte comes to the same", () => {
  assert.deepEqual(frame([...Buffer.from(TEXT)].map((byte) => Uint8Array.of(byte))).said, expected(TEXT));
});

test("every split into two and three comes to the same", () => {
  const bytes = Buffer.from(TEXT);
  for (let i = 0; i <= bytes.length; i++) {
    for (let j = i; j <= bytes.length; j++) {
      const { said } = frame([bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j)]);
      assert.deepEqual(said, expected(TEXT), `split at ${i} and ${j}`);
    }
  }
});

test("garbage in any chunks gives the lines that are in it and never holds more than the limit", () => {
  const byte = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0x0a, 0x0d, 0x41) }, fc.integer({ min: 0, max: 255 }));
  const chunk = fc.array(byte, { maxLength: 24 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), fc.integer({ min: 1, max: 12 }), (chunks, maxFrame) => {
      const { said, framer } = frame(chunks, maxFrame);
      assert.deepEqual(said, expected(Buffer.concat(chunks).toString("latin1"), maxFrame));
      assert.ok(framer.slabBytes <= maxFrame + 1, `${framer.slabBytes} bytes held, limit ${maxFrame}`);
    }),
  );
});

test("a line without end is reported once, thrown away, and the next line is read", () => {
  const endless = Array.from({ length: 1000 }, () => Buffer.alloc(100, 0x55));
  const { said, framer } = frame([...endless, Buffer.from("end\nnext\n")], 4096);
  assert.deepEqual(said, ["<oversize>", "next"]);
  assert.ok(framer.slabBytes <= 4097);
});

test("the slab grows with what is held, not with the limit", () => {
  const { framer } = frame([Buffer.from("a few bytes")], 1 << 20);
  assert.equal(framer.slabBytes, 256);
});

test("an empty chunk changes nothing", () => {
  assert.deepEqual(frame([Buffer.from("a"), Buffer.alloc(0), Buffer.from("b\n")]).said, ["ab"]);
});
