// idle_gap and modbus_rtu: framings that end by silence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { modbusGap } from "#ingress/serial/framers/modbus-framer.ts";
import { Silence } from "#ingress/serial/framers/silence.ts";
import { makeFramer } from "#ingress/serial/make-framer.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { FrameRecorder, hear, MAX_FRAME, withCrc } from "../../../../support/framings.ts";

const LINE = { baudRate: 9600, bitsPerCharacter: 11 };
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("idle_gap: a frame is what comes until the line is silent for the gap, not a moment sooner", () => {
  const clock = new FakeClock();
  const recorder = new FrameRecorder();
  const framer = makeFramer({ type: "idle_gap", maxFrame: MAX_FRAME, gap: 50 }, recorder, LINE, clock);
  for (let i = 0; i < 10; i++) {
    framer.feed(Buffer.of(i));
    assert.ok(clock.pending <= 1, "a timer for each chunk");
    clock.advance(49);
  }
  assert.deepEqual(recorder.frames, []);
  clock.advance(1);
  assert.deepEqual(recorder.frames, ["00010203040506070809"]);
  clock.advance(10_000);
  assert.deepEqual([recorder.frames.length, clock.pending], [1, 0], "a silent line costs nothing");
});

test("idle_gap: on a slow line, one character takes longer than a silence elsewhere", () => {
  const clock = new FakeClock();
  const recorder = new FrameRecorder();
  const framer = makeFramer(
    { type: "idle_gap", maxFrame: MAX_FRAME, gap: null },
    recorder,
    { baudRate: 50, bitsPerCharacter: 10 },
    clock,
  );
  for (const byte of [1, 2, 3]) {
    framer.feed(Buffer.of(byte));
    clock.advance(200);
  }
  assert.deepEqual(recorder.frames, []);
  clock.advance(500);
  assert.deepEqual(recorder.frames, ["010203"]);
});

test("idle_gap: a burst beyond the limit is thrown away up to the silence behind it", () => {
  const long = Buffer.alloc(MAX_FRAME + 1, 1);
  const heard = hear({ type: "idle_gap", maxFrame: MAX_FRAME, gap: 50 }, [long, long, hex("aa"), hex("bb")], new Set([2]));
  assert.deepEqual(heard.events, ["oversize", "bb"]);
});

test("bytes that were late because we were busy are no silence of the device", () => {
  const clock = new FakeClock();
  let now = 0;
  const busy = { now: () => now, after: (delay: number, action: () => void) => clock.after(delay, action) };
  let silences = 0;
  const silence = new Silence(busy, 50, () => {
    silences += 1;
  });
  silence.touch();
  now = 500; // we were busy for half a second
  clock.advance(50); // the timer comes late, before the bytes that wait in the system
  assert.equal(silences, 0);
  silence.touch(); // here they are
  clock.advance(2);
  assert.equal(silences, 0);
  now = 550;
  clock.advance(50);
  assert.equal(silences, 1);
});

test("a device that falls silent while we are busy is noticed all the same", () => {
  const clock = new FakeClock();
  let now = 0;
  const busy = { now: () => now, after: (delay: number, action: () => void) => clock.after(delay, action) };
  let silences = 0;
  const silence = new Silence(busy, 50, () => {
    silences += 1;
  });
  silence.touch();
  now = 500;
  clock.advance(50);
  clock.advance(2);
  assert.equal(silences, 1);
  assert.equal(clock.pending, 0);
});

test("where every timer is late, silence is noticed with the second look", () => {
  const clock = new FakeClock();
  let now = 0;
  const busy = { now: () => now, after: (delay: number, action: () => void) => clock.after(delay, action) };
  let silences = 0;
  const silence = new Silence(busy, 50, () => {
    silences += 1;
  });
  for (let round = 1; round <= 2; round++) {
    silence.touch();
    for (const delay of [50, 2]) {
      now += 500;
      clock.advance(delay);
    }
    assert.equal(silences, round);
  }
  silence.touch();
  silence.stop();
  assert.equal(clock.pending, 0);
});

