import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import { decodeOptions } from "#ingress/serial/decode-options.ts";

function faults(json: unknown): string[] {
  return decode(decodeOptions, json).faults.map(formatFault);
}

function value(json: unknown): Record<string, unknown> {
  const decoded = decode(decodeOptions, json);
  assert.deepEqual(decoded.faults, []);
  return ("value" in decoded ? decoded.value : {}) as Record<string, unknown>;
}

test("each type has its own keys and its own defaults", () => {
  assert.deepEqual(value({}), { type: "json" });
  assert.deepEqual(value({ type: "raw" }), { type: "raw" });
  assert.deepEqual(value({ type: "text" }), { type: "text", charset: "utf-8" });
  assert.deepEqual(value({ type: "csv" }), {
    type: "csv",
    charset: "utf-8",
    columns: null,
    header: true,
    separator: ",",
    quote: '"',
    decimal: ".",
    unitsIn: "headers",
  });
  const named = value({ type: "csv", columns: ["a", { name: "b", unit: "V" }], separator: "\\t", quote: false });
  assert.deepEqual(named["columns"], [
    { name: "a", type: "auto", scale: 1, add: 0, unit: null },
    { name: "b", type: "auto", scale: 1, add: 0, unit: "V" },
  ]);
  assert.deepEqual([named["header"], named["separator"], named["quote"]], [false, "\t", ""]);
  assert.deepEqual(value({ type: "nmea", units_in: "members" }), { type: "nmea", sentences: null, unitsIn: "members" });
  assert.equal(value({ type: "struct", layout: [{ name: "a", type: "u8" }] })["endian"], "little");
});

test("a key of another type is a fault that says where it belongs", () => {
  assert.deepEqual(faults({ type: "json", pattern: "(?<a>.)" }), [
    'pattern: wants no such key with type "json", found one: take it out, or choose type "regex"',
  ]);
  assert.deepEqual(faults({ type: "regex" }), [
    'pattern: wants a value for type "regex", found nothing: this type cannot do without',
  ]);
  assert.deepEqual(faults({ type: "modbus" }), [
    'registers: wants a value for type "modbus", found nothing: this type cannot do without',
  ]);
});

test("a pattern that cannot be, or names nothing, is refused with the reason", () => {
  assert.match(faults({ type: "regex", pattern: "(?<a>[0-9" })[0] ?? "", /^pattern: wants a pattern .*missing closing \]/);
  assert.match(faults({ type: "regex", pattern: "(?=a)(?<a>b)" })[0] ?? "", /no back references and no look-around/);
  assert.match(
    faults({ type: "regex", pattern: "(?<a>(?:x?){500}x{500})" })[0] ?? "",
    /compiles to 15\d\d steps, the limit is 500/,
  );
  assert.match(faults({ type: "regex", pattern: "([0-9]+)" })[0] ?? "", /name what you want/);
});

test("a field that no group of the pattern is called is a fault", () => {
  const wrong = { type: "regex", pattern: "(?<a>.)(?<b>.)", fields: [{ name: "a" }, { name: "c", unit: "V" }] };
  assert.deepEqual(faults(wrong), [
    'fields[1].name: wants a group of the pattern (a, b), found "c": mend the name, or name the group so',
  ]);
});

test("csv: what could not be told apart is a fault", () => {
  assert.match(faults({ type: "csv", columns: null, header: false })[0] ?? "", /^columns: wants names/);
  assert.match(faults({ type: "csv", decimal: "," })[0] ?? "", /^separator: wants another than the decimal mark/);
  assert.match(faults({ type: "csv", separator: ";", quote: ";" })[0] ?? "", /^quote: wants another than the separator/);
  assert.match(faults({ type: "csv", columns: ["a", "b", "a"] })[0] ?? "", /^columns\[2\].name: wants a name of its own/);
  assert.deepEqual(faults({ type: "csv", columns: ["-", "a", "-"] }), []);
});

test("struct: places that cannot be are faults", () => {
  const layout = (...fields: object[]) => faults({ type: "struct", layout: fields });
  assert.match(
    layout({ name: "a", type: "bits", bit: 6, count: 3 })[0] ?? "",
    /^layout\[0\].bit: wants bits within u8, found up to bit 8/,
  );
  assert.match(
    layout({ name: "a", type: "ascii" }, { name: "b", type: "u8" })[0] ?? "",
    /^layout\[1\].offset: wants where the field begins/,
  );
  assert.deepEqual(layout({ name: "a", type: "ascii" }, { name: "b", type: "u8", offset: 0 }), []);
  assert.match(layout({ name: "a", type: "u8", length: 2 })[0] ?? "", /^layout\[0\].length: wants no length for u8/);
  assert.match(layout({ name: "a", type: "hex", length: 2, scale: 2 })[0] ?? "", /^layout\[0\].scale: wants none for hex/);
  assert.match(layout({ name: "a", type: "u8" }, { name: "a", type: "u8" })[0] ?? "", /^layout\[1\].name/);
});
