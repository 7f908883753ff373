// Frames byte by byte: what the reader takes and refuses, and what the writer makes of our bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "#base/errors.ts";
import { WebSocketReader } from "#wire/web-socket-reader.ts";
import { encodeClose, encodeFrame, encodeFrames, frameCount, SENT_FRAME_BYTES_MAX } from "#wire/web-socket-writer.ts";

/** What the reader makes of `bytes` cut at `cuts`; payload of a message is gathered, wherever it was cut. */
function readCut(bytes: Buffer, cuts: readonly number[], isDeflateAgreed = false): string[] {
  const heard: string[] = [];
  let gathered = "";
  const say = (line: string) => {
    if (gathered !== "") heard.push(gathered);
    gathered = "";
    heard.push(line);
  };
  const reader = new WebSocketReader(
    {
      onPayload: (part, isDeflated) => {
        gathered += isDeflated ? `~${part.toString("hex")}` : part.toString("latin1");
      },
      onDeflatedEnd: () => say("end"),
      onPing: (payload) => say(`ping ${payload}`),
      onClose: (code, reason) => say(`close ${code} ${reason}`),
    },
    { isDeflateAgreed },
  );
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    reader.read(Buffer.from(bytes.subarray(from, to)));
    from = to;
  }
  if (gathered !== "") heard.push(gathered);
  return heard;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

function breachOf(bytes: string, isDeflateAgreed = false): string {
  try {
    readCut(hex(bytes), [], isDeflateAgreed);
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.code === "WIRE_BAD_FRAME");
    return error.message;
  }
  assert.fail(`no breach in ${bytes}`);
}

/** As a hub writes them: not masked. */
function plainFrame(first: number, payload: Buffer): Buffer {
  const length = payload.length;
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload]);
  if (length < 65_536) return Buffer.concat([Buffer.from([first, 126, length >> 8, length & 255]), payload]);
  const header = Buffer.from([first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(length, 6);
  return Buffer.concat([header, payload]);
}

const SESSION = Buffer.concat([
  plainFrame(0x82, Buffer.from("INFO {}\r\n")),
  plainFrame(0x89, Buffer.from("hi")),
  plainFrame(0x02, Buffer.from("LMSG a ")),
  plainFrame(0x89, Buffer.alloc(0)), // between the fragments of a message
  plainFrame(0x00, Buffer.alloc(0)),
  plainFrame(0x80, Buffer.from("2\r\n")),
  plainFrame(0x82, Buffer.alloc(200, "x")),
  plainFrame(0x8a, Buffer.from("a pong nobody asked for")),
  plainFrame(0x82, Buffer.alloc(0)),
  plainFrame(0x88, Buffer.concat([Buffer.from([0x03, 0xe9]), Buffer.from("Server Shutdown")])),
]);
const HEARD = ["INFO {}\r\n", "ping hi", "LMSG a ", "ping ", `2\r\n${"x".repeat(200)}`, "close 1001 Server Shutdown"];

test("frames are read the same whole, byte by byte and cut at every place", () => {
  assert.deepEqual(readCut(SESSION, []), HEARD);
  assert.deepEqual(
    readCut(
      SESSION,
      Array.from({ length: SESSION.length - 1 }, (_, i) => i + 1),
    ),
    HEARD,
  );
  for (let cut = 1; cut < SESSION.length; cut++) assert.deepEqual(readCut(SESSION, [cut]), HEARD, `cut at ${cut}`);
});

test("frames of every form of length are read, cut anywhere", () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 200_000), fc.integer({ min: 1, max: 12 }), (length, cut) => {
      const payload = Buffer.alloc(length, "abc");
      const bytes = plainFrame(0x82, payload);
      const wanted = length === 0 ? [] : [payload.toString("latin1")];
      assert.deepEqual(readCut(bytes, [Math.min(cut, bytes.length - 1)]), wanted);
    }),
  );
});

test("payload goes on before its frame is complete: a frame of a gigabyte costs nothing", () => {
  const header = hex("82 7f 00 00 00 00 40 00 00 00");
  assert.deepEqual(readCut(Buffer.concat([header, Buffer.from("PING\r\n")]), []), ["PING\r\n"]);
});

test("deflated messages are told apart, over their fragments, and their end is told", () => {
  const bytes = Buffer.concat([
    plainFrame(0x42, hex("aabb")),
    plainFrame(0x80, hex("cc")),
    plainFrame(0x82, Buffer.from("PING")),
  ]);
  assert.deepEqual(readCut(bytes, [], true), ["~aabb~cc", "end", "PING"]);
  assert.deepEqual(readCut(plainFrame(0xc2, Buffer.alloc(0)), [], true), ["end"]);
});

