// What every framer promises, whatever its type; what each one means by a frame has a test of its own beside this one.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FramingType } from "#ingress/serial/framing-options.ts";
import { makeFramer } from "#ingress/serial/make-framer.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import {
  FRAMING_TYPES_SPOKEN,
  FrameRecorder,
  hear,
  hexOf,
  MAX_FRAME,
  SPEAKERS,
  type Speaker,
} from "../../../../support/framings.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const TYPES: readonly FramingType[] = [
  "line",
  "delimiter",
  "fixed",
  "length_prefix",
  "start_end",
  "cobs",
  "slip",
  "idle_gap",
  "nmea",
  "modbus_rtu",
];

/** Frames that one wrong bit may cost: two where it joins them, one where each stands alone, and as many as a wrong length swallows. */
const LOST_MAX: Partial<Record<FramingType, number>> = { fixed: 1, idle_gap: 1, length_prefix: Math.ceil(MAX_FRAME / 8) };

/** Frames that follow each other; where only silence tells them apart, each with its silence. */
function send(speaker: Speaker, contents: readonly Buffer[]): FrameRecorder {
  const chunks = contents.map((content) => speaker.encode(content));
  if (speaker.options.type === "idle_gap") return hear(speaker.options, chunks, new Set(chunks.keys()));
  return hear(speaker.options, [Buffer.concat(chunks)]);
}

function someContents(speaker: Speaker, seed: number, count = 12): Buffer[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => speaker.content(random));
}

function noise(random: () => number, bytesMax: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() * bytesMax) }, () => Math.floor(random() * 256)));
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places, bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

test("there is a speaker for every type of framing", () => {
  assert.deepEqual([...FRAMING_TYPES_SPOKEN].sort(), [...TYPES].sort());
});

for (const [name, speaker] of Object.entries(SPEAKERS)) {
  test(`${name}: what a device sends comes out, frame by frame, and nothing else`, () => {
    const contents = someContents(speaker, 1);
    const { events } = send(speaker, contents);
    assert.deepEqual(events, hexOf(contents.map((content) => speaker.frameOf(content))));
  });

  test(`${name}: byte by byte, and cut at every place, it is the same`, () => {
    const contents = someContents(speaker, 2, speaker.options.type === "idle_gap" ? 1 : 4);
    const bytes = Buffer.concat(contents.map((content) => speaker.encode(content)));
    const expected = hexOf(contents.map((content) => speaker.frameOf(content)));
    assert.deepEqual(hear(speaker.options, cutAt(bytes, [...bytes.keys()])).events, expected);
    for (const place of bytes.keys())
      assert.deepEqual(hear(speaker.options, cutAt(bytes, [place])).events, expected, `cut at ${place}`);
  });

  test(`${name}: garbage says the same whole, byte by byte and cut anywhere, and is never held beyond the limit`, () => {
    const random = seededRandom(3);
    for (let round = 0; round < 60; round++) {
      // garbage, and garbage with frames in it: both meet states that pure noise never reaches
      const parts = Array.from({ length: 6 }, () =>
        random() < 0.5 ? noise(random, 40) : speaker.encode(speaker.content(random)),
      );
      const bytes = Buffer.concat(parts);
      const whole = hear(speaker.options, [bytes]);
      const places = Array.from({ length: 5 }, () => Math.floor(random() * bytes.length)).sort((a, b) => a - b);
      for (const chunks of [cutAt(bytes, [...bytes.keys()]), cutAt(bytes, places)]) {
        const cut = hear(speaker.options, chunks);
        assert.deepEqual(cut.events, whole.events, `round ${round}`);
        assert.equal(cut.bytesOf.noise, whole.bytesOf.noise, `round ${round}`);
      }
    }
  });

  test(`${name}: after any garbage it is back in step, and every frame from there on comes out`, () => {
    const random = seededRandom(4);
    for (let round = 0; round < 100; round++) {
      const contents = someContents(speaker, 100 + round, 5);
      const garbage = noise(random, 200);
      const frames = contents.map((content) => speaker.encode(content));
      const chunks = [garbage, ...(speaker.resync === null ? [] : [speaker.resync]), ...frames];
      const gaps = new Set(speaker.options.type === "idle_gap" ? chunks.keys() : speaker.resync === null ? [0] : []);
      const heard = hear(speaker.options, chunks, gaps);
      const expected = hexOf(contents.map((content) => speaker.frameOf(content)));
      assert.deepEqual(heard.frames.slice(-expected.length), expected, `round ${round}`);
    }
  });

  test(`${name}: a byte that is spoilt costs the frames that it hits, and no others`, () => {
    const random = seededRandom(8);
    const lostMax = LOST_MAX[speaker.options.type] ?? 2;
    for (let round = 0; round < 100; round++) {
      const contents = someContents(speaker, 200 + round, 20);
      const chunks = contents.map((content) => Buffer.from(speaker.encode(content)));
      const hit = chunks[Math.floor(random() * chunks.length)]!;
      hit[Math.floor(random() * hit.length)]! ^= 1 << Math.floor(random() * 8);
      const gaps = new Set(speaker.options.type === "idle_gap" ? chunks.keys() : []);
      const { frames } = hear(speaker.options, chunks, gaps);
      const expected = hexOf(contents.map((content) => speaker.frameOf(content)));
      const left = [...frames];
      const lost = expected.filter((frame) => {
        const at = left.indexOf(frame);
        if (at !== -1) left.splice(at, 1);
        return at === -1;
      });
      assert.ok(lost.length <= lostMax, `round ${round}: ${lost.length} lost`);
    }
  });

  test(`${name}: a frame that an unplug cuts leaves nothing behind, neither bytes nor timer`, () => {
    const random = seededRandom(9);
    const content = speaker.content(random);
    for (let cut = 1; cut < speaker.encode(content).length; cut++) {
      const recorder = new FrameRecorder();
      const clock = new FakeClock();
      const framer = makeFramer(speaker.options, recorder, { baudRate: 9600, bitsPerCharacter: 10 }, clock);
      framer.feed(speaker.encode(speaker.content(random)).subarray(0, cut));
      const before = recorder.frames.length;
      framer.reset();
      assert.equal(clock.pending, 0, `cut at ${cut}`);
      framer.feed(speaker.encode(content));
      clock.advance(1000);
      assert.deepEqual(recorder.frames.slice(before), [speaker.frameOf(content).toString("hex")], `cut at ${cut}`);
      assert.equal(framer.reset(), 0, "something is held behind a whole frame");
    }
  });

  test(`${name}: an endless frame is bounded, reported, and the next one is read`, () => {
    const { options, resync } = speaker;
    const endless = Buffer.alloc(20 * MAX_FRAME, speaker.options.type === "modbus_rtu" ? 0x42 : 0x61);
    const opening = speaker.encode(speaker.content(seededRandom(5))).subarray(0, 3);
    const content = speaker.content(seededRandom(6));
    const chunks = [opening, ...cutAt(endless, [1, 7, 100]), ...(resync === null ? [] : [resync]), speaker.encode(content)];
    const gaps = new Set(resync === null ? [chunks.length - 2] : []);
    const heard = hear(options, chunks, gaps);
    assert.equal(heard.frames.at(-1), speaker.frameOf(content).toString("hex"));
    const isCounted = heard.oversizes + Object.values(heard.countOf).reduce((sum, count) => sum + count, 0) > 0;
    if (speaker.options.type !== "fixed") assert.ok(isCounted, "nothing was said of it");
    assert.ok(heard.oversizes <= 1, `${heard.oversizes} times oversize`);
  });
}
