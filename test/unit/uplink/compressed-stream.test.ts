import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openS2Codec, type S2Level } from "#s2/codec.ts";
import { S2Writer } from "#s2/writer.ts";
import { CompressedStream } from "#uplink/compressed-stream.ts";
import { type Bench, bench, introduced } from "../../support/connection-bench.ts";
import { turn } from "../../support/fake-clock.ts";
import { decodeStream } from "../../support/s2-oracle.ts";

const codec = openS2Codec();
const DEFAULTS = [10, 50, 100];

function flush(text: string, level: S2Level = "fast"): Buffer {
  const chunks: Buffer[] = [];
  new S2Writer(codec).write(Buffer.from(text), level, (view) => chunks.push(Buffer.from(view)));
  return Buffer.concat(chunks);
}

function reading(stream: CompressedStream, chunks: readonly Buffer[]): string {
  const plain: string[] = [];
  for (const chunk of chunks) stream.read(chunk, (view) => plain.push(view.toString("latin1")));
  return plain.join("");
}

function written(stream: CompressedStream, plain: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  stream.write(plain, (bytes) => chunks.push(bytes));
  return chunks;
}

test("a fixed level stays, whatever the round trip; s2_auto begins with what is known and follows what is measured", () => {
  for (const level of ["uncompressed", "fast", "better", "best"] as const) {
    const stream = new CompressedStream(codec, `s2_${level}`, DEFAULTS, 70);
    assert.equal(stream.level, level);
    stream.onRoundTrip(500);
    assert.equal(stream.level, level);
  }
  const auto = new CompressedStream(codec, "s2_auto", DEFAULTS, 70);
  assert.equal(auto.level, "better");
  const levels = [5, 500, 50, 10].map((rtt) => {
    auto.onRoundTrip(rtt);
    return auto.level;
  });
  assert.deepEqual(levels, ["uncompressed", "best", "fast", "uncompressed"]);
});

test("the identifier comes once, and a change of level in mid-stream goes unnoticed on the other side", () => {
  const stream = new CompressedStream(codec, "s2_auto", DEFAULTS, 0);
  const rtts = [0, 30, 70, 200, 0, 200];
  const texts = rtts.map((_, i) => `${i} ${"LMSG sensors.a 5\r\nhello\r\n".repeat(i * 40)}`);
  const chunks = texts.flatMap((text, i) => {
    stream.onRoundTrip(rtts[i]!);
    return written(stream, Buffer.from(text));
  });
  const wire = Buffer.concat(chunks);
  assert.equal(wire.toString("latin1").split("S2sTwO").length - 1, 1);
  const { pieces, refusal } = decodeStream(wire);
  assert.deepEqual([Buffer.concat(pieces).toString(), refusal], [texts.join(""), undefined]);
});

test("what it emits is the receiver's own: the next flush does not touch it", () => {
  const stream = new CompressedStream(codec, "s2_best", DEFAULTS, 0);
  const first = written(stream, Buffer.from("a".repeat(5000)));
  const copies = first.map((bytes) => Buffer.from(bytes));
  written(stream, Buffer.from("b".repeat(5000)));
  assert.deepEqual(first, copies);
});

test("whatever is written comes out as it was, in whatever pieces it travels", () => {
  const texts = fc.array(fc.oneof(fc.string({ maxLength: 300 }), fc.constant("INFO {}\r\n".repeat(9000))), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(texts, fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 20 }), (all, sizes) => {
      const from = new CompressedStream(codec, "s2_better", DEFAULTS, 0);
      const wire = Buffer.concat(all.flatMap((text) => written(from, Buffer.from(text, "latin1"))));
      const pieces: Buffer[] = [];
      for (let at = 0, i = 0; at < wire.length; i++) {
        const size = sizes[i % sizes.length]!;
        pieces.push(wire.subarray(at, at + size));
        at += size;
      }
      assert.equal(
        reading(new CompressedStream(codec, "s2_fast", DEFAULTS, 0), pieces),
        all.map((text) => Buffer.from(text, "latin1").toString("latin1")).join(""),
      );
    }),
    { numRuns: 60 },
  );
});

test("text in clear in front of the stream is handed on, and the stream found behind it, at every cut", () => {
  const wire = Buffer.concat([Buffer.from("PING\r\n"), flush('INFO {"compression":"s2_fast"}\r\n')]);
  for (let cut = 0; cut <= wire.length; cut++) {
    const stream = new CompressedStream(codec, "s2_fast", DEFAULTS, 0);
    assert.equal(
      reading(stream, [wire.subarray(0, cut), wire.subarray(cut)]),
      'PING\r\nINFO {"compression":"s2_fast"}\r\n',
      `cut at ${cut}`,
    );
  }
});

test("a hub that never switches is read as it speaks, byte by byte", () => {
  const stream = new CompressedStream(codec, "s2_fast", DEFAULTS, 0);
  const text = "-ERR 'Authentication Timeout'\r\n";
  assert.equal(
    reading(
      stream,
      [...text].map((letter) => Buffer.from(letter)),
    ),
    text,
  );
});

test("behind the first byte of a stream nothing counts as clear any more", () => {
  const stream = new CompressedStream(codec, "s2_fast", DEFAULTS, 0);
  assert.equal(reading(stream, [flush("PING\r\n")]), "PING\r\n");
  assert.throws(() => reading(stream, [Buffer.from("-ERR 'x'\r\n")]), { code: "S2_UNKNOWN_CHUNK" });
});