test("modbus: question and answer in one chunk come apart, without any silence", () => {
  const question = hex("07 03 0010 0002");
  const answer = hex("07 03 04 00d6 0037");
  const refusal = hex("07 83 02");
  const write = hex("07 10 0000 0002 04 00010002");
  const all = [question, answer, question, refusal, write, hex("07 10 0000 0002"), hex("07 16 0000 00ff 0001")];
  const { options } = { options: { type: "modbus_rtu", maxFrame: 256, gap: 20 } as const };
  const clock = new FakeClock();
  const recorder = new FrameRecorder();
  const framer = makeFramer(options, recorder, LINE, clock);
  framer.feed(Buffer.concat(all.map(withCrc)));
  assert.deepEqual(
    recorder.events,
    all.map((frame) => frame.toString("hex")),
  );
  framer.reset();
  assert.equal(clock.pending, 0);
});

test("modbus: as many as the standard allows are asked for, and one more is no question", () => {
  const ask = (frame: string) =>
    hear({ type: "modbus_rtu", maxFrame: 256, gap: 20 }, [withCrc(hex(frame)), hex("07")]).frames.length;
  for (const [frame, isQuestion] of [
    ["07 03 0000 007d", true],
    ["07 03 0000 007e", false],
    ["07 01 0000 07d0", true],
    ["07 01 0000 07d1", false],
    ["07 04 0000 0000", false],
    ["07 05 0000 ff00", true],
    ["07 05 0000 1234", false],
  ] as const) {
    assert.equal(ask(frame) === 1, isQuestion, frame);
  }
});

test("modbus: one frame in two chunks is one frame", () => {
  const frame = withCrc(hex("07 03 04 00d6 0037"));
  const heard = hear({ type: "modbus_rtu", maxFrame: 256, gap: 20 }, [frame.subarray(0, 4), frame.subarray(4)]);
  assert.deepEqual(heard.events, ["07030400d60037"]);
  assert.equal(heard.countOf.noise, 0, "the silence behind it found something to say");
});

test("modbus: noise before, between and a spoilt byte cost exactly the frames that they hit", () => {
  const frames = Array.from({ length: 20 }, (_, i) => withCrc(Buffer.of(7, 3, 2, 0, i)));
  const spoilt = frames.map((frame, i) => {
    if (i % 5 === 0) return Buffer.concat([Buffer.of(0xf8, 0x11), frame]);
    if (i !== 7) return frame;
    const wrong = Buffer.from(frame);
    wrong[3] = 0x40;
    return wrong;
  });
  const heard = hear({ type: "modbus_rtu", maxFrame: 256, gap: 20 }, [Buffer.concat(spoilt)]);
  assert.equal(heard.frames.length, 19);
  assert.equal(heard.bytesOf.noise, 4 * 2 + 7);
});

test("modbus: a function we do not know is taken whole when the line falls silent, if its checksum is right", () => {
  const unknown = withCrc(hex("07 64 010203"));
  const wrong = Buffer.from(unknown);
  wrong[2] = 9;
  const heard = hear({ type: "modbus_rtu", maxFrame: 256, gap: 20 }, [unknown, wrong, hex("07")], new Set([0, 1, 2]));
  assert.deepEqual(heard.frames, ["0764010203"]);
  assert.equal(heard.bytesOf.noise, wrong.length + 1);
});

test("modbus: the gap follows the baud rate, but no adapter lets us see less than 20 ms", () => {
  assert.equal(modbusGap({ baudRate: 9600, bitsPerCharacter: 11 }), 20);
  assert.equal(modbusGap({ baudRate: 115_200, bitsPerCharacter: 11 }), 20);
  assert.equal(modbusGap({ baudRate: 300, bitsPerCharacter: 11 }).toFixed(1), "128.3");
});
