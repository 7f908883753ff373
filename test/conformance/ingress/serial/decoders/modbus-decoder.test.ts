import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecodeOptions, ListenedRegisterOptions } from "#ingress/serial/decode-options.ts";
import { openDecoder, valuesOf } from "../../../../support/decoding.ts";

function register(name: string, address: number, more: Partial<ListenedRegisterOptions> = {}): ListenedRegisterOptions {
  const plain = { unitId: null, table: "holding", type: "u16", words: "big", bytes: "big", bit: null, length: 1 } as const;
  return { name, address, scale: 1, add: 0, unit: null, ...plain, ...more };
}

function listening(...registers: ListenedRegisterOptions[]): DecodeOptions {
  return { type: "modbus", registers, unitsIn: "headers" };
}

/** Frames as the framer gives them: without their checksum. */
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("an answer is read by the question before it", () => {
  const feed = openDecoder(
    listening(register("t", 16, { type: "i16", scale: 0.1, unit: "°C" }), register("n", 17), register("far", 99)),
  );
  assert.deepEqual(feed(hex("07 03 0010 0002")), { messages: [], fault: undefined });
  assert.deepEqual(feed(hex("07 03 04 ff38 0037")).messages, [
    { subject: "s.t", payload: "-20.0", headers: ["Petiole-Unit: °C", "Petiole-Scale: 0.1"] },
    { subject: "s.n", payload: "55" },
  ]);
});

test("the same registers of several units keep apart by the unit in the subject", () => {
  const feed = openDecoder(listening(register("n", 0), register("only9", 0, { unitId: 9 })), "bus.{unit}.{field}");
  const subjects = [7, 9].flatMap((unit) => {
    feed(hex(`0${unit} 03 0000 0001`));
    return feed(hex(`0${unit} 03 02 0005`)).messages.map(({ subject }) => subject);
  });
  assert.deepEqual(subjects, ["bus.7.n", "bus.9.n", "bus.9.only9"]);
});

test("coils are true or false, and an answer that looks like a question is taken for what it is", () => {
  const feed = openDecoder(listening(register("a", 0, { table: "coils" }), register("b", 17, { table: "coils" })));
  feed(hex("07 01 0000 0012"));
  assert.deepEqual(valuesOf(feed(hex("07 01 03 010002"))), { a: "true", b: "true" });
});

test("an answer without its question, of another unit or of another length carries nothing", () => {
  const feed = openDecoder(listening(register("n", 0)));
  const answer = hex("07 03 02 0005");
  assert.deepEqual(feed(answer).messages, []);
  feed(hex("08 03 0000 0001"));
  assert.deepEqual(feed(answer).messages, [], "another unit was asked");
  feed(hex("07 03 0000 0002"));
  assert.deepEqual(feed(answer).messages, [], "two registers were asked for");
  feed(hex("07 03 0000 0001"));
  feed.reset();
  assert.deepEqual(feed(answer).messages, [], "the line was cut in between");
  feed(hex("07 03 0000 0001"));
  assert.equal(feed(answer).messages.length, 1);
  assert.deepEqual(feed(answer).messages, [], "a question is answered once");
});

test("refusals, writes and functions we do not know are passed over; two bytes are no frame", () => {
  const feed = openDecoder(listening(register("n", 0)));
  for (const frame of ["07 83 02", "07 06 0000 0005", "07 10 0000 0001 02 0005", "07 2b 0e 01 00"]) {
    assert.deepEqual(feed(hex(frame)), { messages: [], fault: undefined }, frame);
  }
  assert.equal(feed(hex("07 03")).fault, "too short for Modbus");
});

test("a master that asks ever new things empties the memory of plans and harms nothing", () => {
  const feed = openDecoder(listening(register("n", 0)));
  for (let i = 0; i < 1500; i++) {
    feed(Buffer.of(7, 3, i >>> 8, i & 0xff, 0, 1));
    feed(hex("07 03 02 0005"));
  }
  feed(hex("07 03 0000 0001"));
  assert.deepEqual(valuesOf(feed(hex("07 03 02 0005"))), { n: "5" });
});
