// What `petiole serial guess` and `replay` print, on lines and recordings of the mind.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { systemDisk } from "#base/disk.ts";
import type { Tty, TtyInfo } from "#base/tty.ts";
import { formatCaptureChunk, formatCaptureHead, parseCapture } from "#ingress/serial/guess/capture-file.ts";
import { serialPortOptions } from "#ingress/serial/options.ts";
import { runSerialGuess } from "../../../src/cli/serial-guess.ts";
import { runSerialReplay } from "../../../src/cli/serial-replay.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { withCrc } from "../../support/modbus-units.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { UartLine, UartTty } from "../../support/uart.ts";

const HEAD = {
  path: "/dev/ttyUSB3",
  baudRate: 9600,
  dataBits: 8,
  parity: "none",
  stopBits: 1,
  started: "2026-01-01T00:00:00.000Z",
} as const;
const DEVICE: TtyInfo = {
  path: "/dev/ttyUSB3",
  vendorId: "0403",
  productId: "6001",
  serialNumber: "A9",
  usbPort: "1-1",
  usbInterface: "1-1:1.0",
};

function capture(chunks: readonly (readonly [number, string | Buffer])[]): string {
  return formatCaptureHead(HEAD) + chunks.map(([at, bytes]) => formatCaptureChunk(at, Buffer.from(bytes))).join("");
}

const LINES = capture([
  [0, '3}\n{"t":21.4'],
  [20.126, "}\n"],
  [1000, '{"t":21.5}\n'],
  [2000, "rubbish\n"],
]);

function tty(overrides: Partial<Tty> = {}): Tty {
  return { find: async () => undefined, list: async () => [], ...overrides } as Tty;
}

async function replay(text: string, words: readonly string[], flags: object = {}) {
  await using folder = await tempFolder("petiole-capture");
  const file = `${folder.path}/capture.jsonl`;
  await fs.writeFile(file, text);
  const shown: string[] = [];
  const said: string[] = [];
  const place = {
    disk: systemDisk(),
    ports: [],
    write: (what: unknown) => void shown.push(String(what)),
    say: (line: string) => void said.push(line),
  };
  const outcome = await runSerialReplay([file, ...words], place, { json: false, ...flags });
  return { outcome, shown: shown.join(""), said };
}

test("a capture that was written is read again, to the hundredth of a millisecond", () => {
  const { head, chunks } = parseCapture(LINES, "x");
  assert.deepEqual(head, HEAD);
  assert.deepEqual(
    chunks.map(({ at, bytes }) => [at, bytes.toString()]),
    [
      [0, '3}\n{"t":21.4'],
      [20.13, "}\n"],
      [1000, '{"t":21.5}\n'],
      [2000, "rubbish\n"],
    ],
  );
  assert.equal(formatCaptureChunk(5, Buffer.alloc(0)), "");
});

test("a recording cut in its last line is good up to there, one damaged elsewhere is refused with the line", () => {
  assert.equal(parseCapture(LINES.slice(0, -5), "x").chunks.length, 3);
  assert.equal(parseCapture(LINES.slice(0, -1), "x").chunks.length, 4);
  assert.equal(parseCapture(formatCaptureHead(HEAD), "x").chunks.length, 0);
  for (const [text, words] of [
    ["", /line 1: is not the head/],
    ["{}\n", /line 1: is not the head/],
    [LINES.replace('"t":20.13', '"t":-1'), /line 3: is not a chunk/],
    [LINES.replace('"t":1000', '"t":5'), /line 4: has the time 5 ms after 20.13 ms/],
    [LINES.replace(/"hex":"7d0a"/, '"hex":"7d0"'), /line 3/],
  ] as const) {
    assert.throws(() => parseCapture(text, "x"), words);
  }
});

test("a replay shows what would be published, with the times of the recording, and what would not", async () => {
  const { shown } = await replay(LINES, [], { framing: '{"type":"line"}', decode: '{"type":"json"}', subject: "s.{field}" });
  const lines = shown.trimEnd().split("\n");
  assert.deepEqual(
    lines.filter((line) => !line.includes("!")),
    ["00:00:00.020  s.t  21.4", "00:00:01.000  s.t  21.5"],
  );
  assert.match(lines.at(-1)!, /^00:00:02\.000 {2}! cannot decode/);
});

