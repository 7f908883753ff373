// Single samples: what they are taken for, and that nothing at all makes the guess fall over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { interpret, SAMPLE_BYTES_MAX } from "#ingress/serial/guess/interpret.ts";
import { ReplayClock } from "#ingress/serial/guess/replay-clock.ts";
import { nameFor, settingsBlock } from "#ingress/serial/guess/settings-block.ts";
import { serialPortOptions } from "#ingress/serial/options.ts";
import { SPEAKERS } from "../../../../support/framings.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const random = seededRandom(99);
const next = (below: number) => Math.floor(random() * below);

const best = (text: string | Buffer) => interpret(Buffer.from(text))[0];
const lines = (make: (i: number) => string, count = 12, end = "\r\n") =>
  `rest of a line${end}${Array.from({ length: count }, (_, i) => make(i) + end).join("")}begin`;

test("a checksum at the end of every frame is found by trying, and proves the framing", () => {
  const said = (name: string) => {
    const speaker = SPEAKERS[name]!;
    return Buffer.concat(
      Array.from({ length: 20 }, () => speaker.encode(Buffer.concat([speaker.content(random), Buffer.from("abcd")]))),
    );
  };
  const cobs = best(said("cobs with a checksum"))!;
  assert.deepEqual(cobs.framing, { type: "cobs", checksum: "crc16_modbus" });
  assert.ok(cobs.score > 0.93, String(cobs.score));
  assert.match(cobs.why, /each ends with the crc16_modbus of the rest/);
  const marked = best(said("start and end with a sum in hex"))!;
  assert.deepEqual(marked.framing, {
    type: "start_end",
    start: "\\x02",
    end: "\\x03",
    checksum: "crc16_modbus",
    checksum_as: "hex",
  });
  assert.equal(best(said("slip"))!.framing["checksum"], undefined, "none is seen where none is");
});

test("rows say their separator, their decimal mark and their names", () => {
  assert.deepEqual(best(lines((i) => `${i},ok,${i * 2}`))?.decode, { type: "csv", columns: ["c1", "c2", "c3"] });
  assert.deepEqual(best(lines((i) => `${i},5;${i},25`))?.decode, {
    type: "csv",
    columns: ["c1", "c2"],
    separator: ";",
    decimal: ",",
  });
  assert.deepEqual(best(lines((i) => `${i}\t${i}`))?.decode, { type: "csv", columns: ["c1", "c2"], separator: "\\t" });
  assert.deepEqual(best(lines((i) => `  ${i}   ${i * 3}.5 `))?.decode, { type: "csv", columns: ["c1", "c2"], separator: " " });
  assert.deepEqual(best(lines((i) => (i === 0 ? "temp,hum" : `${i},${i}`)))?.decode, { type: "csv", columns: ["temp", "hum"] });
});

test("numbers with names become a pattern, lines without numbers are text", () => {
  const pairs = best(lines((i) => `T=${i}.5 C, RH: ${i}`));
  assert.equal(pairs?.decode["type"], "regex");
  assert.match(String(pairs?.decode["pattern"]), /\(\?<T>.*\(\?<RH>/);
  assert.deepEqual(best(lines(() => "all is well"))?.decode, { type: "text" });
  assert.deepEqual(best(lines(() => "all is well", 12, "\r"))?.framing, { type: "delimiter", delimiter: "\\r" });
  assert.deepEqual(
    best(
      Buffer.from(
        lines(() => "all \u00b0C so"),
        "latin1",
      ),
    )?.decode,
    { type: "text", charset: "latin1" },
  );
});

test("text between marks is cut at the marks", () => {
  const framed = Array.from({ length: 8 }, (_, i) => `\x02W${i}.5kg\x03`).join("");
  assert.deepEqual(best(framed)?.framing, { type: "start_end", start: "\\x02", end: "\\x03" });
});

test("a sample that is too short, or says nothing, is never sure", () => {
  assert.deepEqual(interpret(Buffer.alloc(0)), []);
  assert.deepEqual(interpret(Buffer.from("{}\n")), []);
  for (const byte of [0, 0x55, 0xc0, 0xff, 0x0a, 0x20]) {
    const found = best(Buffer.alloc(500, byte));
    assert.ok(found === undefined || found.score < 0.6, `${byte}: ${found?.score} ${found?.why}`);
  }
});

test("no sample makes it fall over or take long, and whatever it proposes the settings take", () => {
  const alphabet = '{}[]":,;=\t \r\n\0\x02\x03\xc0\xdb\xdc0123456789.-+eTab$*é';
  const startedAt = performance.now();
  for (let i = 0; i < 150; i++) {
    const length = next(i % 10 === 0 ? SAMPLE_BYTES_MAX : 600);
    const sample = Buffer.from(
      Array.from({ length }, () => (i % 3 === 0 ? next(256) : alphabet.charCodeAt(next(alphabet.length)) & 0xff)),
    );
    for (const each of interpret(sample)) {
      assert.ok(each.score >= 0 && each.score <= 1, `${each.score}`);
      const line = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1, ...each.line } as const;
      const block = settingsBlock(
        nameFor("/dev/tty USB.0"),
        { path: "/dev/ttyUSB0", device: undefined, devices: [] },
        line,
        each,
      );
      assert.deepEqual(decode(serialPortOptions, block).faults, [], JSON.stringify(block));
    }
  }
  assert.ok(performance.now() - startedAt < 8000);
});

test("the clock of a recording fires what is due on the way, in its order, and never goes back", () => {
  const clock = new ReplayClock(1000);
  const fired: string[] = [];
  const note = (what: string) => () => void fired.push(`${what} ${clock.now()}`);
  clock.after(20, note("b"));
  clock.after(10, () => {
    note("a")();
    clock.after(5, note("c"));
  });
  clock.after(12, note("never"))[Symbol.dispose]();
  const ticking = clock.every(50, note("tick"));
  clock.moveTo(30);
  assert.deepEqual(fired, ["a 10", "c 15", "b 20"]);
  clock.moveTo(5);
  assert.equal(clock.now(), 30);
  clock.moveTo(120);
  ticking[Symbol.dispose]();
  clock.moveTo(1000);
  assert.deepEqual(fired.slice(3), ["tick 50", "tick 100"]);
  assert.equal(clock.wall(), 2000);
});