test("each breach is named with what was found", () => {
  assert.match(breachOf("82 81 00 00 00 00 61"), /masked frame/);
  assert.match(breachOf("a2 00"), /reserved bits/);
  assert.match(breachOf("92 00"), /reserved bits/);
  assert.match(breachOf("c2 00"), /compressed where that was not agreed/);
  assert.match(breachOf("42 00 c0 00", true), /compressed where that was not agreed/);
  assert.match(breachOf("c9 00", true), /control frame that says it is compressed/);
  assert.match(breachOf("81 00"), /text frame/);
  for (const kind of ["83", "87"]) assert.match(breachOf(`${kind} 00`), /data frame of the reserved kind/);
  for (const kind of ["8b", "8f"]) assert.match(breachOf(`${kind} 00`), /control frame of the reserved kind/);
  assert.match(breachOf("09 00"), /in fragments/);
  assert.match(breachOf("89 7e"), /more than 125 bytes/);
  assert.match(breachOf("88 7f"), /more than 125 bytes/);
  assert.match(breachOf("80 00"), /continuation of nothing/);
  assert.match(breachOf("02 00 82 00"), /before the end of the last one/);
  assert.match(breachOf("88 01 03"), /close frame of one byte/);
  assert.match(breachOf("82 7f 80 00 00 00 00 00 00 00"), /a frame of 9223372036854775808 bytes/);
  assert.match(breachOf("82 7f 00 00 00 00 40 00 00 01"), /a frame of 1073741825 bytes/);
  assert.match(breachOf("82 02 61 61 82 81"), /at byte 4 behind the upgrade/);
});

test("a close frame tells code and reason, without control characters, and what comes after it is not read", () => {
  assert.deepEqual(readCut(hex("88 00 83 00"), []), ["close 1005 "]);
  assert.deepEqual(readCut(hex("88 02 03 f1 ff ff ff"), []), ["close 1009 "]);
  assert.deepEqual(readCut(hex("88 05 03 e8 1b ff 41"), []), ["close 1000 ··A"]);
});

test("no bytes make the reader throw anything but a breach", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isDeflateAgreed) => {
      try {
        readCut(Buffer.from(bytes), [1, 2, 3], isDeflateAgreed);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
  );
});

/** Undoes our frames as a hub would. */
function unmasked(frames: Buffer): { readonly firsts: number[]; readonly payload: Buffer } {
  const firsts: number[] = [];
  const parts: Buffer[] = [];
  for (let at = 0; at < frames.length; ) {
    firsts.push(frames[at]!);
    assert.equal(frames[at + 1]! & 0x80, 0x80, "masked");
    const short = frames[at + 1]! & 0x7f;
    assert.ok(short < 127);
    const headerBytes = short < 126 ? 6 : 8;
    const length = short < 126 ? short : frames.readUInt16BE(at + 2);
    assert.ok(short < 126 || length >= 126, "the shortest form");
    const mask = frames.subarray(at + headerBytes - 4, at + headerBytes);
    const part = frames.subarray(at + headerBytes, at + headerBytes + length);
    parts.push(Buffer.from(part.map((byte, i) => byte ^ mask[i % 4]!)));
    at += headerBytes + length;
  }
  return { firsts, payload: Buffer.concat(parts) };
}

test("our frame, to the byte", () => {
  assert.deepEqual(encodeFrames(Buffer.from("PING\r\n"), hex("01020304")), hex("82 86 01020304 51 4b 4d 43 0c 08"));
  assert.deepEqual(encodeFrame(10, Buffer.from("x"), hex("00000000")), hex("8a 81 00000000 78"));
  assert.deepEqual(encodeFrame(2, Buffer.from("x"), hex("00000000"), true), hex("c2 81 00000000 78"));
  assert.deepEqual(encodeClose(1000, hex("00000000")), hex("88 82 00000000 03e8"));
});

test("our bytes come through the mask unchanged, whatever their number, in frames a small hub takes", () => {
  const max = SENT_FRAME_BYTES_MAX;
  const lengths = [1, 2, 3, 4, 5, 125, 126, 127, max - 1, max, max + 1, max + 125, max + 126, max * 3 + 7];
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...lengths), fc.integer({ min: 1, max: 300 })),
      fc.integer({ min: 0, max: 3 }),
      (length, skew) => {
        const payload = Buffer.from(new ArrayBuffer(length + skew), skew).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
        const source = Buffer.from(payload);
        const masks = Buffer.from(Array.from({ length: frameCount(length) * 4 }, (_, i) => (i * 37 + 11) & 0xff));
        const { firsts, payload: arrived } = unmasked(encodeFrames(source, masks));
        assert.ok(arrived.equals(payload));
        assert.ok(source.equals(payload), "what was lent is unchanged");
        assert.deepEqual(new Set(firsts), new Set([0x82]));
        assert.equal(firsts.length, Math.ceil(length / max));
      },
    ),
  );
});
