// Questions and answers against the standard's own examples (MODBUS Application Protocol V1.1b3, §6), and what may stand around them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crcModbus } from "#ingress/serial/modbus/crc.ts";
import { describeException } from "#ingress/serial/modbus/exceptions.ts";
import { tryParseCommand } from "#ingress/serial/modbus/parse-command.ts";
import {
  answerBytes,
  countFrames,
  encodeRequest,
  FRAME_BYTES_MAX,
  findAnswer,
  looksGarbled,
  type ModbusRequest,
} from "#ingress/serial/modbus/pdu.ts";
import { ModbusUnits, withCrc } from "../../../../support/modbus-units.ts";

const body = (request: ModbusRequest) => encodeRequest(17, request).subarray(1, -2).toString("hex");

test("the checksum is the one of the standard: 02 07 ends in 41 12", () => {
  assert.equal(crcModbus(Buffer.from([2, 7]), 0, 2), 0x1241);
  assert.equal(crcModbus(Buffer.from("123456789"), 0, 9), 0x4b37);
  assert.equal(crcModbus(Buffer.from([9, 2, 7, 0x41, 0x12]), 1, 5), 0);
});

test("every question has the bytes of the standard's example", () => {
  assert.equal(body({ kind: "read", table: "coils", address: 0x13, count: 0x13 }), "0100130013");
  assert.equal(body({ kind: "read", table: "discrete", address: 0xc4, count: 0x16 }), "0200c40016");
  assert.equal(body({ kind: "read", table: "holding", address: 0x6b, count: 3 }), "03006b0003");
  assert.equal(body({ kind: "read", table: "input", address: 8, count: 1 }), "0400080001");
  assert.equal(body({ kind: "write-coil", address: 0xac, value: true }), "0500acff00");
  assert.equal(body({ kind: "write-register", address: 1, value: 3 }), "0600010003");
  const bits = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0].map(Boolean);
  assert.equal(body({ kind: "write-coils", address: 0x13, values: bits }), "0f0013000a02cd01");
  assert.equal(body({ kind: "write-registers", address: 1, values: [0x000a, 0x0102] }), "100001000204000a0102");
  assert.equal(body({ kind: "mask-register", address: 4, and: 0xf2, or: 0x25 }), "16000400f20025");
  const values = [0xff, 0xff, 0xff];
  assert.equal(
    body({ kind: "read-write", address: 3, count: 6, writeAddress: 0x0e, values }),
    "1700030006000e00030600ff00ff00ff",
  );
});

const READ: ModbusRequest = { kind: "read", table: "holding", address: 0, count: 2 };
const QUESTION = encodeRequest(3, READ);
const ANSWER = withCrc([3, 3, 4, 0, 1, 0, 2]);

function find(bytes: Buffer, request = READ, question = QUESTION) {
  return findAnswer(bytes, 0, bytes.length, 3, request, question);
}

test("an answer is found behind noise, and not before it is whole", () => {
  const noise = Buffer.from([0xff, 3, 0, 3, 3]);
  const bytes = Buffer.concat([noise, ANSWER, Buffer.from([9])]);
  for (let end = 0; end < noise.length + ANSWER.length; end++) assert.equal(find(bytes.subarray(0, end)), undefined);
  assert.deepEqual(find(bytes), { at: 5, end: 5 + ANSWER.length, data: 8, dataEnd: 12 });
});

test("no other frame is taken for the answer: another unit, function, length or checksum", () => {
  assert.equal(find(withCrc([4, 3, 4, 0, 1, 0, 2])), undefined);
  assert.equal(find(withCrc([3, 4, 4, 0, 1, 0, 2])), undefined);
  assert.equal(find(withCrc([3, 3, 2, 0, 1])), undefined);
  const broken = Buffer.from(ANSWER);
  broken[4]! ^= 0x10;
  assert.equal(find(broken), undefined);
  assert.equal(looksGarbled(broken, 0, broken.length, 3, READ), true);
  assert.equal(looksGarbled(broken, 0, broken.length - 1, 3, READ), false);
  assert.equal(countFrames(Buffer.concat([ANSWER, Buffer.from([1]), withCrc([4, 0x83, 2])]), 0, 15), 2);
});

test("the answer to a write must repeat what was written", () => {
  const write: ModbusRequest = { kind: "write-register", address: 7, value: 5 };
  const question = encodeRequest(3, write);
  assert.notEqual(find(question, write, question), undefined);
  assert.equal(find(withCrc([3, 6, 0, 8, 0, 5]), write, question), undefined);
});