test("a replay by silence gives the frames of the line: its timers are the recording's", async () => {
  const question = withCrc([1, 3, 0, 16, 0, 1]);
  const answer = withCrc([1, 3, 2, 0, 214]);
  const text = capture([
    [0, question.subarray(0, 5)],
    [2, question.subarray(5)],
    [80, answer],
    [200, question],
    [280, answer],
  ]);
  const registers = [{ name: "t", address: 16, scale: 0.1 }];
  const { shown } = await replay(text, [], {
    framing: '{"type":"modbus_rtu"}',
    decode: JSON.stringify({ type: "modbus", registers }),
  });
  assert.equal(shown.split("\n").filter((line) => line.includes("sensors.ttyUSB3.t  21.4")).length, 2, shown);
  const gaps = capture([
    [0, "ab"],
    [10, "c"],
    [500, "d"],
  ]);
  const idle = await replay(gaps, [], { framing: '{"type":"idle_gap","gap":"50ms"}', decode: '{"type":"text"}' });
  assert.deepEqual(
    idle.shown
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(14)),
    ["sensors.ttyUSB3  abc", "sensors.ttyUSB3  d"],
  );
});

test("without a word on how, a replay guesses and says so", async () => {
  const { shown, said } = await replay(LINES, []);
  assert.match(said[0]!, /as a guess \(\d+ %\): 2 of 3 lines are JSON objects/);
  assert.match(shown, /sensors\.ttyUSB3\.t {2}21\.4/);
});

test("a replay that is asked for nonsense says what was wanted", async () => {
  for (const [flags, words] of [
    [{ port: "nobody" }, /no serial port "nobody"/],
    [{ framing: "line" }, /want a JSON object/],
    [{ framing: '{"type":"lines"}' }, /framing\.type: wants/],
  ] as const) {
    const { outcome } = await replay(LINES, [], flags);
    assert.ok("misuse" in outcome);
    assert.match(outcome.misuse, words);
  }
  const place = { disk: systemDisk(), ports: [], write: () => undefined, say: () => undefined };
  await assert.rejects(runSerialReplay(["/nowhere.jsonl"], place, { json: false }), /there is no capture/);
});

test("a guess prints how sure it is, what it read, and settings that the schema takes", { timeout: 20_000 }, async () => {
  const clock = new FakeClock();
  const bursts = Array.from({ length: 8 }, (_, i) => ({ bytes: Buffer.from(`{"temp":${20 + i}.5}\r\n`), pauseMs: 50 }));
  const line = new UartTty(new UartLine({ baudRate: 19_200, dataBits: 8, parity: "none", stopBits: 1 }, bursts), clock);
  const said: string[] = [];
  const place = {
    disk: systemDisk(),
    tty: tty({ open: line.open.bind(line), find: async () => DEVICE, list: async () => [DEVICE] }),
    clock,
    say: (text: string) => void said.push(text),
    signal: AbortSignal.timeout(20_000),
  };
  let isDone = false;
  const guessing = runSerialGuess(["/dev/ttyUSB3"], place, { json: false }).finally(() => (isDone = true));
  for (let i = 0; i < 30 && !isDone; i++) await clock.pass(1500);
  const outcome = await guessing;
  assert.ok("text" in outcome);
  assert.equal(outcome.code, 0);
  assert.match(outcome.text, /^ {3}\d\d % {2}19200 baud 8N1 +\d+ of \d+ lines are JSON objects/);
  assert.match(outcome.text, /what it says, read so:\n {2}sensors\.ttyUSB3\.temp {2}2\d\.5/);
  const block: unknown = JSON.parse(outcome.text.slice(outcome.text.indexOf("settings:\n") + 10));
  const decoded = decode(serialPortOptions, block);
  assert.deepEqual(decoded.faults, []);
  assert.equal((block as { match: { serial_number: string } }).match.serial_number, "A9");
  assert.equal(said[0], "listening at 115200 baud, 8 bits, no parity");
});

test("a guess from a recording needs no port; a silent line ends with exit code 1", { timeout: 20_000 }, async () => {
  await using folder = await tempFolder("petiole-capture");
  const file = `${folder.path}/c.jsonl`;
  await fs.writeFile(file, capture(Array.from({ length: 9 }, (_, i) => [i * 100, `T=${i}.5 RH: ${40 + i}\r\n`] as const)));
  const place = {
    disk: systemDisk(),
    tty: tty(),
    clock: new FakeClock(),
    say: () => undefined,
    signal: AbortSignal.timeout(20_000),
  };
  const outcome = await runSerialGuess([file], place, { json: true });
  assert.ok("text" in outcome);
  const { proposals } = JSON.parse(outcome.text) as { proposals: { serial: { decode: { type: string } }; preview: string[] }[] };
  assert.equal(proposals[0]!.serial.decode.type, "regex");
  assert.match(proposals[0]!.preview[0]!, /sensors\.ttyUSB3\.T {2}\d\.5/);
  await fs.writeFile(file, capture([]));
  assert.deepEqual(await runSerialGuess([file], place, { json: true }), { text: '{\n  "proposals": []\n}\n', code: 1 });
  assert.ok("misuse" in (await runSerialGuess([], place, { json: true })));
  assert.ok("misuse" in (await runSerialGuess([file], place, { json: true, baud: "fast" })));
});