test("writing inside of reading, as an answer is, disturbs neither", () => {
  const hub = new CompressedStream(codec, "s2_fast", DEFAULTS, 0);
  const spoke = new CompressedStream(codec, "s2_best", DEFAULTS, 0);
  const wire = [1, 2, 3].flatMap((i) => written(hub, Buffer.from(`LINE ${i}\r\n`.repeat(3000))));
  const answers: Buffer[] = [];
  const heard: string[] = [];
  spoke.read(Buffer.concat(wire), (view) => {
    spoke.write(Buffer.from(`answer ${heard.length}\r\n`.repeat(2000)), (bytes) => answers.push(bytes));
    heard.push(view.toString());
  });
  assert.equal(heard.join(""), [1, 2, 3].map((i) => `LINE ${i}\r\n`.repeat(3000)).join(""));
  assert.equal(
    Buffer.concat(decodeStream(Buffer.concat(answers)).pieces).toString(),
    heard.map((_, i) => `answer ${i}\r\n`.repeat(2000)).join(""),
  );
});

// ── on a connection ───────────────────────────────────────────────────────────────────────────────────────────────────

test("an answer written inside the decoder leaves at once and whole, and the rest of the chunk is read after it", async () => {
  const codec = openS2Codec();
  const at: Bench = bench({
    on: {
      onInfo: () => {
        at.heard.push("info");
        at.connection.out.text(`CONNECT ${JSON.stringify({ name: "gw".repeat(100) })}\r\n`);
        at.connection.flushNow();
        at.connection.ping();
      },
    },
  });
  at.connection.compress(new CompressedStream(codec, "s2_better", [], 0));
  const chunks: Buffer[] = [];
  const text = `INFO {"compression":"s2_fast"}\r\nLS+ a.>\r\nLMSG a 3000\r\n${"ab".repeat(1500)}\r\n`;
  new S2Writer(openS2Codec()).write(Buffer.from(text), "fast", (view) => chunks.push(Buffer.from(view)));
  at.stream.says(Buffer.concat(chunks));
  await turn();
  await turn();
  assert.deepEqual(at.heard, ["info", "ls+ a.>", `msg ${"ab".repeat(1500)}`]);
  const { pieces, refusal } = decodeStream(Buffer.concat(at.stream.writes));
  assert.equal(refusal, undefined);
  assert.equal(Buffer.concat(pieces).toString(), `CONNECT ${JSON.stringify({ name: "gw".repeat(100) })}\r\nPING\r\n`);
  assert.equal(at.connection.plainBytesIn, text.length);
  assert.ok(at.connection.bytesOut < at.connection.plainBytesOut);
});

test("the window counts bytes on the wire: what compresses well may be gathered many times over", async () => {
  const at = await introduced();
  at.connection.compress(new CompressedStream(openS2Codec(), "s2_fast", [], 0));
  const roomBefore = at.connection.room;
  for (let i = 0; i < 40; i++) {
    at.connection.out.text('{"temperature":21.5,"humidity":48}\r\n'.repeat(40));
    at.connection.flushNow();
  }
  const { underWay } = at.connection.flow;
  assert.ok(underWay < 12_000, `${underWay} bytes under way of ${at.connection.plainBytesOut}`);
  assert.ok(at.connection.room > roomBefore * 2, `room for ${at.connection.room} bytes of such text, ${roomBefore} before`);
});

test("a few bytes that unpack to megabytes are taken in turns, in order, and the socket is not read meanwhile", async () => {
  const at = await introduced();
  at.connection.compress(new CompressedStream(codec, "s2_fast", [], 0));
  const pieces: Buffer[] = [];
  const writer = new S2Writer(codec);
  const lines = Array.from({ length: 40 }, (_, i) => `LS+ bomb.${i}\r\n${"LS+ same.again\r\n".repeat(4_000)}`);
  for (const line of lines) writer.write(Buffer.from(line), "best", (view) => pieces.push(Buffer.from(view)));
  const wire = Buffer.concat(pieces);
  assert.ok(wire.length < 20_000, `${wire.length} bytes for ${lines.join("").length}`);
  const turns: number[] = [];
  at.stream.says(wire);
  at.stream.says(writtenOnce(writer, "LS+ last\r\n"));
  while (!at.heard.includes("ls+ last")) {
    await turn();
    turns.push(at.heard.length);
    assert.ok(turns.length < 100, "it stands still");
  }
  const mostInOneTurn = Math.max(...turns.map((count, i) => count - (turns[i - 1] ?? 0)));
  assert.ok(turns.length > 5 && mostInOneTurn < 60_000, `${turns.length} turns, at most ${mostInOneTurn} lines in one`);
  assert.deepEqual(
    at.heard.filter((line) => line !== "ls+ same.again"),
    [...lines.map((_, i) => `ls+ bomb.${i}`), "ls+ last"],
  );
});

test("a connection that ends while it is in the middle of such a chunk hears no more of it", async () => {
  const at = await introduced();
  at.connection.compress(new CompressedStream(codec, "s2_fast", [], 0));
  const writer = new S2Writer(codec);
  at.stream.says(Buffer.concat(Array.from({ length: 20 }, () => writtenOnce(writer, "LS+ a\r\n".repeat(9_000)))));
  await turn();
  const heard = at.heard.length;
  assert.ok(heard > 0 && heard < 180_000);
  at.connection.abort();
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(at.heard.length, heard);
});

function writtenOnce(writer: S2Writer, text: string): Buffer {
  const pieces: Buffer[] = [];
  writer.write(Buffer.from(text), "best", (view) => pieces.push(Buffer.from(view)));
  return Buffer.concat(pieces);
}