test("an exception is an answer with its code", () => {
  assert.deepEqual(find(withCrc([3, 0x83, 2])), { at: 0, end: 5, exception: 2 });
  assert.match(describeException(2), /illegal_data_address \(2\)/);
  assert.match(describeException(77), /exception_77/);
});

test("what the units of a bus say has the length that we wait for", () => {
  const units = new ModbusUnits([3]);
  const requests: ModbusRequest[] = [
    READ,
    { kind: "read", table: "coils", address: 0, count: 19 },
    { kind: "write-coil", address: 2, value: true },
    { kind: "write-coils", address: 2, values: [true, false] },
    { kind: "write-registers", address: 2, values: [1, 2] },
    { kind: "mask-register", address: 4, and: 0xf2, or: 0x25 },
    { kind: "read-write", address: 0, count: 3, writeAddress: 8, values: [1] },
  ];
  for (const request of requests) {
    const question = encodeRequest(3, request);
    const [answer] = units.hear(question);
    assert.equal(answer?.bytes.length, answerBytes(request), request.kind);
    assert.notEqual(find(answer!.bytes, request, question), undefined, request.kind);
  }
});

const UNITS = [
  { unit: 1, name: "meter" },
  { unit: 2, name: "pump" },
];
const parse = (command: unknown) => tryParseCommand(Buffer.from(JSON.stringify(command)), UNITS);

test("a command names its unit by number or name, and becomes the question it says", () => {
  const wanted = { unit: 2, request: { kind: "write-register", address: 16, value: 1200 } };
  assert.deepEqual(parse({ unit: "pump", function: 6, address: 16, value: 1200 }), wanted);
  assert.deepEqual(parse({ unit: 2, function: 6, address: 16, value: 1200 }), wanted);
  assert.deepEqual(parse({ unit: 1, function: 6, address: 0, value: -1 }), {
    unit: 1,
    request: { kind: "write-register", address: 0, value: 65_535 },
  });
  assert.deepEqual(parse({ unit: 0, function: 5, address: 3, value: true }), {
    unit: 0,
    request: { kind: "write-coil", address: 3, value: true },
  });
});

test("a command that makes no sense is refused with what was wanted, and nothing of it reaches the line", () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ["text", /no JSON object/],
    [null, /no JSON object/],
    [{ unit: 9, function: 3, address: 0, count: 1 }, /1 "meter", 2 "pump"/],
    [{ unit: 0, function: 3, address: 0, count: 1 }, /all units at once/],
    [{ unit: 1, function: 7, address: 0 }, /"function"/],
    [{ unit: 1, function: 3, address: 70_000, count: 1 }, /"address"/],
    [{ unit: 1, function: 3, address: 0, count: 126 }, /1 to 125/],
    [{ unit: 1, function: 3, address: 65_535, count: 2 }, /beyond address 65535/],
    [{ unit: 1, function: 6, address: 0, value: 1.5 }, /-32768 to 65535/],
    [{ unit: 1, function: 6, address: 0, value: "5" }, /-32768 to 65535/],
    [{ unit: 1, function: 5, address: 0, value: 2 }, /true or false/],
    [{ unit: 1, function: 16, address: 0, values: [] }, /1 to 123/],
    [{ unit: 1, function: 16, address: 0, values: Array(124).fill(0) }, /1 to 123/],
    [{ unit: 1, function: 15, address: 0, values: [2] }, /true or false/],
    [{ unit: 1, function: 22, address: 0, and: -1, or: 0 }, /0 to 65535/],
    [{ unit: 1, function: 23, address: 0, count: 1, values: [1] }, /write_address/],
  ];
  for (const [command, words] of wrong) {
    const found = parse(command);
    assert.ok(typeof found === "string", JSON.stringify(command));
    assert.match(found, words);
  }
  assert.equal(typeof tryParseCommand(Buffer.from("{"), UNITS), "string");
});

test("the longest command fits into a frame", () => {
  for (const [code, most] of [
    [15, 1968],
    [16, 123],
  ] as const) {
    const found = parse({ unit: 1, function: code, address: 0, values: Array(most).fill(1) });
    assert.ok(typeof found !== "string");
    assert.ok(encodeRequest(1, found.request).length <= FRAME_BYTES_MAX);
  }
});
