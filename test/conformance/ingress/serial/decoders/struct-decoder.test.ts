import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DecodeOptions, StructFieldOptions } from "#ingress/serial/decode-options.ts";
import { openDecoder, valuesOf } from "../../../../support/decoding.ts";

type Struct = DecodeOptions & { readonly type: "struct" };

function field(name: string, type: StructFieldOptions["type"], more: Partial<StructFieldOptions> = {}): StructFieldOptions {
  const plain = { offset: null, endian: null, bit: 0, count: 1, of: "u8", length: null, scale: 1, add: 0, unit: null } as const;
  return { name, type, ...plain, ...more };
}

function struct(layout: readonly StructFieldOptions[], more: Partial<Struct> = {}): Struct {
  return { type: "struct", layout, endian: "little", bigIntegers: "number", unitsIn: "headers", ...more };
}

test("fields follow each other, numbers of every width lie as the endian says", () => {
  const types = ["u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32", "u64", "i64", "f32", "f64"] as const;
  const layout = types.map((type) => field(type, type));
  const little = Buffer.alloc(53);
  let at = 0;
  little.writeUInt8(200, at++);
  little.writeInt8(-100, at++);
  at = little.writeUInt16LE(60_000, at);
  at = little.writeInt16LE(-30_000, at);
  at = little.writeUIntLE(16_000_000, at, 3);
  at = little.writeIntLE(-8_000_000, at, 3);
  at = little.writeUInt32LE(4_000_000_000, at);
  at = little.writeInt32LE(-2_000_000_000, at);
  at = little.writeBigUInt64LE(123n, at);
  at = little.writeBigInt64LE(-123n, at);
  at = little.writeFloatLE(21.4, at);
  at = little.writeDoubleLE(-1e300, at);
  const expected = {
    u8: "200",
    i8: "-100",
    u16: "60000",
    i16: "-30000",
    u24: "16000000",
    i24: "-8000000",
    u32: "4000000000",
    i32: "-2000000000",
    u64: "123",
    i64: "-123",
    f32: "21.4",
    f64: "-1e+300",
  };
  assert.deepEqual(valuesOf(openDecoder(struct(layout))(little.subarray(0, at))), expected);
  const big = Buffer.concat(
    [1, 1, 2, 2, 3, 3, 4, 4, 8, 8, 4, 8].map((size, i, sizes) => {
      const from = sizes.slice(0, i).reduce((sum, each) => sum + each, 0);
      return Buffer.from(little.subarray(from, from + size)).reverse();
    }),
  );
  assert.deepEqual(valuesOf(openDecoder(struct(layout, { endian: "big" }))(big)), expected);
});

test("a field's own endian and offset go before the frame's", () => {
  const layout = [field("a", "u16", { offset: 2, endian: "big" }), field("b", "u16"), field("c", "u8", { offset: 0 })];
  assert.deepEqual(valuesOf(openDecoder(struct(layout))(Buffer.from("070001020304", "hex"))), { a: "258", b: "1027", c: "7" });
});

test("bits share the number that holds them while they rise in it", () => {
  const layout = [
    field("mode", "bits", { count: 3 }),
    field("fault", "bool", { bit: 3 }),
    field("level", "bits", { bit: 4, count: 4, scale: 10, unit: "%" }),
    field("next", "bool"),
    field("wide", "bits", { of: "u32", bit: 31, count: 1 }),
    field("after", "u8"),
  ];
  const frame = Buffer.from("ad01000000807f", "hex");
  assert.deepEqual(valuesOf(openDecoder(struct(layout))(frame)), {
    mode: "5",
    fault: "true",
    level: "100",
    next: "true",
    wide: "1",
    after: "127",
  });
});

test("text ends at its first zero, the rest of a frame may be shown in hex", () => {
  const layout = [field("id", "ascii", { length: 6 }), field("rest", "hex")];
  assert.deepEqual(valuesOf(openDecoder(struct(layout))(Buffer.from("SN1\0xx\x01\xff", "latin1"))), {
    id: '"SN1"',
    rest: '"01ff"',
  });
  assert.deepEqual(valuesOf(openDecoder(struct(layout))("SN1   ")), { id: '"SN1"', rest: '""' });
});

test("a frame shorter than its layout is a fault as a whole, what lies behind the layout is ignored", () => {
  const feed = openDecoder(struct([field("a", "u32"), field("b", "u8")]));
  assert.deepEqual(feed(Buffer.alloc(4)), { messages: [], fault: "4 bytes, the layout has 5" });
  assert.deepEqual(valuesOf(feed(Buffer.alloc(9))), { a: "0", b: "0" });
});

test("what JSON cannot carry is said honestly: NaN as null, a large counter with all its digits or as text", () => {
  const layout = [field("f", "f32"), field("d", "f64"), field("u", "u64"), field("i", "i64")];
  const frame = Buffer.alloc(28);
  frame.writeFloatLE(Number.NaN, 0);
  frame.writeDoubleLE(Number.NEGATIVE_INFINITY, 4);
  frame.writeBigUInt64LE(2n ** 64n - 1n, 12);
  frame.writeBigInt64LE(-(2n ** 53n) + 1n, 20);
  const values = { f: "null", d: "null", u: "18446744073709551615", i: "-9007199254740991" };
  assert.deepEqual(valuesOf(openDecoder(struct(layout))(frame)), values);
  assert.deepEqual(valuesOf(openDecoder(struct(layout, { bigIntegers: "text" }))(frame)), {
    ...values,
    u: '"18446744073709551615"',
  });
});

test("any frame gives one JSON object with every field, as a DataView reads it", () => {
  const layout = [field("a", "u16"), field("b", "i32", { endian: "big" }), field("c", "f32"), field("d", "u64")];
  const feed = openDecoder(struct(layout), "s");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 18, maxLength: 18 }), (bytes) => {
      const { messages, fault } = feed(Buffer.from(bytes));
      assert.equal(fault, undefined);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const seen = JSON.parse(messages[0]!.payload) as Record<string, number | null>;
      const single = view.getFloat32(6, true);
      assert.equal(seen["a"], view.getUint16(0, true));
      assert.equal(seen["b"], view.getInt32(2));
      assert.equal(seen["c"] === null ? null : Math.fround(seen["c"]!), Number.isFinite(single) ? single + 0 : null);
      assert.equal(messages[0]!.payload.endsWith(`"d":${view.getBigUint64(10, true)}}`), true);
    }),
    { numRuns: 300 },
  );
});

test("a reading far larger than those before it comes out whole", () => {
  const feed = openDecoder(struct([field("text", "ascii"), field("raw", "hex", { offset: 0 })]), "s");
  const frame = Buffer.alloc(100_000, 0xe9);
  const { messages } = feed(frame);
  assert.deepEqual(JSON.parse(messages[0]!.payload), { text: "é".repeat(100_000), raw: "e9".repeat(100_000) });
});
