import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { type Batch, headersOf, payloadOf, subjectOf } from "#core/batch.ts";
import { Intake } from "#ingress/serial/intake.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { nmeaSentence } from "../../../support/framings.ts";
import { withCrc } from "../../../support/modbus-units.ts";
import { serialPort } from "../../../support/serial-options.ts";

/** An intake that opened long ago, and what it published: one list for each batch. */
function open(settings: Readonly<Record<string, unknown>>) {
  const clock = new FakeClock();
  const batches: string[][] = [];
  let heard = 0;
  const publish = (batch: Batch) => {
    const messages = Array.from({ length: batch.count }, (_, i) => {
      const headers = headersOf(batch, i).toString("utf8").split("\r\n").slice(1, -2);
      return [subjectOf(batch, i), payloadOf(batch, i).toString("latin1"), ...headers].join(" | ");
    });
    batches.push(messages);
  };
  const options = serialPort({ name: "bench", match: { path: "/dev/ttyTEST0" }, ...settings });
  const intake = new Intake(options, { clock, log: silentLog() }, publish, () => {
    heard += 1;
  });
  intake.begin();
  return { clock, intake, batches, heard: () => heard };
}

test("a chunk is one batch, values carry their headers", () => {
  const columns = ["a", { name: "b", unit: "V" }];
  const { clock, intake, batches } = open({ subject: "s.{field}", decode: { type: "csv", columns } });
  clock.advance(100);
  intake.feed(Buffer.from("1,2\n3,4\n"));
  assert.deepEqual(batches, [["s.a | 1", "s.b | 2 | Petiole-Unit: V", "s.a | 3", "s.b | 4 | Petiole-Unit: V"]]);
});

test("a frame that silence ends is published when it ends, and whoever watches hears of it", () => {
  const { clock, intake, batches, heard } = open({ subject: "s", framing: { type: "idle_gap" }, decode: { type: "raw" } });
  clock.advance(100);
  intake.feed(Buffer.from("ab"));
  intake.feed(Buffer.from("cd"));
  assert.deepEqual([batches, heard()], [[], 0]);
  clock.advance(50);
  assert.deepEqual([batches, heard()], [[["s | abcd"]], 1]);
  assert.equal(intake.tally.frames, 1);
});

test("an unplug in the middle of a frame leaves no timer and no half of it behind", () => {
  const { clock, intake, batches } = open({ subject: "s", framing: { type: "idle_gap" }, decode: { type: "raw" } });
  clock.advance(100);
  intake.feed(Buffer.from("ab"));
  intake.end();
  assert.deepEqual([intake.tally.torn, clock.pending], [1, 0]);
  intake.begin();
  clock.advance(100);
  intake.feed(Buffer.from("cd"));
  clock.advance(50);
  assert.deepEqual(batches, [["s | cd"]]);
});

test("right after opening, a frame is doubted unless mark or checksum show that it is whole", () => {
  const line = open({ subject: "s", decode: { type: "text" } });
  line.intake.feed(Buffer.from("1.4\n1.5\n"));
  assert.deepEqual([line.batches, line.intake.tally.torn], [[["s | 1.5"]], 1]);

  const marked = open({ subject: "s", framing: { type: "start_end", start: "<", end: ">" }, decode: { type: "text" } });
  marked.intake.feed(Buffer.from("4><1.5>"));
  assert.deepEqual([marked.batches, marked.intake.tally.torn, marked.intake.faults.noiseBytes], [[["s | 1.5"]], 0, 2]);

  const sentence = open({ subject: "s", decode: { type: "nmea", units_in: "none" } });
  sentence.intake.feed(Buffer.concat([nmeaSentence("HEHDT,1.5,T"), Buffer.from("\r\n")]));
  assert.deepEqual(sentence.batches, [['s | {"sentence":"HDT","talker":"HE","heading":1.5}']]);
});

test("a frame that its own framing refuses is kept to look at, too", () => {
  const { clock, intake } = open({ subject: "s", framing: { type: "slip" }, decode: { type: "raw" } });
  clock.advance(100);
  intake.feed(Buffer.from("c06162db58c0", "hex"));
  assert.deepEqual([intake.tally.lastBadFrame, intake.faults.escapeErrors], ["6162…", 1]);
  assert.match(intake.tally.lastError ?? "", /not escaped as its framing wants/);
});

test("every kind of loss has its own count, and a bad frame is kept to look at", () => {
  const framing = { type: "nmea", max_frame: "82B" };
  const { clock, intake } = open({ subject: "s", framing, decode: { type: "nmea", sentences: ["HDT"] } });
  clock.advance(100);
  const bad = nmeaSentence("HEHDT,x,T");
  intake.feed(Buffer.from(`~~$GPGGA,1$HEHDT,1*00\r\n$${"x".repeat(100)}\r\n${bad}\r\n`));
  assert.deepEqual({ ...intake.faults }, { noiseBytes: 2, checksumErrors: 1, escapeErrors: 0 });
  assert.equal(intake.faults.badFrames, 1);
  const { torn, oversized, frames, decodeErrors, lastError, lastBadFrame } = intake.tally;
  assert.deepEqual([torn, oversized, frames, decodeErrors], [1, 1, 1, 1]);
  assert.deepEqual([lastError, lastBadFrame], ["cell 1 is no heading", bad.toString("hex")]);
});

test("on a bus that is listened to, an answer whose question was damaged is not taken for one to the question before", () => {
  const registers = [
    { name: "level", table: "holding", address: 0 },
    { name: "flow", table: "holding", address: 16 },
  ];
  const { clock, intake, batches } = open({
    subject: "s.{field}",
    framing: { type: "modbus_rtu" },
    decode: { type: "modbus", registers },
  });
  const questionOf = (address: number) => withCrc([7, 3, 0, address, 0, 1]);
  const answerOf = (value: number) => withCrc([7, 3, 2, 0, value]);
  const say = (...frames: readonly Buffer[]) => {
    for (const frame of frames) {
      intake.feed(frame);
      clock.advance(30);
    }
  };
  const damaged = (frame: Buffer) => Buffer.from(frame).fill(0xff, 2, 5);
  clock.advance(100);
  say(questionOf(0), damaged(answerOf(1)), damaged(questionOf(16)), answerOf(99));
  assert.deepEqual(batches, []);
  say(questionOf(0), Buffer.of(0xff, 0x00), answerOf(1)); // what a driver leaves on the wire when it is switched is no damage
  say(Buffer.concat([questionOf(16), answerOf(2)]));
  assert.deepEqual(batches, [["s.level | 1"], ["s.flow | 2"]]);
});
