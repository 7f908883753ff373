// delimiter, start_end, nmea, slip, cobs: framings that find their frames by bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FramingOptions } from "#ingress/serial/framing-options.ts";
import { type FrameRecorder, hear, nmeaSentence } from "../../../../support/framings.ts";

const MAX = 8;

/** Each text is a chunk. */
function texts(options: FramingOptions, ...chunks: string[]): FrameRecorder & { readonly said: string[] } {
  const recorder = hear(
    options,
    chunks.map((chunk) => Buffer.from(chunk, "latin1")),
  );
  const said = recorder.events.map((event) =>
    /^([0-9a-f]{2})+$/.test(event) ? Buffer.from(event, "hex").toString("latin1") : event,
  );
  return Object.assign(recorder, { said });
}

test("delimiter: a frame may be as long as the limit and not a byte longer, however it is cut", () => {
  const options = { type: "delimiter", maxFrame: MAX, delimiter: "--" } as const;
  assert.deepEqual(texts(options, "12345678--123456789--ab--").said, ["12345678", "oversize", "ab"]);
  assert.deepEqual(texts(options, "12345678-", "-123456789", "--ab-", "-").said, ["12345678", "oversize", "ab"]);
  assert.deepEqual(texts(options, "1234567-", "8--x--").said, ["oversize", "x"], "a dash that was none counts");
});

test("delimiter: a delimiter that begins within a false start of itself is found, empty frames are passed over", () => {
  const options = { type: "delimiter", maxFrame: MAX, delimiter: "aab" } as const;
  assert.deepEqual(texts(options, "xaaab", "aab", "yaaaab").said, ["xa", "yaa"]);
});

test("start_end: what lies outside is noise and counted, line ends are not", () => {
  const options = { type: "start_end", maxFrame: MAX, start: "<", end: ">" } as const;
  const { said, bytesOf } = texts(options, "~~<a>\r\n<b>~", "~<c>");
  assert.deepEqual(said, ["noise 2", "a", "b", "noise 2", "c"]);
  assert.equal(bytesOf.noise, 4);
});

test("an empty frame carries nothing and is passed over", () => {
  const cases: [options: FramingOptions, bytes: string][] = [
    [{ type: "delimiter", maxFrame: MAX, delimiter: "--" }, "----a--"],
    [{ type: "start_end", maxFrame: MAX, start: "<", end: ">" }, "<><a>"],
    [{ type: "start_end", maxFrame: MAX, start: "~", end: "~" }, "~~~a~"],
    [{ type: "slip", maxFrame: MAX }, "\xc0\xc0\xc0a\xc0"],
    [{ type: "cobs", maxFrame: MAX }, "\x01\0\0\x02a\0"],
  ];
  for (const [options, bytes] of cases) assert.deepEqual(texts(options, bytes).said, ["a"], options.type);
});

test("start_end: a second start means that an end was lost; the frame that begins there is whole", () => {
  const options = { type: "start_end", maxFrame: MAX, start: "[[", end: "]]" } as const;
  assert.deepEqual(texts(options, "[[ab[[cd]]").said, ["torn 2", "cd"]);
  assert.deepEqual(texts(options, "[[ab[", "[cd]", "]").said, ["torn 2", "cd"]);
  assert.deepEqual(texts(options, "[[[[cd]]").said, ["cd"]);
});

test("start_end: an oversize frame ends at its end or at the next start", () => {
  const options = { type: "start_end", maxFrame: MAX, start: "<", end: ">" } as const;
  assert.deepEqual(texts(options, "<123456789>~<a>").said, ["oversize", "noise 1", "a"]);
  assert.deepEqual(texts(options, "<123456789<a>").said, ["oversize", "a"]);
  assert.deepEqual(texts(options, "<12345678>").said, ["12345678"]);
});

test("start_end with one mark for both: frames may share it, and the first waits for it", () => {
  const options = { type: "start_end", maxFrame: MAX, start: "~", end: "~" } as const;
  assert.deepEqual(texts(options, "xx~a~b~~c~").said, ["noise 2", "a", "b", "c"]);
});

test("nmea: the checksum decides; without one a sentence passes only where it may", () => {
  const good = nmeaSentence("HEHDT,1.5,T").toString();
  const required = { type: "nmea", maxFrame: 82, checksum: "required" } as const;
  const optional = { type: "nmea", maxFrame: 82, checksum: "optional" } as const;
  const spoilt = good.replace("1.5", "1.4");
  assert.deepEqual(texts(required, `${good}\r\n${spoilt}\r\n$HEHDT,1.5,T\r\n${good.replace("*2B", "*2b")}\n`).said, [
    good,
    `checksum ${spoilt.length}`,
    "checksum 12",
    good.replace("*2B", "*2b"),
  ]);
  assert.deepEqual(texts(optional, `$HEHDT,1.5,T\r\n${spoilt}\r\n$A*\r\n`).said, [
    "$HEHDT,1.5,T",
    `checksum ${spoilt.length}`,
    "checksum 3",
  ]);
});

test("nmea: AIS begins with !, tag blocks are passed over, noise and torn sentences are counted", () => {
  const options = { type: "nmea", maxFrame: 82, checksum: "required" } as const;
  const ais = nmeaSentence("AIVDM,1,1,,A,1").toString().replace("$", "!");
  const good = nmeaSentence("HEHDT,1.5,T").toString();
  assert.deepEqual(texts(options, `\\s:a,c:1*0D\\${ais}\r\nxyz\r\n$GPGGA,1${good}\r\n`).said, [ais, "noise 3", "torn 8", good]);
});

test("slip: an escape that is none spoils its frame and no other", () => {
  const options = { type: "slip", maxFrame: MAX } as const;
  assert.deepEqual(texts(options, "\xc0ab\xc0c\xdbXd\xc0e\xdb\xdc\xdb", "\xdd\xc0f\xdb\xc0g\xc0").said, [
    "ab",
    "escape 4",
    "e\xc0\xdb",
    "escape 2",
    "g",
  ]);
  assert.deepEqual(texts(options, "12345678\xc0123456789\xc0a\xc0").said, ["12345678", "oversize", "a"]);
});

test("cobs: zeros come back, a block that is cut short spoils its frame and no other", () => {
  const options = { type: "cobs", maxFrame: 300 } as const;
  const plain = hear(options, [Buffer.from("01010003112202330005aabb00021100", "hex")]);
  assert.deepEqual(plain.events, ["00", "11220033", "escape 3", "11"]);
  const long = Buffer.alloc(254, 0x5a);
  assert.deepEqual(hear(options, [Buffer.concat([Buffer.of(0xff), long, Buffer.of(1, 0)])]).frames, [`${long.toString("hex")}`]);
  assert.deepEqual(hear(options, [Buffer.concat([Buffer.of(0xff), long, Buffer.of(0)])]).frames, [long.toString("hex")]);
  assert.deepEqual(hear({ type: "cobs", maxFrame: 2 }, [Buffer.from("03aabb0004aabbcc0002aa00", "hex")]).events, [
    "aabb",
    "oversize",
    "aa",
  ]);
});
